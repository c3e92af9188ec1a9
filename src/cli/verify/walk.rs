//! Every job of the store, then every directory that no job knows.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::files;
use crate::model::{JobId, Layout};
use crate::store::{KeptJob, StoreReader};

use super::check::{Seen, check};
use super::{Finding, Problem, Progress, Report};

/// Jobs that are read at once.
const PAGE: u32 = 500;

/// A job with findings is looked at again so often before they count: the node may be working on it.
const LOOKS: u32 = 3;

/// Between two looks: longer than a row is behind its file, or a directory behind its row.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) fn walk(layout: &Layout, store: &StoreReader, progress: &Progress) -> Result<Report> {
    let mut report = Report::default();
    let mut last = 0;
    loop {
        let page = store.jobs_after(last, PAGE)?;
        let Some(end) = page.last() else { break };
        last = end.seq;
        for job in &page {
            one(layout, store, job, &mut report)?;
            progress.tell(&report);
        }
    }
    unknown_directories(layout, store, &mut report)?;
    report.findings.sort();
    Ok(report)
}

/// One job. What is found at every look, and only that, is wrong.
fn one(layout: &Layout, store: &StoreReader, job: &KeptJob, report: &mut Report) -> Result<()> {
    report.jobs += 1;
    let mut job = job.clone();
    let (mut first, mut found): (Option<Seen>, BTreeSet<Finding>) = (None, BTreeSet::new());
    for look in 0..LOOKS {
        if look > 0 {
            std::thread::sleep(PAUSE);
            let now = store.job(&job.id)?;
            job = now.with_context(|| format!("job {} is not in the store any more", job.id))?;
        }
        let seen = check(layout, store, &job)?;
        let findings: BTreeSet<_> = seen.findings.iter().cloned().collect();
        found = match first {
            None => findings,
            Some(_) => found.intersection(&findings).cloned().collect(),
        };
        first.get_or_insert(seen);
        if found.is_empty() {
            break;
        }
    }
    let seen = first.unwrap_or_default();
    report.removed_jobs += u64::from(job.removed);
    report.objects += seen.objects;
    report.outputs += seen.outputs;
    report.bytes += seen.bytes;
    report.findings.extend(found);
    Ok(())
}

/// Directories of jobs and sets that have no row. The first object of a set is on the disk a moment before its row.
fn unknown_directories(layout: &Layout, store: &StoreReader, report: &mut Report) -> Result<()> {
    for stream in files::entries(&layout.root().join("streams")).context("read the streams")? {
        for (kind, file) in [("jobs", ""), ("incoming", "set/")] {
            for directory in files::entries(&stream.join(kind)).context("read the directories of jobs")? {
                let name = directory.file_name().and_then(|n| n.to_str());
                // `.parts` is no job's name.
                let Some(id) = name.and_then(|n| JobId::parse(n).ok()) else {
                    continue;
                };
                if is_unknown(store, &id, &directory)? {
                    report.findings.push(Finding {
                        job: id.to_string(),
                        file: file.to_owned(),
                        problem: Problem::Unknown,
                        text: "a directory of a job that is not in the store",
                    });
                }
            }
        }
    }
    Ok(())
}

fn is_unknown(store: &StoreReader, id: &JobId, directory: &Path) -> Result<bool> {
    for look in 0..LOOKS {
        if look > 0 {
            std::thread::sleep(PAUSE);
        }
        if store.job(id)?.is_some() || !directory.exists() {
            return Ok(false);
        }
    }
    Ok(true)
}
