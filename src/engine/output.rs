//! What a bucket left in `/output`, read without trusting it: no link is followed, nothing but regular files counts.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::dicom::part10::{self, FileMeta};
use crate::files;

/// Directories below each other that are looked into.
const DEEPEST: usize = 32;

/// Files that are looked at.
const MOST_FILES: usize = 1_000_000;

/// One file of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// Relative to `OUTPUT/`, with `/` between its parts.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the whole file, hexadecimal.
    pub sha256: String,
    /// What its head says, if it is a DICOM file.
    pub dicom: Option<FileMeta>,
}

/// A file's part in a record.
#[derive(Debug, Serialize)]
pub struct Hashed {
    /// SOP Instance UID, for a DICOM file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sop_instance_uid: Option<String>,
    /// Name of the file in its directory.
    pub file: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the whole file, hexadecimal.
    pub sha256: String,
}

impl From<&OutputFile> for Hashed {
    fn from(file: &OutputFile) -> Self {
        Self {
            sop_instance_uid: file.dicom.as_ref().map(|d| d.sop_instance_uid.to_string()),
            file: file.path.clone(),
            bytes: file.bytes,
            sha256: file.sha256.clone(),
        }
    }
}

/// The regular files below a directory.
#[derive(Debug, Default)]
pub struct Listing {
    /// By name.
    pub files: Vec<OutputFile>,
    /// Files that are left alone: names that are not UTF-8, directories too deep. Names are not told: they may be a
    /// patient's.
    pub left_alone: usize,
}

impl Listing {
    /// What a person should know of it.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let text = || {
            format!(
                "{} files or directories of OUTPUT were left alone: their names are not UTF-8, or they lie more than \
                 {DEEPEST} directories deep",
                self.left_alone
            )
        };
        (self.left_alone > 0).then(text)
    }
}

/// Every regular file below a directory, by name.
///
/// # Errors
/// What reading says.
pub fn files(root: &Path) -> io::Result<Listing> {
    let mut paths = Vec::new();
    let mut listing = Listing::default();
    files::walk(root, (DEEPEST, MOST_FILES), &mut paths, &mut listing.left_alone)?;
    paths.sort();
    for path in paths {
        match path.strip_prefix(root).ok().and_then(Path::to_str) {
            Some(name) => listing.files.push(file(&path, name)?),
            None => listing.left_alone += 1,
        }
    }
    Ok(listing)
}

/// One file, under its name in a listing.
///
/// # Errors
/// What reading says.
pub fn file(path: &Path, name: &str) -> io::Result<OutputFile> {
    let (bytes, sha256) = hash(path)?;
    let dicom = part10::read_head(path)?.map(|(meta, _)| meta);
    Ok(OutputFile {
        path: name.to_owned(),
        bytes,
        sha256,
        dicom,
    })
}

/// Size and SHA-256 of a regular file.
///
/// # Errors
/// What reading says.
pub fn hash(path: &Path) -> io::Result<(u64, String)> {
    let mut file = fs::File::open(path)?;
    let mut sha = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            let hex = sha.finalize().iter().map(|b| format!("{b:02x}")).collect();
            return Ok((bytes, hex));
        }
        bytes += read as u64;
        sha.update(buffer.get(..read).unwrap_or_default());
    }
}

/// A small regular file of the bucket's; `None` when there is none of that kind, or it is larger than `limit` bytes.
///
/// # Errors
/// What reading says.
pub fn read_small(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut options = fs::OpenOptions::new();
    options.read(true).custom_flags(
        (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK)
            .bits()
            .cast_signed(),
    );
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // A link.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > limit {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_not_followed_and_other_kinds_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        fs::write(dir.path().join("a/b/x.txt"), b"abc").unwrap();
        symlink("/etc", dir.path().join("etc")).unwrap();
        symlink("/etc/passwd", dir.path().join("proc.json")).unwrap();
        use std::os::unix::ffi::OsStrExt;
        fs::write(
            dir.path().join(std::ffi::OsStr::from_bytes(b"M\xfcller.nii")),
            b"x",
        )
        .unwrap();
        let listing = files(dir.path()).unwrap();
        let (found, problem) = (&listing.files, listing.problem().unwrap());
        assert!(
            problem.starts_with("1 files") && !problem.contains("ller"),
            "{problem}"
        );
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "a/b/x.txt");
        assert_eq!(
            found[0].sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(read_small(&dir.path().join("proc.json"), 1000).unwrap(), None);
        assert_eq!(read_small(&dir.path().join("a/b/x.txt"), 2).unwrap(), None);
        assert_eq!(
            read_small(&dir.path().join("a/b/x.txt"), 3).unwrap().as_deref(),
            Some(&b"abc"[..])
        );
    }
}
