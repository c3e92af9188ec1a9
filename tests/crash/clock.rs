//! The clock is set back by a day while results wait for their PACS.

use std::collections::BTreeSet;

use super::account::{assert_delivered, assert_ended_well};
use super::pacs::Pacs;
use super::scene::{TITLE, config, node};
use super::showed;
use super::study::{send, study};
use crate::needs;
use crate::support::api::Job;
use crate::support::peers::skip;
use crate::support::under_test::scratch;

const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// Where Debian puts libfaketime on this machine.
fn library() -> Option<String> {
    let arm = LIBRARY.replace("x86_64", "aarch64");
    [LIBRARY.to_owned(), arm]
        .into_iter()
        .find(|p| std::path::Path::new(p).exists())
}

#[test]
fn a_clock_that_is_set_back_by_a_day_delays_nothing() {
    needs!(Docker);
    let Some(library) = library() else {
        return skip(module_path!(), "no libfaketime, run docker/setup.sh test");
    };
    let pacs = Pacs::reserve("PACS");
    let mut node = node(scratch(), &config(&[&pacs], "1s"), &[]);
    let (before, after) = (study(2, 4096), study(3, 4096));
    send(node.dicom_port(), TITLE, &before, &mut BTreeSet::new()).unwrap();
    let waits = |job: &Job| job.deliveries.iter().any(|d| d.state == "retrying");
    let first = node.wait_for(TITLE, "a try in vain", waits);
    node.kill().unwrap();
    pacs.serve();
    node.restart_with(&[
        ("LD_PRELOAD", library.as_str()),
        ("FAKETIME", "-1d"),
        // Time that passes still passes.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
    ])
    .unwrap();
    send(node.dicom_port(), TITLE, &after, &mut BTreeSet::new()).unwrap();
    let second = node.wait_for(TITLE, "the end of the job after", |job| {
        job.id != first.id && job.is_over()
    });
    let first = node.wait_for(TITLE, "the end of the job before", |job| {
        job.id == first.id && job.is_over()
    });
    assert_ended_well(&node, &first, &before);
    assert_ended_well(&node, &second, &after);
    assert!(
        second.id < first.id,
        "the clock was not set back: {} {}",
        first.id,
        second.id
    );
    assert_delivered(&pacs, [&before[..], &after[..]]);
    showed(
        "clock set back by a day",
        "what waited to be tried again was tried at once; a job after it ended as always",
    );
}
