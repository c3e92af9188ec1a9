//! The file of one object: `*.part` while it arrives, then in the directory of its set. Whatever happens, it is removed
//! unless it is kept.
//!
//! Bytes are gathered and written in large pieces that begin where the file system's own pages do: a write of 128 KiB
//! costs a third of what eight of 16 KiB cost, and senders as they are shipped use PDUs of 16 KiB.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::files;

/// Bytes that are written at once; a multiple of every page size.
const GATHERED: usize = 128 * 1024;

/// Memory for gathering, handed from one object of an association to the next.
#[derive(Debug, Default)]
pub(super) struct Gathering(Vec<u8>);

/// A file that is being written.
#[derive(Debug)]
pub(super) struct ObjectFile {
    file: File,
    path: PathBuf,
    gathered: Vec<u8>,
    /// It belongs to a set.
    kept: bool,
}

impl ObjectFile {
    /// Makes `<directory>/<name>.part`, and the directory if it is not there.
    pub fn create(directory: &Path, name: &str, gathering: Gathering) -> io::Result<Self> {
        let path = directory.join(format!("{name}.part"));
        let file = match File::create(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                files::make_directory(directory)?;
                File::create(&path)?
            }
            other => other?,
        };
        let mut gathered = gathering.0;
        gathered.clear();
        gathered.reserve_exact(GATHERED);
        Ok(Self {
            file,
            path,
            gathered,
            kept: false,
        })
    }

    /// Takes the next bytes; they are in the file after [`ObjectFile::flush`].
    pub fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while self.gathered.len() + bytes.len() >= GATHERED {
            let (now, later) = bytes.split_at(GATHERED - self.gathered.len());
            if self.gathered.is_empty() {
                self.file.write_all(now)?;
            } else {
                self.gathered.extend_from_slice(now);
                self.flush()?;
            }
            bytes = later;
        }
        self.gathered.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes what is gathered.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.gathered)?;
        self.gathered.clear();
        Ok(())
    }

    /// The memory, for the next object.
    pub fn gathering(&mut self) -> Gathering {
        Gathering(std::mem::take(&mut self.gathered))
    }

    /// Moves it, under a name nobody else has: no object ever takes another's place.
    pub fn move_to(&mut self, target: PathBuf) -> io::Result<()> {
        fs::rename(&self.path, &target)?;
        self.path = target;
        Ok(())
    }

    /// Makes content and length last; on a journaling file system its name too.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it stays when this is dropped.
    pub const fn keep(&mut self, kept: bool) {
        self.kept = kept;
    }
}

impl Drop for ObjectFile {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = files::remove_file(&self.path)
        {
            tracing::error!(%error, "remove an unfinished object; the next start does it");
        }
    }
}
