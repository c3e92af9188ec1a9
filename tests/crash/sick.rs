//! A PACS that is down, slow, refusing, hanging or hanging up: its deliveries end within the limits, and no other waits.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use super::account::assert_delivered;
use super::pacs::{Mood, Pacs};
use super::scene::{TITLE, config, node};
use super::study::{send, study};
use super::{is_full, showed};
use crate::needs;
use crate::support::under_test::scratch;

/// Mood, the state its delivery ends in, and what the reason names. `None`: it is not there at all.
const CASES: [(&str, Option<Mood>, &str, &str); 6] = [
    ("PACS down", None, "held", "127.0.0.1"),
    ("PACS slow", Some(Mood::Slow(Duration::from_secs(1))), "sent", ""),
    ("PACS full (RJ transient)", Some(Mood::Full), "held", "rejected"),
    (
        "PACS refuses (RJ permanent)",
        Some(Mood::Stranger),
        "refused",
        "rejected",
    ),
    ("PACS hangs after AC", Some(Mood::Hangs), "held", ""),
    ("PACS closes in mid-object", Some(Mood::HangsUp), "held", ""),
];

#[test]
fn a_sick_pacs_ends_its_deliveries_with_a_reason_and_delays_no_other() {
    needs!(Docker);
    let short = ["PACS down", "PACS hangs after AC"];
    thread::scope(|scope| {
        for case in CASES.iter().filter(|case| is_full() || short.contains(&case.0)) {
            scope.spawn(|| sick(case));
        }
    });
}

fn sick(&(name, mood, end, reason): &(&str, Option<Mood>, &str, &str)) {
    let healthy = Pacs::start("HEALTHY", Mood::Well);
    let ill = mood.map_or_else(|| Pacs::reserve("ILL"), |mood| Pacs::start("ILL", mood));
    // Long enough for a busy machine to deliver to the healthy one meanwhile, and for this test to see it.
    let config = config(&[&ill, &healthy], "1s").replace("[delivery]\n", "[delivery]\ngive_up = \"20s\"\n");
    let node = node(scratch(), &config, &[]);
    let study = study(2, 4096);
    send(node.dicom_port(), TITLE, &study, &mut BTreeSet::new()).unwrap();
    let state = |job: &crate::support::api::Job, to: &str| {
        let of = job.deliveries.iter().find(|d| d.destination == to);
        of.map(|d| d.state.clone()).unwrap_or_default()
    };
    let early = node.wait_for(TITLE, "the healthy one's results", |job| {
        state(job, "HEALTHY") == "sent"
    });
    let meanwhile = state(&early, "ILL");
    let job = node.wait_for_end(TITLE);
    assert_eq!(
        (job.state.as_str(), state(&job, "ILL").as_str()),
        ("done", end),
        "{name}: {job:#?}"
    );
    assert_delivered(&healthy, [&study[..]]);
    let ill = job.deliveries.iter().find(|d| d.destination == "ILL").unwrap();
    let error = ill.error.clone().unwrap_or_default();
    assert!(
        error.contains(reason) && (end == "sent") == error.is_empty(),
        "{name}: {error:?}"
    );
    assert!(
        end == "refused" || !["held", "refused"].contains(&meanwhile.as_str()),
        "{name}: the other one waited"
    );
    showed(
        name,
        &format!(
            "{end} after {} tries ({error}); the other one was sent meanwhile",
            ill.attempts
        ),
    );
}
