//! The stage: the only code that writes DICOM to disk.
//!
//! An object is gathered in memory, or runs into `*.part` if it is large; its commit is a file in the directory of its set
//! under a name that tells its hash, and fsync of both — then, and only then, it counts as stored. The first object of a
//! set has its row by then; those of the others follow behind the answer, since [`recovery`] takes in every whole file
//! that has none.
//! `classify` tells what the series of a set are, some moments behind.
//! `completion` decides when a set of objects is a job; `input` lays a job's objects out for its bucket.

mod at_work;
mod classify;
mod completion;
mod file_name;
mod freezer;
mod holdings;
mod incoming;
mod inherit;
mod input;
mod object_file;
mod open_sets;
mod others;
mod push;
mod receipts;
mod receiver;
mod recovery;
mod refused_rows;
mod retention;
mod room;
mod syncs;
mod take_over;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::Notify;

use crate::config::StorageConfig;
use crate::dicom::header::HeaderError;
use crate::files;
use crate::model::{AeTitle, Durability, JobState, Layout, Origin, Place, Stream};
use crate::store::{Store, StoreError, Waiting};

use freezer::Freezer;
use open_sets::OpenSets;
use refused_rows::RefusedRows;
use room::Room;
use syncs::Syncs;

pub use at_work::{AtWork, Working};
pub use classify::{Classifier, ClassifyError, SeriesView, Sorted, left_out, load_rules, sort_files};
pub use completion::Completion;
pub use file_name::{DataSetHash, hash_in, hash_of};
pub use holdings::is_on_disk;
pub use incoming::{Incoming, Object, Stored};
pub use inherit::{Versions, disinherit, inherit};
pub use input::{clear_output, lay_out};
pub use others::{Laid, inputs};
#[cfg(feature = "fuzzing")]
pub use push::unzipped;
pub use push::{Limits, NameError, Push, PushError, Pushed, Spooled};
pub use receiver::Receiver;
pub use retention::{Keeps, Retention};
pub use take_over::{TakenOver, studies_below, take_over_objects};

/// Why an object was not stored.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    // The peer's.
    /// Its data set cannot be understood.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Its data set is another object than the command said.
    #[error("{attribute} of the data set is not the one of the command")]
    Mismatch {
        /// Which attribute.
        attribute: &'static str,
    },

    /// Its bucket was removed while the association was open.
    #[error("no bucket is installed for this AE title any more")]
    NoBucket,

    // Ours.
    /// The disk is full but for its reserve.
    #[error("the disk has no room for more")]
    NoRoom,
    /// The store is in trouble: as many objects wait for their rows as may.
    #[error("the job store does not take objects for the moment: send it again later")]
    Behind,
    /// As many jobs of its stream wait as may.
    #[error("too many studies wait for this bucket: send it again later")]
    QueueFull,
    /// The disk did not take it.
    #[error("{action}: {source}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Objects that the store has are not on the disk.
    #[error("{missing} of its {of} objects are not on the disk: send the study again")]
    Missing {
        /// So many.
        missing: usize,
        /// Of so many.
        of: usize,
    },
    /// Its head could not be encoded.
    #[error(transparent)]
    Head(#[from] crate::dicom::part10::WriteMetaError),
}

/// The stage of a node; shared by all associations.
#[derive(Clone)]
pub struct Stage {
    layout: Layout,
    store: Store,
    storage: StorageConfig,
    room: Room,
    /// Jobs of a stream that may wait.
    queue: u64,
    names_last_with_files: bool,
    completion: Completion,
    open_sets: OpenSets,
    refused_rows: RefusedRows,
    /// With `durability = "association"`.
    syncs: Option<Syncs>,
    parts: Arc<AtomicU64>,
    at_work: AtWork,
}

impl Stage {
    /// Makes the stage ready: what was half received when the node last stopped is removed (it was never answered
    /// with Success), what was whole is taken in, open sets go on.
    ///
    /// # Errors
    /// [`StageError`] when the disk or the store does not answer.
    pub fn open(
        layout: Layout,
        store: Store,
        storage: StorageConfig,
        queued: Arc<Notify>,
    ) -> Result<Self, StageError> {
        push::sweep(&layout)?;
        let done = recovery::recover(&layout, &store)?;
        if done != recovery::Recovered::default() {
            tracing::info!(
                parts = done.parts,
                directories = done.directories,
                taken_in = done.taken_in,
                torn = done.torn,
                "cleaned up behind the last run"
            );
        }
        let untold = store.tell_what_was_received().wait()?;
        if untold > 0 {
            tracing::info!(jobs = untold, "told the audit trail what the last run received");
        }
        let open_sets = OpenSets::default();
        let syncs = match storage.durability {
            Durability::Association => {
                let store = layout.path(Place::Store);
                let beside = store.parent().unwrap_or(layout.root());
                let streams = layout.root().join("streams");
                Some(Syncs::of(&[&streams, beside]).map_err(io("open the data directory to sync it"))?)
            }
            Durability::Instance | Durability::None => None,
        };
        let freezer = Freezer::new(layout.clone(), store.clone(), syncs.clone());
        let completion = Completion::new(freezer, open_sets.clone(), queued);
        Ok(Self {
            names_last_with_files: files::names_last_with_files(layout.root()),
            room: Room::new(&layout, &storage),
            queue: u64::MAX,
            layout,
            store,
            storage,
            completion,
            open_sets,
            refused_rows: RefusedRows::default(),
            syncs,
            parts: Arc::default(),
            at_work: AtWork::default(),
        })
    }

    /// Takes the open sets of the store up again, with the rules of their streams.
    ///
    /// # Errors
    /// What the store says.
    pub fn resume(&self, stream_of: impl Fn(&AeTitle) -> Option<Stream>) -> Result<(), StageError> {
        for job in self.store.in_state(JobState::Receiving)? {
            let complete = stream_of(&job.stream).map(|s| s.complete).unwrap_or_default();
            self.open_sets.learn(&job.stream, &job.group_key, job.id.clone());
            self.completion.resume(&job, complete);
        }
        Ok(())
    }

    /// What decides when sets are complete.
    #[must_use]
    pub const fn completion(&self) -> &Completion {
        &self.completion
    }

    /// The jobs somebody works on.
    #[must_use]
    pub const fn at_work(&self) -> &AtWork {
        &self.at_work
    }

    /// The receiving end of an association.
    #[must_use]
    pub fn receiver(&self, stream: Stream, origin: Origin) -> Receiver {
        Receiver::new(self.clone(), stream, origin)
    }

    /// With at most so many jobs of a stream waiting; without it there is no bound.
    #[must_use]
    pub fn with_queue(self, queue: u64) -> Self {
        Self { queue, ..self }
    }

    /// Whether the disk has room: more than its reserve, and, once it was down to that, as much as it takes to go on.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.room.is_there()
    }

    /// Bytes the disks can take of something else than studies: above the mark at which receiving goes on once it had
    /// stopped, so that it never stops for them.
    #[must_use]
    pub fn spare_bytes(&self) -> u64 {
        self.room.spare_bytes()
    }

    /// Whether so many jobs of a stream are queued that no more of it is taken for now.
    ///
    /// # Errors
    /// What the store says.
    pub fn is_queue_full(&self, stream: &AeTitle) -> Result<bool, StoreError> {
        Ok(self.store.queue_length(stream, Waiting::Queued, self.queue)? >= self.queue)
    }

    /// Whether a stream may open one more set; open ones will all be queued, so they count.
    fn takes_a_new_set(&self, stream: &AeTitle) -> Result<(), StageError> {
        if self
            .store
            .queue_length(stream, Waiting::QueuedOrOpen, self.queue)?
            >= self.queue
        {
            return Err(StageError::QueueFull);
        }
        Ok(())
    }
}

fn io(action: &'static str) -> impl FnOnce(std::io::Error) -> StageError {
    move |source| StageError::Io { action, source }
}

#[cfg(test)]
mod tests;
