//! What was sent comes again, at moments that could harm what is there already.

use std::fs;

use crate::needs;
use crate::support::PATIENCE;
use crate::support::images::Bucket;
use crate::support::part10::{Object, files};
use crate::support::senders;
use crate::support::under_test::TestNode;
use crate::support::wait::wait_until;

/// Jobs of the gate in that state.
fn in_state(node: &TestNode, state: &str) -> usize {
    let jobs = node.api().jobs().unwrap();
    jobs.iter()
        .filter(|job| job.stream == "Gate" && job.state == state)
        .count()
}

#[test]
fn a_study_that_is_sent_again_while_its_job_waits_is_run_once() {
    needs!(Docker, Dcmtk);
    let node = TestNode::with(&Bucket::fixture("gate"), "");
    let send = |directory: &str| {
        assert!(senders::storescu(node.dicom_port(), "Gate", &node.scratch(directory)).success);
    };
    Object::new().write(&node.scratch("first"));
    Object::new().write(&node.scratch("second"));
    send("first");
    node.wait_for_state("Gate", "running");
    send("second");
    wait_until(PATIENCE, "the second study in the queue", || {
        (in_state(&node, "queued") == 1).then_some(())
    })
    .unwrap();
    send("second");
    wait_until(PATIENCE, "the second study's first job to give way", || {
        (in_state(&node, "queued") == 1 && in_state(&node, "cancelled") == 1).then_some(())
    })
    .unwrap();
    fs::write(node.bucket("Gate").join("memory/go"), "").unwrap();
    wait_until(PATIENCE, "the end of both", || {
        (in_state(&node, "done") == 2).then_some(())
    })
    .unwrap();
    let jobs = node.api().jobs().unwrap();
    let (cancelled, done): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.state == "cancelled");
    let waited = node.bucket("Gate").join("incoming").join(&cancelled[0].id);
    assert_eq!(
        files(&waited).len(),
        1,
        "what was answered stays until retention takes it"
    );
    for job in done {
        assert_eq!(
            (job.outcome.as_deref(), job.instances),
            (Some("success"), 1),
            "{job:#?}"
        );
        let input = fs::read_dir(format!("{}/INPUT", job.directory)).unwrap();
        assert_eq!(input.count(), 1, "{job:#?}");
    }
    let left = fs::read_dir(node.bucket("Gate").join("incoming")).unwrap();
    let left: Vec<_> = left
        .map(|e| e.unwrap().file_name())
        .filter(|n| n != ".parts" && n.to_str() != Some(&cancelled[0].id))
        .collect();
    assert!(left.is_empty(), "left in incoming: {left:?}");
}
