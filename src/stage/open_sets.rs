//! Which set an object belongs to, as far as this process knows: the store has the last word.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{AeTitle, JobId, Timestamp};

/// Names of open sets by stream and group; shared by all associations.
#[derive(Clone, Default)]
pub(super) struct OpenSets(Arc<Mutex<HashMap<(AeTitle, String), JobId>>>);

impl OpenSets {
    fn lock(&self) -> MutexGuard<'_, HashMap<(AeTitle, String), JobId>> {
        // Whatever a panicking thread left here is checked by the store.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The set's name; a new one when none is known. It exists once its first object is in the store.
    pub(super) fn name(&self, stream: &AeTitle, group_key: &str) -> JobId {
        let key = (stream.clone(), group_key.to_owned());
        self.lock()
            .entry(key)
            .or_insert_with(|| JobId::generate(Timestamp::now()))
            .clone()
    }

    /// The set's name, if one is known.
    pub(super) fn known(&self, stream: &AeTitle, group_key: &str) -> Option<JobId> {
        self.lock().get(&(stream.clone(), group_key.to_owned())).cloned()
    }

    /// Learns a set's name from the store.
    pub(super) fn learn(&self, stream: &AeTitle, group_key: &str, job: JobId) {
        self.lock().insert((stream.clone(), group_key.to_owned()), job);
    }

    /// Forgets a set that takes nothing more.
    pub(super) fn forget(&self, job: &JobId) {
        self.lock().retain(|_, known| known != job);
    }
}
