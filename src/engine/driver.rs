//! One attempt at a job, from the queue to the end of its container.

use std::time::Duration;

use crate::bucket::{self, Installed};
use crate::container::{ContainerState, Created, Labels, LogCopy, label};
use crate::files;
use crate::model::{Ended, GpuId, Job, JobState, Outcome, Place, Timestamp, Verdict};
use crate::stage::{self, Sorted};

use super::run::{LOG_LIMIT, Run, give_to, gpus_of};
use super::watching::{Sample, Stopped, Watched, is_cancelled, ran_for};
use super::{Engine, EngineError, blocking, io, last_papers, record};

/// Time for the rest of a log once its container has ended.
const LAST_WORDS: Duration = Duration::from_secs(60);

/// A container that vanishes is run again this many times in all.
const ATTEMPTS: u32 = 3;

/// The name of an attempt's container: the key by which an attempt is made once.
pub fn container_name(job: &Job) -> String {
    format!("magickbox-{}-{}", job.id, job.attempt)
}

fn bucket_of(engine: &Engine, job: &Job) -> Result<Installed, EngineError> {
    engine
        .buckets
        .get(&job.stream)?
        .ok_or_else(|| EngineError::NoBucket(job.stream.clone()))
}

/// The bucket as it was when the attempt began.
pub(super) fn attempt_bucket(engine: &Engine, job: &Job) -> Result<Installed, EngineError> {
    engine
        .buckets
        .of_attempt(&job.id)?
        .ok_or_else(|| EngineError::NoBucket(job.stream.clone()))
}

/// What became of starting a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// It is running.
    Done,
    /// What it was promised is not what it needs now: the scheduler promises anew.
    Anew,
}

/// Queued → Running: lays the job out, creates its container, then counts the attempt.
///
/// In this order trouble that passes (a full disk, an engine that is away) leaves the job in the queue, and a Running
/// job without a container is one whose container vanished.
pub(super) async fn start(engine: &Engine, job: &Job, gpus: &[GpuId]) -> Result<Start, EngineError> {
    let bucket = bucket_of(engine, job)?;
    // The configuration may have changed since it was installed.
    if let Some(why) = engine.buckets.forbids(&bucket.manifest) {
        return Err(EngineError::Forbidden {
            ae_title: job.stream.clone(),
            why,
        });
    }
    if bucket.manifest.settings.resources.gpus as usize != gpus.len() {
        // Another version of the bucket was installed since this was promised.
        return Ok(Start::Anew);
    }
    let next = Job {
        attempt: job.attempt + 1,
        state: JobState::Running,
        ..job.clone()
    };
    let sorted = prepare(engine, &next, &bucket).await?;
    crate::failpoint::reach("job-laid-out");
    if let Some(text) = sorted.text() {
        tell_sorted(engine, job, &text).await?;
        if sorted.is_nothing() {
            return end_unaccepted(engine, &next, text).await;
        }
    }
    create(engine, &next, &bucket, gpus).await?;
    crate::failpoint::reach("container-created");
    let attempt = engine
        .store
        .start(&job.id, bucket.row.clone(), Timestamp::now())
        .await?;
    crate::failpoint::reach("attempt-counted");
    tracing::info!(job.id = %job.id, stream.ae = %job.stream, attempt, "job started");
    let text = format!("attempt {attempt} started, {} objects", job.instances);
    bucket_log(engine, job, &text).await;
    Ok(Start::Done)
}

/// What was left out is said once, however often the job is laid out.
async fn tell_sorted(engine: &Engine, job: &Job, text: &str) -> Result<(), EngineError> {
    let told = engine.store.events(&job.id)?;
    if !told.iter().any(|e| e.kind == SORTED && e.text == text) {
        engine.store.note(&job.id, SORTED, text.to_owned()).await?;
        bucket_log(engine, job, text).await;
    }
    Ok(())
}

/// The event of a job whose bucket does not accept everything.
const SORTED: &str = "sorted";

/// Queued → Done: nothing is for its bucket, so that it is not run. Its objects stay, all of them left out.
async fn end_unaccepted(engine: &Engine, job: &Job, text: String) -> Result<Start, EngineError> {
    let verdict = Verdict {
        outcome: Outcome::NotAccepted,
        reason: Some(text),
    };
    last_papers::write_verdict(engine, job, verdict.clone()).await;
    engine
        .store
        .not_accepted(&job.id, verdict, Timestamp::now())
        .await?;
    tracing::info!(job.id = %job.id, stream.ae = %job.stream, "nothing of the job is for its bucket");
    Ok(Start::Done)
}

/// Everything an attempt needs on disk; may be repeated. Answers which series are for the bucket.
async fn prepare(engine: &Engine, job: &Job, bucket: &Installed) -> Result<Sorted, EngineError> {
    let (engine, job, bucket) = (engine.clone(), job.clone(), bucket.clone());
    blocking(move || {
        let accept = bucket.manifest.settings.accept.as_ref();
        let sorted = engine.classifier.sort(&job, accept)?;
        stage::lay_out(&engine.layout, &engine.store, &job, &sorted.left_out())?;
        stage::clear_output(&engine.layout, &job)?;
        let memory = engine.layout.path(Place::Memory(&job.stream));
        files::make_directory(&memory).map_err(io("make the bucket's memory"))?;
        if let Some(user) = &bucket.manifest.settings.user {
            let output = engine.layout.path(Place::Output(&job.stream, &job.id));
            give_to(user, &output)
                .and_then(|()| give_to(user, &memory))
                .map_err(io("give a directory to the bucket's user"))?;
        }
        let info = engine.layout.path(Place::JobInfo(&job.stream, &job.id));
        let series = engine
            .store
            .instances(&job.id)?
            .into_iter()
            .map(|i| i.series_instance_uid)
            .collect();
        files::replace_file(&info, &record::job_info(&job, &series)).map_err(io("write info.json"))?;
        Ok(sorted)
    })
    .await
}

async fn create(engine: &Engine, job: &Job, bucket: &Installed, gpus: &[GpuId]) -> Result<(), EngineError> {
    let settings = &bucket.manifest.settings;
    let run = Run {
        name: container_name(job),
        image: bucket.image.clone(),
        labels: labels(engine, job, label::KIND_RUN),
        settings,
        gpus,
        input: engine.layout.path(Place::Input(&job.stream, &job.id)),
        output: engine.layout.path(Place::Output(&job.stream, &job.id)),
        memory: engine.layout.path(Place::Memory(&job.stream)),
        job: job.id.to_string(),
        called: job.stream.to_string(),
        calling: job.calling_ae_title.clone(),
        study_instance_uid: job.study_instance_uid.clone(),
        arguments: job
            .arguments
            .clone()
            .or_else(|| settings.arguments.clone())
            .unwrap_or_default(),
    };
    if engine.runtime.create(&run.spec()).await? == Created::Exists {
        // Left by a try that got no further: never started, and perhaps of a bucket that was installed anew since.
        engine.runtime.remove(&run.name, true).await?;
        engine.runtime.create(&run.spec()).await?;
    }
    Ok(())
}

/// The labels of a container of this job.
pub(super) fn labels(engine: &Engine, job: &Job, kind: &str) -> Labels {
    [
        (label::NODE, engine.store.node_id()),
        (label::JOB, job.id.as_str()),
        (label::KIND, kind),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .into()
}

/// Running → Harvesting: starts the container if it has not been, watches it, keeps its end. Takes up a container
/// from before a restart just as well.
///
/// `unwatched`: the engine or this node was away since the container was started, so that a signal may be the engine's. While
/// both were there a signal is somebody's decision, and the job has failed (spec folder, bucket.md, proc.json).
pub(super) async fn attend(engine: &Engine, job: &Job, unwatched: bool) -> Result<(), EngineError> {
    let name = container_name(job);
    let Some(state) = engine.runtime.inspect(&name).await? else {
        return vanished(engine, job).await;
    };
    if state.started_at.is_none() {
        let started = engine.runtime.start(&name).await;
        started.map_err(|error| EngineError::of_start(&job.stream, &gpus_of(&state.labels), error))?;
        crate::failpoint::reach("container-started");
    }
    let bucket = attempt_bucket(engine, job)?;
    let limit = bucket.manifest.settings.timeout;
    let log = engine.layout.path(Place::ProcessingLog(&job.stream, &job.id));
    let output = engine.layout.path(Place::Output(&job.stream, &job.id));
    let watched = Watched {
        runtime: engine.runtime.as_ref(),
        name: &name,
        limit,
        output: &output,
        allowed: &bucket.manifest.settings.resources,
    };
    let mut peak = 0;
    let (end, copied) = {
        let follow = engine.runtime.follow_logs(&name, &log, LOG_LIMIT);
        let mut seen = |sample: Sample| peak = sample.memory;
        let watch = watched.until_end(is_cancelled(engine, job), &mut seen);
        tokio::pin!(follow, watch);
        tokio::select! {
            // Without a watch nothing ends the container in time: its log has to wait.
            end = &mut watch => (end?, tokio::time::timeout(LAST_WORDS, follow).await.ok()),
            copied = &mut follow => (watch.await?, Some(copied)),
        }
    };
    let Some((state, stopped)) = end else {
        return vanished(engine, job).await;
    };
    if is_incomplete(&copied) {
        let fetched = engine.runtime.fetch_logs(&name, &log, LOG_LIMIT).await;
        if let Err(error) = fetched {
            tracing::warn!(job.id = %job.id, %error, "processing.log is incomplete");
        }
    }
    if stopped == Stopped::Cancelled {
        return cancelled(engine, job, &state).await;
    }
    let timed_out = stopped == Stopped::Clock || ran_for(&state).is_some_and(|t| t >= limit);
    // What it wrote in its last moments counts too; after a restart it is also how a stop for it is known.
    let stopped = match stopped {
        Stopped::Output(why) => Some(why),
        _ => watched.too_much().await,
    };
    let ended = Ended {
        exit_status: state.exit_status,
        oom_killed: state.oom_killed,
        timed_out: timed_out.then_some(limit),
        stopped,
    };
    if (unwatched || state.engine_was_away)
        && job.attempt < ATTEMPTS
        && let Some(signal) = stopped_by_others(&ended)
    {
        engine.runtime.remove(&name, true).await?;
        let why = format!(
            "container {name} was stopped with {signal} by somebody else, perhaps a restart of the engine"
        );
        tracing::warn!(job.id = %job.id, attempt = job.attempt, "{why}; the job runs again");
        engine.store.lost(&job.id, why).await?;
        return Ok(());
    }
    let text = format!(
        "ended, exit status {}",
        ended.exit_status.map_or("unknown".into(), |s| s.to_string())
    );
    bucket_log(engine, job, &text).await;
    crate::failpoint::reach("container-ended");
    engine
        .store
        .ended(&job.id, ended, (peak > 0).then_some(peak), Timestamp::now())
        .await?;
    crate::failpoint::reach("ended");
    Ok(())
}

/// The signal that ended a container if neither we nor its memory limit did: what an engine does to its containers when it
/// stops, or comes back after a crash. Such an end says nothing of the bucket; nor can the engine say who sent the signal.
const fn stopped_by_others(ended: &Ended) -> Option<&'static str> {
    match ended {
        Ended {
            oom_killed: false,
            timed_out: None,
            stopped: None,
            exit_status: Some(status),
        } => match *status {
            137 => Some("SIGKILL"),
            143 => Some("SIGTERM"),
            _ => None,
        },
        _ => None,
    }
}

fn is_incomplete(copied: &Option<Result<LogCopy, crate::container::Error>>) -> bool {
    !matches!(copied, Some(Ok(copy)) if copy.broken.is_none())
}

/// The container of a cancelled job has ended and its log is kept.
async fn cancelled(engine: &Engine, job: &Job, state: &ContainerState) -> Result<(), EngineError> {
    bucket_log(engine, job, "cancelled").await;
    // The store keeps no end of a run that was cancelled.
    let reason = engine.store.job(&job.id)?.and_then(|job| job.reason);
    let ended = Job {
        exit_status: state.exit_status,
        oom_killed: state.oom_killed,
        run_ended_at: state.finished_at.map(Timestamp::from),
        ..job.clone()
    };
    last_papers::write(engine, &ended, &reason.unwrap_or_default()).await;
    // One that an engine in trouble leaves is swept at the next start.
    engine.runtime.remove(&container_name(job), true).await?;
    tracing::info!(job.id = %job.id, "job cancelled");
    Ok(())
}

/// No container where one should be: nothing is known of its end, so the job runs again, or is given up.
async fn vanished(engine: &Engine, job: &Job) -> Result<(), EngineError> {
    let name = container_name(job);
    if job.attempt >= ATTEMPTS {
        let reason = format!("container {name} vanished, as {} before it did", job.attempt - 1);
        last_papers::write(engine, job, &reason).await;
        engine.store.fail(&job.id, reason, Timestamp::now()).await?;
    } else {
        tracing::warn!(job.id = %job.id, attempt = job.attempt, "the container is gone; the job runs again");
        engine
            .store
            .lost(&job.id, format!("container {name} is not there any more"))
            .await?;
    }
    Ok(())
}

/// One line in `logs/bucket<AETitle>.log`; for people, so a disk that does not take it stops nothing.
pub(super) async fn bucket_log(engine: &Engine, job: &Job, text: &str) {
    let (layout, stream) = (engine.layout.clone(), job.stream.clone());
    let (id, text) = (job.id.clone(), text.to_owned());
    let written = blocking(move || {
        bucket::log::append(&layout, &stream, id.as_str(), &text).map_err(io("write the bucket's log"))
    });
    if let Err(error) = written.await {
        tracing::warn!(job.id = %job.id, %error, "a line of the bucket's log is lost");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_is_not_ours_is_told_from_an_end_of_the_bucket() {
        let ended = |exit_status| Ended {
            exit_status: Some(exit_status),
            oom_killed: false,
            timed_out: None,
            stopped: None,
        };
        let signals = [0, 1, 3, 137, 143].map(|status| stopped_by_others(&ended(status)));
        assert_eq!(signals, [None, None, None, Some("SIGKILL"), Some("SIGTERM")]);
        let out_of_memory = Ended {
            oom_killed: true,
            ..ended(137)
        };
        let out_of_time = Ended {
            timed_out: Some(Duration::from_secs(1)),
            ..ended(143)
        };
        assert_eq!(
            [out_of_memory, out_of_time].map(|e| stopped_by_others(&e)),
            [None, None]
        );
    }
}
