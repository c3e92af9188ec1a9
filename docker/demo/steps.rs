//! The steps of the demonstration, in order.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::Options;
use crate::screen::{Progress, Screen};
use crate::summary;
use crate::support::api::{Api, Job};
use crate::support::head;
use crate::support::node::Node;
use crate::support::orthanc::{Address, Orthanc};
use crate::support::process::Process;
use crate::support::wait::wait_until;

const IMAGE: &str = "t1-volumes";
const BUCKET: &str = "ProcT1";
const PACS: &str = "ORTHANC";
/// Shorter than the bucket asks for: nobody sends a second series here.
const QUIET: Duration = Duration::from_secs(3);
/// The bucket's own time limit comes first.
const PATIENCE: Duration = Duration::from_secs(20 * 60);
/// Copies go a second or so after the last of them was sent.
const TIDY: Duration = Duration::from_secs(30);

/// Runs the demonstration and prints its summary; whether all is as it should be.
pub fn run(options: &Options, screen: &mut Screen) -> Result<bool> {
    let began = Instant::now();
    let programs = std::env::current_exe()?
        .parent()
        .and_then(Path::parent)
        .context("no program directory")?
        .to_owned();
    let scratch = programs.parent().context("no target directory")?.join("demo");
    if scratch.exists() {
        fs::remove_dir_all(&scratch).with_context(|| format!("failed to remove {}", scratch.display()))?;
    }
    fs::create_dir_all(&scratch)?;

    let orthanc = screen.step("Orthanc is the PACS", |progress| {
        start_orthanc(&scratch, progress)
    })?;
    let node = screen.step("the node serves", |progress| {
        start_node(&programs, &scratch, orthanc.address(), progress)
    })?;
    screen.step("the bucket is installed", |progress| {
        install(&programs, &node, progress)
    })?;
    let (data, truth) = if let Some(data) = &options.data {
        (data.clone(), None)
    } else {
        let made = scratch.join("phantom");
        let truth = screen.step("a head phantom is made", |progress| make_phantom(&made, progress))?;
        (made, Some(truth))
    };
    let api = node.api();
    screen.step("the study is sent", |progress| {
        send(&node, &data, &scratch, progress)
    })?;
    screen.step("waiting for more of it", |progress| {
        wait_for_completion(&api, progress)
    })?;
    screen.step("the container runs", |progress| follow_run(&api, progress))?;
    let job = screen.step("the result is returned", |progress| follow_return(&api, progress))?;

    screen.step("copies that were sent go", |progress| {
        wait_for_tidiness(&job, progress)
    })?;

    let holdings = orthanc.holdings()?;
    screen.step("everything is stopped", move |_| {
        drop((node, orthanc));
        Ok(())
    })?;
    summary::print(screen, &job, truth.as_ref(), holdings, began.elapsed())
}

/// What was sent, with what the gate filled in, lies beside the results for a moment longer.
fn wait_for_tidiness(job: &Job, progress: &Progress) -> Result<()> {
    let copies = Path::new(&job.directory).join("outgoing");
    wait_until(TIDY, "the node to remove what it sent", || {
        (!copies.exists()).then_some(())
    })?;
    progress.say("outgoing/ is removed");
    Ok(())
}

fn start_orthanc(scratch: &Path, progress: &Progress) -> Result<Orthanc> {
    let orthanc = Orthanc::start(&scratch.join("orthanc"), Address::reserve(PACS))?;
    progress.say(format!("{PACS} at 127.0.0.1:{}", orthanc.address().dicom_port));
    Ok(orthanc)
}

fn start_node(programs: &Path, scratch: &Path, pacs: &Address, progress: &Progress) -> Result<Node> {
    let program = programs.join("magickbox");
    ensure!(
        program.exists(),
        "{} is missing: run cargo build --release",
        program.display()
    );
    let route = format!("[[route]]\nname = \"results\"\ncalled = \"^{BUCKET}$\"\nto = [\"{PACS}\"]\n");
    let complete = format!(
        "{{ level = \"study\", quiet = \"{}s\", cap = \"90m\" }}",
        QUIET.as_secs()
    );
    let config = format!(
        "{}\n{route}\n[bucket.{BUCKET}]\ncomplete = {complete}\n",
        pacs.remote_ae()
    );
    let node = Node::start(&program, &scratch.join("node"), &config)?;
    progress.say(format!("DICOM {}, {}", node.ready().dicom, node.ready().http));
    Ok(node)
}

fn install(programs: &Path, node: &Node, progress: &Progress) -> Result<()> {
    let output = Command::new(programs.join("buckets"))
        .args(["install", IMAGE, "--node", &node.ready().http])
        .output()?;
    ensure!(
        output.status.success(),
        "buckets install {IMAGE}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    progress.say(format!("{IMAGE}, AE title {BUCKET}"));
    Ok(())
}

fn make_phantom(directory: &Path, progress: &Progress) -> Result<head::Truth> {
    let options = head::Options::default();
    progress.say(format!("{} MR images", options.slices));
    head::write_series(directory, &options).map_err(|e| anyhow::anyhow!("failed to make the phantom: {e}"))
}

fn send(node: &Node, data: &Path, scratch: &Path, progress: &Progress) -> Result<()> {
    let objects = dicom_files(data)?;
    ensure!(objects > 0, "no DICOM files in {}", data.display());
    let mut command = Command::new("storescu");
    command.args([
        "-v",
        "-to",
        "10",
        "-aet",
        "SCANNER",
        "-aec",
        BUCKET,
        "+sd",
        "+r",
        "127.0.0.1",
    ]);
    command.arg(node.dicom_port().to_string()).arg(data);
    let mut sender = Process::start("storescu", &mut command, &scratch.join("storescu.log"))?;
    let api = node.api();
    progress.wait(PATIENCE, "the end of the sending", || {
        // All of them are received before the first job is complete: it is the only one.
        let received: u64 = api.jobs()?.iter().map(|j| j.instances).sum();
        progress.say(format!("{received} of {objects} objects received"));
        match sender.ended() {
            None => Ok(None),
            Some(status) if status.success() => Ok(Some(())),
            Some(_) => bail!("storescu failed:\n{}", last_lines(&sender.log(), 5)),
        }
    })?;
    progress.say(format!("{objects} objects received"));
    Ok(())
}

fn wait_for_completion(api: &Api, progress: &Progress) -> Result<()> {
    progress.say(format!("complete once quiet for {} s", QUIET.as_secs()));
    progress.wait(PATIENCE, "the study to be complete", || {
        let jobs = api.jobs()?;
        Ok(jobs
            .iter()
            .any(|j| !matches!(j.state.as_str(), "receiving" | "queued"))
            .then_some(()))
    })
}

fn follow_run(api: &Api, progress: &Progress) -> Result<()> {
    progress.wait(PATIENCE, "the end of the run", || {
        let job = only_job(api)?;
        let log = api.log(&job.id)?;
        if let Some(line) = log.lines().last() {
            progress.say(line.trim());
        }
        if matches!(job.state.as_str(), "running" | "harvesting") {
            return Ok(None);
        }
        let Job {
            outcome,
            reason,
            directory,
            ..
        } = &job;
        ensure!(
            outcome.as_deref() == Some("success"),
            "the outcome is {}: {}\nend of the log:\n{}\nthe job's directory: {directory}",
            outcome.as_deref().unwrap_or("unknown"),
            reason.as_deref().unwrap_or("no reason given"),
            last_lines(&log, 10)
        );
        Ok(Some(()))
    })
}

fn follow_return(api: &Api, progress: &Progress) -> Result<Job> {
    progress.wait(PATIENCE, "the return of the result", || {
        let job = api.job(&only_job(api)?.id)?;
        let objects: Vec<_> = job.deliveries.iter().flat_map(|d| &d.instances).collect();
        let sent = objects.iter().filter(|i| i.state == "sent").count();
        progress.say(format!("{sent} of {} objects", objects.len()));
        let error = job.deliveries.iter().find_map(|d| d.error.as_deref());
        if let Some(error) = error {
            progress.say(error);
        }
        if !job.is_over() {
            return Ok(None);
        }
        let all = job.state == "done" && !objects.is_empty() && sent == objects.len();
        ensure!(
            all,
            "{sent} of {} objects arrived: {}",
            objects.len(),
            error.unwrap_or("no reason given")
        );
        Ok(Some(job))
    })
}

fn only_job(api: &Api) -> Result<Job> {
    api.jobs()?.into_iter().next().context("the node has no job")
}

/// Counts the Part 10 files in a directory and below.
fn dicom_files(path: &Path) -> Result<usize> {
    let mut count = 0;
    let entries = fs::read_dir(path).with_context(|| format!("failed to read {}", path.display()))?;
    for entry in entries {
        let path: PathBuf = entry?.path();
        if path.is_dir() {
            count += dicom_files(&path)?;
            continue;
        }
        let mut start = [0; 132];
        count += usize::from(File::open(&path)?.read_exact(&mut start).is_ok() && start.ends_with(b"DICM"));
    }
    Ok(count)
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().rev().take(count).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
