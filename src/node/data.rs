//! The data directory belongs to one node, and its jobs to one store.

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::files;
use crate::model::{Layout, Place};
use crate::store::Store;

/// One node per data directory: nobody else works on it as long as the file is held.
///
/// # Errors
/// That a node runs on it, naming its process; what the system says.
pub fn lock(layout: &Layout) -> Result<File> {
    let path = layout.path(Place::Lock);
    make_parent(&path)?;
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let holder = std::fs::read_to_string(layout.path(Place::NodeFile)).unwrap_or_default();
            let holder: serde_json::Value = serde_json::from_str(&holder).unwrap_or_default();
            let pid = holder
                .get("pid")
                .map_or("unknown".to_owned(), ToString::to_string);
            bail!(
                "the data directory {} is in use by another magickbox (pid {pid}): stop it, or give --data another directory",
                layout.root().display()
            )
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("lock {}", path.display())),
    }
}

/// A store that is gone while jobs are there is not made anew: nobody would know of them any more.
pub(super) fn refuse_a_lost_store(layout: &Layout) -> Result<()> {
    let path = layout.path(Place::Store);
    let streams = layout.root().join("streams");
    if !Store::is_there(&path)? && !files::entries(&streams)?.is_empty() {
        bail!(
            "the job store is missing or empty, but {} has data: put a backup of it in its place, or move {} away to begin \
             anew",
            streams.display(),
            streams.display()
        );
    }
    Ok(())
}

pub(super) fn make_parent(path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    files::make_directory(parent).with_context(|| format!("make {}", parent.display()))
}
