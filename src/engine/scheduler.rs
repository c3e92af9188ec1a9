//! Which job may start now.
//!
//! Each stream has its queue, first in first out, and runs at most `parallel` of it. Between streams the oldest job
//! comes first; if the machine has no room for it now, nobody overtakes it: a large job is not starved by small ones.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::model::{Job, JobId, JobState, Timestamp};
use crate::store::StoreError;

use super::ledger::Ledger;
use super::{Engine, EngineError, driver, recovery};

/// The queue is looked at this often even if nobody said that it changed.
const AT_LEAST: Duration = Duration::from_secs(60);

/// Takes up what the last run of the node left, then runs queued jobs; never ends.
pub async fn run(engine: Engine) {
    let mut ledger = Ledger::new(engine.buckets.capacity());
    let (over, mut ended) = mpsc::unbounded_channel();
    for job in recovery::take_up(&engine).await {
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
    let resources = match engine.buckets.get(&job.stream) {
        Ok(Some(bucket)) => bucket.manifest.settings.resources,
        _ => crate::model::Resources::default(),
    };
    // A harvest runs the plugin at most, within what its job had.
    ledger.promise(job.id.clone(), job.stream.clone(), resources);
    let engine = engine.clone();
    let id = job.id.clone();
    let driven = tokio::spawn(async move { drive(&engine, job).await });
    tokio::spawn(async move {
        if driven.await.is_err_and(|error| error.is_panic()) {
            tracing::error!(job.id = %id, "the driver of a job broke down; the next start takes the job up");
        }
        // The scheduler outlives its drivers.
        let _ = over.send(id);
    });
}

/// Drives a job until it is harvested, failed or back in the queue.
async fn drive(engine: &Engine, job: Job) {
    let id = job.id.clone();
    let mut away = false;
    loop {
        let Ok(Some(now)) = engine.store.job(&id) else {
            return;
        };
        let step = match now.state {
            JobState::Queued if !away && now.attempt != job.attempt => return,
            JobState::Queued => driver::start(engine, &now).await,
            JobState::Running => driver::attend(engine, &now).await,
            JobState::Harvesting => super::harvest::harvest(engine, &now).await,
            _ => return,
        };
        match step {
            Ok(()) => away = false,
            Err(error) if error.passes() => {
                if !away {
                    away = true;
                    tracing::error!(job.id = %id, %error, "the job waits for the container engine");
                    note(engine, &id, error.to_string()).await;
                }
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
            Err(error) => return give_up(engine, &now, &error).await,
        }
    }
}

async fn note(engine: &Engine, id: &JobId, text: String) {
    if let Err(error) = engine.store.note(id, "waiting for the engine", text).await {
        tracing::error!(job.id = %id, %error, "note an event");
    }
}

async fn give_up(engine: &Engine, job: &Job, error: &EngineError) {
    let id = &job.id;
    tracing::error!(job.id = %id, %error, "the job cannot be run");
    if let Err(error) = engine.store.fail(id, error.to_string(), Timestamp::now()).await {
        tracing::error!(job.id = %id, %error, "keep that a job failed; the next start takes it up");
    }
    if let Err(error) = engine.runtime.remove(&driver::container_name(job), true).await {
        tracing::warn!(job.id = %id, %error, "remove the container of a failed job; the next start does it");
    }
}
