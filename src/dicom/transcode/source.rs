//! A data set in a file, looked at in pieces: however large it is, little of it is in memory.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use super::{TranscodeError, unfit};

/// What is read at once while the heads of elements are looked at, in bytes.
const WINDOW: usize = 8 << 10;

/// The longest head of an element (PS3.5 §7.1.2), in bytes.
pub(super) const LONGEST_HEAD: usize = 12;

/// Positions are those in the file.
#[derive(Debug)]
pub(super) struct Source {
    file: File,
    /// Where the data set is.
    pub range: Range<u64>,
    window: Vec<u8>,
    /// Where the window begins.
    at: u64,
}

pub(super) fn cut() -> TranscodeError {
    unfit("it ends within an element")
}

impl Source {
    /// The data set behind a file's head.
    pub fn new(file: File, begin: u64) -> io::Result<Self> {
        let range = begin..file.metadata()?.len();
        Ok(Self {
            file,
            range,
            window: Vec::new(),
            at: 0,
        })
    }

    /// At most [`LONGEST_HEAD`] bytes from there on, fewer where the data set ends.
    pub fn head(&mut self, at: u64) -> Result<&[u8], TranscodeError> {
        let left = usize::try_from(self.range.end.saturating_sub(at)).unwrap_or(usize::MAX);
        let wanted = left.min(LONGEST_HEAD);
        let known = at.checked_sub(self.at).and_then(|d| usize::try_from(d).ok());
        let known = known.filter(|d| d.checked_add(wanted).is_some_and(|end| end <= self.window.len()));
        let begin = match known {
            Some(begin) => begin,
            None => {
                self.window.resize(left.min(WINDOW), 0);
                self.at = at;
                self.file.read_exact_at(&mut self.window, at)?;
                0
            }
        };
        self.window.get(begin..begin + wanted).ok_or_else(cut)
    }

    /// A range of it.
    pub fn read(&self, range: &Range<u64>, into: &mut Vec<u8>) -> Result<(), TranscodeError> {
        if range.end > self.range.end {
            return Err(cut());
        }
        let length = range.end.saturating_sub(range.start);
        let length = usize::try_from(length).map_err(|_| TranscodeError::TooLarge)?;
        let begin = into.len();
        into.resize(begin + length, 0);
        let target = into.get_mut(begin..).unwrap_or_default();
        Ok(self.file.read_exact_at(target, range.start)?)
    }

    /// Writes a range of it elsewhere.
    pub fn copy(&self, range: Range<u64>, into: &mut impl Write) -> io::Result<()> {
        let length = range.end.saturating_sub(range.start);
        let mut file = &self.file;
        file.seek(SeekFrom::Start(range.start))?;
        if io::copy(&mut file.take(length), into)? < length {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}
