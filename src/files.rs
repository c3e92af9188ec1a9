//! Small things done to files and directories so that they last.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Makes a directory and everything above it, and makes the new entries last.
///
/// # Errors
/// What the system says.
pub fn make_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_directory(parent)?;
    }
    add_directory(path)
}

/// Makes a directory in one that is there, and makes its entry last.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] where that one is gone: it is not made again. What the system says.
pub fn add_directory(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    path.parent().map_or(Ok(()), sync_directory)
}

/// fsync of a directory: names in it survive a power loss.
///
/// # Errors
/// What the system says.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Whether syncing a new file makes its name last too, so that its directory need not be synced for it: where a file and
/// its name are made in one transaction of the journal. Asked of the file system by name; any other answer is no.
#[must_use]
pub fn names_last_with_files(directory: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let Ok(absolute) = fs::canonicalize(directory) else {
        return false;
    };
    matches!(file_system(&mounts, &absolute), Some("ext4" | "xfs"))
}

/// The type of the file system that a path is on, by the lines of proc(5) mountinfo: … mount point (5th) … "-" type. Of
/// several at one point the last one counts.
fn file_system<'a>(mounts: &'a str, path: &Path) -> Option<&'a str> {
    let mount = |line: &'a str| {
        let (mount, kind) = line.split_once(" - ")?;
        let mut point = mount.split(' ').nth(4)?.to_owned();
        // Written so that a line stays a line, and a field a field.
        for (escaped, plain) in [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")] {
            point = point.replace(escaped, plain);
        }
        Some((point, kind.split(' ').next()?))
    };
    mounts
        .lines()
        .filter_map(mount)
        .filter(|(point, _)| path.starts_with(point))
        .max_by_key(|(point, _)| point.len())
        .map(|(_, kind)| kind)
}

/// Writes a file whole or not at all: beside it, synced, renamed.
///
/// # Errors
/// What the system says; the old file then stays.
pub fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    make_directory(path.parent().unwrap_or(Path::new("/")))?;
    renew_file(path, content)
}

/// As [`replace_file`], in a directory that is there.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] where that is gone: it is not made again. What the system says; the old file then stays.
pub fn renew_file(path: &Path, content: &[u8]) -> io::Result<()> {
    renew(path, content, |_| Ok(()))
}

fn renew(path: &Path, content: &[u8], ready: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = directory.join(format!(".{name}.new"));
    // What a killed run has left. In a directory of somebody else's it may be a link to what is not theirs: it is not followed.
    remove_file(&beside)?;
    let mut file = File::create_new(&beside)?;
    file.write_all(content)?;
    ready(&file)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    sync_directory(directory)
}

/// As [`replace_file`], for a file that people keep too: what a link leads to is replaced, not the link, and it stays whose
/// it was.
///
/// # Errors
/// As [`replace_file`].
pub fn replace_shared_file(path: &Path, content: &[u8]) -> io::Result<()> {
    // A link that leads nowhere is replaced.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let Ok(before) = fs::metadata(&path) else {
        return replace_file(&path, content);
    };
    renew(&path, content, |beside| {
        beside.set_permissions(before.permissions())?;
        // Who is not root gives nothing away; what is theirs then is at least in force.
        let _ = std::os::unix::fs::fchown(beside, Some(before.uid()), Some(before.gid()));
        Ok(())
    })
}

/// Adds to the end of a file; makes it and its directory if they are not there.
///
/// # Errors
/// What the system says.
pub fn append(path: &Path, content: &[u8]) -> io::Result<()> {
    make_directory(path.parent().unwrap_or(Path::new("/")))?;
    File::options()
        .create(true)
        .append(true)
        .open(path)?
        .write_all(content)
}

/// Removes a file; one that is gone is a success.
///
/// # Errors
/// What the system says.
pub fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The entries of a directory; none when there is no such directory.
///
/// # Errors
/// What the system says.
pub fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| entry.map(|e| e.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Finds the regular files below a directory, without following a link; counts directories that lie deeper than the first
/// bound.
///
/// # Errors
/// What the system says; that there are more than the second bound.
pub fn walk(
    directory: &Path,
    (deepest, most): (usize, usize),
    found: &mut Vec<PathBuf>,
    left_alone: &mut usize,
) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // The entry's own type: a link is a link, wherever it leads.
        let kind = entry.file_type()?;
        if kind.is_dir() && deepest > 0 {
            walk(&entry.path(), (deepest - 1, most), found, left_alone)?;
        } else if kind.is_dir() {
            *left_alone += 1;
        } else if kind.is_file() {
            if found.len() == most {
                return Err(io::Error::other(format!(
                    "more than {most} files in {}",
                    directory.display()
                )));
            }
            found.push(entry.path());
        }
    }
    Ok(())
}

/// Removes a directory and everything in it; one that is gone is a success.
///
/// # Errors
/// What the system says.
pub fn remove_directory(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_gone_comes_back_only_where_that_is_meant() {
        let above = tempfile::tempdir().unwrap();
        let gone = above.path().join("gone");
        let file = gone.join("record.json");
        let kind = |result: io::Result<()>| result.unwrap_err().kind();
        assert_eq!(kind(renew_file(&file, b"new")), io::ErrorKind::NotFound);
        assert_eq!(
            kind(add_directory(&gone.join("outgoing"))),
            io::ErrorKind::NotFound
        );
        assert!(!gone.exists());
        replace_file(&file, b"first").unwrap();
        renew_file(&file, b"second").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"second");
        add_directory(&gone.join("outgoing")).unwrap();
        add_directory(&gone.join("outgoing")).unwrap();
    }

    #[test]
    fn what_somebody_has_laid_beside_a_shared_file_is_not_written_to() {
        let (shared, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (rules, victim) = (shared.path().join("rules.json"), ours.path().join("secret"));
        fs::write(&rules, "old").unwrap();
        fs::write(&victim, "secret").unwrap();
        std::os::unix::fs::symlink(&victim, shared.path().join(".rules.json.new")).unwrap();
        replace_shared_file(&rules, b"new").unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"secret");
        assert_eq!(fs::read(&rules).unwrap(), b"new");
        assert!(fs::symlink_metadata(&rules).unwrap().is_file());
    }

    #[test]
    fn a_path_is_on_the_innermost_and_latest_mount_whatever_its_name() {
        let mounts = "22 1 8:1 / / rw - ext4 /dev/a rw\n\
                      30 22 0:5 / /mnt/my\\040disk rw shared:1 - nfs server:/x rw\n\
                      31 22 0:6 / /data rw - xfs /dev/b rw\n\
                      32 22 0:7 / /data rw - tmpfs tmpfs rw\n";
        for (path, expected) in [
            ("/var/lib", Some("ext4")),
            ("/mnt/my disk/data", Some("nfs")),
            ("/data/streams", Some("tmpfs")),
            ("/database", Some("ext4")),
        ] {
            assert_eq!(file_system(mounts, Path::new(path)), expected, "{path}");
        }
        assert_eq!(file_system("", Path::new("/")), None);
    }
}
