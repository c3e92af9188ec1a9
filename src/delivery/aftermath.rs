//! What follows when something happened to deliveries, whoever caused it: record.json is brought up to date, and copies of
//! results that nobody sends from any more go.
//!
//! # Copies
//! `outgoing/` has each result a second time. It is there while a delivery of its job waits, is being sent, is tried again
//! or stands by. Once all of them are settled it is removed: also where one was refused or is held, for how long a person takes
//! to decide nobody knows, and the disk may not be full of that. Sent again, the copies are made anew from OUTPUT, INPUT and
//! the store, and come to the same bytes ([`super::gate`]).
//!
//! # After a crash
//! The job's row says that there may be copies, from before the first is made until after the last is removed. Cut off
//! anywhere in between, the next look removes what is left.

use std::sync::Arc;
use std::time::Duration;

use crate::files;
use crate::model::{AeTitle, JobId, Layout, Place};
use crate::store::{Store, StoreError};

use super::records::{RecordError, Records};
use super::shelves::Shelves;

/// Changes of the store are looked for this often.
const LOOK: Duration = Duration::from_secs(1);

/// Before what did not work is done again.
const AGAIN: Duration = Duration::from_secs(30);

/// Does what is left to do.
#[derive(Clone)]
pub struct Aftermath {
    /// The job store.
    pub store: Store,
    /// The data directory.
    pub layout: Layout,
    /// Who sends at this moment.
    pub shelves: Arc<Shelves>,
    /// The records of jobs.
    pub records: Records,
}

impl Aftermath {
    /// Looks for what there is to do, whenever the store has changed; never ends.
    pub async fn run(self) {
        let mut seen = None;
        loop {
            let version = self.store.version();
            if seen == Some(version) {
                tokio::time::sleep(LOOK).await;
                continue;
            }
            let this = self.clone();
            let pass = tokio::task::spawn_blocking(move || this.pass()).await;
            let wait = match pass {
                Ok(Ok(None)) => {
                    seen = Some(version);
                    LOOK
                }
                Ok(Ok(Some(wait))) => wait,
                Ok(Err(error)) => {
                    tracing::error!(%error, "look for what deliveries have left to do");
                    AGAIN
                }
                Err(error) => {
                    tracing::error!(%error, "what deliveries have left to do broke down; it begins again");
                    AGAIN
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Does what there is; answers when there may be more to do though the store says nothing.
    fn pass(&self) -> Result<Option<Duration>, StoreError> {
        let mut again = None;
        for late in self.store.records_late()? {
            let _one_at_a_time = self.records.lock();
            match self.records.write(&late.stream, &late.job, None) {
                Ok(()) => self.store.record_written(&late).wait()?,
                Err(error @ RecordError::NoRecord(_)) => {
                    self.records.tell_no_record(&late.job, &error)?;
                    self.store.record_written(&late).wait()?;
                }
                Err(RecordError::Store(error)) => return Err(error),
                Err(error) => {
                    tracing::warn!(job.id = %late.job, %error, "bring record.json up to date; trying again");
                    again = Some(AGAIN);
                }
            }
        }
        for (job, stream) in self.store.outgoing_idle()? {
            match self.shelves.alone(&job, || self.remove(&stream, &job)) {
                Some(Ok(())) => {}
                // Its last delivery has still to put things down, or it sends again.
                None => again = again.or(Some(LOOK)),
                Some(Err(error)) => {
                    tracing::warn!(job.id = %job, %error, "remove copies of results that are not sent any more; trying again");
                    again = Some(AGAIN);
                }
            }
        }
        Ok(again)
    }

    /// Removes the copies of a job, if it still has nothing to send.
    fn remove(&self, stream: &AeTitle, job: &JobId) -> Result<(), RecordError> {
        if !self.store.is_outgoing_idle(job)? {
            return Ok(());
        }
        files::remove_directory(&self.layout.path(Place::Outgoing(stream, job)))?;
        let directory = self.layout.path(Place::Job(stream, job));
        // The files of an old job may be gone altogether.
        if directory.is_dir() {
            files::sync_directory(&directory)?;
        }
        crate::failpoint::reach("copies-removed");
        Ok(self.store.outgoing_removed(job).wait()?)
    }
}

#[cfg(test)]
mod tests;
