//! `buckets run`: exactly what a node would do with a study, here and now.

mod gpus;
mod study;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

pub use gpus::read as read_gpu;

use anyhow::{Context, Result, bail};
use tokio::time::Instant;

use crate::bucket::{Inspected, Installed, inspect, seed_memory};
use crate::container::{ContainerState, Docker, DockerConfig, Labels, RunSpec, Runtime, WaitEnd, label};
use crate::engine::EngineError;
use crate::engine::measures::{self, Plugin};
use crate::engine::output::{self, Hashed, OutputFile};
use crate::engine::record;
use crate::engine::run::{LOG_LIMIT, Run, STOP_GRACE, give_to};
use crate::files;
use crate::model::{Ended, GpuId, Job, JobId, JobState, Priority, Timestamp, Verdict};
use crate::store::BucketRow;

/// A run: a job as a node would have it, in a directory of its own.
struct Here {
    job: Job,
    series: BTreeSet<String>,
    directory: PathBuf,
    gpus: Vec<GpuId>,
}

impl Here {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn container(&self) -> String {
        format!("magickbox-run-{}", self.job.id)
    }

    /// By these everything of this run is found, and swept when it is interrupted.
    fn labels(&self, kind: &str) -> Labels {
        [
            (label::NODE, "buckets-run"),
            (label::JOB, self.job.id.as_str()),
            (label::KIND, kind),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into()
    }
}

/// Runs the bucket of an image on a directory; the bucket's exit status becomes the command's.
pub fn run(
    image: &str,
    input: &Path,
    out: &Path,
    arguments: Option<String>,
    gpus: Option<Vec<GpuId>>,
    docker: String,
) -> Result<ExitCode> {
    let input = std::fs::canonicalize(input).with_context(|| format!("input {}", input.display()))?;
    if !input.is_dir() {
        bail!("input {} is no directory", input.display());
    }
    std::fs::create_dir_all(out).with_context(|| format!("output {}", out.display()))?;
    let out = std::fs::canonicalize(out)?;
    if std::fs::read_dir(&out)?.next().is_some() {
        bail!("output {} is not empty: give a new directory", out.display());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let docker = Docker::connect(DockerConfig {
            endpoint: docker,
            ..DockerConfig::default()
        })
        .await?;
        let id = JobId::generate(Timestamp::now());
        let sweep = Labels::from([(label::JOB.to_owned(), id.to_string())]);
        tokio::select! {
            done = run_here(&docker, image, &input, out, id, arguments, gpus) => done,
            _ = tokio::signal::ctrl_c() => {
                for container in docker.list(&sweep).await? {
                    docker.remove(&container.name, true).await?;
                }
                bail!("interrupted; its containers are removed")
            }
        }
    })
}

async fn run_here(
    runtime: &dyn Runtime,
    image: &str,
    input: &Path,
    directory: PathBuf,
    id: JobId,
    arguments: Option<String>,
    gpus: Option<Vec<GpuId>>,
) -> Result<ExitCode> {
    let study = study::lay_out(input, &directory.join("INPUT"))?;
    let files = Labels::from([(label::JOB.to_owned(), id.to_string())]);
    let found = inspect(runtime, image, &files).await?;
    let bucket = installed(image, &found);
    let settings = &bucket.manifest.settings;
    let mut here = Here {
        job: job(id, &bucket, &study, arguments),
        series: study.series,
        directory,
        gpus: gpus::choose(settings.resources.gpus, gpus)?,
    };
    println!(
        "{} {} on {}: {} objects",
        here.job.stream,
        bucket.manifest.version,
        input.display(),
        here.job.instances
    );
    if study.left_out > 0 {
        println!(
            "{} files left out: no DICOM, or the same object twice",
            study.left_out
        );
    }
    prepare(runtime, &here, &found).await?;
    let spec = spec(&here, &bucket);
    let begun = Instant::now();
    runtime.create(&spec).await?;
    let ended = attend(runtime, &here, settings.timeout).await;
    runtime.remove(&spec.name, true).await?;
    let (state, timed_out) = ended?;
    let ended = Ended {
        exit_status: state.exit_status,
        oom_killed: state.oom_killed,
        timed_out: timed_out.then_some(settings.timeout),
        stopped: None,
    };
    here.job = Job {
        exit_status: ended.exit_status,
        oom_killed: ended.oom_killed,
        timed_out,
        started_at: state.started_at.map(Timestamp::from),
        run_ended_at: state.finished_at.map(Timestamp::from),
        ..here.job
    };
    let verdict = papers(runtime, &here, &bucket, &ended, &study.files).await?;
    let reason = verdict
        .reason
        .as_deref()
        .map(|r| format!(": {r}"))
        .unwrap_or_default();
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{}{reason} ({seconds:.1} s, results in {})",
        verdict.outcome,
        here.path("OUTPUT").display()
    );
    Ok(exit_code(&ended))
}

/// The bucket as a node would have installed it now.
fn installed(image: &str, found: &Inspected) -> Installed {
    Installed {
        row: BucketRow {
            ae_title: found.manifest.ae_title.clone(),
            image: image.to_owned(),
            digest: found.image.id.to_string(),
            info: found.manifest.info.clone(),
            has_plugin: found.has_plugin,
            installed_at: Timestamp::now(),
        },
        manifest: found.manifest.clone(),
        image: found.image.id.clone(),
    }
}

fn job(id: JobId, bucket: &Installed, study: &study::Study, arguments: Option<String>) -> Job {
    let now = Timestamp::now();
    Job {
        id,
        stream: bucket.row.ae_title.clone(),
        group_key: study.study_instance_uid.clone(),
        state: JobState::Running,
        outcome: None,
        reason: None,
        calling_ae_title: "BUCKETS".to_owned(),
        caller_address: "127.0.0.1".to_owned(),
        study_instance_uid: study.study_instance_uid.clone(),
        instances: study.files.len() as u64,
        bytes: study.files.iter().map(|f| f.bytes).sum(),
        received_at: now,
        last_object_at: now,
        queued_at: Some(now),
        started_at: None,
        run_ended_at: None,
        ended_at: None,
        attempt: 1,
        image: Some(bucket.image.to_string()),
        exit_status: None,
        oom_killed: false,
        timed_out: false,
        peak_memory: None,
        arguments,
        priority: Priority::default(),
        superseded_by: None,
        made_from: None,
        stopped_why: None,
        removed_at: None,
        removed_why: None,
    }
}

/// OUTPUT, a memory of this run's own (nothing of an installed bucket's is touched), info.json.
async fn prepare(runtime: &dyn Runtime, here: &Here, found: &Inspected) -> Result<()> {
    let (output, memory) = (here.path("OUTPUT"), here.path("memory"));
    std::fs::create_dir_all(&output)?;
    seed_memory(runtime, &found.image, &here.labels(label::KIND_FILES), &memory).await?;
    if let Some(user) = &found.manifest.settings.user {
        give_to(user, &output)
            .and_then(|()| give_to(user, &memory))
            .with_context(|| format!("give OUTPUT to {user}"))?;
    }
    files::replace_file(
        &here.path("info.json"),
        &record::job_info(&here.job, &here.series),
    )?;
    Ok(())
}

fn spec(here: &Here, bucket: &Installed) -> RunSpec {
    let settings = &bucket.manifest.settings;
    let arguments = here.job.arguments.clone().or_else(|| settings.arguments.clone());
    Run {
        name: here.container(),
        image: bucket.image.clone(),
        labels: here.labels(label::KIND_RUN),
        settings,
        gpus: &here.gpus,
        input: here.path("INPUT"),
        output: here.path("OUTPUT"),
        memory: here.path("memory"),
        job: here.job.id.to_string(),
        called: here.job.stream.to_string(),
        calling: here.job.calling_ae_title.clone(),
        study_instance_uid: here.job.study_instance_uid.clone(),
        arguments: arguments.unwrap_or_default(),
    }
    .spec()
}

/// Starts the container, shows its log as it comes, ends it when its time is over.
async fn attend(runtime: &dyn Runtime, here: &Here, limit: Duration) -> Result<(ContainerState, bool)> {
    let (name, log) = (here.container(), here.path("processing.log"));
    let started = runtime.start(&name).await;
    started.map_err(|error| EngineError::of_start(&here.job.stream, &here.gpus, error))?;
    let deadline = Instant::now() + limit;
    let watch = async {
        let mut stopped = false;
        let mut until = deadline;
        loop {
            match runtime.wait(&name, until).await? {
                WaitEnd::Exited(state) => return Ok((state, stopped)),
                WaitEnd::Gone => bail!("the container was removed by somebody else"),
                WaitEnd::DeadlineReached if stopped => {
                    bail!("the container engine does not end the container")
                }
                WaitEnd::DeadlineReached => {
                    runtime.stop(&name, STOP_GRACE).await?;
                    stopped = true;
                    until = Instant::now() + STOP_GRACE + Duration::from_secs(30);
                }
            }
        }
    };
    let follow = async {
        let copied = runtime.follow_logs(&name, &log, LOG_LIMIT);
        tokio::pin!(copied);
        let mut shown = 0;
        loop {
            tokio::select! {
                copy = &mut copied => { show(&log, &mut shown); return copy; }
                () = tokio::time::sleep(Duration::from_millis(200)) => show(&log, &mut shown),
            }
        }
    };
    let (ended, copied) = tokio::join!(watch, follow);
    copied?;
    ended
}

/// Passes on what the log has grown by. Control characters but line ends and tabs are dropped: it is a bucket's text.
fn show(log: &Path, shown: &mut u64) {
    use std::io::{Read, Seek, SeekFrom, Write};
    let grown = std::fs::File::open(log).and_then(|mut file| {
        file.seek(SeekFrom::Start(*shown))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    let Ok(bytes) = grown else { return };
    *shown += bytes.len() as u64;
    let plain: Vec<u8> = bytes
        .into_iter()
        .filter(|b| !b.is_ascii_control() || matches!(b, b'\n' | b'\t'))
        .collect();
    // A terminal that is gone stops nothing.
    let _ = std::io::stdout().write_all(&plain);
}

/// proc.json, measures.json and record.json: what a node keeps beside OUTPUT.
async fn papers(
    runtime: &dyn Runtime,
    here: &Here,
    bucket: &Installed,
    ended: &Ended,
    inputs: &[OutputFile],
) -> Result<Verdict> {
    let settings = &bucket.manifest.settings;
    let output = here.path("OUTPUT");
    let own = record::take_proc_json(&output.join("proc.json"), &here.path("proc.json"))?;
    let verdict = Verdict::decide(ended, settings.resources.memory, own.as_ref());
    if own.is_none() {
        files::replace_file(&here.path("proc.json"), &record::proc_json(&verdict))?;
    }
    let listing = output::files(&output)?;
    let plugin = Plugin {
        name: format!("{}-measures", here.container()),
        image: bucket.image.clone(),
        labels: here.labels(label::KIND_MEASURES),
        settings,
        output,
    };
    let units = &bucket.manifest.units;
    let mut found = measures::collect(runtime, &plugin, bucket.row.has_plugin, units, &listing.files).await?;
    found.problems.extend(listing.problem());
    for measure in &found.measures {
        println!(
            "  {} = {} {}",
            measure.name,
            measure.value,
            measure.unit.as_deref().unwrap_or_default()
        );
    }
    for problem in &found.problems {
        eprintln!("  {problem}");
    }
    files::replace_file(&here.path("measures.json"), &record::pretty(&found.measures))?;
    let run = record::Run {
        job: &here.job,
        bucket: Some(bucket),
        verdict: &verdict,
        input: inputs.iter().map(Hashed::from).collect(),
        output: listing.files.iter().map(Hashed::from).collect(),
        problems: &found.problems,
    };
    files::replace_file(&here.path("record.json"), &record::pretty(&record::record(&run)))?;
    Ok(verdict)
}

/// The bucket's exit status; one that was killed by clock or memory is never a success.
fn exit_code(ended: &Ended) -> ExitCode {
    let killed = ended.oom_killed || ended.timed_out.is_some();
    match ended.exit_status {
        Some(0) | None if killed => ExitCode::from(137),
        Some(status) => u8::try_from(status).map_or(ExitCode::FAILURE, ExitCode::from),
        None => ExitCode::FAILURE,
    }
}
