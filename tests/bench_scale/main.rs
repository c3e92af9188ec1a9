//! `make bench-scale`: a node with a long history, beside the same node with none.
//!
//! The history is laid into a store that the node itself made: jobs with their objects, steps, measures and deliveries.
//! Then the node's own program starts on it, its API is asked for pages, and both nodes receive by turns. Speed is
//! measured, never asserted: only what does not work makes this fail.
//!
//! ```text
//! history.rs    rows by the million
//! measure.rs    starts, pages, receiving
//! table.rs      what is printed
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark is a test: it may end by panicking"
)]

mod history;
mod measure;
#[path = "../bench/pdus.rs"]
#[allow(dead_code, reason = "the other benchmark uses the rest")]
mod pdus;
#[path = "../bench/sender.rs"]
#[allow(dead_code, reason = "the other benchmark uses the rest")]
mod sender;
#[path = "../bench/support.rs"]
mod support;
mod table;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Parser;

use measure::Pair;
use support::images::Bucket;
use support::node::Node;
use support::runs;

/// The AE title of the test bucket `count`; it does not run while anything is measured.
const BUCKET: &str = "Count";

const CONFIG: &str = "[bucket.Count]\ncomplete = { level = \"study\", quiet = \"30m\", cap = \"90m\" }\n";

/// A node with a long history: its start, its API, its receiving
#[derive(Parser)]
#[command(name = "make bench-scale", max_term_width = 110)]
struct Options {
    /// Jobs of the history
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..))]
    jobs: u32,

    /// Objects of the history, shared equally by its jobs
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    instances: u32,

    /// Objects that each node receives in each round
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    objects: u32,

    /// Rounds of receiving; who is first takes turns
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Starts of each node, and pages asked for
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    starts: u32,

    /// Where both store [default: target/tmp]
    #[arg(long, value_name = "DIR", default_value = env!("CARGO_TARGET_TMPDIR"), hide_default_value = true)]
    directory: PathBuf,

    /// `cargo bench` says it
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-scale: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let begin = Instant::now();
    if !docker_is_there() {
        ensure!(
            std::env::var_os("CI").is_none(),
            "no Docker or no busybox: run docker/setup.sh test"
        );
        eprintln!("SKIPPED bench-scale: no Docker or no busybox, run docker/setup.sh test");
        return Ok(());
    }
    std::fs::create_dir_all(&options.directory)?;
    runs::clean(&options.directory);
    let directory = tempfile::Builder::new()
        .prefix(&format!("{}-", runs::name("scale-")))
        .tempdir_in(&options.directory)?;
    let homes = ["none", "long"].map(|name| directory.path().join(name));
    install_bucket(&homes[0])?;
    copy(&homes[0], &homes[1])?;
    let laid = history::lay(&homes[1].join("data"), options.jobs, options.instances)?;
    table::title(&laid, begin.elapsed());
    rustix::fs::sync();
    let mut nodes = Pair::start(binary(), &homes, CONFIG)?;
    let starts = nodes.restarts(options.starts)?;
    let pages = nodes.pages(&laid).with_context(|| nodes.log())?;
    let legacy = nodes.legacy(&laid).with_context(|| nodes.log())?;
    let receiving = nodes
        .receive(BUCKET, options.objects, options.rounds)
        .with_context(|| nodes.log())?;
    table::print(&starts, &pages, &legacy, &receiving);
    println!("\n{:.0} s in all.", begin.elapsed().as_secs_f64());
    Ok(())
}

/// Cargo builds it in the profile of the benchmark.
fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_magickbox"))
}

/// A data directory with one bucket, and a store with the schema of this version.
fn install_bucket(home: &Path) -> Result<()> {
    let mut node = Node::start(binary(), home, CONFIG)?;
    let answer = node.api().install(&Bucket::fixture("count").image(), false)?;
    ensure!(answer.status == 201, "{answer:?}");
    node.terminate()?;
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let copied = Command::new("cp").arg("-a").args([from, to]).status()?;
    ensure!(copied.success(), "cp -a ended with {copied}");
    Ok(())
}

fn docker_is_there() -> bool {
    let succeeds = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    succeeds("docker", &["version"]) && succeeds("busybox", &["true"])
}
