//! The account: what was promised beside what is there. What is missing is told by name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::super::account::{Digest, below, digest, objects_of};
use super::super::scene::runs;
use super::site::{STREAMS, Site};
use super::table::{Part, Row};
use crate::support::api::Job;
use crate::support::node::labelled_containers;
use crate::support::part10::{data_set, identity};
use crate::support::under_test::{MAGICKBOX, TestNode, run};

/// Everything that has to hold, whatever was killed.
pub fn account(site: &Site, node: &TestNode, crashes: usize) -> Vec<Part> {
    let jobs = jobs(node);
    vec![
        objects(site, node, &jobs),
        ends(site, node, &jobs),
        results(site, &jobs, crashes),
        leftovers(site, node, &jobs),
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

/// Each result is at the PACS once for each job that sent it; a delivery in flight at a kill may send some again.
fn results(site: &Site, jobs: &[Job], crashes: usize) -> Part {
    let mut sent: BTreeMap<&str, usize> = BTreeMap::new();
    let mut resumed: BTreeSet<&str> = BTreeSet::new();
    for job in jobs.iter().filter(|job| job.state == "done") {
        let results = match job.stream.as_str() {
            "Copy" => digests(&Path::new(&job.directory).join("OUTPUT")),
            "Count" => digests(&Path::new(&job.directory).join("INPUT")),
            _ => Vec::new(),
        };
        let instances: Vec<_> = job.deliveries.iter().flat_map(|d| &d.instances).collect();
        let settled = instances.iter().filter(|i| i.state == "sent").count();
        if settled != results.len() || job.deliveries.iter().any(|d| d.state != "sent") {
            site.found(format!(
                "job {}: {} results, {settled} sent: {:?}",
                job.id,
                results.len(),
                job.deliveries
            ));
        }
        for instance in instances {
            *sent.entry(&instance.sop_instance_uid).or_default() += 1;
        }
        for delivery in job.deliveries.iter().filter(|d| d.attempts > 1) {
            resumed.extend(delivery.instances.iter().map(|i| i.sop_instance_uid.as_str()));
        }
    }
    let taken = site.pacs.taken();
    let acknowledged = site.acknowledged.lock().unwrap();
    let (mut well, mut again) = (0, 0);
    for (uid, times) in &sent {
        let copies = taken.get(*uid).map_or(&[][..], Vec::as_slice);
        let is_same = copies
            .iter()
            .all(|copy| acknowledged.get(*uid).is_some_and(|a| a.digest == *copy));
        let more = copies.len().saturating_sub(*times);
        again += more;
        if !is_same || copies.len() < *times || (more > 0 && !resumed.contains(uid)) {
            site.found(format!(
                "result {uid} was sent {times} times; the PACS has it {} times",
                copies.len()
            ));
        } else {
            well += 1;
        }
    }
    let strangers = taken.keys().filter(|uid| !sent.contains_key(uid.as_str()));
    strangers.for_each(|uid| site.found(format!("the PACS has {uid}, which no job sent")));
    let longest = jobs.iter().flat_map(|j| &j.deliveries).filter(|d| d.attempts > 1);
    let longest = longest.map(|d| d.instances.len()).max().unwrap_or(0);
    let rows = vec![
        Row::equal("at the PACS once for each job that sent them", sent.len(), well),
        Row::equal("sent, there", sent.len(), taken.len()),
        Row::at_most(
            "sent again, of deliveries in flight at a kill",
            (crashes * longest) as f64,
            again as f64,
            "",
        ),
    ];
    Part {
        title: "results",
        rows,
    }
}

/// Nothing is left of what is over.
fn leftovers(site: &Site, node: &TestNode, jobs: &[Job]) -> Part {
    let ids: BTreeSet<_> = jobs.iter().map(|job| job.id.as_str()).collect();
    let containers = labelled_containers()
        .into_iter()
        .filter(|(_, job)| ids.contains(job.as_str()));
    let containers: Vec<_> = containers
        .map(|(container, job)| format!("container {container} of job {job}"))
        .collect();
    let files = below(&node.data());
    let is_part = |path: &&std::path::PathBuf| path.extension().is_some_and(|e| e == "part");
    let named = |path: &std::path::PathBuf| path.display().to_string();
    let parts: Vec<_> = files.iter().filter(is_part).map(named).collect();
    // A job that was cancelled before it was laid out has its objects there still.
    let cancelled = jobs
        .iter()
        .filter(|job| job.state == "cancelled")
        .map(|job| job.id.as_str());
    let cancelled: BTreeSet<_> = cancelled.collect();
    let incoming = |path: &&std::path::PathBuf| {
        let mut names = path
            .iter()
            .filter_map(|name| name.to_str())
            .skip_while(|name| *name != "incoming");
        names.next().is_some() && names.next().is_some_and(|set| !cancelled.contains(set))
    };
    let incoming: Vec<_> = files.iter().filter(incoming).map(named).collect();
    let verified = run(MAGICKBOX, &["verify", "--data", node.data().to_str().unwrap()]);
    let is_clean = verified.code == Some(0);
    if !is_clean {
        site.found(format!(
            "magickbox verify: {}{}",
            verified.stdout, verified.stderr
        ));
    }
    let rows = vec![
        Row::equal("containers", 0, containers.len()),
        Row::equal("halves (*.part)", 0, parts.len()),
        Row::equal("objects in incoming", 0, incoming.len()),
        Row {
            what: "magickbox verify",
            wanted: "clean".to_owned(),
            found: if is_clean { "clean" } else { "not clean" }.to_owned(),
            is_met: is_clean,
        },
    ];
    containers
        .into_iter()
        .chain(parts)
        .chain(incoming)
        .for_each(|left| site.found(format!("left: {left}")));
    Part {
        title: "what is left",
        rows,
    }
}

/// The digests of the data sets of the Part 10 files below a directory, with their SOP Instance UIDs.
fn digests(directory: &Path) -> Vec<(String, Digest)> {
    let read = |path: &std::path::PathBuf| {
        let file = fs::read(path).unwrap();
        (file.get(128..132) == Some(b"DICM")).then(|| (identity(path).0, digest(data_set(&file))))
    };
    below(directory).iter().filter_map(read).collect()
}
