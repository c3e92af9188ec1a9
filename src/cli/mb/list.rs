//! `mb list`: the jobs of all machines.

use std::io::IsTerminal;

use anyhow::Result;
use clap::Args;
use serde_json::Value;

use super::ending::Ending;
use super::jobs::{Job, matching, regex};
use super::machines::{MachineArgs, ask_all};
use super::print_json;
use crate::cli::table::print_table;
use crate::cli::text::plain;

#[derive(Args, Debug)]
pub(super) struct List {
    /// Only those that match
    #[arg(default_value = ".*", hide_default_value = true)]
    regex: String,
    /// As JSON, on a terminal too
    #[arg(long)]
    json: bool,
}

impl List {
    pub fn run(&self, machines: &MachineArgs) -> Result<Ending> {
        let regex = regex(&self.regex)?;
        let machines = machines.machines()?;
        let (answers, ending) = ask_all(&machines, |machine| matching(machine, &regex));
        let jobs: Vec<_> = answers.into_iter().flat_map(|(_, jobs)| jobs).collect();
        if self.json || !std::io::stdout().is_terminal() {
            print_jobs(&jobs)?;
        } else {
            print_rows(&jobs, machines.len() > 1);
        }
        Ok(ending)
    }
}

/// As the original prints jobs; none are `null`.
pub(super) fn print_jobs(jobs: &[Job<'_>]) -> Result<()> {
    if jobs.is_empty() {
        println!("null");
        return Ok(());
    }
    print_json(&jobs.iter().map(Job::printed).collect::<Vec<_>>())
}

fn print_rows(jobs: &[Job<'_>], several: bool) {
    let cell = |text: &str| plain(text).chars().take(40).collect::<String>();
    let rows: Vec<_> = jobs
        .iter()
        .map(|job| {
            let seconds = job.fields.get("processingTime").and_then(Value::as_f64);
            let changed = match job.text("lastChangedTime") {
                "0" | "" => "-",
                changed => changed,
            };
            [
                cell(job.text("scratchdir")),
                cell(job.text("AETitleCalled")),
                cell(job.text("AETitleCaller")),
                cell(job.text("received")),
                cell(changed),
                seconds.map_or_else(|| "-".to_owned(), |s| format!("{s:.0} s")),
                if several {
                    cell(&job.machine.title())
                } else {
                    String::new()
                },
            ]
        })
        .collect();
    let last = if several { "MACHINE" } else { "" };
    print_table(
        &["JOB", "BUCKET", "SENDER", "RECEIVED", "LAST CHANGE", "TOOK", last],
        &rows,
    );
}
