//! `buckets run`: exactly what a node would do with a study, here and now.
//!
//! [`run_study`] is the run itself, for whoever looks on as an [`Observer`]; the rest is the command.
//!
//! ```text
//! options      the command line: one study, or many with --out
//! study_run    one study through one bucket, on the code of the engine
//! study        a directory of DICOM files, laid out as a node lays out INPUT
//! directories  where the study is, where results go, what is kept
//! job          the run as a job that a node would have
//! attend       the container's watch and log
//! papers       proc.json, measures.json, record.json
//! observer     who is told what happens
//! terminal     the observer on a terminal; log_text makes the log harmless to it
//! many         many studies; summary has their table
//! node_limits  what a node's configuration says of a bucket
//! gpus         graphics processors for a bucket that asks for some
//! leftovers    containers of runs that were interrupted
//! ```
//!
//! /memory begins with what the image brings along, at every run, so that two runs of one study give the same; with
//! `--memory DIR` it is kept there, as a node keeps it.

mod attend;
mod directories;
mod gpus;
mod job;
pub mod leftovers;
mod log_text;
mod many;
mod node_limits;
pub mod observer;
mod options;
mod papers;
mod study;
pub mod study_run;
mod summary;
mod terminal;

use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use crate::bucket::inspect;
use crate::cli::node_client::NodeArgs;
use crate::container::{Docker, DockerConfig, Runtime};
use crate::model::{JobId, Timestamp};

pub use observer::{Observer, Progress, Silent};
pub use options::Options;
pub use study_run::{Report, Request, run_study};

use options::What;
use terminal::Terminal;

/// Runs the bucket of an image; its exit status becomes the command's.
///
/// # Errors
/// What keeps it from running, by name.
pub fn run(options: Options) -> Result<ExitCode> {
    let what = options.what()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(until_interrupted(options, what));
    // A file that is read at the moment of an interruption does not hold up the end.
    runtime.shutdown_background();
    done
}

async fn until_interrupted(options: Options, what: What) -> Result<ExitCode> {
    let docker = Docker::connect(DockerConfig {
        endpoint: options.docker.clone(),
        ..DockerConfig::default()
    })
    .await?;
    let terminal = Terminal::new();
    let mut interrupt = signal(SignalKind::interrupt()).context("wait for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("wait for SIGTERM")?;
    let mut hang_up = signal(SignalKind::hangup()).context("wait for SIGHUP")?;
    let (signal, status) = tokio::select! {
        done = command(&docker, &options, what, &terminal) => return done,
        _ = interrupt.recv() => ("Ctrl-C", 130),
        _ = terminate.recv() => ("SIGTERM", 143),
        _ = hang_up.recv() => ("SIGHUP", 129),
    };
    terminal.clear();
    leftovers::clean_up_own(&docker).await?;
    terminal.says(&format!(
        "interrupted by {signal}: its containers are removed, files stay where they are"
    ));
    Ok(ExitCode::from(status))
}

async fn command(
    docker: &dyn Runtime,
    options: &Options,
    what: What,
    terminal: &Terminal,
) -> Result<ExitCode> {
    let swept = leftovers::sweep(docker).await?;
    if swept > 0 {
        terminal.says(&format!("removed {swept} containers of a run that was killed"));
    }
    let site = match &options.node_limits {
        Some(node) => site(docker, options, node, terminal).await?,
        None => None,
    };
    let request = |input, output| Request {
        arguments: options.arguments.clone(),
        memory: options.memory.clone(),
        gpus: options.gpus.clone(),
        site,
        keep: options.keep,
        ..Request::new(&options.image, input, output)
    };
    match what {
        What::One { input, output } => {
            let report = run_study(docker, &request(&input, &output), terminal).await?;
            terminal.clear();
            show(&report);
            Ok(ExitCode::from(report.exit_status()))
        }
        What::Many { studies, out } => {
            let like = request(&out, &out);
            let well = many::run(docker, &like, &studies, &out, options.parallel, terminal).await?;
            Ok(if well {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
    }
}

/// What the configuration of a node says of the bucket.
async fn site(
    docker: &dyn Runtime,
    options: &Options,
    node: &str,
    terminal: &Terminal,
) -> Result<Option<Value>> {
    let labels = leftovers::labels(&JobId::generate(Timestamp::now()));
    let title = inspect(docker, &options.image, &labels).await?.manifest.ae_title;
    let (asked, of) = (
        NodeArgs {
            node: node.to_owned(),
            ..options.node.clone()
        },
        title.clone(),
    );
    let site = tokio::task::spawn_blocking(move || node_limits::fetch(&asked, &of)).await??;
    terminal.says(&match &site {
        Some(site) => format!("{node} overrides for {title}: {site}"),
        None => format!("{node} overrides nothing for {title}"),
    });
    Ok(site)
}

fn show(report: &Report) {
    for measure in &report.measures {
        let unit = measure.unit.as_deref().filter(|unit| *unit != "1");
        let unit = unit.map(|unit| format!(" {unit}")).unwrap_or_default();
        println!("  {} = {}{unit}", measure.name, measure.value);
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
    if let Some(name) = &report.kept {
        println!("kept container {name}");
        for (what, command) in [
            (
                "what it wrote outside /output and /memory",
                format!("docker diff {name}"),
            ),
            ("a file of it", format!("docker cp {name}:/PATH .")),
            ("remove it", format!("docker rm {name}")),
        ] {
            println!("  {what:<43}{command}");
        }
    }
}
