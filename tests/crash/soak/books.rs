//! The account: what was promised beside what is there. What is missing is told by name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::super::account::{Digest, below, digest, objects_of};
use super::super::scene::runs;
use super::site::{STREAMS, Site};
use super::table::{Part, Row};
use super::{left, results};
use crate::support::api::Job;
use crate::support::part10::{data_set, identity};
use crate::support::under_test::TestNode;

/// Everything that has to hold, whatever was killed.
pub fn account(site: &Site, node: &TestNode, crashes: usize) -> Vec<Part> {
    let jobs = jobs(node);
    vec![
        objects(site, node, &jobs),
        ends(site, node, &jobs),
        results::results(site, &jobs, crashes),
        left::left(site, node, &jobs),
    ]
}

/// Every job, whole.
fn jobs(node: &TestNode) -> Vec<Job> {
    let ids = node.api().jobs().unwrap().into_iter().map(|job| job.id);
    ids.map(|id| node.api().job(&id).unwrap()).collect()
}

/// An account that cannot be wrong is none: of one object that is taken away and one that is changed it has to tell.
#[track_caller]
pub fn assert_tells(site: &Site, node: &TestNode) {
    let uids: Vec<_> = site.acknowledged.lock().unwrap().keys().cloned().collect();
    let (lost, changed) = (uids.first().unwrap(), uids.last().unwrap());
    let jobs = jobs(node);
    for file in jobs
        .iter()
        .flat_map(|job| below(&Path::new(&job.directory).join("INPUT")))
    {
        let is = |uid: &str| file.file_stem().is_some_and(|stem| stem == uid);
        if is(lost) {
            fs::remove_file(&file).unwrap();
        } else if is(changed) {
            let mut bytes = fs::read(&file).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(&file, bytes).unwrap();
        }
    }
    let part = objects(site, node, &jobs);
    assert_eq!(part.rows[0].found, (uids.len() - 2).to_string());
    let findings = site.findings.lock().unwrap();
    for (uid, what) in [(lost, "is in no INPUT"), (changed, "is another one")] {
        assert!(
            findings.iter().any(|f| f.contains(uid) && f.contains(what)),
            "{findings:?}"
        );
    }
}

/// Every object that was answered with Success is in the INPUT of a job of its stream, byte for byte.
fn objects(site: &Site, node: &TestNode, jobs: &[Job]) -> Part {
    let mut stored: BTreeMap<(&str, String), BTreeSet<Digest>> = BTreeMap::new();
    for job in jobs {
        for (uid, digest) in digests(&Path::new(&job.directory).join("INPUT")) {
            stored.entry((&job.stream, uid)).or_default().insert(digest);
        }
    }
    let acknowledged = site.acknowledged.lock().unwrap();
    let mut found = 0;
    for (uid, promised) in acknowledged.iter() {
        match stored.get(&(promised.stream, uid.clone())) {
            Some(digests) if digests.iter().eq([&promised.digest]) => found += 1,
            Some(_) => site.found(format!(
                "object {uid} of {} is another one in INPUT",
                promised.stream
            )),
            None => site.found(format!(
                "object {uid} of {} was acknowledged and is in no INPUT",
                promised.stream
            )),
        }
    }
    let rows: u64 = jobs.iter().map(|job| job.instances).sum();
    let rows = vec![
        Row::equal(
            "acknowledged, found in INPUT byte for byte",
            acknowledged.len(),
            found,
        ),
        Row::equal(
            "of all jobs, rows in the store",
            rows as usize,
            objects_of(&node.data()) as usize,
        ),
    ];
    Part {
        title: "objects",
        rows,
    }
}

/// Every job is in a final state, and in that of its bucket.
fn ends(site: &Site, node: &TestNode, jobs: &[Job]) -> Part {
    let gave_way = |job: &Job| {
        let why = job.reason.as_deref().unwrap_or_default();
        job.state == "cancelled" && why.starts_with("superseded by job ")
    };
    let ended = |job: &&Job| {
        let outcome = STREAMS
            .iter()
            .find(|(stream, _)| *stream == job.stream)
            .map(|s| s.1);
        let is_well =
            job.state == "done" && job.outcome.as_deref() == outcome && !job.oom_killed && !job.timed_out;
        if !is_well && !gave_way(job) {
            site.found(format!(
                "job {} of {} is {}, outcome {:?}, attempt {}: {}",
                job.id,
                job.stream,
                job.state,
                job.outcome,
                job.attempt,
                job.reason.as_deref().unwrap_or("no reason")
            ));
        }
        is_well
    };
    let superseded = jobs.iter().filter(|job| gave_way(job)).count();
    let over = jobs.iter().filter(|job| job.is_over()).count();
    let well = jobs.iter().filter(ended).count();
    let kept = jobs
        .iter()
        .filter(|job| job.stream == STREAMS[0].0 && job.state == "done")
        .count();
    let rows = vec![
        Row::equal("started, in a final state", jobs.len(), over),
        Row::equal(
            "ran, ended as their bucket ends them",
            jobs.len() - superseded,
            well,
        ),
        Row::told("gave way to their whole study before they ran", superseded),
        Row::equal(
            "of Copy, runs in the diary that its memory keeps",
            kept,
            runs(node),
        ),
    ];
    Part { title: "jobs", rows }
}

/// The digests of the data sets of the Part 10 files below a directory, with their SOP Instance UIDs.
pub fn digests(directory: &Path) -> Vec<(String, Digest)> {
    let read = |path: &std::path::PathBuf| {
        let file = fs::read(path).unwrap();
        (file.get(128..132) == Some(b"DICM")).then(|| (identity(path).0, digest(data_set(&file))))
    };
    below(directory).iter().filter_map(read).collect()
}
