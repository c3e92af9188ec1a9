//! An open set becomes a job: synced, whole, and in one transaction.

use std::collections::HashSet;
use std::io::Error;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use crate::model::{Job, JobId, JobState, Layout, Timestamp};
use crate::store::{InheritedRow, Latecomers, Store, StoreError};

use super::syncs::Syncs;
use super::{StageError, Versions, disinherit, inherit, io};

/// A job before, and what a set is to have of it.
type Inheritance = (Job, Vec<InheritedRow>);

/// What a set is frozen with.
type Prepared = (Option<Inheritance>, Option<Latecomers>);

/// Freezes one set at a time.
#[derive(Clone)]
pub(super) struct Freezer {
    layout: Layout,
    store: Store,
    syncs: Option<Syncs>,
    /// Two at the same set would undo each other's links.
    one: Arc<Mutex<()>>,
}

impl Freezer {
    pub fn new(layout: Layout, store: Store, syncs: Option<Syncs>) -> Self {
        Self {
            layout,
            store,
            syncs,
            one: Arc::default(),
        }
    }

    /// Freezes a set and queues its job. If the study came before, the job has the objects of the job before too, but for
    /// those that came again: the late ones alone are no study.
    ///
    /// # Errors
    /// [`StoreError::State`] when it is no open set; [`StageError`] else: the set is open still, and this may be repeated.
    pub async fn freeze(&self, job: &JobId, why: String) -> Result<(), StageError> {
        let _one = self.one.lock().await;
        let (this, set) = (self.clone(), job.clone());
        let (inheritance, latecomers) = off_the_runtime(move || this.prepare(&set)).await?;
        let now = Timestamp::now();
        let Some((from, rows)) = inheritance else {
            self.store.complete(job, why, now, latecomers).await?;
            return Ok(());
        };
        let with_row = self
            .store
            .complete_inheriting(job, why, now, &from.id, rows.clone(), latecomers)
            .await?;
        let (layout, set) = (self.layout.clone(), job.clone());
        let left = off_the_runtime(move || disinherit(&layout, &from, &set, &rows, &with_row)).await;
        if let Err(error) = left {
            tracing::warn!(job.id = %job, %error, "links that a job does not need");
        }
        Ok(())
    }

    /// Syncs what came, and links what came before. Of a set at its cap more may come at any moment: the store has that
    /// synced too, in the step that freezes it.
    fn prepare(&self, set: &JobId) -> Result<Prepared, StageError> {
        let state = self.store.job(set)?.map(|job| job.state);
        if state != Some(JobState::Receiving) {
            let why = format!("job {set} is no open set");
            return Err(StoreError::State(why).into());
        }
        let latecomers = match &self.syncs {
            Some(syncs) => Some(self.sync(set, syncs)?),
            None => None,
        };
        Ok((self.inherit(set)?, latecomers))
    }

    /// Syncs what came so far, and says how to sync the rest.
    fn sync(&self, set: &JobId, syncs: &Syncs) -> Result<Latecomers, StageError> {
        // An object is written before its row: those that have one by now are all in the sync.
        let after = self.store.newest_instance(set)?;
        let mark = syncs.mark();
        syncs.sync(mark).map_err(io("sync the objects of a set"))?;
        let syncs = syncs.clone();
        Ok(Latecomers {
            after,
            sync: Box::new(move || syncs.sync(mark)),
        })
    }

    /// Links the objects of the job before, if there is one.
    fn inherit(&self, set: &JobId) -> Result<Option<Inheritance>, StageError> {
        let Some(from) = self.store.forerunner(set)? else {
            return Ok(None);
        };
        let Some(from) = self.store.job(&from)? else {
            return Ok(None);
        };
        let own: HashSet<String> = self
            .store
            .instances(set)?
            .into_iter()
            .map(|i| i.sop_instance_uid)
            .collect();
        let rows = inherit(&self.layout, &self.store, &from, set, Versions::Current, &own)?;
        Ok(Some((from, rows)))
    }
}

/// Files wait for disks: not on the threads that everything else runs on.
async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StageError> + Send + 'static,
) -> Result<T, StageError> {
    let joined = spawn_blocking(work).await;
    joined.map_err(|error| io("work on files")(Error::other(error)))?
}
