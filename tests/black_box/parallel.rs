//! What runs at once, what waits, and in which order.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use crate::needs;
use crate::support::PATIENCE;
use crate::support::images::Bucket;
use crate::support::part10::Object;
use crate::support::senders;
use crate::support::under_test::TestNode;

fn gate(ae_title: &str) -> Bucket {
    Bucket::fixture("gate").called(ae_title)
}

/// Sends a study of one object; returns its Study Instance UID.
#[track_caller]
fn send(node: &TestNode, stream: &str) -> String {
    let object = Object::new();
    let directory = node.scratch(&object.study);
    object.write(&directory);
    assert!(senders::storescu(node.dicom_port(), stream, &directory).success);
    object.study
}

fn open_gate(node: &TestNode, stream: &str) {
    fs::write(node.bucket(stream).join("memory/go"), "").unwrap();
}

#[test]
fn two_buckets_run_at_the_same_time() {
    needs!(Docker, Dcmtk);
    let node = TestNode::with(&gate("Left"), "[engine]\ncpus = 2\n");
    node.install(&gate("Right"));
    send(&node, "Left");
    send(&node, "Right");
    // Neither can end before its gate is open, so both are caught running.
    node.wait_for_state("Left", "running");
    node.wait_for_state("Right", "running");
    for stream in ["Left", "Right"] {
        open_gate(&node, stream);
        assert_eq!(node.wait_for_end(stream).outcome.as_deref(), Some("success"));
    }
}

#[test]
fn jobs_of_one_bucket_run_one_at_a_time_and_in_order() {
    needs!(Docker, Dcmtk);
    let node = TestNode::with(&gate("Gate"), "[engine]\ncpus = 2\n");
    let mut expected = String::new();
    for state in ["running", "queued", "queued"] {
        let study = send(&node, "Gate");
        let what = format!("study {study} {state}");
        node.wait_for("Gate", &what, |job| {
            job.study_instance_uid == study && job.state == state
        });
        expected.extend([format!("begin {study}\n"), format!("end {study}\n")]);
    }
    open_gate(&node, "Gate");
    node.api()
        .wait_for_job(PATIENCE, "three jobs done", |_| {
            node.api()
                .jobs()
                .is_ok_and(|jobs| jobs.iter().filter(|j| j.state == "done").count() == 3)
        })
        .unwrap();
    assert_eq!(
        fs::read_to_string(node.bucket("Gate").join("memory/diary")).unwrap(),
        expected
    );
}

#[test]
fn cpus_are_never_promised_twice() {
    needs!(Docker, Dcmtk);
    let node = TestNode::with(&gate("Left"), "[engine]\ncpus = 1\n");
    node.install(&gate("Right"));
    send(&node, "Left");
    node.wait_for_state("Left", "running");
    send(&node, "Right");
    node.wait_for_state("Right", "queued");
    open_gate(&node, "Right");
    open_gate(&node, "Left");
    let [left, right] = ["Left", "Right"].map(|stream| node.wait_for_end(stream));

    // The containers themselves left the times of their beginning and end.
    let time = |directory: &str, file: &str| -> SystemTime {
        Path::new(directory)
            .join("OUTPUT")
            .join(file)
            .metadata()
            .unwrap()
            .modified()
            .unwrap()
    };
    assert!(
        time(&left.directory, "ended") <= time(&right.directory, "began"),
        "two buckets ran on one cpu"
    );
}
