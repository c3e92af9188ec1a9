//! `mb log`: the logs of jobs, or what is added to them.
//!
//! ```text
//! follow  what is added, of all machines at the same time
//! ```

mod follow;

use std::io::{IsTerminal, Read};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::Value;

use super::ending::{Ending, complain};
use super::jobs::{Job, jobs, regex};
use super::list::print_jobs;
use super::machines::{Machine, MachineArgs, TIMES, ask_all};
use crate::cli::text::plain;

/// The longest part of a log that is fetched at once, in bytes.
const LONGEST_PART: u64 = 16 << 20;

#[derive(Args, Debug)]
pub(super) struct Log {
    /// Only those that match, the log included
    #[arg(default_value = ".*", hide_default_value = true)]
    regex: String,
    /// Print the logs as text and go on with what comes, until the jobs are over
    #[arg(short, long)]
    follow: bool,
    /// As JSON, on a terminal too
    #[arg(long, conflicts_with = "follow")]
    json: bool,
}

impl Log {
    pub fn run(&self, machines: &MachineArgs) -> Result<Ending> {
        let regex = regex(&self.regex)?;
        let machines = machines.machines()?;
        let (answers, mut ending) = ask_all(&machines, |machine| {
            let mut jobs = jobs(machine)?;
            if self.follow {
                jobs.retain(|job| job.matches(&regex));
                return Ok((jobs, Ending::Done));
            }
            let mut ending = Ending::Done;
            for job in &mut jobs {
                match text(job) {
                    Ok(log) => drop(job.fields.insert("log".to_owned(), Value::String(log))),
                    Err(error) => {
                        complain(&error);
                        ending = ending.and(Ending::of(&error));
                    }
                }
            }
            // The log is one of the texts now.
            jobs.retain(|job| job.matches(&regex));
            Ok((jobs, ending))
        });
        let mut jobs = Vec::new();
        for (_, (found, worst)) in answers {
            jobs.extend(found);
            ending = ending.and(worst);
        }
        if self.follow {
            return follow::follow(&jobs, ending);
        }
        if self.json || !std::io::stdout().is_terminal() {
            print_jobs(&jobs)?;
        } else {
            for job in &jobs {
                println!("==> {}", heading(job));
                for line in job.text("log").lines() {
                    println!("{}", plain(line));
                }
                println!();
            }
        }
        Ok(ending)
    }
}

fn heading(job: &Job<'_>) -> String {
    let words = [
        job.text("scratchdir"),
        job.text("AETitleCalled"),
        job.text("received"),
    ];
    plain(&format!("{} on {}", words.join(" "), job.machine.title()))
}

fn path(job: &Job<'_>) -> Result<String> {
    Ok(format!("/scratch/{}/processing.log", job.scratchdir()?))
}

/// A log whole; a job that has none yet has an empty one.
fn text(job: &Job<'_>) -> Result<String> {
    let machine = job.machine;
    let time = machine.time.saturating_mul(TIMES);
    let response = machine
        .node
        .fetch(&path(job)?, &[], time)
        .map_err(anyhow::Error::from)?;
    let status = response.status().as_u16();
    let bytes = read(response.into_body(), machine)?;
    match status {
        200..=299 => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        404 => Ok(String::new()),
        _ => Err(machine.refused(status, &String::from_utf8_lossy(&bytes))),
    }
}

fn read(body: ureq::Body, machine: &Machine) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let reader = body.into_with_config().limit(u64::MAX).reader();
    reader
        .take(LONGEST_PART)
        .read_to_end(&mut bytes)
        .with_context(|| format!("{} broke off a log", machine.title()))?;
    Ok(bytes)
}
