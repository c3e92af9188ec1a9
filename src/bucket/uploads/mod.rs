//! Files that clients send piece by piece, and go on sending after a break.
//!
//! ```text
//! mod.rs    Uploads: begun, looked at, finished, thrown away, expired
//! part.rs   one of them: its file, its length, its hash
//! error.rs  why not
//! ```
//!
//! An upload is a name the node gives, and an offset: what is on its disk counts, whoever died. The client asks for the
//! offset, and for the hash of what is there, since a file or an image may have changed while nobody looked; then it
//! sends on from there. At the end it says how long the whole is and what its SHA-256 is. The verbs are those of tus
//! (HEAD, PATCH with `Upload-Offset`), for which clients exist.

mod error;
mod part;

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::Stream;
use serde::{Deserialize, Serialize};

use crate::files;
use crate::model::{Layout, Place, UploadId};

pub use error::UploadError;
use part::Part;

/// What nobody sent anything to for so long is thrown away.
pub const KEPT: Duration = Duration::from_secs(24 * 3600);

/// So often it is looked for.
const LOOK: Duration = Duration::from_secs(600);

/// Uploads there may be at once.
const MOST: usize = 32;

/// How many more bytes the disks may take before receiving suffers.
pub type Room = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The uploads of a node.
#[derive(Clone)]
pub struct Uploads {
    layout: Layout,
    largest: u64,
    room: Room,
    parts: Arc<Mutex<HashMap<UploadId, Known>>>,
}

#[derive(Clone)]
struct Known {
    about: About,
    part: Arc<Part>,
}

/// What an upload is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// What a client finds it again by: the same for the same file or image.
    pub key: String,
    /// What people call it: the name of the file or image.
    pub name: String,
    /// Who sends it.
    pub by: String,
}

/// How far an upload has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Its name.
    pub id: UploadId,
    /// Bytes that are there.
    pub offset: u64,
    /// SHA-256 of them, hexadecimal.
    pub sha256: String,
}

/// An upload that is whole; nobody writes to it while this lives.
#[derive(Debug)]
pub struct Whole {
    /// Its file.
    pub path: PathBuf,
    /// What people call it.
    pub name: String,
    /// In bytes.
    pub bytes: u64,
    /// Its name.
    pub id: UploadId,
    _alone: part::Alone,
}

impl Uploads {
    /// Finds the uploads of earlier starts, and throws away what belongs to none.
    ///
    /// `largest`: the most bytes of one; `room`: what the disks have for them.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(layout: Layout, largest: u64, room: Room) -> std::io::Result<Self> {
        let mut parts = HashMap::new();
        for path in files::entries(&layout.path(Place::Uploads))? {
            let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
            let known = UploadId::parse(stem).ok().and_then(|id| {
                let info = fs::read(layout.path(Place::UploadInfo(&id))).ok()?;
                let about = serde_json::from_slice(&info).ok()?;
                let part = Part::open(&layout.path(Place::Upload(&id))).ok()?;
                Some((id, Known { about, part }))
            });
            match known {
                Some((id, known)) => drop(parts.insert(id, known)),
                None if path.is_dir() => files::remove_directory(&path)?,
                None => files::remove_file(&path)?,
            }
        }
        Ok(Self {
            layout,
            largest,
            room,
            parts: Arc::new(Mutex::new(parts)),
        })
    }

    fn parts(&self) -> MutexGuard<'_, HashMap<UploadId, Known>> {
        // Entries are added and removed whole.
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, id: &UploadId) -> Result<Known, UploadError> {
        let known = self.parts().get(id).cloned();
        known.ok_or_else(|| UploadError::NoSuch(id.clone()))
    }

    /// The most bytes of one upload, and of what comes out of one.
    #[must_use]
    pub const fn largest(&self) -> u64 {
        self.largest
    }

    /// Refuses what the disks have no room for.
    ///
    /// # Errors
    /// [`UploadError::NoRoom`], [`UploadError::TooLarge`].
    pub fn has_room(&self, bytes: u64) -> Result<(), UploadError> {
        if bytes > self.largest {
            return Err(UploadError::TooLarge { limit: self.largest });
        }
        let room = (self.room)();
        if bytes > room {
            return Err(UploadError::NoRoom { bytes, room });
        }
        Ok(())
    }

    /// Begins an upload, or finds the one of the same caller that began with the same key; `bytes`, where they are known,
    /// have to fit.
    ///
    /// # Errors
    /// [`UploadError`].
    pub fn begin(&self, about: About, bytes: Option<u64>) -> Result<UploadId, UploadError> {
        let mut parts = self.parts();
        let same = |known: &Known| known.about.key == about.key && known.about.by == about.by;
        if let Some((id, _)) = parts.iter().find(|(_, known)| same(known)) {
            return Ok(id.clone());
        }
        self.has_room(bytes.unwrap_or(0))?;
        if parts.len() >= MOST {
            return Err(UploadError::TooMany { most: MOST });
        }
        let id = UploadId::new();
        let text = serde_json::to_vec(&about).unwrap_or_default();
        files::replace_file(&self.layout.path(Place::UploadInfo(&id)), &text)?;
        let part = Part::open(&self.layout.path(Place::Upload(&id)))?;
        parts.insert(id.clone(), Known { about, part });
        Ok(id)
    }

    /// How far an upload has come.
    ///
    /// # Errors
    /// [`UploadError::NoSuch`], [`UploadError::Busy`] while somebody sends, what the disk says.
    pub async fn progress(&self, id: &UploadId) -> Result<Progress, UploadError> {
        let (offset, sha256) = self.known(id)?.part.progress().await?;
        Ok(Progress {
            id: id.clone(),
            offset,
            sha256,
        })
    }

    /// Adds to an upload what comes, from `offset` on; answers the new offset. Who sent before and is still at it, on a
    /// connection that may be dead, gives way.
    ///
    /// # Errors
    /// [`UploadError`]; what came until then stays.
    pub async fn append(
        &self,
        id: &UploadId,
        offset: u64,
        body: impl Stream<Item = std::io::Result<Bytes>> + Send,
    ) -> Result<u64, UploadError> {
        let known = self.known(id)?;
        known
            .part
            .append(offset, body, |bytes| self.has_room_for_more(bytes))
            .await
    }

    fn has_room_for_more(&self, (there, more): (u64, u64)) -> Result<(), UploadError> {
        if there.saturating_add(more) > self.largest {
            return Err(UploadError::TooLarge { limit: self.largest });
        }
        self.has_room(more)
    }

    /// Closes an upload that is whole.
    ///
    /// # Errors
    /// [`UploadError::Incomplete`] and [`UploadError::Differs`] where it is not what was to come: it stays, to be sent on
    /// or thrown away.
    pub async fn whole(&self, id: &UploadId, bytes: u64, sha256: &str) -> Result<Whole, UploadError> {
        let known = self.known(id)?;
        let alone = known.part.whole(bytes, sha256).await?;
        Ok(Whole {
            path: self.layout.path(Place::Upload(id)),
            name: known.about.name,
            bytes,
            id: id.clone(),
            _alone: alone,
        })
    }

    /// Throws an upload away; one that is gone is a success.
    ///
    /// # Errors
    /// What the disk says.
    pub fn discard(&self, id: &UploadId) -> Result<(), UploadError> {
        let mut parts = self.parts();
        files::remove_file(&self.layout.path(Place::UploadInfo(id)))?;
        files::remove_file(&self.layout.path(Place::Upload(id)))?;
        parts.remove(id);
        Ok(())
    }

    /// Throws away what nobody sent to for [`KEPT`]; never ends.
    pub async fn expire(self) {
        loop {
            let uploads = self.clone();
            // A look that breaks down is one of many.
            let _ = tokio::task::spawn_blocking(move || uploads.expire_now(SystemTime::now())).await;
            tokio::time::sleep(LOOK).await;
        }
    }

    fn expire_now(&self, now: SystemTime) {
        let ids: Vec<_> = self.parts().keys().cloned().collect();
        for id in ids {
            let touched = fs::metadata(self.layout.path(Place::Upload(&id))).and_then(|m| m.modified());
            let idle = touched.ok().and_then(|at| now.duration_since(at).ok());
            if idle.is_some_and(|idle| idle > KEPT) {
                match self.discard(&id) {
                    Ok(()) => {
                        tracing::info!(upload = %id, "an upload that nobody went on with was thrown away")
                    }
                    Err(error) => tracing::warn!(upload = %id, %error, "throw an upload away"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
