//! `make bench`: receiving, measured side by side with other receivers; sending, with other senders.
//!
//! The node's own program, dcmtk, Orthanc and pynetdicom take turns in receiving the same objects from the same sender,
//! each as a process with a fresh directory on the same disk; what the machine gives without a protocol stands beside
//! them. Speed is measured, never asserted: only what does not work makes this fail.
//!
//! ```text
//! options.rs   the command line
//! scenario.rs  what is measured, with whom
//! peer/        the receivers
//! limits.rs    copying, writing, the raw sink
//! pdus.rs      bytes of the fast sender
//! sender.rs    the fast sender
//! round.rs     one round of one receiver
//! measure.rs   CPU time and memory of a process
//! results.rs   all rounds, medians and ratios
//! targets.rs   what is to be reached
//! sending.rs   mb and other senders, to receivers of others
//! table.rs     what is printed
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark is a test: it may end by panicking"
)]

mod limits;
mod measure;
mod options;
mod pdus;
mod peer;
mod results;
mod round;
mod scenario;
mod sender;
mod sending;
mod support;
mod table;
mod targets;

use std::collections::BTreeMap;
use std::io::{IsTerminal, stderr};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::Parser;

use options::Options;
use peer::{Peer, Template};
use results::{Block, Row};
use round::Bench;
use scenario::Scenario;
use support::runs;

/// Of the directories in which everybody stores; the name of the run follows, and the next one removes what an interrupted one
/// has left: gigabytes, it may be.
const PREFIX: &str = "bench-";

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match (&options.sink, options.sink_port, options.sink_size) {
        (Some(directory), Some(port), Some(size)) => limits::sink(port, directory, size).map(|()| true),
        _ => run(&options),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything worked.
fn run(options: &Options) -> Result<bool> {
    std::fs::create_dir_all(&options.directory)?;
    runs::clean(&options.directory);
    let directory = tempfile::Builder::new()
        .prefix(&format!("{}-", runs::name(PREFIX)))
        .tempdir_in(&options.directory)?;
    spread(directory.path());
    let bench = Bench {
        template: Template::new(directory.path().join("template")),
        directory: directory.path().to_owned(),
        maximum_pdu: options.maximum_pdu as usize,
    };
    let (begin, mut blocks) = (Instant::now(), Vec::new());
    for scenario in options.scenarios() {
        let block = measure_block(&bench, options, scenario);
        for line in table::lines(&block) {
            println!("{line}");
        }
        blocks.push(block);
    }
    let mut sent = Vec::new();
    if options.sending() {
        sent = sending::measure(
            &bench,
            options.files(),
            options.rounds(),
            &options.receivers(),
            say,
        );
        for line in sent.iter().flat_map(sending::Sending::lines) {
            println!("{line}");
        }
    }
    let mut targets = targets::judge(&blocks);
    targets.extend(sent.iter().filter_map(sending::Sending::target));
    if !targets.is_empty() {
        println!("\nTo reach{:>92}{:>10}", "wanted", "reached");
    }
    for target in &targets {
        println!("{}", target.line());
    }
    println!(
        "\n{}\n{:.0} s in all.",
        table::LEGEND,
        begin.elapsed().as_secs_f64()
    );
    if let Some(file) = &options.json {
        let blocks: Vec<_> = blocks.iter().map(Block::json).collect();
        let targets: Vec<_> = targets.iter().map(targets::Target::json).collect();
        let all = serde_json::json!({
            "scenarios": blocks,
            "sending": sent.iter().map(sending::Sending::json).collect::<Vec<_>>(),
            "targets": targets,
        });
        std::fs::write(file, serde_json::to_vec_pretty(&all)?)?;
    }
    let missing_counts = std::env::var_os("CI").is_some();
    if !sent.iter().all(|sending| sending.worked(missing_counts)) {
        return Ok(false);
    }
    Ok(blocks.iter().flat_map(|b| &b.rows).all(|(_, row)| match row {
        Row::Measured(_) => true,
        Row::Skipped(_) => !missing_counts,
        Row::Failed(_) => false,
    }))
}

/// Tells ext4 that the directories below have nothing to do with each other: each then begins where there is room, and
/// not among the files of the one before. Other file systems do not know the attribute and do not need it.
fn spread(directory: &Path) {
    let _ = std::process::Command::new("chattr")
        .arg("+T")
        .arg(directory)
        .stderr(std::process::Stdio::null())
        .status();
}

/// All rounds of a scenario. A peer that fails once takes no further part.
fn measure_block(bench: &Bench, options: &Options, scenario: Scenario) -> Block {
    let (begin, objects) = (Instant::now(), options.objects(scenario));
    let mut rows: Vec<(Peer, Row)> = options
        .peers(scenario)
        .into_iter()
        .map(|peer| match peer.missing() {
            Some(why) => (peer, Row::Skipped(why.to_owned())),
            None => (peer, Row::Measured(BTreeMap::new())),
        })
        .collect();
    let rounds = options.rounds();
    for round in 0..rounds {
        // Nobody is always first, or always behind the same one.
        let turns = rows.len();
        for turn in 0..turns {
            let turn = if round.is_multiple_of(2) {
                turn
            } else {
                turns - 1 - turn
            };
            let (peer, row) = &mut rows[(turn + round / 2) % turns];
            let Row::Measured(samples) = row else {
                continue;
            };
            say(&format!(
                "{}, round {} of {rounds}: {}",
                scenario.name(),
                round + 1,
                peer.title()
            ));
            match bench.round(scenario, *peer, scenario.share(*peer, objects, options.full)) {
                Ok(sample) => {
                    samples.insert(round, sample);
                }
                Err(error) => *row = Row::Failed(format!("{error:#}")),
            }
        }
    }
    say("");
    Block {
        took: begin.elapsed(),
        rounds,
        scenario,
        objects,
        rows,
    }
}

/// Says on one line of the terminal what is going on, or on one line each elsewhere.
fn say(what: &str) {
    if stderr().is_terminal() {
        eprint!("\r\x1b[K{what}");
    } else if !what.is_empty() {
        eprintln!("{what}");
    }
}
