//! Which job may start now.
//!
//! Each stream runs at most `parallel` jobs at once. [`queue`] says who is next, [`super::round`] who begins.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::bucket::{Installed, Run};
use crate::model::{GpuId, Job, JobId, JobState, Resources, Timestamp};
use crate::stage::Working;
use crate::store::StoreError;

use super::driver::Start;
use super::ledger::Ledger;
use super::queue;
use super::recovery::TakenUp;
use super::round::{Round, Turn, Waiting};
use super::{Engine, EngineError, Trouble, driver, last_papers};

/// The queue is looked at this often even if nobody said that it changed.
const AT_LEAST: Duration = Duration::from_secs(60);

/// Drives on what the last run of the node left, then runs queued jobs; never ends.
pub fn run(engine: Engine, taken_up: Vec<TakenUp>) -> impl Future<Output = ()> + Send {
    // From now on, and not only from the moment at which this is polled: nobody removes their files meanwhile.
    let working: Vec<_> = taken_up.iter().map(|t| engine.at_work.on(&t.job.id)).collect();
    async move {
        schedule(engine, taken_up, working).await;
    }
}

async fn schedule(engine: Engine, taken_up: Vec<TakenUp>, working: Vec<Working>) {
    let mut ledger = Ledger::new(engine.buckets.capacity().clone());
    let (over, mut ended) = mpsc::unbounded_channel();
    for taken in taken_up {
        take_up(&engine, &mut ledger, taken, over.clone());
    }
    drop(working);
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
    engine.buckets.settle().await;
    let now = Timestamp::now();
    let mut streams = Vec::new();
    for bucket in engine.buckets.list()? {
        let (title, settings) = (bucket.row.ae_title, bucket.manifest.settings);
        if !engine.buckets.may_begin(&title)? {
            continue;
        }
        let free = (settings.parallel as usize).saturating_sub(ledger.running(&title));
        // Those that were begun a moment ago may still be queued in the store.
        let mut queued = engine.store.queued(&title, settings.parallel.saturating_mul(2))?;
        queued.retain(|job| !ledger.holds(&job.id));
        queue::order_stream(&mut queued, now);
        queued.truncate(free);
        if !queued.is_empty() {
            let last_start = engine.store.last_start(&title)?;
            streams.push(Waiting {
                title,
                jobs: queued.into(),
                last_start,
                resources: settings.resources,
            });
        }
    }
    let mut round = Round::new(streams, now);
    while let Some(turn) = round.turn(ledger) {
        match turn {
            Turn::Begin(job) => begin(engine, ledger, job, over.clone()),
            Turn::Never(job, shortage) => engine.store.fail(&job.id, shortage.to_string(), now).await?,
        }
    }
    Ok(())
}

/// Begins a job of the queue: promises it what its bucket asks for.
fn begin(engine: &Engine, ledger: &mut Ledger, job: Job, over: mpsc::UnboundedSender<JobId>) {
    // Its memory is being replaced: it stays in the queue.
    let Some(run) = engine.buckets.begin_run(&job.stream) else {
        return;
    };
    let resources = resources(engine.buckets.get(&job.stream));
    let gpus = ledger.promise(job.id.clone(), job.stream.clone(), resources);
    spawn(engine, (job, run), gpus, over);
}

/// Drives on a job of the last run of the node; its container keeps what it had.
fn take_up(engine: &Engine, ledger: &mut Ledger, taken: TakenUp, over: mpsc::UnboundedSender<JobId>) {
    let TakenUp { job, gpus } = taken;
    let run = engine.buckets.found_run(&job.stream);
    let resources = resources(engine.buckets.of_attempt(&job.id));
    ledger.take_up(job.id.clone(), job.stream.clone(), resources, gpus.clone());
    spawn(engine, (job, run), gpus, over);
}

fn resources(bucket: Result<Option<Installed>, StoreError>) -> Resources {
    bucket
        .ok()
        .flatten()
        .map(|b| b.manifest.settings.resources)
        .unwrap_or_default()
}

/// Starts a driver; its promise is taken back when it ends, however it ends.
fn spawn(engine: &Engine, (job, run): (Job, Run), gpus: Vec<GpuId>, over: mpsc::UnboundedSender<JobId>) {
    let (engine, working) = (engine.clone(), engine.at_work.on(&job.id));
    tokio::spawn(async move {
        let (id, attempt) = (job.id, job.attempt);
        loop {
            let (driver, driven, gpus) = (engine.clone(), id.clone(), gpus.clone());
            let end = tokio::spawn(async move { drive(&driver, &driven, attempt, &gpus).await });
            match end.await {
                Err(error) if error.is_panic() => {
                    tracing::error!(job.id = %id, "the driver of a job broke down; it begins again");
                    tokio::time::sleep(AGAIN).await;
                }
                _ => break,
            }
        }
        // Before the scheduler looks again: a new version may have waited for this run.
        drop((run, working));
        // The scheduler outlives its drivers.
        let _ = over.send(id);
    });
}

/// Before something that went wrong is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// Tries of what may pass before a job is given up.
const TRIES: u32 = 15;

/// Drives a job until it is harvested, failed or back in the queue; `attempts` it had when it was begun, `gpus` are its own.
async fn drive(engine: &Engine, id: &JobId, attempts: u32, gpus: &[GpuId]) {
    let mut tries = 0;
    // Whether engine or node were away while its container ran.
    let (mut unwatched, mut first) = (false, true);
    loop {
        let (step, job) = match engine.store.job(id) {
            Ok(Some(job)) => {
                unwatched |= first && job.state == JobState::Running;
                first = false;
                (step(engine, &job, attempts, gpus, unwatched).await, Some(job))
            }
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
        if is_over(engine, id) {
            // An operator was faster: what was under way for it comes to nothing.
            clean_up(engine, job.as_ref()).await;
            return record_end(engine, id).await;
        }
        tries += 1;
        unwatched |= matches!(&error, EngineError::Container(_));
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
async fn step(
    engine: &Engine,
    job: &Job,
    attempts: u32,
    gpus: &[GpuId],
    unwatched: bool,
) -> Option<Result<(), EngineError>> {
    match job.state {
        // Back in the queue: the scheduler has the say.
        JobState::Queued if job.attempt != attempts => None,
        JobState::Queued => match driver::start(engine, job, gpus).await {
            Ok(Start::Anew) => None,
            Ok(Start::Done) => Some(Ok(())),
            Err(error) => Some(Err(error)),
        },
        JobState::Running => Some(driver::attend(engine, job, unwatched).await),
        JobState::Harvesting => Some(super::harvest::harvest(engine, job).await),
        _ => None,
    }
}

async fn give_up(engine: &Engine, job: &Job, error: &EngineError) {
    let id = &job.id;
    tracing::error!(job.id = %id, %error, "the job cannot be run");
    last_papers::write(engine, job, &error.to_string()).await;
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
    clean_up(engine, Some(job)).await;
}

/// The record of a job that was ended while it was laid out or its container was made.
async fn record_end(engine: &Engine, id: &JobId) {
    let job = engine.store.job(id).ok().flatten();
    if let Some(job) = job
        && matches!(job.state, JobState::Cancelled | JobState::Failed)
    {
        let reason = job.reason.clone().unwrap_or_default();
        last_papers::write(engine, &job, &reason).await;
    }
}

fn is_over(engine: &Engine, id: &JobId) -> bool {
    let job = engine.store.job(id).ok().flatten();
    job.is_some_and(|job| job.state.is_final())
}

/// Removes the container of a job that is over: that of its attempt, and of one that was about to be counted.
async fn clean_up(engine: &Engine, job: Option<&Job>) {
    let Some(job) = job else { return };
    let next = Job {
        attempt: job.attempt + 1,
        ..job.clone()
    };
    for name in [driver::container_name(job), driver::container_name(&next)] {
        if let Err(error) = engine.runtime.remove(&name, true).await {
            tracing::warn!(job.id = %job.id, %error, "remove the container of a job that is over; the next start does it");
        }
    }
}
