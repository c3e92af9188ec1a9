//! What has to be true in the end, whatever happened before.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use sha2::{Digest as _, Sha256};

use super::pacs::Pacs;
use super::scene::{TITLE, log_of};
use super::study::Sent;
use crate::support::api::Job;
use crate::support::images::containers_of;
use crate::support::part10::{data_set, identity};
use crate::support::under_test::TestNode;

/// SHA-256: two that are equal are of the same bytes.
pub type Digest = [u8; 32];

/// The digest of these bytes.
pub fn digest(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

/// Every file below a directory.
pub fn below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(below(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// The data sets of the Part 10 files below a directory, by SOP Instance UID.
pub fn data_sets(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for path in below(directory) {
        let file = fs::read(&path).unwrap();
        if file.get(128..132) == Some(b"DICM") {
            found.insert(identity(&path).0, data_set(&file).to_vec());
        }
    }
    found
}

/// What was sent, by SOP Instance UID.
pub fn sent(study: &[Sent]) -> BTreeMap<String, Vec<u8>> {
    let pair = |s: &Sent| (s.object.sop_instance.clone(), s.data_set.clone());
    study.iter().map(pair).collect()
}

/// The job ended as if nothing had happened: done, with its measures, its log, its papers, its objects and its results
/// byte for byte, and no container.
#[track_caller]
pub fn assert_ended_well(node: &TestNode, job: &Job, study: &[Sent]) {
    let state = (job.state.as_str(), job.outcome.as_deref(), job.exit_status);
    assert_eq!(state, ("done", Some("success"), Some(0)), "{job:#?}");
    let measured = job
        .measures
        .iter()
        .find(|m| m.name == "objects")
        .map(|m| &m.value);
    assert_eq!(measured, Some(&study.len().into()), "{:#?}", job.measures);
    assert!(job.deliveries.iter().all(|d| d.state == "sent"), "{job:#?}");
    assert_eq!(node.api().log(&job.id).unwrap(), log_of(study.len()));
    let directory = Path::new(&job.directory);
    for place in ["INPUT", "OUTPUT"] {
        assert!(
            data_sets(&directory.join(place)) == sent(study),
            "{place} is not what was sent"
        );
    }
    for paper in ["info.json", "proc.json", "measures.json", "record.json"] {
        let text = fs::read_to_string(directory.join(paper)).unwrap();
        let content: serde_json::Value = serde_json::from_str(&text).unwrap();
        if paper == "record.json" {
            let deliveries = content["deliveries"].as_array().unwrap();
            assert_eq!(deliveries.len(), job.deliveries.len(), "record.json: {text}");
            assert!(
                deliveries.iter().all(|d| d["state"] == "sent"),
                "record.json: {text}"
            );
        }
    }
    assert_eq!(containers_of(&job.id), Vec::<String>::new());
}

/// A PACS has these objects, each as one instance; answers how many came more often than once.
#[track_caller]
pub fn assert_delivered<'a>(pacs: &Pacs, studies: impl IntoIterator<Item = &'a [Sent]>) -> usize {
    let taken = pacs.taken();
    let expected: BTreeMap<_, _> = studies.into_iter().flat_map(sent).collect();
    let uids: Vec<_> = taken.keys().collect();
    assert_eq!(uids, expected.keys().collect::<Vec<_>>(), "at {}", pacs.title);
    for (uid, copies) in &taken {
        assert!(
            copies.iter().all(|copy| *copy == digest(&expected[uid])),
            "{uid} at {} is another object",
            pacs.title
        );
    }
    taken.values().map(|copies| copies.len() - 1).sum()
}

/// Disk and store are in order: nothing half received, no file without a row, no row without a file, no damage.
#[track_caller]
pub fn assert_in_order(node: &TestNode, objects: usize) {
    // A job that was cancelled before it was laid out has its objects there still.
    let jobs = node.api().jobs().unwrap();
    let cancelled: Vec<_> = jobs
        .iter()
        .filter(|j| j.state == "cancelled")
        .map(|j| &j.id)
        .collect();
    let incoming = node.bucket(TITLE).join("incoming");
    let is_kept = |path: &PathBuf| {
        let set = path
            .strip_prefix(&incoming)
            .ok()
            .and_then(|p| p.iter().next()?.to_str());
        set.is_some_and(|set| cancelled.iter().any(|id| *id == set))
    };
    let left: Vec<_> = below(&incoming)
        .into_iter()
        .filter(|path| !is_kept(path))
        .collect();
    assert_eq!(left, Vec::<PathBuf>::new(), "left in incoming");
    let halves = below(&node.data());
    let halves: Vec<_> = halves
        .iter()
        .filter(|p| p.extension().is_some_and(|e| e == "part"))
        .collect();
    assert!(halves.is_empty(), "{halves:?}");
    assert_eq!(objects_of(&node.data()), objects as u64, "rows of objects");
}

/// How many objects the store has; it has to be whole.
#[track_caller]
pub fn objects_of(data: &Path) -> u64 {
    let path = data.join("store/magickbox.sqlite");
    let store = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let word: String = store
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(word, "ok");
    store
        .query_row("SELECT count(*) FROM instances", [], |row| row.get(0))
        .unwrap()
}
