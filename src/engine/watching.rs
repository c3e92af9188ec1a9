//! Watching a container until it ends, by itself or because the node ends it.

use std::time::Duration;

use tokio::time::Instant;

use crate::container::{ContainerState, WaitEnd};
use crate::model::{Job, JobState, Place, Resources, Timestamp};

use super::driver::container_name;
use super::run::STOP_GRACE;
use super::{Engine, EngineError, blocking, io, output_size};

/// How often memory use and output are looked at.
const SAMPLE: Duration = Duration::from_secs(2);

/// What the node did to end a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// Nothing: it ended by itself.
    Not,
    /// Its time was over.
    Clock,
    /// It wrote more than it may; why, for people.
    Output(String),
    /// An operator cancelled the job.
    Cancelled,
}

/// Waits for the end within the limits of time and output; `None` when the container is gone. Says who stopped it.
pub(super) async fn watch(
    engine: &Engine,
    job: &Job,
    limit: Duration,
    allowed: &Resources,
    peak: &mut u64,
) -> Result<Option<(ContainerState, Stopped)>, EngineError> {
    let name = &container_name(job);
    let already = match engine.runtime.inspect(name).await? {
        Some(state) => ran_for(&state).unwrap_or_default(),
        None => return Ok(None),
    };
    let deadline = Instant::now() + limit.saturating_sub(already);
    let stopped = {
        let sample = async {
            loop {
                tokio::time::sleep(SAMPLE).await;
                *peak = (*peak).max(engine.runtime.peak_memory(name).await.unwrap_or(0));
                if let Some(why) = too_much(engine, job, allowed).await {
                    return why;
                }
            }
        };
        tokio::select! {
            end = engine.runtime.wait(name, deadline) => match end? {
                WaitEnd::Exited(state) => return Ok(Some((state, Stopped::Not))),
                WaitEnd::Gone => return Ok(None),
                WaitEnd::DeadlineReached => Stopped::Clock,
            },
            why = sample => Stopped::Output(why),
            () = is_cancelled(engine, job) => Stopped::Cancelled,
        }
    };
    stop(engine, name)
        .await
        .map(|end| end.map(|state| (state, stopped)))
}

/// Stops a container and waits for its end; `None` when it is gone.
async fn stop(engine: &Engine, name: &str) -> Result<Option<ContainerState>, EngineError> {
    engine.runtime.stop(name, STOP_GRACE).await?;
    let end = Instant::now() + STOP_GRACE + Duration::from_secs(30);
    match engine.runtime.wait(name, end).await? {
        WaitEnd::Exited(state) => Ok(Some(state)),
        WaitEnd::Gone => Ok(None),
        WaitEnd::DeadlineReached => {
            // Killed and still there: an engine in trouble. It is asked again when it answers.
            engine.runtime.kill(name).await?;
            Err(crate::container::Error::TimedOut {
                action: format!("end container {name}"),
                limit: STOP_GRACE,
            }
            .into())
        }
    }
}

/// Ends once the job is cancelled: the store says so, the engine only that some job was.
async fn is_cancelled(engine: &Engine, job: &Job) {
    let mut told = engine.cancelled.clone();
    loop {
        let state = engine.store.job(&job.id).ok().flatten().map(|job| job.state);
        if state == Some(JobState::Cancelled) {
            return;
        }
        if told.changed().await.is_err() {
            // Nobody is left who could cancel: the node is stopping.
            std::future::pending::<()>().await;
        }
    }
}

/// Why `/output` is too much, if it is.
pub(super) async fn too_much(engine: &Engine, job: &Job, allowed: &Resources) -> Option<String> {
    let output = engine.layout.path(Place::Output(&job.stream, &job.id));
    let allowed = allowed.clone();
    let looked = blocking(move || output_size::excess(&output, &allowed).map_err(io("measure OUTPUT"))).await;
    looked.unwrap_or_else(|error| {
        tracing::warn!(job.id = %job.id, %error, "how much a bucket has written is not known");
        None
    })
}

/// How long a container ran, or has run so far.
pub(super) fn ran_for(state: &ContainerState) -> Option<Duration> {
    let end = state.finished_at.map_or_else(Timestamp::now, Timestamp::from);
    Some(end.since(Timestamp::from(state.started_at?)))
}
