//! How much a bucket has written so far, against what it may.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::model::Resources;

/// Bytes of a block as stat(2) counts them.
const BLOCK: u64 = 512;

/// What is below a directory: bytes on the disk, files and directories. Links are counted, not followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes on the disk.
    pub bytes: u64,
    /// Files and directories.
    pub entries: u64,
    /// Whether a directory lies so deep that its path has no name for the system.
    pub too_deep: bool,
}

/// What is below a directory. Looks no further than it has to: once it is more than allowed, the rest is not counted.
///
/// # Errors
/// What reading says; an entry that goes away meanwhile is none.
pub(super) fn below(output: &Path, allowed: &Resources) -> io::Result<Usage> {
    let mut usage = Usage::default();
    let mut directories: Vec<PathBuf> = vec![output.to_owned()];
    while let Some(directory) = directories.pop() {
        let entries = match fs::read_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            // Relative paths lead a program as deep as it likes: what cannot be counted must not be room without a limit.
            Err(error) if error.kind() == io::ErrorKind::InvalidFilename => {
                usage.too_deep = true;
                return Ok(usage);
            }
            other => other?,
        };
        for entry in entries {
            let entry = entry?;
            let metadata = match entry.metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other?,
            };
            usage.bytes += metadata.blocks() * BLOCK;
            usage.entries += 1;
            if usage.excess(allowed).is_some() {
                return Ok(usage);
            }
            if metadata.is_dir() {
                directories.push(entry.path());
            }
        }
    }
    Ok(usage)
}

impl Usage {
    /// Why it is more than allowed, for people.
    #[must_use]
    pub fn excess(&self, allowed: &Resources) -> Option<String> {
        if self.bytes > allowed.output {
            let limit = bytesize::ByteSize::b(allowed.output).display().iec();
            return Some(format!(
                "stopped: it wrote more than its limit of {limit} into /output"
            ));
        }
        if self.too_deep {
            return Some("stopped: its directories in /output lie deeper than a path can say".to_owned());
        }
        (self.entries > allowed.files).then(|| {
            let limit = allowed.files;
            format!("stopped: it made more than its limit of {limit} files in /output")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(output: u64, files: u64) -> Resources {
        Resources {
            output,
            files,
            ..Resources::default()
        }
    }

    #[test]
    fn bytes_on_the_disk_and_entries_count_wherever_they_are() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("deep")).unwrap();
        fs::write(dir.path().join("deep/a"), vec![1; 100_000]).unwrap();
        fs::write(dir.path().join("b"), "x").unwrap();
        let excess = |path: &Path, allowed: Resources| below(path, &allowed).unwrap().excess(&allowed);
        let why = |bytes, files| excess(dir.path(), allowed(bytes, files));
        assert_eq!(why(1 << 20, 3), None);
        assert!(
            why(50_000, 3)
                .unwrap()
                .contains("more than its limit of 48.8 KiB")
        );
        assert!(
            why(1 << 20, 2)
                .unwrap()
                .contains("more than its limit of 2 files")
        );
        assert_eq!(excess(&dir.path().join("none"), allowed(1, 1)), None);
    }

    #[test]
    fn a_hole_takes_no_room_and_a_link_out_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        fs::File::create(dir.path().join("hole"))
            .unwrap()
            .set_len(1 << 40)
            .unwrap();
        std::os::unix::fs::symlink("/", dir.path().join("all")).unwrap();
        let usage = below(dir.path(), &allowed(1 << 20, 2)).unwrap();
        assert_eq!((usage.bytes, usage.entries), (0, 2));
    }

    #[test]
    fn what_lies_too_deep_to_be_counted_is_too_much() {
        let dir = tempfile::tempdir().unwrap();
        // A program goes down step by step; so does this.
        let name = "d".repeat(200);
        let mut at = fs::File::open(dir.path()).unwrap();
        for _ in 0..30 {
            rustix::fs::mkdirat(&at, &*name, rustix::fs::Mode::RWXU).unwrap();
            let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY;
            at = rustix::fs::openat(&at, &*name, flags, rustix::fs::Mode::empty())
                .unwrap()
                .into();
        }
        let allowed = Resources::default();
        let why = below(dir.path(), &allowed).unwrap().excess(&allowed);
        assert!(why.unwrap().contains("deeper than a path can say"));
    }
}
