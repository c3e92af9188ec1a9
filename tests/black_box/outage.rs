//! A destination that is away for longer than is tried: everything is held, told to those who watch, and goes when it is
//! back and somebody says so. In days of hours: src/delivery/worker/tests.rs.

use std::collections::BTreeSet;

use serde_json::json;

use crate::needs;
use crate::support::PATIENCE;
use crate::support::images::Bucket;
use crate::support::orthanc::free_port;
use crate::support::pacs::Pacs;
use crate::support::part10::{Object, write_all};
use crate::support::senders;
use crate::support::under_test::{MAGICKBOX, TestNode, run};
use crate::support::wait::wait_until;

#[track_caller]
fn send(node: &TestNode, name: &str, objects: &[Object]) {
    let directory = node.scratch(name);
    write_all(objects, &directory);
    assert!(senders::storescu(node.dicom_port(), "Copy", &directory).success);
}

/// Waits until that many deliveries to the PACS are in that state, by the metrics.
#[track_caller]
fn wait_for_metric(node: &TestNode, state: &str, count: i64) {
    let name = format!("deliveries{{destination=\"PACS\",state=\"{state}\"}}");
    let what = format!("{name} {count}");
    wait_until(PATIENCE, &what, || {
        (node.api().metric(&name).unwrap() == Some(count)).then_some(())
    })
    .unwrap_or_else(|e| panic!("{e}: {}", node.api().metrics().unwrap()));
}

#[test]
fn what_a_destination_misses_is_held_with_an_alarm_and_arrives_when_it_is_sent_again() {
    needs!(Docker, Dcmtk, Pynetdicom);
    let port = free_port();
    let config = format!(
        "[delivery]\nfirst_retry = \"200ms\"\nlongest_retry = \"400ms\"\ngive_up = \"8s\"\n\
         [[remote_ae]]\nae_title = \"PACS\"\naddress = \"127.0.0.1:{port}\"\n\
         [[route]]\nname = \"results\"\nto = [\"PACS\"]\n"
    );
    let node = TestNode::with(&Bucket::fixture("copy"), &config);
    wait_for_metric(&node, "held", 0);
    let first = Object::series(2);
    send(&node, "first", &first);
    let waiting = node.wait_for("Copy", "a try", |job| {
        job.deliveries.iter().any(|d| d.state == "retrying")
    });
    let ahead = &waiting.deliveries[0];
    // Another series of the same study.
    let second = Object {
        study: first[0].study.clone(),
        ..Object::new()
    };
    send(&node, "second", std::slice::from_ref(&second));
    let behind = node.wait_for("Copy", "a delivery behind the first", |job| {
        job.id != waiting.id && job.deliveries.iter().any(|d| !d.behind.is_null())
    });
    let delivery = &behind.deliveries[0];
    assert_eq!((delivery.state.as_str(), delivery.attempts), ("waiting", 0));
    assert_eq!(
        delivery.behind,
        json!({ "delivery": ahead.id, "job": waiting.id }),
        "{behind:#?}"
    );
    let shown = run(
        MAGICKBOX,
        &["job", "--node", &node.ready().http, "show", &behind.id],
    );
    let place = format!(
        "behind delivery {} of the same study (job {})",
        ahead.id, waiting.id
    );
    assert!(shown.stdout.contains(&place), "{shown:?}");
    wait_for_metric(&node, "waiting", 1);

    // Nobody is there: first the one is given up, then the other.
    wait_for_metric(&node, "held", 2);
    wait_for_metric(&node, "waiting", 0);
    assert!(node.log().contains("a result does not arrive"), "{}", node.log());
    let all = node.api().jobs().unwrap();
    assert!(all.iter().all(|job| job.state == "done"), "{all:#?}");

    let home = node.scratch("pacs");
    std::fs::create_dir(&home).unwrap();
    let pacs = Pacs::start_at(port, "PACS", &home.join("pacs.log"), &[]);
    for job in [&waiting, &behind] {
        assert_eq!(node.api().act(&job.id, "retry").unwrap().status, 200);
        node.wait_for("Copy", "the delivery", |other| {
            other.id == job.id && other.deliveries.iter().all(|d| d.state == "sent")
        });
    }
    wait_for_metric(&node, "held", 0);
    let arrived: BTreeSet<_> = pacs.stored().into_iter().map(|s| s.sop_instance).collect();
    let sent: BTreeSet<_> = first
        .iter()
        .chain([&second])
        .map(|o| o.sop_instance.clone())
        .collect();
    assert_eq!(arrived, sent);
}
