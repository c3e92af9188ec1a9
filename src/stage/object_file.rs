//! The file of one object: `*.part` while it arrives, then in the directory of its set. Whatever happens, it is removed
//! unless it is kept.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::files;

/// A file that is being written.
#[derive(Debug)]
pub(super) struct ObjectFile {
    file: File,
    path: PathBuf,
    /// It belongs to a set.
    kept: bool,
}

impl ObjectFile {
    /// Makes `<directory>/<name>.part`, and the directory if it is not there.
    pub fn create(directory: &Path, name: &str) -> io::Result<Self> {
        let path = directory.join(format!("{name}.part"));
        let file = match File::create(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                files::make_directory(directory)?;
                File::create(&path)?
            }
            other => other?,
        };
        Ok(Self {
            file,
            path,
            kept: false,
        })
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
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
