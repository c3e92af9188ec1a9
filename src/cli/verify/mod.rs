//! `magickbox verify`: is what was stored still there, byte for byte?

mod check;
mod walk;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;

use crate::model::{Layout, Place};
use crate::store::StoreReader;

/// Check every stored file against its hash; reads only, also while the node runs.
#[derive(Args, Debug)]
pub struct Verify {
    /// Data directory
    #[arg(long, env = "MAGICKBOX_DATA", value_name = "DIR", default_value = "/data")]
    data: PathBuf,
    /// One JSON document instead of text
    #[arg(long)]
    json: bool,
}

/// What is wrong with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Problem {
    /// Its content is not what was stored.
    Changed,
    /// It is not there.
    Missing,
    /// Nothing in the store, or in the job's record, knows it.
    Unknown,
    /// It cannot be read.
    Unreadable,
}

impl Problem {
    const ALL: [Self; 4] = [Self::Changed, Self::Missing, Self::Unknown, Self::Unreadable];

    const fn name(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
            Self::Unreadable => "unreadable",
        }
    }
}

/// One thing that is not as it should be. Names of results may be a patient's: they are told by their place in record.json.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
struct Finding {
    job: String,
    /// Where, relative to the job's directory or, for a set that is not laid out, `set/`.
    file: String,
    problem: Problem,
    text: &'static str,
}

/// What was looked at, and what was found.
#[derive(Debug, Default, Serialize)]
struct Report {
    jobs: u64,
    removed_jobs: u64,
    objects: u64,
    outputs: u64,
    bytes: u64,
    findings: Vec<Finding>,
}

impl Verify {
    /// Checks everything; an error when something was found.
    ///
    /// # Errors
    /// A data directory without a store that this version reads; findings.
    pub fn run(self) -> Result<()> {
        let root = std::path::absolute(&self.data)?;
        let layout = Layout::new(root);
        let path = layout.path(Place::Store);
        if !path.is_file() {
            bail!(
                "{} is no data directory of a node, it has no store/magickbox.sqlite: name it with --data",
                self.data.display()
            );
        }
        let store = StoreReader::open(&path)?;
        let progress = Progress::new(store.count()?);
        let report = walk::walk(&layout, &store, &progress)?;
        progress.end();
        let mut out = std::io::stdout().lock();
        if self.json {
            serde_json::to_writer_pretty(&mut out, &report).context("write the report")?;
            writeln!(out)?;
        } else {
            tell(&mut out, &report)?;
        }
        match report.findings.len() {
            0 => Ok(()),
            1 => bail!("1 file is not as it was stored"),
            n => bail!("{n} files are not as they were stored"),
        }
    }
}

/// The findings, a line each, then what was looked at.
fn tell(out: &mut impl Write, report: &Report) -> std::io::Result<()> {
    for finding in &report.findings {
        let Finding {
            job,
            file,
            problem,
            text,
        } = finding;
        writeln!(out, "{:<10} {job} {file}: {text}", problem.name())?;
    }
    if !report.findings.is_empty() {
        writeln!(out)?;
    }
    for (what, number) in [
        ("jobs", report.jobs),
        ("removed jobs", report.removed_jobs),
        ("objects", report.objects),
        ("outputs", report.outputs),
    ] {
        writeln!(out, "{what:<14}{number:>12}")?;
    }
    let bytes = bytesize::ByteSize::b(report.bytes).display().iec().to_string();
    writeln!(out, "{:<14}{bytes:>12}", "read")?;
    for problem in Problem::ALL {
        let number = report.findings.iter().filter(|f| f.problem == problem).count();
        writeln!(out, "{:<14}{number:>12}", problem.name())?;
    }
    Ok(())
}

/// How far it is, on a terminal.
struct Progress {
    jobs: u64,
    shown: bool,
}

impl Progress {
    fn new(jobs: u64) -> Self {
        let shown = std::io::stderr().is_terminal();
        Self { jobs, shown }
    }

    fn tell(&self, report: &Report) {
        if self.shown {
            let found = report.findings.len();
            let read = bytesize::ByteSize::b(report.bytes).display().iec().to_string();
            eprint!(
                "\r\x1b[Kjob {} of {}, {read} read, {found} findings",
                report.jobs, self.jobs
            );
        }
    }

    fn end(&self) {
        if self.shown {
            eprint!("\r\x1b[K");
        }
    }
}
