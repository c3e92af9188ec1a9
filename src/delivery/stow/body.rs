//! A batch as the body of a request: multipart/related (RFC 2387), read from the files as it goes.

use std::fs::File;
use std::io::{self, Cursor, Error, ErrorKind, Read};
use std::path::PathBuf;

use crate::dicom::scu::{Outgoing, Pace};
use crate::dicom::upper_layer::Stop;

/// What the body is made of, in order.
#[derive(Debug)]
enum Piece {
    Text(Cursor<Vec<u8>>),
    /// A file of that length that is not open yet.
    Waiting(PathBuf, u64),
    /// What is left of a file.
    Open(File, u64),
}

/// A body whose length is known before it is read.
#[derive(Debug)]
pub(super) struct Body<'s> {
    /// Last one first.
    pieces: Vec<Piece>,
    length: u64,
    pace: Option<&'s Pace>,
    stop: &'s Stop,
}

impl<'s> Body<'s> {
    pub fn new<'f>(
        parts: impl Iterator<Item = (&'f Outgoing, u64)>,
        boundary: &str,
        pace: Option<&'s Pace>,
        stop: &'s Stop,
    ) -> Self {
        let mut pieces = Vec::new();
        let mut length = 0;
        let text = |pieces: &mut Vec<Piece>, text: String| {
            let bytes = text.len() as u64;
            pieces.push(Piece::Text(Cursor::new(text.into_bytes())));
            bytes
        };
        for (number, (file, bytes)) in parts.enumerate() {
            let between = if number == 0 { "" } else { "\r\n" };
            // Its transfer syntax says the head of the file. Some servers drop a part that says it here too, and answer 200.
            let head = format!("{between}--{boundary}\r\nContent-Type: application/dicom\r\n\r\n");
            length += text(&mut pieces, head) + bytes;
            pieces.push(Piece::Waiting(file.path.clone(), bytes));
        }
        length += text(&mut pieces, format!("\r\n--{boundary}--\r\n"));
        pieces.reverse();
        Self {
            pieces,
            length,
            pace,
            stop,
        }
    }

    /// All of it, in bytes.
    pub const fn length(&self) -> u64 {
        self.length
    }
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_raised() {
            return Err(Error::other("this node is stopping"));
        }
        let most = self
            .pace
            .map_or(buffer.len(), |pace| pace.piece().min(buffer.len()));
        let buffer = buffer.get_mut(..most).unwrap_or_default();
        loop {
            let read = match self.pieces.pop() {
                None => return Ok(0),
                Some(Piece::Text(mut text)) => {
                    let read = text.read(buffer)?;
                    if read > 0 {
                        self.pieces.push(Piece::Text(text));
                    }
                    read
                }
                Some(Piece::Waiting(path, bytes)) => {
                    self.pieces.push(Piece::Open(File::open(path)?, bytes));
                    continue;
                }
                Some(Piece::Open(_, 0)) => 0,
                Some(Piece::Open(mut file, left)) => {
                    let read = (&mut file).take(left).read(buffer)?;
                    if read == 0 {
                        // The length was told.
                        return Err(Error::new(ErrorKind::UnexpectedEof, "a file became shorter"));
                    }
                    self.pieces.push(Piece::Open(file, left - read as u64));
                    read
                }
            };
            if read > 0 {
                if let Some(pace) = self.pace {
                    pace.wait_for(read);
                }
                return Ok(read);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Uid;

    #[test]
    fn a_batch_reads_as_multipart_of_the_length_it_told() {
        let directory = tempfile::tempdir().unwrap();
        let uid = |text: &str| Uid::parse(text.as_bytes()).unwrap();
        let file = |name: &str, content: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, content).unwrap();
            Outgoing {
                path,
                sop_class_uid: uid("1.2"),
                sop_instance_uid: uid("1.2.3"),
                transfer_syntax_uid: uid("1.2.840.10008.1.2.1"),
            }
        };
        let files = [file("a", "first"), file("b", ""), file("c", "third")];
        let stop = Stop::default();
        let lengths = [5, 0, 5];
        let mut body = Body::new(files.iter().zip(lengths), "B", None, &stop);
        let length = body.length();
        let mut text = String::new();
        body.read_to_string(&mut text).unwrap();
        let head = "Content-Type: application/dicom\r\n\r\n";
        let expected = format!("--B\r\n{head}first\r\n--B\r\n{head}\r\n--B\r\n{head}third\r\n--B--\r\n");
        assert_eq!(text, expected);
        assert_eq!(text.len() as u64, length);
        let mut longer = Body::new(files.iter().zip([6, 0, 5]), "B", None, &stop);
        assert!(longer.read_to_string(&mut String::new()).is_err());
        stop.raise();
        assert!(
            Body::new(files.iter().zip(lengths), "B", None, &stop)
                .read(&mut [0; 9])
                .is_err()
        );
    }
}
