//! `buckets run`: exactly what a node would do with a study, here and now.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tokio::time::Instant;

use crate::bucket::{Inspected, inspect};
use crate::container::{ContainerState, Docker, DockerConfig, Labels, Runtime, WaitEnd, label};
use crate::engine::measures::{self, Plugin};
use crate::engine::run::{Run, STOP_GRACE};
use crate::engine::{output, record};
use crate::files;
use crate::model::{Ended, JobId, Timestamp, Verdict};

/// Where a run's papers and results are, as on a node.
struct Job {
    id: JobId,
    directory: PathBuf,
}

/// Runs the bucket of an image on a directory; the bucket's exit status becomes the command's.
pub fn run(
    image: &str,
    input: &Path,
    out: &Path,
    arguments: Option<String>,
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
        let job = Job {
            id: JobId::generate(Timestamp::now()),
            directory: out,
        };
        tokio::select! {
            done = run_here(&docker, image, &input, &job, arguments) => done,
            _ = tokio::signal::ctrl_c() => {
                docker.remove(&name(&job), true).await?;
                bail!("interrupted; the container is removed")
            }
        }
    })
}

fn name(job: &Job) -> String {
    format!("magickbox-run-{}", job.id)
}

fn labels(kind: &str) -> Labels {
    [(label::NODE, "buckets-run"), (label::KIND, kind)]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into()
}

async fn run_here(
    runtime: &dyn Runtime,
    image: &str,
    input: &Path,
    job: &Job,
    arguments: Option<String>,
) -> Result<ExitCode> {
    let found = inspect(runtime, image, &labels(label::KIND_FILES)).await?;
    let settings = &found.manifest.settings;
    let output = job.directory.join("OUTPUT");
    let memory = tempfile_memory(job)?;
    std::fs::create_dir_all(&output)?;
    crate::bucket::seed_memory(runtime, &found.image, &labels(label::KIND_FILES), &memory).await?;
    let spec = Run {
        name: name(job),
        image: found.image.id.clone(),
        labels: labels(label::KIND_RUN),
        settings,
        input: input.to_owned(),
        output: output.clone(),
        memory: memory.clone(),
        job: job.id.to_string(),
        called: found.manifest.ae_title.to_string(),
        calling: "BUCKETS".to_owned(),
        study_instance_uid: String::new(),
        arguments: arguments
            .or_else(|| settings.arguments.clone())
            .unwrap_or_default(),
    }
    .spec();
    println!(
        "{} {} on {}",
        found.manifest.ae_title,
        found.manifest.version,
        input.display()
    );
    let begun = Instant::now();
    runtime.create(&spec).await?;
    let ended = attend(runtime, job, settings.timeout).await;
    runtime.remove(&spec.name, true).await?;
    let (state, timed_out) = ended?;
    let ended = Ended {
        exit_status: state.exit_status,
        oom_killed: state.oom_killed,
        timed_out: timed_out.then_some(settings.timeout),
    };
    let verdict = papers(runtime, job, &found, &ended).await?;
    files::remove_directory(&memory)?;
    let reason = verdict
        .reason
        .as_deref()
        .map(|r| format!(": {r}"))
        .unwrap_or_default();
    println!(
        "{}{reason} ({:.1} s, results in {})",
        verdict.outcome,
        begun.elapsed().as_secs_f64(),
        output.display()
    );
    Ok(exit_code(&ended))
}

/// A memory of this run's own: nothing of an installed bucket's is touched.
fn tempfile_memory(job: &Job) -> Result<PathBuf> {
    let path = job.directory.join("memory");
    files::remove_directory(&path)?;
    Ok(path)
}

/// Starts the container, shows its log as it comes, ends it when its time is over.
async fn attend(runtime: &dyn Runtime, job: &Job, limit: Duration) -> Result<(ContainerState, bool)> {
    let (name, log) = (name(job), job.directory.join("processing.log"));
    runtime.start(&name).await?;
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

/// processing.log is kept to this many bytes, both ends, as on a node.
const LOG_LIMIT: u64 = 64 << 20;

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

/// proc.json, measures.json, info.json of the bucket: what a node keeps beside OUTPUT.
async fn papers(runtime: &dyn Runtime, job: &Job, found: &Inspected, ended: &Ended) -> Result<Verdict> {
    let directory = job.directory.join("OUTPUT");
    let settings = &found.manifest.settings;
    let proc_json = record::take_proc_json(&directory.join("proc.json"), &job.directory.join("proc.json"))?;
    let verdict = Verdict::decide(ended, settings.resources.memory, proc_json.as_ref());
    if proc_json.is_none() {
        files::replace_file(&job.directory.join("proc.json"), &record::proc_json(&verdict))?;
    }
    let listing = output::files(&directory)?;
    let (problem, outputs) = (listing.problem(), listing.files);
    let plugin = Plugin {
        name: format!("{}-measures", name(job)),
        image: found.image.id.clone(),
        labels: labels(label::KIND_MEASURES),
        settings,
        output: directory,
    };
    let mut measured = measures::collect(
        runtime,
        &plugin,
        found.has_plugin,
        &found.manifest.units,
        &outputs,
    )
    .await?;
    measured.problems.extend(problem);
    for measure in &measured.measures {
        println!(
            "  {} = {} {}",
            measure.name,
            measure.value,
            measure.unit.as_deref().unwrap_or_default()
        );
    }
    for problem in &measured.problems {
        eprintln!("  {problem}");
    }
    files::replace_file(
        &job.directory.join("measures.json"),
        &record::pretty(&measured.measures),
    )?;
    let record = json!({
        "job": job.id.as_str(),
        "bucket": { "AETitle": found.manifest.ae_title.as_str(), "version": found.manifest.version, "digest": found.image.id.as_str() },
        "exit_status": ended.exit_status,
        "oom_killed": ended.oom_killed,
        "timed_out": ended.timed_out.is_some(),
        "outcome": verdict.outcome.word(),
        "reason": verdict.reason,
        "output": outputs.iter().map(output::Hashed::from).collect::<Vec<_>>(),
    });
    files::replace_file(&job.directory.join("record.json"), &record::pretty(&record))?;
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
