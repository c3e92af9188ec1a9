//! `logs/bucket<AETitle>.log`: what the node did when it called the bucket, for people.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;

use crate::files;
use crate::model::{AeTitle, Layout, Place, Timestamp};

/// At this length, in bytes, a log becomes the older half, and the half before it goes.
const HALF: u64 = 4 << 20;

/// The most bytes of one answer.
const PIECE: u64 = 256 << 10;

/// A place in a log, to read on from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogPlace {
    /// The file, by its number: its name changes.
    file: u64,
    /// Bytes of it that were read.
    offset: u64,
}

impl LogPlace {
    /// As text, for a client to give back.
    #[must_use]
    pub fn to_text(self) -> String {
        format!("{}-{}", self.file, self.offset)
    }

    /// Reads what [`LogPlace::to_text`] wrote; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (file, offset) = text.split_once('-')?;
        Some(Self {
            file: file.parse().ok()?,
            offset: offset.parse().ok()?,
        })
    }
}

/// Adds a line; `about` is the job it is about, `-` where it is about none.
///
/// # Errors
/// What the system says.
pub fn append(layout: &Layout, ae_title: &AeTitle, about: &str, text: &str) -> io::Result<()> {
    let path = layout.path(Place::BucketLog(ae_title));
    if fs::metadata(&path).is_ok_and(|log| log.len() >= HALF) {
        fs::rename(&path, layout.path(Place::BucketLogBefore(ae_title)))?;
    }
    let line = format!("{} {about} {text}\n", Timestamp::now().to_rfc3339());
    files::append(&path, line.as_bytes())
}

/// Reads on from a place, whole lines; from none, the end of the log.
///
/// # Errors
/// What the system says. A log that is not there is an empty one.
pub fn read(layout: &Layout, ae_title: &AeTitle, from: Option<LogPlace>) -> io::Result<(Vec<u8>, LogPlace)> {
    let now = open(layout, Place::BucketLog(ae_title))?;
    let Some(from) = from else {
        let Some((file, number, length)) = now else {
            return Ok((Vec::new(), LogPlace::default()));
        };
        let (mut text, place) = piece(file, number, length.saturating_sub(PIECE))?;
        if length > PIECE {
            let begin = text.iter().position(|b| *b == b'\n').map_or(0, |at| at + 1);
            text.drain(..begin);
        }
        return Ok((text, place));
    };
    match now {
        Some((file, number, _)) if number == from.file => piece(file, number, from.offset),
        now => {
            // It became the older half since: the rest of that first.
            if let Some((file, number, length)) = open(layout, Place::BucketLogBefore(ae_title))?
                && number == from.file
                && from.offset < length
            {
                return piece(file, number, from.offset);
            }
            match now {
                Some((file, number, _)) => piece(file, number, 0),
                None => Ok((Vec::new(), from)),
            }
        }
    }
}

fn open(layout: &Layout, place: Place<'_>) -> io::Result<Option<(File, u64, u64)>> {
    match File::open(layout.path(place)) {
        Ok(file) => {
            let about = file.metadata()?;
            Ok(Some((file, about.ino(), about.len())))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn piece(mut file: File, number: u64, offset: u64) -> io::Result<(Vec<u8>, LogPlace)> {
    file.seek(SeekFrom::Start(offset))?;
    let mut text = Vec::new();
    file.take(PIECE).read_to_end(&mut text)?;
    // A line that is being written comes with the next piece.
    let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    text.truncate(whole);
    let place = LogPlace {
        file: number,
        offset: offset + whole as u64,
    };
    Ok((text, place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_follows_a_log_reads_every_line_once_also_while_it_is_turned_over() {
        let home = tempfile::tempdir().unwrap();
        let layout = Layout::new(home.path().to_owned());
        let title = AeTitle::parse("A").unwrap();
        let (empty, mut place) = read(&layout, &title, None).unwrap();
        assert!(empty.is_empty());
        let mut seen = Vec::new();
        let filler = "x".repeat(1000);
        for number in 0..10_000 {
            append(&layout, &title, "-", &format!("{number} {filler}")).unwrap();
            if number % 100 == 99 {
                loop {
                    let (text, next) = read(&layout, &title, Some(place)).unwrap();
                    place = LogPlace::parse(&next.to_text()).unwrap();
                    let lines = std::str::from_utf8(&text).unwrap().lines();
                    let numbers = lines.map(|l| l.split(' ').nth(2).unwrap().parse::<u32>().unwrap());
                    let before = seen.len();
                    seen.extend(numbers);
                    if seen.len() == before {
                        break;
                    }
                }
            }
        }
        assert_eq!(seen, (0..10_000).collect::<Vec<_>>());
        let size = |place| fs::metadata(layout.path(place)).unwrap().len();
        let kept = size(Place::BucketLog(&title)) + size(Place::BucketLogBefore(&title));
        assert!(kept < 2 * HALF + 10_000, "{kept}");
        let (end, _) = read(&layout, &title, None).unwrap();
        let end = String::from_utf8(end).unwrap();
        assert!(end.contains(" 9999 x") && end.lines().all(|l| l.ends_with('x') && l.starts_with('2')));
    }
}
