//! Results go to their destination, when it can be reached, and as the routes say.

use std::fs;
use std::path::Path;

use crate::needs;
use crate::support::api::Job;
use crate::support::images::Bucket;
use crate::support::orthanc::Address;
use crate::support::part10::{Object, write_all};
use crate::support::senders;
use crate::support::under_test::{TestNode, TestPacs, results_to};

fn was_tried(job: &Job, times: u32) -> bool {
    job.deliveries
        .iter()
        .any(|d| d.state == "retrying" && d.attempts >= times && d.error.is_some())
}

#[test]
fn a_destination_that_is_down_is_tried_again_across_a_restart_of_the_node() {
    needs!(Docker, Dcmtk, Orthanc);
    let address = Address::reserve("PACS");
    let retries = "[delivery]\nfirst_retry = \"1s\"\nlongest_retry = \"2s\"\n";
    let mut node = TestNode::with(
        &Bucket::fixture("copy"),
        &format!("{retries}{}", results_to(&address)),
    );
    write_all(&Object::series(3), &node.scratch("sent"));
    assert!(senders::storescu(node.dicom_port(), "Copy", &node.scratch("sent")).success);
    node.wait_for("Copy", "a second try", |job| {
        job.state == "delivering" && was_tried(job, 2)
    });

    node.kill().unwrap();
    node.restart().unwrap();
    node.wait_for("Copy", "a third try", |job| was_tried(job, 3));

    let pacs = TestPacs::start(address);
    let job = node.wait_for_end("Copy");
    assert_eq!(
        (job.state.as_str(), job.outcome.as_deref()),
        ("done", Some("success")),
        "{job:#?}"
    );
    assert_eq!(job.deliveries[0].state, "sent");
    assert_eq!(pacs.orthanc.holdings().unwrap().instances, 3);
}

#[test]
fn routes_choose_by_called_ae_title_and_by_outcome() {
    needs!(Docker, Dcmtk, Orthanc);
    let pacs = TestPacs::start(Address::reserve("PACS"));
    let routes = r#"
[[route]]
name = "another bucket"
called = "^Other$"
to = ["PACS"]

[[route]]
name = "what failed, as it came"
called = "fail"
outcome = "failed"
send = "input"
to = ["PACS"]
"#;
    let node = TestNode::with(
        &Bucket::fixture("fails"),
        &format!("{}{routes}", pacs.orthanc.address().remote_ae()),
    );
    write_all(&Object::series(2), &node.scratch("sent"));
    assert!(senders::storescu(node.dicom_port(), "Fails", &node.scratch("sent")).success);
    let job = node.wait_for_end("Fails");
    let routes: Vec<_> = job
        .deliveries
        .iter()
        .map(|d| (d.route.as_str(), d.state.as_str()))
        .collect();
    assert_eq!(routes, [("what failed, as it came", "sent")], "{job:#?}");
    assert_eq!(pacs.orthanc.holdings().unwrap().instances, 2);
}

#[test]
fn a_result_that_is_another_one_since_it_was_decided_does_not_go() {
    needs!(Docker, Dcmtk, Orthanc);
    let address = Address::reserve("PACS");
    let retries = "[delivery]\nfirst_retry = \"1s\"\nlongest_retry = \"2s\"\n";
    let unjudged = "[[route]]\nname = \"results\"\nto = [\"PACS\"]\ngate = \"off\"\n";
    let node = TestNode::with(
        &Bucket::fixture("copy"),
        &format!("{retries}{}{unjudged}", address.remote_ae()),
    );
    let sent = Object::series(3);
    write_all(&sent, &node.scratch("sent"));
    assert!(senders::storescu(node.dicom_port(), "Copy", &node.scratch("sent")).success);
    let job = node.wait_for("Copy", "a try", |job| was_tried(job, 1));
    let output = Path::new(&job.directory).join("OUTPUT");
    let other = Object::series(1).remove(0).write(&node.scratch("other"));
    let result = fs::read_dir(&output).unwrap().next().unwrap().unwrap().path();
    // At once, as a program that writes well does.
    fs::rename(other, &result).unwrap();

    let pacs = TestPacs::start(address);
    let job = node.wait_for_end("Copy");
    let states: Vec<_> = job.deliveries[0]
        .instances
        .iter()
        .map(|i| (i.state.as_str(), i.reason.as_deref()))
        .collect();
    let why = "the file has another head than when it was decided to send it";
    let changed = states.iter().filter(|s| **s == ("refused", Some(why)));
    assert_eq!((states.len(), changed.count()), (3, 1), "{job:#?}");
    let there = pacs.orthanc.sop_instance_uids().unwrap();
    assert_eq!(there.len(), 2);
    assert!(
        there
            .iter()
            .all(|uid| sent.iter().any(|o| o.sop_instance == *uid))
    );
}
