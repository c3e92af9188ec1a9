//! `mb watch`: what happens to jobs, until they are over.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use regex::Regex;
use serde_json::Value;

use super::ending::{Ending, complain, warn};
use super::jobs::regex;
use super::machines::{Machine, MachineArgs, ask_at_once};
use super::print_json;
use crate::cli::node_client::Failed;
use crate::cli::text::plain;
use crate::model::JobState;

/// Between two questions.
const PAUSE: Duration = Duration::from_secs(1);

/// As long as a machine does not answer, this long it is asked again: it may be starting anew.
const GIVE_UP: Duration = Duration::from_secs(600);

/// Jobs that are read of one machine; older ones are over.
const MOST_JOBS: usize = 1000;

#[derive(Args, Debug)]
pub(super) struct Watch {
    /// Only those that match; without it, all that are not over
    #[arg(default_value = ".*", hide_default_value = true)]
    regex: String,
}

/// Whether nothing more happens to a job by itself.
pub(super) fn is_over(job: &Value) -> bool {
    let state = JobState::from_name(text(job, "state"));
    matches!(
        state,
        Some(JobState::Done | JobState::Failed | JobState::Cancelled)
    )
}

fn text<'a>(job: &'a Value, key: &str) -> &'a str {
    job.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// How it ended, as exit status.
fn ending(job: &Value) -> Ending {
    match (text(job, "state"), text(job, "outcome")) {
        ("done", "partial" | "failed") => Ending::JobFailed,
        // Any other outcome is a word of the bucket's own.
        ("done", _) => Ending::Done,
        _ => Ending::JobFailed,
    }
}

impl Watch {
    pub fn run(&self, machines: &MachineArgs) -> Result<Ending> {
        let regex = regex(&self.regex)?;
        let machines = machines.machines()?;
        // All at the same time: one that hangs keeps nobody from the others.
        let (answers, mut worst) = ask_at_once(&machines, machines.len(), |machine| {
            let jobs = self.jobs(machine, &regex)?;
            Ok(follow(machine, jobs))
        });
        let mut over = Vec::new();
        for (_, (jobs, ending)) in answers {
            worst = worst.and(ending);
            over.extend(jobs);
        }
        if over.is_empty() {
            return Ok(worst.and(Ending::NothingMatched));
        }
        print_json(&over)?;
        Ok(worst)
    }

    /// The jobs of a machine that are meant.
    fn jobs(&self, machine: &Machine, regex: &Regex) -> Result<Vec<Value>> {
        if machine.api()?.is_none() {
            bail!(
                "{} does not tell the states of jobs, so it cannot be watched",
                machine.title()
            );
        }
        let mut jobs = machine
            .look(&format!("jobs?limit={MOST_JOBS}"))
            .map_err(anyhow::Error::from)?;
        let Some(Value::Array(jobs)) = jobs.get_mut("jobs").map(Value::take) else {
            bail!("{} gave no list of jobs", machine.title());
        };
        let matches = |job: &Value| {
            let texts = job.as_object().into_iter().flat_map(|j| j.values());
            texts.filter_map(Value::as_str).any(|t| regex.is_match(t))
        };
        let all = self.regex == ".*";
        let mut jobs = jobs;
        jobs.retain(|job| if all { !is_over(job) } else { matches(job) });
        Ok(jobs)
    }
}

/// Watches jobs of a machine to their ends; which are over, and the worst end.
fn follow(machine: &Machine, mut jobs: Vec<Value>) -> (Vec<Value>, Ending) {
    let (mut over, mut worst) = (Vec::new(), Ending::Done);
    let (mut told, mut silence) = (BTreeMap::new(), Silence::default());
    loop {
        for job in std::mem::take(&mut jobs) {
            tell(machine, &job, &mut told);
            if is_over(&job) {
                worst = worst.and(ending(&job));
                over.push(job);
            } else {
                jobs.push(job);
            }
        }
        if jobs.is_empty() {
            return (over, worst);
        }
        std::thread::sleep(PAUSE);
        for job in std::mem::take(&mut jobs) {
            match ask(machine, text(&job, "id"), &mut silence) {
                Ok(now) => jobs.push(now.unwrap_or(job)),
                Err(error) => {
                    complain(&error);
                    worst = worst.and(Ending::of(&error));
                }
            }
        }
    }
}

/// Says a state that was not said yet.
fn tell(machine: &Machine, job: &Value, told: &mut BTreeMap<(String, String), String>) {
    let name = text(job, "id").to_owned();
    let words: Vec<_> = ["stream", "state", "outcome", "reason"]
        .into_iter()
        .map(|key| text(job, key))
        .filter(|word| !word.is_empty())
        .collect();
    let line = words.join(" ");
    let key = (machine.title(), name);
    if told.get(&key) != Some(&line) {
        warn(&format!("{} {}: {line}", key.0, key.1));
        told.insert(key, line);
    }
}

/// Since when machines do not answer.
#[derive(Default)]
struct Silence(BTreeMap<String, Instant>);

/// A job now; `None` while the machine does not answer.
fn ask(machine: &Machine, job: &str, silence: &mut Silence) -> Result<Option<Value>> {
    let name = utf8_percent_encode(job, NON_ALPHANUMERIC);
    match machine.look(&format!("jobs/{name}")) {
        Ok(job) => {
            silence.0.remove(&machine.title());
            Ok(Some(job))
        }
        Err(
            failed @ (Failed::NotReached(_)
            | Failed::Refused {
                status: 429 | 500.., ..
            }),
        ) => {
            let error = anyhow::Error::from(failed);
            let since = silence.0.entry(machine.title()).or_insert_with(|| {
                warn(&format!("{error}; asking again"));
                Instant::now()
            });
            if since.elapsed() > GIVE_UP {
                return Err(error);
            }
            Ok(None)
        }
        Err(refused) => {
            Err(anyhow::Error::from(refused).context(format!("{} about job {}", machine.title(), plain(job))))
        }
    }
}

/// Waits for the end of one job and says what happens to it.
///
/// # Errors
/// What the machine refuses; that it did not answer for long.
pub(super) fn until_over(machine: &Machine, job: &str) -> Result<(Ending, Value)> {
    let (mut told, mut silence) = (BTreeMap::new(), Silence::default());
    loop {
        if let Some(now) = ask(machine, job, &mut silence)? {
            tell(machine, &now, &mut told);
            if is_over(&now) {
                return Ok((ending(&now), now));
            }
        }
        std::thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_a_success_is_one() {
        for (job, wanted) in [
            (json!({ "state": "done", "outcome": "success" }), Ending::Done),
            (
                json!({ "state": "done", "outcome": "partial" }),
                Ending::JobFailed,
            ),
            (json!({ "state": "failed" }), Ending::JobFailed),
            (json!({ "state": "cancelled" }), Ending::JobFailed),
        ] {
            assert!(is_over(&job));
            assert_eq!(ending(&job), wanted, "{job}");
        }
        assert!(!is_over(&json!({ "state": "held" })) && !is_over(&json!({ "state": "running" })));
    }
}
