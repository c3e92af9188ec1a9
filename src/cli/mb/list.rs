//! `mb list`: the jobs of all machines.

use std::io::IsTerminal;

use anyhow::Result;
use clap::Args;
use serde_json::Value;
use time::format_description::well_known::{Rfc2822, Rfc3339};
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

use super::ending::Ending;
use super::jobs::{Job, matching, regex};
use super::machines::{MachineArgs, ask_all};
use super::print_json;
use crate::cli::table::{fits, print_table};
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
                "0" | "" => "-".to_owned(),
                changed => cell(&time(changed)),
            };
            [
                cell(job.text("scratchdir")),
                cell(job.text("AETitleCalled")),
                cell(job.text("AETitleCaller")),
                cell(&time(job.text("received"))),
                changed,
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
    let head = ["JOB", "BUCKET", "SENDER", "RECEIVED", "LAST CHANGE", "TOOK", last];
    if fits(&head, &rows) {
        return print_table(&head, &rows);
    }
    // On a narrow terminal without what says least.
    let [job, bucket, sender, received, _, took, last] = head;
    let rows: Vec<_> = rows
        .into_iter()
        .map(|[job, bucket, sender, received, _, took, last]| [job, bucket, sender, received, took, last])
        .collect();
    print_table(&[job, bucket, sender, received, took, last], &rows);
}

/// A time of our nodes as `2026-11-27 19:17:40`, in UTC; what another machine says stays as it is.
fn time(text: &str) -> String {
    let read = OffsetDateTime::parse(text, &Rfc3339).or_else(|_| OffsetDateTime::parse(text, &Rfc2822));
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    read.ok()
        .and_then(|at| at.to_offset(UtcOffset::UTC).format(format).ok())
        .unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn both_times_of_a_job_are_written_alike() {
        for (text, shown) in [
            ("2026-11-27T19:17:40.963Z", "2026-11-27 19:17:40"),
            ("Fri, 27 Nov 2026 19:19:17 +0000", "2026-11-27 19:19:17"),
            ("Mon Sep 1", "Mon Sep 1"),
            ("", ""),
        ] {
            assert_eq!(time(text), shown);
        }
    }
}
