//! A file on its way into memory: opened and read ahead while the answer to the one before is awaited.

use std::fs::File;
use std::io::{self, ErrorKind, Read};

use crate::dicom::part10::{self, FileMeta};

/// What is read ahead of a file, in bytes: ordinary objects whole, so that each goes out in one write.
const AHEAD: usize = 4 << 20;

/// The data set of a file, its beginning in memory.
#[derive(Debug)]
pub struct Loaded {
    file: File,
    buffer: Vec<u8>,
    /// What its head says, where that was read.
    meta: Option<FileMeta>,
    /// Where the data set begins in the buffer.
    start: usize,
    /// Bytes of it that are still in the file only.
    left: u64,
}

impl Loaded {
    /// Reads the beginning of a file; `buffer` is used again. `offset`: where the data set begins, or it is found behind
    /// the head of a Part 10 file.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] for what is no DICOM file; what the system says.
    pub fn read(file: File, offset: Option<u64>, mut buffer: Vec<u8>) -> io::Result<Self> {
        buffer.clear();
        let length = file.metadata()?.len();
        let ahead = length.min(AHEAD as u64);
        buffer.reserve(usize::try_from(ahead).unwrap_or(AHEAD));
        // One byte more would tell that it grew, which the head does not care about.
        (&file).take(ahead).read_to_end(&mut buffer)?;
        if (buffer.len() as u64) < ahead {
            return Err(io::Error::new(ErrorKind::InvalidData, "the file became shorter"));
        }
        let (meta, offset) = match offset {
            Some(offset) => (None, Some(offset)),
            None => {
                part10::parse_head(&buffer).map_or((None, None), |(meta, offset)| (Some(meta), Some(offset)))
            }
        };
        let start = offset.and_then(|offset| usize::try_from(offset).ok());
        let Some(start) = start.filter(|start| *start <= buffer.len()) else {
            return Err(io::Error::new(ErrorKind::InvalidData, "not a DICOM file"));
        };
        Ok(Self {
            left: length - ahead,
            file,
            buffer,
            meta,
            start,
        })
    }

    /// What its head says; `None` where it was said where the data set begins.
    #[must_use]
    pub const fn meta(&self) -> Option<&FileMeta> {
        self.meta.as_ref()
    }

    /// Its beginning; what is left of it in the file, and how much that is.
    pub(super) fn parts(&mut self) -> (&[u8], &mut File, u64) {
        let ahead = self.buffer.get(self.start..).unwrap_or_default();
        (ahead, &mut self.file, self.left)
    }

    /// Bytes of the data set.
    #[must_use]
    pub const fn len(&self) -> u64 {
        (self.buffer.len() - self.start) as u64 + self.left
    }

    /// Whether there is no data set.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The memory, for the next one.
    #[must_use]
    pub fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }
}
