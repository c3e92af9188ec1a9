//! The log of a bucket as text that does no harm to a terminal.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// What is passed on at once, in bytes: a flood does not stand in memory.
const PIECE: u64 = 1 << 20;

/// A growing log, read from where it was left.
#[derive(Debug, Default)]
pub struct LogText {
    read: u64,
    /// Bytes of a character that is not complete yet.
    rest: Vec<u8>,
    /// Whether the last character was a carriage return: a line end unless one follows.
    returned: bool,
}

impl LogText {
    /// What the file has grown by since, a piece of it at most; empty when there is nothing new.
    ///
    /// # Errors
    /// What reading says.
    pub fn more(&mut self, log: &Path) -> io::Result<String> {
        let mut file = File::open(log)?;
        file.seek(SeekFrom::Start(self.read))?;
        let mut bytes = Vec::new();
        self.read += file.take(PIECE).read_to_end(&mut bytes)? as u64;
        Ok(self.plain(&bytes))
    }

    /// Text without control characters; a bar that is drawn again and again becomes lines.
    fn plain(&mut self, bytes: &[u8]) -> String {
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&all) {
            // No length of an error: it is the text that ends, in the midst of a character.
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => all.len(),
        };
        self.rest = all.split_off(whole);
        let mut text = String::with_capacity(all.len());
        for character in String::from_utf8_lossy(&all).chars() {
            if std::mem::replace(&mut self.returned, character == '\r') && character != '\n' {
                text.push('\n');
            }
            if !character.is_control() || matches!(character, '\n' | '\t') {
                text.push(character);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(pieces: &[&[u8]]) -> String {
        let mut log = LogText::default();
        pieces.iter().map(|piece| log.plain(piece)).collect()
    }

    #[test]
    fn what_steers_a_terminal_is_dropped() {
        assert_eq!(
            plain(&[b"a\x1b[2Jb\x07\tc\n", "\u{9b}1md".as_bytes()]),
            "a[2Jb\tc\n1md"
        );
    }

    #[test]
    fn a_bar_that_is_drawn_again_becomes_lines() {
        assert_eq!(
            plain(&[b"10 %\r50 %\r", b"100 %\r\nend\r\n"]),
            "10 %\n50 %\n100 %\nend\n"
        );
    }

    #[test]
    fn a_character_in_two_pieces_is_one_and_what_is_none_is_replaced() {
        assert_eq!(plain(&[b"M\xc3", b"\xbcller \xff!"]), "M\u{fc}ller \u{fffd}!");
    }

    #[test]
    fn a_file_is_read_on_from_where_it_was_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = LogText::default();
        std::fs::write(&path, "one\n").unwrap();
        assert_eq!(log.more(&path).unwrap(), "one\n");
        std::fs::write(&path, "one\ntwo\n").unwrap();
        assert_eq!(log.more(&path).unwrap(), "two\n");
        assert_eq!(log.more(&path).unwrap(), "");
    }
}
