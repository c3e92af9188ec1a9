//! One study through one bucket, as a node would do it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::time::Instant;

use crate::bucket::{Inspected, Installed, Manifest, inspect, seed_memory};
use crate::container::{Runtime, label};
use crate::engine::record;
use crate::engine::run::give_to;
use crate::files;
use crate::model::{AeTitle, Ended, GpuId, Job, JobId, Measure, Outcome, Timestamp, Verdict};

use super::attend::{End, attend};
use super::job::{self, Here};
use super::observer::Observer;
use super::{directories, gpus, leftovers, papers, study};

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Request {
    /// Names the run: its containers carry it, see [`leftovers::clean_up`].
    pub id: JobId,
    /// Name, name:tag or id of an image of the engine's machine.
    pub image: String,
    /// Directory with a study; files in it that are no DICOM are left out.
    pub input: PathBuf,
    /// Directory for the results: made if it is not there, refused if it is not empty. It gets `INPUT/`, `OUTPUT/`,
    /// `info.json`, `processing.log`, `proc.json`, `measures.json` and `record.json`.
    pub output: PathBuf,
    /// `MB_ARGUMENTS`; absent: what info.json says.
    pub arguments: Option<String>,
    /// Directory the bucket sees as `/memory`, seeded from the image if it is not there. Absent: `memory/` beside OUTPUT,
    /// so that every run begins with what the image brings.
    pub memory: Option<PathBuf>,
    /// Graphics processors, as many as the bucket asks for; absent: the first ones of the machine by index.
    pub gpus: Option<Vec<GpuId>>,
    /// A site's overrides of info.json, as in `[bucket.TITLE]` of its configuration.
    pub site: Option<Value>,
    /// Whether the container stays, once it has ended, to be looked at.
    pub keep: bool,
}

impl Request {
    /// A run with nothing special about it.
    #[must_use]
    pub fn new(image: &str, input: &Path, output: &Path) -> Self {
        Self {
            id: JobId::generate(Timestamp::now()),
            image: image.to_owned(),
            input: input.to_owned(),
            output: output.to_owned(),
            arguments: None,
            memory: None,
            gpus: None,
            site: None,
            keep: false,
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Report {
    /// The bucket's AE title.
    pub ae_title: AeTitle,
    /// Objects of the study.
    pub objects: u64,
    /// Outcome and reason, as a node would decide.
    pub verdict: Verdict,
    /// What is known of the end of the container.
    pub ended: Ended,
    /// What was measured.
    pub measures: Vec<Measure>,
    /// What was wrong with results or measures, for people.
    pub problems: Vec<String>,
    /// From before the container was made until its papers were written.
    pub elapsed: Duration,
    /// The most memory it used, in bytes, as far as it was seen: one that runs for less than two seconds is not.
    pub peak_memory: Option<u64>,
    /// Holds OUTPUT and the papers.
    pub directory: PathBuf,
    /// The name of its container, if it was to be kept.
    pub kept: Option<String>,
}

impl Report {
    /// The bucket's exit status; never 0 for one that was stopped by clock, memory or a limit: 137 then.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        let ended = &self.ended;
        let killed = ended.oom_killed || ended.timed_out.is_some() || ended.stopped.is_some();
        match ended.exit_status {
            Some(0) | None if killed => 137,
            Some(status) => u8::try_from(status).unwrap_or(1),
            None => 1,
        }
    }

    /// Whether it is to be looked into: it ended with another status than 0, or its proc.json says `failed`.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.exit_status() != 0 || self.verdict.outcome == Outcome::Failed
    }
}

/// Runs the bucket of an image on a study: the node's mounts, limits, environment, log, judgement, measures and papers.
///
/// To interrupt it, drop the future, then call [`leftovers::clean_up`] with the id of the request.
///
/// # Errors
/// What the input, the image, the disk or the engine is refused for. That the bucket fails is no error.
pub async fn run_study(runtime: &dyn Runtime, request: &Request, observer: &dyn Observer) -> Result<Report> {
    let (input, directory) = directories::checked(&request.input, &request.output)?;
    let labels = leftovers::labels(&request.id);
    let found = inspect(runtime, &request.image, &labels).await?;
    let manifest = Manifest::read(found.manifest.info.clone(), request.site.as_ref())
        .with_context(|| format!("image {} with the node's overrides", request.image))?;
    let bucket = job::installed(&request.image, &found, manifest);
    let (from, to) = (input.clone(), directory.join("INPUT"));
    let accept = bucket.manifest.settings.accept.clone();
    let (study, left_out) = tokio::task::spawn_blocking(move || {
        let mut study = study::lay_out(&from, &to)?;
        let left_out = accept.map(|accept| study.sort(&to, &accept)).transpose()?;
        anyhow::Ok((study, left_out))
    })
    .await??;
    let mut here = Here {
        job: job::job(request.id.clone(), &bucket, &study, request.arguments.clone()),
        series: study.series,
        memory: directories::memory(request.memory.as_deref(), &directory)?,
        directory,
        gpus: gpus::choose(bucket.manifest.settings.resources.gpus, request.gpus.clone())?,
        keep: request.keep,
    };
    let (job, version) = (&here.job, &bucket.manifest.version);
    observer.says(&format!(
        "{} {version} on {}: {} objects",
        job.stream,
        input.display(),
        job.instances
    ));
    if study.left_out > 0 {
        let left_out = study.left_out;
        observer.says(&format!(
            "{left_out} files left out: no DICOM, or the same object twice"
        ));
    }
    let left_out = left_out.map_or_else(Vec::new, |(series, text)| {
        observer.says(&text);
        series
    });
    prepare(runtime, &here, &bucket, &found).await?;
    let _writer = directories::hold(&here.memory, bucket.manifest.settings.parallel > 1)?;
    let begun = Instant::now();
    let end = container(runtime, &here, &bucket, observer).await?;
    here.job = Job {
        exit_status: end.ended.exit_status,
        oom_killed: end.ended.oom_killed,
        timed_out: end.ended.timed_out.is_some(),
        stopped_why: end.ended.stopped.clone(),
        peak_memory: end.peak_memory,
        started_at: end.state.started_at.map(Timestamp::from),
        run_ended_at: end.state.finished_at.map(Timestamp::from),
        ..here.job
    };
    let (verdict, found) =
        papers::write(runtime, &here, &bucket, &end.ended, (&study.files, left_out)).await?;
    Ok(Report {
        ae_title: here.job.stream.clone(),
        objects: here.job.instances,
        verdict,
        ended: end.ended,
        measures: found.measures,
        problems: found.problems,
        elapsed: begun.elapsed(),
        peak_memory: end.peak_memory,
        kept: here.keep.then(|| here.container()),
        directory: here.directory,
    })
}

/// The container, from create to remove, unless it is to be kept.
async fn container(
    runtime: &dyn Runtime,
    here: &Here,
    bucket: &Installed,
    observer: &dyn Observer,
) -> Result<End> {
    let spec = here.spec(bucket);
    runtime.create(&spec).await?;
    let end = attend(runtime, here, bucket, observer).await;
    if !here.keep || end.is_err() {
        runtime.remove(&spec.name, true).await?;
    }
    end
}

/// OUTPUT, the memory, info.json.
async fn prepare(runtime: &dyn Runtime, here: &Here, bucket: &Installed, found: &Inspected) -> Result<()> {
    let output = here.path("OUTPUT");
    std::fs::create_dir_all(&output)?;
    seed_memory(
        runtime,
        &found.image,
        &here.labels(label::KIND_FILES),
        &here.memory,
    )
    .await?;
    if let Some(user) = &bucket.manifest.settings.user {
        give_to(user, &output)
            .and_then(|()| give_to(user, &here.memory))
            .with_context(|| format!("give OUTPUT and memory to {user}"))?;
    }
    files::replace_file(
        &here.path("info.json"),
        &record::job_info(&here.job, &here.series),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server runs it in a task.
    #[test]
    fn a_run_may_move_between_threads() {
        fn sent<T: Send>(_: &T) {}
        let request = Request::new("image", Path::new("/in"), Path::new("/out"));
        fn check(runtime: &dyn Runtime, request: &Request) {
            sent(&run_study(runtime, request, &super::super::Silent));
        }
        let _ = (check as fn(&dyn Runtime, &Request), request);
    }
}
