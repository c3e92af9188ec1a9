//! `buckets run`: exactly what a node would do with a study, here and now.
//!
//! [`run_study`] is the run itself, for whoever looks on as an [`Observer`]; the rest is the command.

mod attend;
mod job;
pub mod leftovers;
mod log_text;
pub mod observer;
mod papers;
mod study;
pub mod study_run;
mod terminal;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::container::{Docker, DockerConfig, Runtime};

pub use observer::{Observer, Progress, Silent};
pub use study_run::{Report, Request, run_study};

use terminal::Terminal;

/// What to run, and how.
#[derive(Args, Debug)]
pub struct Options {
    /// Name, name:tag or id of an image of this machine
    image: String,
    /// Directory with a study
    input: PathBuf,
    /// Directory for the results; made if it is not there, refused if it is not empty
    output: PathBuf,
    /// What the bucket finds in MB_ARGUMENTS
    #[arg(long, value_name = "TEXT")]
    arguments: Option<String>,
    /// Where the container engine is
    #[arg(long, env = "MAGICKBOX_DOCKER", default_value = "unix:///var/run/docker.sock")]
    docker: String,
}

/// Runs the bucket of an image; its exit status becomes the command's.
///
/// # Errors
/// What keeps it from running, by name.
pub fn run(options: Options) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(command(options));
    // A file that is read at the moment of an interruption does not hold up the end.
    runtime.shutdown_background();
    done
}

async fn command(options: Options) -> Result<ExitCode> {
    let docker = Docker::connect(DockerConfig {
        endpoint: options.docker.clone(),
        ..DockerConfig::default()
    })
    .await?;
    let terminal = Terminal::new();
    let request = Request {
        arguments: options.arguments,
        ..Request::new(&options.image, &options.input, &options.output)
    };
    let mut interrupt = signal(SignalKind::interrupt()).context("wait for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("wait for SIGTERM")?;
    let mut hang_up = signal(SignalKind::hangup()).context("wait for SIGHUP")?;
    let status = tokio::select! {
        done = one(&docker, &request, &terminal) => return done,
        _ = interrupt.recv() => 130,
        _ = terminate.recv() => 143,
        _ = hang_up.recv() => 129,
    };
    terminal.clear();
    leftovers::clean_up(&docker, &request.id).await?;
    terminal.says("interrupted; its containers are removed");
    Ok(ExitCode::from(status))
}

async fn one(docker: &dyn Runtime, request: &Request, terminal: &Terminal) -> Result<ExitCode> {
    let swept = leftovers::sweep(docker).await?;
    if swept > 0 {
        terminal.says(&format!(
            "{swept} containers of a run that was killed are removed"
        ));
    }
    let report = run_study(docker, request, terminal).await?;
    terminal.clear();
    show(&report);
    Ok(ExitCode::from(report.exit_status()))
}

fn show(report: &Report) {
    for measure in &report.measures {
        let unit = measure.unit.as_deref().unwrap_or_default();
        println!("  {} = {} {unit}", measure.name, measure.value);
    }
    for problem in &report.problems {
        eprintln!("  {problem}");
    }
    let reason = report.verdict.reason.as_ref();
    let reason = reason.map(|r| format!(": {r}")).unwrap_or_default();
    println!(
        "{}{reason} ({:.1} s, results in {})",
        report.verdict.outcome,
        report.elapsed.as_secs_f64(),
        report.directory.join("OUTPUT").display()
    );
}
