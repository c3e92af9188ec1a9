//! `mb remove`: jobs that match, on all machines.

use anyhow::Result;
use clap::Args;

use super::ending::{Ending, complain};
use super::jobs::{Job, matching, regex};
use super::list::print_jobs;
use super::machines::{MachineArgs, ask_all};

#[derive(Args, Debug)]
pub(super) struct Remove {
    /// Which jobs; there is no default
    regex: String,
}

impl Remove {
    pub fn run(&self, machines: &MachineArgs) -> Result<Ending> {
        let regex = regex(&self.regex)?;
        let machines = machines.machines()?;
        let (answers, mut ending) = ask_all(&machines, |machine| {
            let (mut removed, mut ending) = (Vec::new(), Ending::Done);
            let jobs = matching(machine, &regex)?;
            let found = !jobs.is_empty();
            for job in jobs {
                match remove(&job) {
                    Ok(()) => removed.push(job),
                    Err(error) => {
                        complain(&error);
                        ending = ending.and(Ending::of(&error));
                    }
                }
            }
            Ok((removed, found, ending))
        });
        let mut any = false;
        let mut removed = Vec::new();
        for (_, (jobs, found, worst)) in answers {
            any |= found;
            ending = ending.and(worst);
            removed.extend(jobs);
        }
        print_jobs(&removed)?;
        Ok(if any {
            ending
        } else {
            ending.and(Ending::NothingMatched)
        })
    }
}

fn remove(job: &Job<'_>) -> Result<()> {
    let path = format!("/code/php/deleteStudy.php?scratchdir={}", job.scratchdir()?);
    job.machine.text(&path, job.machine.time).map(drop)
}
