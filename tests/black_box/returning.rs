//! Results go to their destination, when it can be reached, and as the routes say.

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
