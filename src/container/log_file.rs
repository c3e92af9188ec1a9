//! A log file with a bound, which keeps the first part of what is printed and its end.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::{Error, Result};

/// How much of the end is kept of a log that is too long, in bytes.
const TAIL: u64 = 64 << 10;

/// Room for the line that says what is missing, in bytes.
const NOTICE: u64 = 80;

/// A log file being written.
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    /// What may still be written at once.
    head_left: u64,
    tail: Tail,
    printed: u64,
}

/// How much went into a log file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// Bytes appended.
    pub(super) printed: u64,
    /// How many of them are not in the file.
    pub(super) dropped: u64,
}

impl LogFile {
    /// Creates or empties the file; it will not be larger than `max_bytes`.
    pub(super) async fn create(path: &Path, max_bytes: u64) -> Result<Self> {
        let file = File::create(path).await.map_err(|source| Error::File {
            path: path.to_owned(),
            source,
        })?;
        let tail = TAIL.min(max_bytes / 2);
        let head_left = max_bytes.saturating_sub(tail).saturating_sub(NOTICE);
        Ok(Self {
            path: path.to_owned(),
            file,
            head_left,
            tail: Tail::new(usize::try_from(tail).unwrap_or(usize::MAX)),
            printed: 0,
        })
    }

    /// Appends to the file or, where that is full, to the end kept in memory.
    pub(super) async fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.printed += bytes.len() as u64;
        let fits = usize::try_from(self.head_left)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let (head, rest) = bytes.split_at(fits);
        self.head_left -= fits as u64;
        self.tail.push(rest);
        if head.is_empty() {
            Ok(())
        } else {
            self.write(head).await
        }
    }

    /// Lets readers of the file see what was appended.
    pub(super) async fn flush(&mut self) -> Result<()> {
        self.file.flush().await.map_err(|source| Error::File {
            path: self.path.clone(),
            source,
        })
    }

    /// Adds the end, and the line before it where something is missing.
    pub(super) async fn finish(mut self) -> Result<Written> {
        let mut tail = std::mem::replace(&mut self.tail, Tail::new(0));
        if tail.dropped > 0 {
            tail.begin_with_a_line();
            self.write(
                format!(
                    "\n[{} bytes of the log are missing here: it is too long]\n",
                    tail.dropped
                )
                .as_bytes(),
            )
            .await?;
        }
        self.write(tail.bytes.make_contiguous()).await?;
        self.flush().await?;
        Ok(Written {
            printed: self.printed,
            dropped: tail.dropped,
        })
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).await.map_err(|source| Error::File {
            path: self.path.clone(),
            source,
        })
    }
}

/// The last bytes of a stream.
pub(super) struct Tail {
    bytes: VecDeque<u8>,
    limit: usize,
    dropped: u64,
}

impl Tail {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            bytes: VecDeque::new(),
            limit,
            dropped: 0,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let (skipped, kept) = bytes.split_at(bytes.len().saturating_sub(self.limit));
        let excess = (self.bytes.len() + kept.len()).saturating_sub(self.limit);
        self.bytes.drain(..excess);
        self.bytes.extend(kept);
        self.dropped += (skipped.len() + excess) as u64;
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes.into()
    }

    /// Drops the rest of a line whose beginning is lost.
    fn begin_with_a_line(&mut self) {
        if let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
            self.bytes.drain(..=end);
            self.dropped += end as u64 + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LogFile, Written};

    async fn log(lines: usize, max_bytes: u64) -> (Written, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("processing.log");
        let mut log = LogFile::create(&path, max_bytes).await.unwrap();
        for n in 0..lines {
            log.append(format!("line {n:04}\n").as_bytes()).await.unwrap();
        }
        let written = log.finish().await.unwrap();
        (written, std::fs::read_to_string(path).unwrap())
    }

    #[tokio::test]
    async fn a_log_that_fits_is_whole() {
        let (written, text) = log(40, 500).await;
        assert_eq!(
            written,
            Written {
                printed: 400,
                dropped: 0
            }
        );
        assert_eq!(text.len(), 400);
        assert!(text.starts_with("line 0000\nline 0001\n") && text.ends_with("line 0039\n"));
    }

    #[tokio::test]
    async fn a_log_that_is_too_long_keeps_both_ends_and_says_what_is_missing() {
        let (written, text) = log(1000, 500).await;
        assert!(text.len() <= 500, "{} bytes", text.len());
        assert!(
            text.starts_with("line 0000\n") && text.ends_with("line 0999\n"),
            "{text}"
        );
        let kept = text.lines().filter(|line| line.starts_with("line ")).count() * 10;
        assert_eq!(
            written,
            Written {
                printed: 10_000,
                dropped: 10_000 - kept as u64
            }
        );
        assert!(
            text.contains(&format!(
                "[{} bytes of the log are missing here: it is too long]\nline ",
                written.dropped
            )),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_bound_too_small_for_anything_is_kept_nearly() {
        let (written, text) = log(10, 0).await;
        assert_eq!(
            written,
            Written {
                printed: 100,
                dropped: 100
            }
        );
        assert!(text.len() <= super::NOTICE as usize, "{text}");
    }
}
