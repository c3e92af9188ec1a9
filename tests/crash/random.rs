//! SIGKILL at random times while several senders send.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use super::account::{assert_delivered, assert_in_order, data_sets};
use super::chance::Chance;
use super::pacs::{Mood, Pacs};
use super::scene::{TITLE, config, node};
use super::study::{Sent, send, study};
use super::{is_full, showed};
use crate::needs;
use crate::support::PATIENCE;
use crate::support::under_test::{TestNode, scratch};
use crate::support::wait::wait_until;

const SENDERS: usize = 3;
const OBJECTS: usize = 20;

/// Kills in one life of a data directory.
fn rounds() -> u64 {
    if is_full() { 10 } else { 2 }
}

#[test]
fn a_node_that_is_killed_again_and_again_under_load_loses_nothing_it_has_answered() {
    needs!(Docker);
    let mut chance = Chance::new("random kills");
    let pacs = Pacs::start("PACS", Mood::Well);
    let mut node = node(scratch(), &config(&[&pacs], "1s"), &[]);
    let mut studies: Vec<Vec<Sent>> = Vec::new();
    let acknowledged = Mutex::new(BTreeSet::new());
    for _ in 0..rounds() {
        let after = chance.time(Duration::from_millis(100)..Duration::from_millis(4100));
        let fresh: Vec<_> = (0..SENDERS).map(|_| study(OBJECTS, 64 << 10)).collect();
        round(&mut node, &fresh, &acknowledged, after);
        studies.extend(fresh);
    }
    // Every sender comes again until all of its study was answered; studies that went before then are other jobs.
    let mut acknowledged = acknowledged.into_inner().unwrap();
    let (before, total) = (acknowledged.len(), SENDERS * OBJECTS * rounds() as usize);
    for study in &studies {
        send(node.dicom_port(), TITLE, study, &mut acknowledged).unwrap();
    }
    assert_eq!(acknowledged.len(), total);
    wait_until(3 * PATIENCE, "the end of every job", || {
        let jobs = node.api().jobs().ok()?;
        jobs.iter().all(|j| j.is_over()).then_some(())
    })
    .unwrap();
    let jobs = node.api().jobs().unwrap();
    for job in &jobs {
        // Of a study that was cut off and came again, the first part gives way if it has not run yet.
        let gave_way = job.state == "cancelled"
            && job
                .reason
                .as_deref()
                .is_some_and(|why| why.starts_with("superseded by job "));
        let ended = (job.state.as_str(), job.outcome.as_deref());
        assert!(gave_way || ended == ("done", Some("success")), "{job:#?}");
    }
    let again = assert_delivered(&pacs, studies.iter().map(Vec::as_slice));
    let stored = data_sets(&node.bucket(TITLE).join("jobs"));
    for sent in studies.iter().flatten() {
        assert!(
            stored[&sent.object.sop_instance] == sent.data_set,
            "another object"
        );
    }
    let rows: u64 = jobs.iter().map(|job| job.instances).sum();
    assert_in_order(&node, rows as usize);
    let (rounds, jobs) = (rounds(), jobs.len());
    showed(
        "random kills under load",
        &format!(
            "{rounds} kills, {before} of {total} answered before; {total} of {total} there, {jobs} jobs done, \
             {again} sent again with a study that was sent again"
        ),
    );
}

/// Sends the studies side by side, kills the node after that time, starts it again.
fn round(
    node: &mut TestNode,
    studies: &[Vec<Sent>],
    acknowledged: &Mutex<BTreeSet<String>>,
    after: Duration,
) {
    let port = node.dicom_port();
    thread::scope(|scope| {
        for study in studies {
            scope.spawn(move || {
                let mut own = BTreeSet::new();
                // What breaks off is sent again later.
                let _ = send(port, TITLE, study, &mut own);
                acknowledged.lock().unwrap().extend(own);
            });
        }
        let end = Instant::now() + after;
        let _ = wait_until(after * 2, "the moment", || (Instant::now() >= end).then_some(()));
        node.kill().unwrap();
    });
    node.restart().unwrap();
}
