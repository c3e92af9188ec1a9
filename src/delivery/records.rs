//! What became of a job's deliveries, in its record.json.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::files;
use crate::model::{AeTitle, DeliveryInstance, DeliveryState, JobId, Layout, Place};
use crate::store::{Store, StoreError};

/// Why a record could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordError {
    /// Reading or writing it failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Somebody wrote it who does not write records, or half of it is gone: nothing can be added to it, now or later.
    #[error(
        "record.json of the job is no JSON ({0}): it stays as it is, and `magickbox job show` has what would be in it"
    )]
    NoRecord(serde_json::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A delivery as it will stand as soon as its row is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending<'a> {
    /// Its number.
    pub delivery: i64,
    /// Where it will stand.
    pub state: DeliveryState,
    /// What went wrong last.
    pub error: Option<&'a str>,
}

/// Writes into records what the store says of deliveries.
#[derive(Clone)]
pub struct Records {
    store: Store,
    layout: Layout,
    /// Held while a record and a row are written: two deliveries of one job may end together.
    one_at_a_time: Arc<Mutex<()>>,
}

impl Records {
    /// The records below that data directory.
    #[must_use]
    pub fn new(store: Store, layout: Layout) -> Self {
        Self {
            store,
            layout,
            one_at_a_time: Arc::default(),
        }
    }

    /// Nobody else writes a record until this is dropped.
    pub(super) fn lock(&self) -> MutexGuard<'_, ()> {
        self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what became of the deliveries of a job, while the caller holds the lock; of `ending` what will become of it. A
    /// job without a record has none to be written: it was never harvested, or its files are gone.
    ///
    /// # Errors
    /// [`RecordError`]; the record is as it was.
    pub(super) fn write(
        &self,
        stream: &AeTitle,
        job: &JobId,
        ending: Option<Ending<'_>>,
    ) -> Result<(), RecordError> {
        let path = self.layout.path(Place::Record(stream, job));
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            read => read?,
        };
        let mut record: Value = serde_json::from_slice(&bytes).map_err(RecordError::NoRecord)?;
        let shown = self.deliveries(job, ending)?;
        if let Some(slot) = record.get_mut("deliveries") {
            *slot = shown.into();
        }
        let text = serde_json::to_vec_pretty(&record).map_err(io::Error::from)?;
        // Its files may be on their way out since: a directory that is gone does not come back with a record in it.
        match files::renew_file(&path, &text) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            written => Ok(written?),
        }
    }

    /// Tells once that a record cannot be written, and never will: in the log, and as a step of its job.
    ///
    /// # Errors
    /// What the store says.
    pub(super) fn tell_no_record(&self, job: &JobId, error: &RecordError) -> Result<(), StoreError> {
        let text = error.to_string();
        if self.store.record_is_none(job, text).wait()? {
            tracing::warn!(job.id = %job, %error, "add deliveries to record.json");
        }
        Ok(())
    }

    fn deliveries(&self, job: &JobId, ending: Option<Ending<'_>>) -> Result<Vec<Value>, StoreError> {
        let mut shown = Vec::new();
        let mut states = HashMap::new();
        for each in self.store.deliveries(job)? {
            let ends = ending.filter(|ending| ending.delivery == each.id);
            // What stands by follows with the row of this one; it comes after what it stands by for.
            let before = each.after.and_then(|id| states.get(&id).copied());
            let follows = before
                .and_then(DeliveryState::for_standby)
                .and_then(|event| each.state.next(event));
            let state = ends.map_or(follows.unwrap_or(each.state), |ending| ending.state);
            states.insert(each.id, state);
            let instances = self.store.delivery_instances(each.id)?;
            shown.push(json!({
                "destination": each.destination.as_str(),
                "address": each.remote.as_ref().map(|remote| &remote.address),
                "sends": each.direction.name(),
                "route": each.route,
                "state": state.name(),
                "attempts": each.attempts,
                "error": ends.map_or(each.error.as_deref(), |ending| ending.error),
                "instances": instances.iter().map(instance).collect::<Vec<_>>(),
            }));
        }
        Ok(shown)
    }
}

/// `commitment` is 0000 where the destination said that it keeps the object, else its Failure Reason (0008,1197), which
/// `not_committed` has in words.
fn instance(i: &DeliveryInstance) -> Value {
    let hexadecimal = |number: u16| format!("{number:04X}");
    json!({
        "sop_instance_uid": i.sop_instance_uid,
        "state": i.state.name(),
        "status": i.status.map(hexadecimal),
        "commitment": i.commitment.map(hexadecimal),
        "not_committed": i.not_committed(),
        "reason": i.reason,
    })
}
