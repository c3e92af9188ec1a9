//! The record of a job that was laid out and came to no harvest: it failed or was cancelled. What is not known of its run
//! is null.
//!
//! Who ends such a job writes the record: before the store is told that it failed, before the container of a cancelled one
//! is removed. A job that is cancelled while nobody drives it, or whose end a kill cut off, is found by [`run`].

use std::io::ErrorKind;
use std::time::Duration;

use crate::files;
use crate::model::{Job, JobState, Outcome, Place, Verdict};
use crate::stage;
use crate::store::StoreError;

use super::output::{self, Hashed};
use super::{Engine, EngineError, blocking, driver, io, record};

/// Jobs that ended are looked at this often, and when one was cancelled.
const AT_LEAST: Duration = Duration::from_secs(600);

/// Writes the record of a job that ends with that reason, if it was laid out. Repeated, it says the same again.
///
/// For people who look back: a disk that does not take it keeps no job from its end.
pub(super) async fn write(engine: &Engine, job: &Job, reason: &str) {
    let verdict = Verdict {
        outcome: Outcome::Failed,
        reason: Some(reason.to_owned()),
    };
    write_verdict(engine, job, verdict).await;
}

/// The same for any end without a run.
pub(super) async fn write_verdict(engine: &Engine, job: &Job, verdict: Verdict) {
    if let Err(error) = try_write(engine, job, verdict).await {
        tracing::warn!(job.id = %job.id, %error, "record.json of a job that ended early is not written");
    }
}

async fn try_write(engine: &Engine, job: &Job, verdict: Verdict) -> Result<(), EngineError> {
    let bucket = match engine.buckets.of_attempt(&job.id)? {
        // Never started: what it would have run with.
        None => engine.buckets.get(&job.stream)?,
        started => started,
    };
    let (layout, job) = (engine.layout.clone(), job.clone());
    blocking(move || {
        let input = layout.path(Place::Input(&job.stream, &job.id));
        if !input.try_exists().map_err(io("look for INPUT"))? {
            return Ok(());
        }
        let mut problems = Vec::new();
        let mut listed = |place, name| match output::files(&layout.path(place)) {
            Ok(listing) => {
                problems.extend(listing.problem());
                listing.files.iter().map(Hashed::from).collect()
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                problems.push(format!("{name} cannot be read: {error}"));
                Vec::new()
            }
        };
        let run = record::Run {
            input: listed(Place::Input(&job.stream, &job.id), "INPUT"),
            output: listed(Place::Output(&job.stream, &job.id), "OUTPUT"),
            job: &job,
            bucket: bucket.as_ref(),
            verdict: &verdict,
            left_out: stage::left_out(&layout, &job).unwrap_or_default(),
            problems: &problems,
        };
        let path = layout.path(Place::Record(&job.stream, &job.id));
        files::replace_file(&path, &record::pretty(&record::record(&run))).map_err(io("write record.json"))
    })
    .await
}

/// Writes the records that nobody else does, from the start on; never ends.
pub async fn run(engine: Engine) {
    let mut cancelled = engine.cancelled.clone();
    loop {
        if let Err(error) = pass(&engine).await {
            tracing::error!(%error, "look for jobs without a record");
        }
        match tokio::time::timeout(AT_LEAST, cancelled.changed()).await {
            Ok(Ok(())) | Err(_) => {}
            // The node is stopping.
            Ok(Err(_)) => std::future::pending().await,
        }
    }
}

async fn pass(engine: &Engine) -> Result<(), EngineError> {
    for job in without_record(engine).await? {
        // While its container is there a driver is at it, and knows more.
        if engine
            .runtime
            .inspect(&driver::container_name(&job))
            .await?
            .is_none()
        {
            let reason = job.reason.clone().unwrap_or_default();
            write(engine, &job, &reason).await;
        }
    }
    Ok(())
}

/// Jobs that ended early, were laid out, and have no record.
async fn without_record(engine: &Engine) -> Result<Vec<Job>, EngineError> {
    let engine = engine.clone();
    blocking(move || {
        let mut found = Vec::new();
        for state in [JobState::Cancelled, JobState::Failed] {
            for job in ended(&engine, state)? {
                let there = |place| {
                    engine
                        .layout
                        .path(place)
                        .try_exists()
                        .map_err(io("look for papers"))
                };
                if there(Place::Input(&job.stream, &job.id))? && !there(Place::Record(&job.stream, &job.id))?
                {
                    found.push(job);
                }
            }
        }
        Ok(found)
    })
    .await
}

fn ended(engine: &Engine, state: JobState) -> Result<Vec<Job>, StoreError> {
    let mut jobs = engine.store.in_state(state)?;
    jobs.retain(|job| job.removed_at.is_none() && job.removed_why.is_none());
    Ok(jobs)
}
