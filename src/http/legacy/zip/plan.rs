//! What a zip will be, byte for byte but for its sums, before any of it is written.

use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{Mode, OFlags};
use time::OffsetDateTime;
use twox_hash::xxhash3_128;

use super::format::{Entry, end};

/// Directories below each other that are looked into.
const DEEPEST: usize = 32;

/// Entries of one zip.
const MOST: usize = 1_000_000;

/// Where the content of an entry is.
#[derive(Clone, Debug)]
pub enum Source {
    /// A directory.
    None,
    /// A file that only the node writes.
    File(PathBuf),
    /// A file that a bucket wrote, below a directory: it may be writing still, and nothing on the way may be a link.
    Below(PathBuf, PathBuf),
}

/// An entry, where it is and where it will be.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Its records.
    pub entry: Entry,
    /// Its content.
    pub source: Source,
    /// Where it begins in the zip.
    pub offset: u64,
}

/// A zip to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// In their order.
    pub entries: Vec<Planned>,
    /// Where the directory begins.
    pub directory: u64,
    /// Bytes of the whole.
    pub length: u64,
    /// The same as long as the zip is.
    pub tag: String,
}

/// What is to be an entry.
struct Found {
    name: String,
    source: Source,
    bytes: u64,
    modified: SystemTime,
}

impl Plan {
    /// A zip of what a bucket left below a directory; its entries begin with `prefix`, which ends in `/`.
    ///
    /// # Errors
    /// What reading says.
    pub fn of_directory(root: &Path, prefix: &str) -> io::Result<Self> {
        let mut found = vec![top(prefix)];
        let mut directories = vec![(PathBuf::new(), prefix.to_owned(), DEEPEST)];
        while let Some((directory, prefix, depth)) = directories.pop() {
            let entries = match std::fs::read_dir(root.join(&directory)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries?,
            };
            for entry in entries {
                let entry = entry?;
                // The entry's own type: a link is a link, wherever it leads.
                let (kind, path) = (entry.file_type()?, directory.join(entry.file_name()));
                let name = format!("{prefix}{}", readable(&entry.file_name()));
                let metadata = match entry.metadata() {
                    // A bucket that runs may remove what it wrote.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    metadata => metadata?,
                };
                if found.len() >= MOST {
                    return Err(io::Error::other("more files than a zip of this node has"));
                }
                let modified = metadata.modified().unwrap_or(UNIX_EPOCH);
                if kind.is_dir() && depth > 0 {
                    let name = format!("{name}/");
                    directories.push((path, name.clone(), depth - 1));
                    found.push(Found {
                        name,
                        source: Source::None,
                        bytes: 0,
                        modified,
                    });
                } else if kind.is_file() {
                    found.push(Found {
                        name,
                        source: Source::Below(root.to_owned(), path),
                        bytes: metadata.len(),
                        modified,
                    });
                }
            }
        }
        Ok(Self::new(found))
    }

    /// A zip of files of the node's own, by their names.
    ///
    /// # Errors
    /// What reading says.
    pub fn of_files(files: impl IntoIterator<Item = (String, PathBuf)>, prefix: &str) -> io::Result<Self> {
        let mut found = vec![top(prefix)];
        for (name, path) in files {
            let metadata = std::fs::symlink_metadata(&path)?;
            found.push(Found {
                name: format!("{prefix}{name}"),
                source: Source::File(path),
                bytes: metadata.len(),
                modified: metadata.modified().unwrap_or(UNIX_EPOCH),
            });
        }
        Ok(Self::new(found))
    }

    fn new(mut found: Vec<Found>) -> Self {
        found.sort_by(|a, b| a.name.cmp(&b.name));
        let (mut entries, mut offset) = (Vec::with_capacity(found.len()), 0);
        let mut tag = xxhash3_128::Hasher::new();
        let mut directory_length = 0;
        for Found {
            name,
            source,
            bytes,
            modified,
        } in found
        {
            let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
            tag.write(name.as_bytes());
            tag.write(&[0]);
            tag.write(&bytes.to_le_bytes());
            tag.write(&since.as_nanos().to_le_bytes());
            let entry = Entry {
                name,
                bytes,
                modified: dos_time(modified),
            };
            let length = entry.length();
            directory_length += entry.central(0, offset).len() as u64;
            entries.push(Planned {
                entry,
                source,
                offset,
            });
            offset += length;
        }
        let ending = end(entries.len() as u64, directory_length, offset).len() as u64;
        Self {
            entries,
            directory: offset,
            length: offset + directory_length + ending,
            tag: format!("\"{:032x}\"", tag.finish_128()),
        }
    }
}

/// The directory that all entries are in.
fn top(prefix: &str) -> Found {
    Found {
        name: prefix.to_owned(),
        source: Source::None,
        bytes: 0,
        modified: UNIX_EPOCH,
    }
}

/// UTF-8 as it is; of anything else the bytes beyond ASCII as `%XX`. So too what a bucket may put into a name and other
/// systems take for something else: backslashes and what controls a terminal.
fn readable(name: &std::ffi::OsStr) -> String {
    let utf8 = name.to_str();
    let plain = |c: char| c != '\\' && !c.is_control();
    if let Some(name) = utf8.filter(|name| name.chars().all(plain)) {
        return name.to_owned();
    }
    let mut readable = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            if plain(c) && (utf8.is_some() || c.is_ascii()) {
                readable.push(c);
            } else {
                let mut bytes = [0; 4];
                encode(c.encode_utf8(&mut bytes).as_bytes(), &mut readable);
            }
        }
        encode(chunk.invalid(), &mut readable);
    }
    readable
}

fn encode(bytes: &[u8], into: &mut String) {
    use std::fmt::Write as _;
    for byte in bytes {
        // A text takes whatever is written.
        let _ = write!(into, "%{byte:02X}");
    }
}

/// Time and date as MS-DOS counts them, in UTC: two seconds, from 1980 to 2107.
fn dos_time(at: SystemTime) -> (u16, u16) {
    let at = OffsetDateTime::from(at);
    let Some(year) = u16::try_from(at.year() - 1980).ok().filter(|year| *year < 128) else {
        return (0, 1 << 5 | 1);
    };
    let time = u16::from(at.hour()) << 11 | u16::from(at.minute()) << 5 | u16::from(at.second() / 2);
    let date = year << 9 | u16::from(u8::from(at.month())) << 5 | u16::from(at.day());
    (time, date)
}

impl Source {
    /// Opens the content; no link is followed.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(&self) -> io::Result<Option<File>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match self {
            Self::None => return Ok(None),
            Self::File(path) => rustix::fs::open(path, flags, Mode::empty())?.into(),
            Self::Below(root, path) => {
                let directory = flags | OFlags::DIRECTORY;
                let mut at = rustix::fs::open(root, directory, Mode::empty())?;
                let mut parts = path.iter().peekable();
                while let Some(part) = parts.next() {
                    let flags = if parts.peek().is_some() { directory } else { flags };
                    at = rustix::fs::openat(&at, part, flags, Mode::empty())?;
                }
                File::from(at)
            }
        };
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no file any more"));
        }
        Ok(Some(file))
    }
}
