//! The files of a directory that is pushed, and how each is called in the zip.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::fs::OFlags;

use crate::cli::mb::ending::warn;
use crate::cli::text::plain;

/// Directories below one another; nobody has more, but a loop of mounts has.
const DEEPEST: usize = 64;

/// The longest name in a zip, in bytes; the number that makes it unique comes on top.
const LONGEST_NAME: usize = 150;

/// A file to be sent.
#[derive(Clone, Debug)]
pub(in crate::cli::mb) struct Entry {
    /// Where it lies, no link on the way.
    pub path: PathBuf,
    /// As people know it, below the directory.
    pub shown: String,
    /// Bytes.
    pub size: u64,
    /// Nanoseconds since 1970, and when anything of it changed.
    pub times: (i128, i128),
}

/// A directory with its files in order.
#[derive(Debug)]
pub(in crate::cli::mb) struct Directory {
    /// Where it is, no link on the way.
    pub root: PathBuf,
    /// Its files; the same order each time.
    pub entries: Vec<Entry>,
}

impl Directory {
    /// Looks at a directory and all below it. A link to a file is followed within the directory; one that leads out of
    /// it, and what is no file, is left out and said.
    ///
    /// # Errors
    /// What the disk says, naming the path; a directory without files.
    pub fn read(path: &Path) -> Result<Self> {
        let reading = || format!("read {}", path.display());
        let root = path.canonicalize().with_context(reading)?;
        if !root.is_dir() {
            bail!("{} is no directory: push sends a directory", path.display());
        }
        let mut directory = Self {
            root: root.clone(),
            entries: Vec::new(),
        };
        let mut left_out = LeftOut::default();
        directory.walk(&root, 0, &mut left_out)?;
        left_out.say();
        if directory.entries.is_empty() {
            bail!("{} has no files to send", path.display());
        }
        Ok(directory)
    }

    /// Its own name, as the node is told.
    pub fn name(&self) -> String {
        let name = self.root.file_name().unwrap_or_default().to_string_lossy();
        match printable(&name) {
            name if name.is_empty() => "directory".to_owned(),
            name => name,
        }
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.entries.iter().map(|e| e.size).sum()
    }

    fn walk(&mut self, directory: &Path, depth: usize, left_out: &mut LeftOut) -> Result<()> {
        if depth > DEEPEST {
            bail!(
                "{} lies more than {DEEPEST} directories deep",
                directory.display()
            );
        }
        let reading = || format!("read {}", directory.display());
        let mut paths = fs::read_dir(directory)
            .with_context(reading)?
            .map(|entry| entry.map(|e| e.path()))
            .collect::<io::Result<Vec<_>>>()
            .with_context(reading)?;
        paths.sort();
        for path in paths {
            let about = fs::symlink_metadata(&path).with_context(|| format!("read {}", path.display()))?;
            if about.is_dir() {
                self.walk(&path, depth + 1, left_out)?;
            } else if about.is_file() {
                self.add(&path, path.clone(), &about);
            } else if about.is_symlink() {
                match self.behind(&path) {
                    Some((target, about)) => self.add(&path, target, &about),
                    None => left_out.links += 1,
                }
            } else {
                left_out.others += 1;
            }
        }
        Ok(())
    }

    /// The file behind a link, if it is one below the root.
    fn behind(&self, link: &Path) -> Option<(PathBuf, fs::Metadata)> {
        let target = link.canonicalize().ok()?;
        let about = fs::symlink_metadata(&target).ok()?;
        (target.starts_with(&self.root) && about.is_file()).then_some((target, about))
    }

    fn add(&mut self, seen: &Path, path: PathBuf, about: &fs::Metadata) {
        let shown = seen.strip_prefix(&self.root).unwrap_or(seen);
        let time = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        self.entries.push(Entry {
            shown: plain(&shown.to_string_lossy()),
            path,
            size: about.len(),
            times: (
                time(about.mtime(), about.mtime_nsec()),
                time(about.ctime(), about.ctime_nsec()),
            ),
        });
    }
}

/// What is not sent.
#[derive(Default)]
struct LeftOut {
    links: usize,
    others: usize,
}

impl LeftOut {
    fn say(&self) {
        if self.links > 0 {
            warn(&format!(
                "not sent: {} symbolic links that lead out of the directory, to a directory or nowhere",
                self.links
            ));
        }
        if self.others > 0 {
            warn(&format!("not sent: {} pipes, sockets or devices", self.others));
        }
    }
}

impl Entry {
    /// Opens it, no link followed any more.
    ///
    /// # Errors
    /// What the disk says; it is no file any more.
    pub fn open(&self) -> io::Result<File> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = fs::OpenOptions::new()
            .read(true)
            .custom_flags(i32::try_from(flags.bits()).unwrap_or_default())
            .open(&self.path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "it is no file any more",
            ));
        }
        Ok(file)
    }

    /// Its name in the zip: unique by its number, `.dcm` where it is DICOM.
    pub fn zip_name(&self, number: usize, file: &mut File) -> io::Result<String> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let shown = Path::new(&self.shown).file_name().map(|n| n.to_string_lossy());
        let name = printable(&shown.unwrap_or(name));
        if let Some(stem) = name.strip_suffix(".dcm") {
            return Ok(format!("{stem}_file{number:05}_.dcm"));
        }
        if is_part10(file)? {
            return Ok(format!("{name}_file{number:05}.dcm"));
        }
        Ok(format!("file{number:05}_{name}"))
    }
}

/// Whether a file says that it is DICOM; it is at its beginning again afterwards.
fn is_part10(file: &mut File) -> io::Result<bool> {
    let mut head = Vec::new();
    file.take(132).read_to_end(&mut head)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(head.get(128..) == Some(b"DICM".as_slice()))
}

/// A name without what a path, a terminal or a zip would trip over.
fn printable(name: &str) -> String {
    let safe = |c: char| {
        if c == '/' || c == '\\' || c.is_control() {
            '_'
        } else {
            c
        }
    };
    let mut name = plain(&name.chars().map(safe).collect::<String>());
    // A file system counts bytes, a person's alphabet may have three in a letter.
    let end = (0..=LONGEST_NAME).rev().find(|at| name.is_char_boundary(*at));
    if name.len() > LONGEST_NAME {
        name.truncate(end.unwrap_or_default());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_out_of_the_directory_are_left_out_and_those_within_followed() {
        let place = tempfile::tempdir().unwrap();
        let study = place.path().join("study");
        fs::create_dir_all(study.join("b")).unwrap();
        fs::write(place.path().join("secret"), "x").unwrap();
        fs::write(study.join("b/1"), "x").unwrap();
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, study.join(name)).unwrap();
        link("b/1", "a");
        link("../secret", "c");
        link("..", "d");
        link("nowhere", "e");
        let directory = Directory::read(&study).unwrap();
        let shown: Vec<_> = directory.entries.iter().map(|e| e.shown.as_str()).collect();
        assert_eq!(shown, ["a", "b/1"]);
        assert_eq!(directory.entries[0].path, directory.entries[1].path);
    }

    #[test]
    fn a_file_that_became_a_link_is_not_followed() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("1"), "x").unwrap();
        let directory = Directory::read(place.path()).unwrap();
        fs::remove_file(place.path().join("1")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", place.path().join("1")).unwrap();
        assert!(directory.entries[0].open().is_err());
    }

    #[test]
    fn long_names_in_any_alphabet_stay_below_what_a_file_system_takes() {
        let place = tempfile::tempdir().unwrap();
        for name in ["ü".repeat(120) + ".dcm", "日".repeat(80), "a".repeat(255)] {
            fs::write(place.path().join(name), "x").unwrap();
        }
        let directory = Directory::read(place.path()).unwrap();
        for (number, entry) in (1..).zip(&directory.entries) {
            let name = entry.zip_name(number, &mut entry.open().unwrap()).unwrap();
            assert!(name.len() <= 200, "{name}");
        }
    }

    #[test]
    fn names_in_the_zip_are_the_originals() {
        let place = tempfile::tempdir().unwrap();
        let mut dicom = vec![0; 128];
        dicom.extend(b"DICMrest");
        fs::write(place.path().join("IM1"), &dicom).unwrap();
        fs::write(place.path().join("a.dcm"), "x").unwrap();
        fs::write(place.path().join("notes.txt"), "x").unwrap();
        let directory = Directory::read(place.path()).unwrap();
        let names: Vec<_> = (1..)
            .zip(&directory.entries)
            .map(|(n, e)| e.zip_name(n, &mut e.open().unwrap()).unwrap())
            .collect();
        assert_eq!(
            names,
            ["IM1_file00001.dcm", "a_file00002_.dcm", "file00003_notes.txt"]
        );
    }
}
