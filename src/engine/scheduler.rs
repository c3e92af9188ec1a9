//! Which job may start now.
//!
//! Each stream has its queue, first in first out, and runs at most `parallel` of it. Between streams the oldest job
//! comes first; if the machine has no room for it now, nobody overtakes it: a large job is not starved by small ones.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::model::{Job, JobId, JobState, Timestamp};
use crate::store::StoreError;

use super::ledger::Ledger;
use super::{Engine, EngineError, Trouble, driver};

/// The queue is looked at this often even if nobody said that it changed.
const AT_LEAST: Duration = Duration::from_secs(60);

/// Drives on what the last run of the node left, then runs queued jobs; never ends.
pub async fn run(engine: Engine, taken_up: Vec<Job>) {
    let mut ledger = Ledger::new(engine.buckets.capacity());
    let (over, mut ended) = mpsc::unbounded_channel();
    for job in taken_up {
        begin(&engine, &mut ledger, job, over.clone());
    }
    loop {
        if let Err(error) = start_what_fits(&engine, &mut ledger, &over).await {
            tracing::error!(%error, "look at the queue");
        }
        tokio::select! {
            Some(job) = ended.recv() => ledger.release(&job),
            () = engine.queued.notified() => {}
            () = tokio::time::sleep(AT_LEAST) => {}
        }
    }
}

async fn start_what_fits(
    engine: &Engine,
    ledger: &mut Ledger,
    over: &mpsc::UnboundedSender<JobId>,
) -> Result<(), StoreError> {
    let mut candidates = Vec::new();
    for bucket in engine.buckets.list()? {
        let settings = bucket.manifest.settings;
        let free = (settings.parallel as usize).saturating_sub(ledger.running(&bucket.row.ae_title));
        // Of the oldest `parallel` queued ones, those that were begun a moment ago are left out.
        let queued = engine.store.queued(&bucket.row.ae_title, settings.parallel)?;
        let fresh = queued.into_iter().filter(|job| !ledger.holds(&job.id)).take(free);
        candidates.extend(fresh.map(|job| (job, settings.resources.clone())));
    }
    candidates.sort_by_key(|(job, _)| (job.queued_at, job.id.clone()));
    for (job, resources) in candidates {
        if !ledger.could_fit(&resources) {
            let reason = "its bucket asks for more cpus or memory than this node has to give".to_owned();
            engine.store.fail(&job.id, reason, Timestamp::now()).await?;
            continue;
        }
        if !ledger.fits(&resources) {
            break;
        }
        begin(engine, ledger, job, over.clone());
    }
    Ok(())
}

/// Starts a driver; its promise is taken back when it ends, however it ends.
fn begin(engine: &Engine, ledger: &mut Ledger, job: Job, over: mpsc::UnboundedSender<JobId>) {
    let bucket = match job.state {
        JobState::Queued => engine.buckets.get(&job.stream),
        _ => engine.buckets.of_attempt(&job.id),
    };
    let resources = bucket
        .ok()
        .flatten()
        .map(|b| b.manifest.settings.resources)
        .unwrap_or_default();
    ledger.promise(job.id.clone(), job.stream.clone(), resources);
    let engine = engine.clone();
    tokio::spawn(async move {
        let (id, attempt) = (job.id, job.attempt);
        loop {
            let (driver, driven) = (engine.clone(), id.clone());
            let end = tokio::spawn(async move { drive(&driver, &driven, attempt).await });
            match end.await {
                Err(error) if error.is_panic() => {
                    tracing::error!(job.id = %id, "the driver of a job broke down; it begins again");
                    tokio::time::sleep(AGAIN).await;
                }
                _ => break,
            }
        }
        // The scheduler outlives its drivers.
        let _ = over.send(id);
    });
}

/// Before something that went wrong is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// Tries of what may pass before a job is given up.
const TRIES: u32 = 15;

/// Drives a job until it is harvested, failed or back in the queue; `attempts` it had when it was begun.
async fn drive(engine: &Engine, id: &JobId, attempts: u32) {
    let mut tries = 0;
    loop {
        let (step, job) = match engine.store.job(id) {
            Ok(Some(job)) => (step(engine, &job, attempts).await, Some(job)),
            Ok(None) => return,
            Err(error) => (Some(Err(error.into())), None),
        };
        let error = match step {
            None => return,
            Some(Ok(())) => {
                tries = 0;
                continue;
            }
            Some(Err(error)) => error,
        };
        tries += 1;
        match (error.trouble(), job) {
            (Trouble::Stopping, _) => return,
            (Trouble::Final, Some(job)) => return give_up(engine, &job, &error).await,
            (Trouble::MayPass, Some(job)) if tries >= TRIES => return give_up(engine, &job, &error).await,
            _ => {}
        }
        if tries == 1 {
            tracing::error!(job.id = %id, %error, "the job waits and tries again");
            if let Err(error) = engine.store.note(id, "waiting", error.to_string()).await {
                tracing::error!(job.id = %id, %error, "note an event");
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// One step; `None` when there is none left for a driver.
async fn step(engine: &Engine, job: &Job, attempts: u32) -> Option<Result<(), EngineError>> {
    match job.state {
        // Back in the queue: the scheduler has the say.
        JobState::Queued if job.attempt != attempts => None,
        JobState::Queued => Some(driver::start(engine, job).await),
        JobState::Running => Some(driver::attend(engine, job).await),
        JobState::Harvesting => Some(super::harvest::harvest(engine, job).await),
        _ => None,
    }
}

async fn give_up(engine: &Engine, job: &Job, error: &EngineError) {
    let id = &job.id;
    tracing::error!(job.id = %id, %error, "the job cannot be run");
    loop {
        match engine.store.fail(id, error.to_string(), Timestamp::now()).await {
            Ok(()) => break,
            Err(StoreError::Closed) => return,
            // Over already, by somebody else's word: its place is free.
            Err(StoreError::State(_)) => break,
            Err(error) => {
                tracing::error!(job.id = %id, %error, "keep that a job failed; trying again");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
    if let Err(error) = engine.runtime.remove(&driver::container_name(job), true).await {
        tracing::warn!(job.id = %id, %error, "remove the container of a failed job; the next start does it");
    }
}
