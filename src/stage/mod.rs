//! The stage: the only code that writes DICOM to disk.
//!
//! An object runs into `*.part`; its commit is fdatasync, rename into the directory of its set, fsync of that
//! directory, one row in the store — then, and only then, it counts as stored. `completion` decides when a set of
//! objects is a job; `input` lays a job's objects out for its bucket.

mod completion;
mod incoming;
mod input;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::dicom::header::HeaderError;
use crate::files;
use crate::model::{AeTitle, JobId, JobState, Layout, Origin, Stream, Timestamp};
use crate::store::{NewJob, Store, StoreError};

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
    open_sets: Arc<Mutex<HashMap<(AeTitle, String), JobId>>>,
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
        let completion = Completion::new(store.clone(), queued);
        Ok(Self {
            layout,
            store,
            completion,
            open_sets: Arc::default(),
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

    /// The set an object belongs to; made when there is none.
    fn set_for(
        &self,
        stream: &Stream,
        group_key: &str,
        origin: &Origin,
        study: &str,
    ) -> Result<JobId, StageError> {
        let key = (stream.ae_title.clone(), group_key.to_owned());
        if let Some(job) = self.sets().get(&key) {
            return Ok(job.clone());
        }
        let new = NewJob {
            stream: stream.ae_title.clone(),
            group_key: group_key.to_owned(),
            calling_ae_title: origin.calling.0.to_string(),
            caller_address: origin.address.to_string(),
            study_instance_uid: study.to_owned(),
        };
        let job = self.store.open_set(new, Timestamp::now()).wait()?;
        self.sets().insert(key, job.clone());
        Ok(job)
    }

    fn known_set(&self, stream: &Stream, group_key: &str) -> Option<JobId> {
        self.sets()
            .get(&(stream.ae_title.clone(), group_key.to_owned()))
            .cloned()
    }

    fn forget_set(&self, job: &JobId) {
        self.sets().retain(|_, known| known != job);
    }

    fn sets(&self) -> MutexGuard<'_, HashMap<(AeTitle, String), JobId>> {
        // A cache of what the store knows: whatever a panicking thread left in it is checked there.
        self.open_sets.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
