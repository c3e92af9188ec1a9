//! `mb pull`, `mb pull-input`: zips of jobs, whole and verified, into the current directory.
//!
//! ```text
//! download.rs one zip: resumed, verified, renamed once it is whole
//! unpack.rs   its files, and no path out of the directory
//! ```

mod download;
mod unpack;

use std::path::Path;

use anyhow::Result;
use clap::Args;
use indicatif::MultiProgress;
use serde_json::{Value, json};

use super::ending::{Ending, complain};
use super::jobs::{Job, matching, regex};
use super::machines::{MachineArgs, ask_all};
use super::print_json;

#[derive(Args, Debug)]
pub(super) struct Pull {
    /// Which jobs; there is no default
    regex: String,
    /// Unpack what came, into a directory of the job's name
    #[arg(short = 'x', long)]
    extract: bool,
}

/// Which of a job's directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Input,
    Output,
}

impl Side {
    /// What is added to the URL.
    const fn query(self) -> &'static str {
        match self {
            Self::Input => "&type=input",
            Self::Output => "",
        }
    }

    /// What is added to the file's name.
    const fn suffix(self) -> &'static str {
        match self {
            Self::Input => "_input",
            Self::Output => "",
        }
    }

    /// The directory in the zip.
    const fn directory(self) -> &'static str {
        match self {
            Self::Input => "INPUT",
            Self::Output => "OUTPUT",
        }
    }
}

impl Pull {
    pub fn run(&self, machines: &MachineArgs, side: Side) -> Result<Ending> {
        let regex = regex(&self.regex)?;
        let machines = machines.machines()?;
        let bars = MultiProgress::new();
        // One download at a time from each machine, all machines at once.
        let (answers, mut ending) = ask_all(&machines, |machine| {
            let (mut fetched, mut ending) = (Vec::new(), Ending::Done);
            let jobs = matching(machine, &regex)?;
            let found = !jobs.is_empty();
            for job in jobs {
                match self.fetch(&job, side, &bars) {
                    Ok(file) => fetched.push(file),
                    Err(error) => {
                        ending = ending.and(Ending::of(&error));
                        bars.suspend(|| complain(&error.context(machine.title())));
                    }
                }
            }
            Ok((fetched, found, ending))
        });
        let (mut files, mut any) = (Vec::new(), false);
        for (_, (fetched, found, worst)) in answers {
            files.extend(fetched);
            any |= found;
            ending = ending.and(worst);
        }
        print_json(&files)?;
        Ok(if any {
            ending
        } else {
            ending.and(Ending::NothingMatched)
        })
    }

    fn fetch(&self, job: &Job<'_>, side: Side, bars: &MultiProgress) -> Result<Value> {
        let (pid, scratchdir) = (job.pid()?, job.scratchdir()?);
        let file = format!("{pid}_{scratchdir}{}.zip", side.suffix());
        let path = format!("/code/php/getOutputZip.php?folder={scratchdir}{}", side.query());
        let fetched = download::fetch(job.machine, &path, &Path::new(".").join(&file), bars)?;
        let mut told = json!({
            "file": file,
            "scratchdir": scratchdir,
            "pid": pid,
            "Machine": job.machine.name,
            "Port": job.machine.port,
            "new": fetched == download::Fetched::New,
        });
        if self.extract {
            let directory = unpack::unpack(Path::new(&file), scratchdir, side.directory())?;
            if let Some(told) = told.as_object_mut() {
                told.insert("directory".to_owned(), directory.to_string_lossy().into());
            }
        }
        Ok(told)
    }
}
