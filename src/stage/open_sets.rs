//! Which set an object belongs to, as far as this process knows: the store has the last word.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{AeTitle, JobId, Timestamp};

/// Names of open sets by stream and group; shared by all associations.
#[derive(Clone, Default)]
pub(super) struct OpenSets(Arc<Mutex<HashMap<(AeTitle, String), OpenSet>>>);

#[derive(Clone)]
struct OpenSet {
    job: JobId,
    /// The store has it.
    confirmed: bool,
}

impl OpenSets {
    fn lock(&self) -> MutexGuard<'_, HashMap<(AeTitle, String), OpenSet>> {
        // Whatever a panicking thread left here is checked by the store.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The set's name; a new one when none is known. It exists once its first object is in the store.
    pub(super) fn name(&self, stream: &AeTitle, group_key: &str) -> JobId {
        let key = (stream.clone(), group_key.to_owned());
        let new = || OpenSet {
            job: JobId::generate(Timestamp::now()),
            confirmed: false,
        };
        self.lock().entry(key).or_insert_with(new).job.clone()
    }

    /// The set's name, if one is known.
    pub(super) fn known(&self, stream: &AeTitle, group_key: &str) -> Option<JobId> {
        let key = (stream.clone(), group_key.to_owned());
        self.lock().get(&key).map(|set| set.job.clone())
    }

    /// Learns a set's name from the store.
    pub(super) fn learn(&self, stream: &AeTitle, group_key: &str, job: JobId) {
        let key = (stream.clone(), group_key.to_owned());
        self.lock().insert(key, OpenSet { job, confirmed: true });
    }

    /// The store has taken an object of that set.
    pub(super) fn confirm(&self, stream: &AeTitle, group_key: &str, job: &JobId) {
        let key = (stream.clone(), group_key.to_owned());
        if let Some(set) = self.lock().get_mut(&key).filter(|set| set.job == *job) {
            set.confirmed = true;
        }
    }

    /// Whether the set is known to be in the store.
    pub(super) fn is_confirmed(&self, stream: &AeTitle, group_key: &str, job: &JobId) -> bool {
        let key = (stream.clone(), group_key.to_owned());
        self.lock()
            .get(&key)
            .is_some_and(|set| set.job == *job && set.confirmed)
    }

    /// Forgets a set that takes nothing more.
    pub(super) fn forget(&self, job: &JobId) {
        self.lock().retain(|_, known| known.job != *job);
    }
}
