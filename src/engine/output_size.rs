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
struct Usage {
    bytes: u64,
    entries: u64,
}

/// Why `/output` is too much, for people; `None` as long as it is not. Looks no further than it has to.
///
/// # Errors
/// What reading says; an entry that goes away meanwhile is none.
pub(super) fn excess(output: &Path, allowed: &Resources) -> io::Result<Option<String>> {
    let mut usage = Usage::default();
    let mut directories: Vec<PathBuf> = vec![output.to_owned()];
    while let Some(directory) = directories.pop() {
        let entries = match fs::read_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
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
            if let Some(why) = over(&usage, allowed) {
                return Ok(Some(why));
            }
            if metadata.is_dir() {
                directories.push(entry.path());
            }
        }
    }
    Ok(None)
}

fn over(usage: &Usage, allowed: &Resources) -> Option<String> {
    if usage.bytes > allowed.output {
        let limit = bytesize::ByteSize::b(allowed.output).display().iec();
        return Some(format!(
            "stopped: it wrote more than its limit of {limit} into /output"
        ));
    }
    (usage.entries > allowed.files).then(|| {
        let limit = allowed.files;
        format!("stopped: it made more than its limit of {limit} files in /output")
    })
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
        let why = |bytes, files| excess(dir.path(), &allowed(bytes, files)).unwrap();
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
        assert_eq!(excess(&dir.path().join("none"), &allowed(1, 1)).unwrap(), None);
    }

    #[test]
    fn a_hole_takes_no_room_and_a_link_out_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        fs::File::create(dir.path().join("hole"))
            .unwrap()
            .set_len(1 << 40)
            .unwrap();
        std::os::unix::fs::symlink("/", dir.path().join("all")).unwrap();
        assert_eq!(excess(dir.path(), &allowed(1 << 20, 2)).unwrap(), None);
    }
}
