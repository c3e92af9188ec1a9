//! Sets that are pushed whole, as one zip: they become jobs at once.
//!
//! ```text
//! mod.rs      the spool, and the way from a zip to a job
//! archive.rs  the zip, read without trusting it
//! name.rs     what an entry may be called
//! unpack.rs   its files become the files of a set
//! error.rs    why not
//! ```
//!
//! The zip lies in the spool until its job is in the store; then, and only then, the push is answered. The spool of an
//! earlier run is thrown away: nothing of it was answered. The files go to the directory of a set that has no row yet, so
//! that a crash before the row leaves nothing but what the next start removes.

mod archive;
mod error;
mod name;
mod unpack;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::files;
use crate::model::{AeTitle, Durability, JobId, Layout, Place, Stream, Timestamp};
use crate::store::{NewJob, NewPush, Pushed as Placed};

use super::{Stage, StageError, io};
use archive::Archive;
use unpack::Unpacker;

#[cfg(feature = "fuzzing")]
pub use archive::unzipped;
pub use error::PushError;
pub use name::NameError;

/// What a zip may be.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Entries.
    pub entries: u64,
    /// Bytes of all that comes out of it.
    pub expanded: u64,
    /// What comes out, by what it is made of.
    pub ratio: u64,
    /// Bytes below which the ratio does not count.
    pub unsuspected: u64,
}

impl Limits {
    /// The limits of a node that takes so many bytes out of a zip: 200,000 entries, and 250 times the size of the zip
    /// where that is more than 256 MiB.
    #[must_use]
    pub const fn new(expanded: u64) -> Self {
        Self {
            entries: 200_000,
            expanded,
            ratio: 250,
            unsuspected: 256 << 20,
        }
    }
}

/// Who pushes what.
#[derive(Clone, Debug)]
pub struct Push {
    /// The stream it is for.
    pub stream: Stream,
    /// Who pushes it, as an AE title.
    pub calling: AeTitle,
    /// From where.
    pub address: IpAddr,
    /// Who that is for the node: the name of a token, or an address.
    pub by: String,
    /// As the sender calls itself.
    pub sender: String,
    /// What the sender calls it.
    pub name: String,
    /// What the sender says of it.
    pub description: String,
    /// For its bucket.
    pub arguments: Option<String>,
}

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Its job, queued.
    pub job: JobId,
    /// Objects.
    pub objects: usize,
    /// Files that are none.
    pub others: u64,
}

/// A file of the spool; it goes when this is dropped.
#[derive(Debug)]
pub struct Spooled(PathBuf);

impl Spooled {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Spooled {
    fn drop(&mut self) {
        if let Err(error) = files::remove_file(&self.0) {
            tracing::warn!(%error, "remove a spooled push; the next start does it");
        }
    }
}

/// Throws away what an earlier run spooled.
pub(super) fn sweep(layout: &Layout) -> Result<(), StageError> {
    files::remove_directory(&layout.path(Place::Spool)).map_err(io("empty the spool"))
}

impl Stage {
    /// An empty file of the spool.
    ///
    /// # Errors
    /// What the disk says.
    pub fn spool(&self) -> Result<(Spooled, File), StageError> {
        let directory = self.layout.path(Place::Spool);
        files::make_directory(&directory).map_err(io("make the spool"))?;
        let path = directory.join(format!("{}.zip", uuid::Uuid::new_v4().simple()));
        let file = File::create_new(&path).map_err(io("make a file of the spool"))?;
        Ok((Spooled(path), file))
    }

    /// Unpacks a zip and queues its job. Answers once both are on the disk.
    ///
    /// # Errors
    /// [`PushError`]: nothing of it is left.
    pub fn push(&self, zip: File, push: Push, limits: &Limits) -> Result<Pushed, PushError> {
        let title = push.stream.ae_title.clone();
        self.takes_a_new_set(&title)?;
        let archive = Archive::open(zip)?;
        let job = JobId::generate(Timestamp::now());
        let set = self.layout.path(Place::Set(&title, &job));
        let unpacker = Unpacker {
            set: &set,
            others: &self.layout.path(Place::Others(&title, &job)),
            limits,
            room: &|| self.spare_bytes(),
            synced: self.storage.durability != Durability::None,
        };
        let unpacked = unpacker.unpack(&archive).inspect_err(|_| discard(&set))?;
        crate::failpoint::reach("push-unpacked");
        let row = NewJob {
            stream: title,
            // Complete in itself: no other set is more of it.
            group_key: format!("push-{job}"),
            calling_ae_title: push.calling.to_string(),
            caller_address: push.address.to_string(),
            study_instance_uid: unpacked.study.unwrap_or_default(),
            priority: push.stream.priority,
        };
        let about = NewPush {
            by: push.by,
            sender: push.sender,
            name: push.name,
            description: push.description,
            arguments: push.arguments,
            others: unpacked.others,
            patient_id: unpacked.patient_id,
        };
        let objects = unpacked.instances.len();
        let placed = self
            .store
            .push(&job, row, about, unpacked.instances, Timestamp::now())
            .wait();
        crate::failpoint::reach("push-queued");
        // A store in trouble may have kept the rows although it said otherwise: the files stay for them.
        if placed? == Placed::NoBucket {
            discard(&set);
            return Err(PushError::NoBucket);
        }
        self.completion.queued();
        Ok(Pushed {
            job,
            objects,
            others: unpacked.others,
        })
    }
}

fn discard(set: &Path) {
    if let Err(error) = files::remove_directory(set) {
        tracing::warn!(%error, "remove a set that was not pushed to its end; the next start does it");
    }
}
