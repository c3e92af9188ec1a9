//! SIGKILL at each arrow of an object's way.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;

use magickbox::failpoint::{NAMES, VARIABLE};

use super::account::{assert_delivered, assert_ended_well, assert_in_order};
use super::pacs::{Mood, Pacs};
use super::scene::{TITLE, config, node, runs, wait_for_death};
use super::study::{send, study};
use super::{is_full, showed};
use crate::needs;
use crate::support::under_test::scratch;

const OBJECTS: usize = 3;

/// Nodes that die at the same time: they mostly wait.
const AT_ONCE: usize = 4;

/// Points that are left out of the short form: a neighbour shows nearly the same.
const FULL_ONLY: [&str; 13] = [
    "accepted",
    "command-read",
    "file-made",
    "row-before-answer",
    "set-before-complete",
    "job-laid-out",
    "container-started",
    "ended",
    "proc-json-kept",
    "container-removed",
    "delivery-begun",
    "delivery-before-settle",
    "settled",
];

/// Where a point comes more than once, also later than the first time.
const LATER: [(&str, &str); 5] = [
    ("file-made", "file-made:2"),
    ("file-synced", "file-synced:3"),
    ("answered", "answered:2"),
    ("object-taken", "object-taken:2"),
    ("object-sent", "object-sent:2"),
];

fn cases() -> Vec<String> {
    let mut cases = Vec::new();
    for name in NAMES {
        if is_full() || !FULL_ONLY.contains(&name) {
            cases.push(name.to_owned());
        }
        if is_full() {
            let later = LATER.iter().filter(|(point, _)| *point == name);
            cases.extend(later.map(|(_, later)| (*later).to_owned()));
        }
    }
    cases.reverse();
    cases
}

#[test]
fn a_node_that_is_killed_at_any_point_ends_its_jobs_as_if_nothing_had_happened() {
    needs!(Docker);
    let cases = Mutex::new(cases());
    let next = || cases.lock().unwrap().pop();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = next() {
                    let found = killed_at(&case);
                    showed(&case, &found);
                }
            });
        }
    });
}

/// One case; answers what it showed.
fn killed_at(point: &str) -> String {
    let pacs = Pacs::start("PACS", Mood::Well);
    let receiving =
        NAMES.iter().position(|n| point.starts_with(n)) <= NAMES.iter().position(|n| *n == "answered");
    // Long enough for the sender to come again before the set is complete.
    let quiet = if receiving { "6s" } else { "1s" };
    let mut node = node(scratch(), &config(&[&pacs], quiet), &[(VARIABLE, point)]);
    // Too large for memory where half an object has to be on the disk.
    let study = study(OBJECTS, if point == "data-set-half" { 2 << 20 } else { 4096 });
    let mut acknowledged = BTreeSet::new();
    let first = send(node.dicom_port(), TITLE, &study, &mut acknowledged);
    wait_for_death(&mut node, point);
    let before = acknowledged.len();
    node.restart().unwrap();
    assert!(first.is_ok() || receiving, "{point}: {first:?}");
    if first.is_err() || acknowledged.len() < OBJECTS {
        send(node.dicom_port(), TITLE, &study, &mut acknowledged).unwrap();
    }
    let job = node.wait_for_end(TITLE);
    assert_ended_well(&node, &job, &study);
    let jobs = node.api().jobs().unwrap();
    assert_eq!(
        (jobs.len(), job.attempt, runs(&node)),
        (1, 1, 1),
        "{point}: {jobs:#?}"
    );
    let again = assert_delivered(&pacs, [&study[..]]);
    let in_flight = ["delivery-begun", "object-taken", "object-sent"];
    assert!(
        again == 0 || in_flight.iter().any(|p| point.starts_with(p)),
        "{point}: {again} sent again"
    );
    assert!(again <= OBJECTS, "{point}: {again} sent again");
    assert_in_order(&node, OBJECTS);
    format!(
        "{before} of {OBJECTS} answered before; one job, one run, done, results once each, {again} re-sent in flight"
    )
}
