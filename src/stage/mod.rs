//! The stage: the only code that writes DICOM to disk.
//!
//! An object runs into `*.part`; its commit is fdatasync, rename into the directory of its set, fsync of that
//! directory, one row in the store — then, and only then, it counts as stored. `completion` decides when a set of
//! objects is a job; `input` lays a job's objects out for its bucket.

mod completion;
mod incoming;
mod input;
mod open_sets;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::dicom::header::HeaderError;
use crate::files;
use crate::model::{AeTitle, JobId, JobState, Layout, Origin, Stream};
use crate::store::{Store, StoreError};

use open_sets::OpenSets;

pub use completion::Completion;
pub use incoming::{Incoming, Object, Stored};
pub use input::{clear_output, lay_out};

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
    /// Its head could not be encoded.
    #[error(transparent)]
    Head(#[from] crate::dicom::part10::WriteMetaError),
}

/// The stage of a node; shared by all associations.
#[derive(Clone)]
pub struct Stage {
    layout: Layout,
    store: Store,
    completion: Completion,
    open_sets: OpenSets,
    parts: Arc<AtomicU64>,
}

impl Stage {
    /// Makes the stage ready: what was half received when the node last stopped is removed (it was never answered
    /// with Success), open sets go on.
    ///
    /// # Errors
    /// [`StageError`] when the disk or the store does not answer.
    pub fn open(layout: Layout, store: Store, queued: Arc<Notify>) -> Result<Self, StageError> {
        let removed = remove_parts(&layout).map_err(io("remove unfinished objects"))?;
        if removed > 0 {
            tracing::info!(removed, "removed objects whose reception was cut off");
        }
        let left = sweep_sets(&layout, &store)?;
        if left > 0 {
            tracing::info!(
                left,
                "removed directories of sets that were laid out or never begun"
            );
        }
        let open_sets = OpenSets::default();
        let completion = Completion::new(store.clone(), open_sets.clone(), queued);
        Ok(Self {
            layout,
            store,
            completion,
            open_sets,
            parts: Arc::default(),
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

    /// Begins to receive an object.
    ///
    /// # Errors
    /// [`StageError::Io`] when its file cannot be made.
    pub fn begin(&self, stream: &Stream, origin: &Origin, object: Object) -> Result<Incoming, StageError> {
        let number = self.parts.fetch_add(1, Ordering::Relaxed);
        Incoming::begin(self.clone(), stream.clone(), origin.clone(), object, number)
    }
}

/// Removes the directories of sets that nobody needs: their job is beyond laying out, or no object of theirs ever got a
/// row, so that none was answered with Success.
fn sweep_sets(layout: &Layout, store: &Store) -> Result<usize, StageError> {
    let read = io("read the directories of sets");
    let mut removed = 0;
    let streams = files::entries(&layout.root().join("streams")).map_err(read)?;
    for stream in streams {
        for set in files::entries(&stream.join("incoming")).map_err(io("read the directories of sets"))? {
            // `.parts` is no job's name.
            let Some(id) = set
                .file_name()
                .and_then(|n| n.to_str())
                .and_then(|n| JobId::parse(n).ok())
            else {
                continue;
            };
            let state = store.job(&id)?.map(|job| job.state);
            if !matches!(
                state,
                Some(JobState::Receiving | JobState::Queued | JobState::Running)
            ) {
                files::remove_directory(&set).map_err(io("remove the directory of a set"))?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}

/// Removes every `*.part` of every stream; answers how many there were.
fn remove_parts(layout: &Layout) -> std::io::Result<usize> {
    let mut removed = 0;
    for stream in files::entries(&layout.root().join("streams"))? {
        for part in files::entries(&stream.join("incoming/.parts"))? {
            files::remove_file(&part)?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn io(action: &'static str) -> impl FnOnce(std::io::Error) -> StageError {
    move |source| StageError::Io { action, source }
}
