//! How a job ends: by exit status, by `proc.json`, by the clock, by memory.

use std::path::Path;

use serde_json::Value;

use crate::needs;
use crate::support::api::Job;
use crate::support::images::{Bucket, containers_of};
use crate::support::part10::{Object, write_all};
use crate::support::senders;
use crate::support::under_test::TestNode;

/// Sends a study of two objects through a bucket and waits for its end.
#[track_caller]
fn run(fixture: &str, stream: &str, config: &str) -> (TestNode, Job) {
    let node = TestNode::with(&Bucket::fixture(fixture), config);
    write_all(&Object::series(2), &node.scratch("sent"));
    assert!(senders::storescu(node.dicom_port(), stream, &node.scratch("sent")).success);
    let job = node.wait_for_end(stream);
    (node, job)
}

#[track_caller]
fn assert_ended(job: &Job, outcome: &str, reason: &str) {
    assert_eq!(job.outcome.as_deref(), Some(outcome), "{job:#?}");
    assert!(
        job.reason.as_deref().unwrap_or_default().contains(reason),
        "{job:#?}"
    );
}

/// The first entry of the job's `proc.json`.
#[track_caller]
fn proc(job: &Job) -> Value {
    let text = std::fs::read(Path::new(&job.directory).join("proc.json")).unwrap();
    serde_json::from_slice::<Value>(&text).unwrap()[0].take()
}

#[test]
fn a_bucket_that_exits_with_3_has_failed_and_its_log_is_kept() {
    needs!(Docker, Dcmtk);
    let (node, job) = run("fails", "Fails", "");
    assert_ended(&job, "failed", "exit status 3");
    assert_eq!(
        (job.exit_status, &proc(&job)["success"]),
        (Some(3), &"failed".into())
    );
    assert_eq!(node.api().log(&job.id).unwrap(), "this will not end well\n");
}

#[test]
fn a_bucket_past_its_time_limit_has_failed_whatever_it_wrote() {
    needs!(Docker, Dcmtk);
    let (node, job) = run("sleeps", "Sleeps", "[bucket.Sleeps]\ntimeout = \"2s\"\n");
    assert_ended(&job, "failed", "time limit");
    assert!(job.timed_out);
    assert_eq!(proc(&job)["success"], "success", "what it wrote is kept");
    assert_eq!(node.api().log(&job.id).unwrap(), "asleep\n");
    assert_eq!(containers_of(&job.id), Vec::<String>::new());
}

#[test]
fn a_bucket_whose_child_was_killed_for_memory_has_failed_although_it_exits_with_0() {
    needs!(Docker, Dcmtk);
    let (_node, job) = run("hungry", "Hungry", "");
    assert_ended(&job, "failed", "out of memory");
    assert!(job.oom_killed);
}

#[test]
fn a_bucket_that_says_partial_is_believed() {
    needs!(Docker, Dcmtk);
    let (_node, job) = run("partial", "Partial", "");
    assert_ended(&job, "partial", "one half is missing");
    assert_eq!((job.state.as_str(), job.exit_status), ("done", Some(0)));
    assert_eq!(proc(&job)["message"], "one half is missing");
    let output = Path::new(&job.directory).join("OUTPUT/proc.json");
    assert!(!output.exists(), "proc.json is kept beside OUTPUT, not in it");
}
