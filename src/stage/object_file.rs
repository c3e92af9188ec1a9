//! The file of one object. Whatever happens, it is removed unless it is kept.
//!
//! Bytes are gathered in memory and written in large pieces: one write of half a megabyte costs two thirds of what four
//! of 128 KiB cost, and less than half of 32 of 16 KiB. An object that fits into the memory is not on the disk before it
//! is whole: its file is made under its final name and written at once. A larger one runs into `*.part` and is renamed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::files;

/// Bytes that are gathered before they are written: room for an image of 512 × 512 pixels with its attributes.
const GATHERED: usize = 640 * 1024;

/// Memory for gathering, handed from one object of an association to the next.
#[derive(Debug, Default)]
pub(super) struct Gathering(Vec<u8>);

/// A file that is being written.
#[derive(Debug)]
pub(super) struct ObjectFile {
    /// Where it begins if it has to begin before it is whole.
    part: PathBuf,
    gathered: Vec<u8>,
    filled: usize,
    file: Option<File>,
    /// Where it is, once it is anywhere.
    path: Option<PathBuf>,
    /// It belongs to a set.
    kept: bool,
}

impl ObjectFile {
    /// A file with this head. Nothing is on the disk yet.
    pub fn begin(part: PathBuf, gathering: Gathering, head: &[u8]) -> Self {
        let mut gathered = gathering.0;
        if gathered.len() < GATHERED {
            // Zeroed memory is not there until it is used.
            gathered = vec![0; GATHERED];
        }
        let mut file = Self {
            part,
            gathered,
            filled: 0,
            file: None,
            path: None,
            kept: false,
        };
        if let Some(room) = file.gathered.get_mut(..head.len()) {
            room.copy_from_slice(head);
            file.filled = head.len();
        }
        file
    }

    /// Room for the next bytes, at least one and at most `most`; writes what is gathered if there is none.
    pub fn room(&mut self, most: usize) -> io::Result<&mut [u8]> {
        if self.filled == self.gathered.len() {
            self.flush()?;
            crate::failpoint::reach("data-set-half");
        }
        let end = self.gathered.len().min(self.filled.saturating_add(most));
        Ok(self.gathered.get_mut(self.filled..end).unwrap_or_default())
    }

    /// So many bytes of the room are used; answers them.
    pub fn filled(&mut self, bytes: usize) -> &[u8] {
        let begin = self.filled;
        self.filled = self.gathered.len().min(begin + bytes);
        self.gathered.get(begin..self.filled).unwrap_or_default()
    }

    /// Writes what is gathered into the file, which begins as `*.part`.
    fn flush(&mut self) -> io::Result<()> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => {
                let file = create_part(&self.part)?;
                self.path = Some(self.part.clone());
                file
            }
        };
        file.write_all(self.gathered.get(..self.filled).unwrap_or_default())?;
        self.filled = 0;
        self.file = Some(file);
        Ok(())
    }

    /// Brings the whole object into a directory, under a name nobody else has; or on to another one. Answers whether the
    /// file was made there, and not renamed. `synced`: its sync follows at once.
    pub fn bring(&mut self, directory: impl AsFd, path: &Path, name: &str, synced: bool) -> io::Result<bool> {
        let target = path.join(name);
        if let Some(from) = self.path.clone() {
            if self.filled > 0 {
                self.flush()?;
            }
            fs::rename(from, &target)?;
            self.path = Some(target);
            return Ok(false);
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rustix::fs::openat(directory, name, flags, Mode::from_raw_mode(0o666))?;
        (self.file, self.path) = (Some(file.into()), Some(target));
        // A sync has to turn blocks that were asked for into written ones, which costs more than they saved.
        if !synced {
            self.allocate()?;
        }
        self.flush()?;
        Ok(true)
    }

    /// Asks for the whole file's blocks at once: a sixth of a write's cost is asking for them one by one. A file system
    /// that cannot is none the worse for it.
    fn allocate(&self) -> io::Result<()> {
        let (Some(file), Ok(length @ 1..)) = (&self.file, u64::try_from(self.filled)) else {
            return Ok(());
        };
        match rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, 0, length) {
            Err(error @ (Errno::NOSPC | Errno::DQUOT)) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Makes content and length last. Nothing to do once it is closed.
    pub fn sync(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), File::sync_all)
    }

    /// Nothing more is written or synced; the file stays where it is. Answers the memory, for the next object.
    pub fn close(&mut self) -> Gathering {
        self.file = None;
        Gathering(std::mem::take(&mut self.gathered))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.path.as_deref().unwrap_or(&self.part)
    }

    /// Whether it stays when this is dropped.
    pub const fn keep(&mut self, kept: bool) {
        self.kept = kept;
    }
}

fn create_part(path: &Path) -> io::Result<File> {
    match File::create(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            files::make_directory(path.parent().unwrap_or(Path::new("/")))?;
            File::create(path)
        }
        other => other,
    }
}

impl Drop for ObjectFile {
    fn drop(&mut self) {
        if let Some(path) = self.path.take_if(|_| !self.kept)
            && let Err(error) = files::remove_file(&path)
        {
            tracing::error!(%error, "remove an unfinished object; the next start does it");
        }
    }
}
