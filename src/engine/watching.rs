//! Watching a container until it ends, by itself or because it is ended.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use crate::container::{ContainerState, Runtime, WaitEnd};
use crate::model::{Job, JobState, Resources, Timestamp};

use super::output_size::{self, Usage};
use super::run::STOP_GRACE;
use super::{Engine, EngineError, blocking, io};

/// How often memory use and output are looked at.
const SAMPLE: Duration = Duration::from_secs(2);

/// What ended a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Nothing: it ended by itself.
    Not,
    /// Its time was over.
    Clock,
    /// It wrote more than it may; why, for people.
    Output(String),
    /// Somebody called it off.
    Cancelled,
}

/// At every so many samples the engine is asked what was written elsewhere: it reads all the files for it.
const ROOT_EVERY: u32 = 5;

/// What a running container uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// The most memory so far, in bytes; 0 while it is not known.
    pub memory: u64,
    /// What it has written into `/output`.
    pub output: Usage,
}

/// A container that was started, and its limits.
#[derive(Clone, Copy, Debug)]
pub struct Watched<'a> {
    /// Where it runs.
    pub runtime: &'a dyn Runtime,
    /// Its name.
    pub name: &'a str,
    /// Wall clock of the whole run.
    pub limit: Duration,
    /// The directory it sees as `/output`.
    pub output: &'a Path,
    /// What it may leave there.
    pub allowed: &'a Resources,
}

impl Watched<'_> {
    /// Waits for the end within the limits of time and output, or until `cancelled` ends; `None` when the container is
    /// gone. Says who stopped it; `seen` is told every two seconds what it uses.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn until_end(
        &self,
        cancelled: impl Future<Output = ()>,
        seen: &mut (dyn FnMut(Sample) + Send),
    ) -> Result<Option<(ContainerState, Stopped)>, EngineError> {
        let already = match self.runtime.inspect(self.name).await? {
            Some(state) => ran_for(&state).unwrap_or_default(),
            None => return Ok(None),
        };
        let deadline = Instant::now() + self.limit.saturating_sub(already);
        let stopped = tokio::select! {
            end = self.runtime.wait(self.name, deadline) => match end? {
                WaitEnd::Exited(state) => return Ok(Some((state, Stopped::Not))),
                WaitEnd::Gone => return Ok(None),
                WaitEnd::DeadlineReached => Stopped::Clock,
            },
            why = self.until_too_much(seen) => Stopped::Output(why),
            () = cancelled => Stopped::Cancelled,
        };
        let end = self.stop().await?;
        Ok(end.map(|state| (state, stopped)))
    }

    /// Ends when it has written more than it may, and says why.
    async fn until_too_much(&self, seen: &mut (dyn FnMut(Sample) + Send)) -> String {
        let (mut sample, mut samples) = (Sample::default(), 0_u32);
        loop {
            tokio::time::sleep(SAMPLE).await;
            let memory = self.runtime.peak_memory(self.name).await;
            sample.memory = sample.memory.max(memory.unwrap_or(0));
            if let Some(usage) = written(self.output, self.allowed).await {
                sample.output = usage;
            }
            seen(sample);
            if let Some(why) = sample.output.excess(self.allowed) {
                return why;
            }
            samples += 1;
            if samples % ROOT_EVERY == 0
                && let Some(why) = self.too_much_elsewhere().await
            {
                return why;
            }
        }
    }

    /// Why what it has written is too much, if it is.
    pub async fn too_much(&self) -> Option<String> {
        let output = written(self.output, self.allowed).await;
        match output.and_then(|usage| usage.excess(self.allowed)) {
            Some(why) => Some(why),
            None => self.too_much_elsewhere().await,
        }
    }

    async fn too_much_elsewhere(&self) -> Option<String> {
        let bytes = self.runtime.written(self.name).await?;
        let limit = bytesize::ByteSize::b(self.allowed.scratch).display().iec();
        (bytes > self.allowed.scratch)
            .then(|| format!("stopped: it wrote more than its limit of {limit} outside /output and /memory"))
    }

    /// Stops it and waits for its end; `None` when it is gone.
    async fn stop(&self) -> Result<Option<ContainerState>, EngineError> {
        self.runtime.stop(self.name, STOP_GRACE).await?;
        let end = Instant::now() + STOP_GRACE + Duration::from_secs(30);
        match self.runtime.wait(self.name, end).await? {
            WaitEnd::Exited(state) => Ok(Some(state)),
            WaitEnd::Gone => Ok(None),
            WaitEnd::DeadlineReached => {
                // Killed and still there: an engine in trouble. It is asked again when it answers.
                self.runtime.kill(self.name).await?;
                Err(crate::container::Error::TimedOut {
                    action: format!("end container {}", self.name),
                    limit: STOP_GRACE,
                }
                .into())
            }
        }
    }
}

/// Ends once the job is cancelled: the store says so, the engine only that some job was.
pub(super) async fn is_cancelled(engine: &Engine, job: &Job) {
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

/// How much is below `/output`, as far as it matters; `None` while that is not known.
async fn written(output: &Path, allowed: &Resources) -> Option<Usage> {
    let (output, allowed) = (output.to_owned(), allowed.clone());
    let looked = blocking(move || output_size::below(&output, &allowed).map_err(io("measure OUTPUT"))).await;
    looked
        .inspect_err(|error| tracing::warn!(%error, "how much a bucket has written is not known"))
        .ok()
}

/// How long a container ran, or has run so far.
pub(super) fn ran_for(state: &ContainerState) -> Option<Duration> {
    let end = state.finished_at.map_or_else(Timestamp::now, Timestamp::from);
    Some(end.since(Timestamp::from(state.started_at?)))
}
