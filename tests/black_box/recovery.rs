//! The node is stopped or killed at bad moments, and nothing is lost.

use std::fs;
use std::path::Path;

use crate::needs;
use crate::support::PATIENCE;
use crate::support::api::Job;
use crate::support::images::{Bucket, containers_of};
use crate::support::parrot::Parrot;
use crate::support::parrot::pdu::Request;
use crate::support::part10::{EXPLICIT_LITTLE, MR, Object, files, write_all};
use crate::support::senders;
use crate::support::under_test::{MAGICKBOX, TestNode, run};
use crate::support::wait::wait_until;

/// A node whose one job waits at the gate, in its container.
#[track_caller]
fn node_with_a_running_container() -> (TestNode, Job) {
    let node = TestNode::with(&Bucket::fixture("gate"), "");
    Object::new().write(&node.scratch("sent"));
    assert!(senders::storescu(node.dicom_port(), "Gate", &node.scratch("sent")).success);
    let job = node.wait_for_state("Gate", "running");
    wait_until(PATIENCE, "the container at the gate", || {
        diary(&node).contains("begin").then_some(())
    })
    .unwrap();
    (node, job)
}

fn open_gate(node: &TestNode) {
    fs::write(node.bucket("Gate").join("memory/go"), "").unwrap();
}

/// What the containers of the bucket have written into its memory.
fn diary(node: &TestNode) -> String {
    fs::read_to_string(node.bucket("Gate").join("memory/diary")).unwrap_or_default()
}

/// The job ended well, in the one container that was started for it, with its whole log.
#[track_caller]
fn assert_ended_well(node: &TestNode, before: &Job) {
    let job = node.wait_for_end("Gate");
    assert_eq!(
        (job.state.as_str(), job.outcome.as_deref()),
        ("done", Some("success")),
        "{job:#?}"
    );
    assert_eq!((&job.id, job.attempt, job.exit_status), (&before.id, 1, Some(0)));
    let study = &job.study_instance_uid;
    assert_eq!(diary(node), format!("begin {study}\nend {study}\n"));
    assert_eq!(
        node.api().log(&job.id).unwrap(),
        "at the gate\nthrough the gate\n"
    );
    assert_eq!(containers_of(&job.id), Vec::<String>::new());
}

#[test]
fn what_was_answered_with_success_is_there_after_a_kill_9_in_the_same_moment() {
    needs!(Docker, Dcmtk);
    for durability in ["instance", "association", "none"] {
        let config = format!(
            "[storage]\ndurability = \"{durability}\"\n[bucket.Count]\n\
             complete = {{ level = \"study\", quiet = \"30m\", cap = \"90m\" }}\n"
        );
        let mut node = TestNode::with(&Bucket::fixture("count"), &config);
        let objects = Object::series(60);
        let request = Request::new("Count").context(1, MR, &[EXPLICIT_LITTLE]);
        let mut parrot = Parrot::associate(node.dicom_port(), &request);
        for object in &objects {
            assert_eq!(parrot.store(1, object), 0x0000);
        }
        node.kill().unwrap();
        node.restart().unwrap();
        let what = format!("every object in its set, durability {durability}");
        let job = node.wait_for("Count", &what, |job| job.instances == objects.len() as u64);
        assert_eq!(job.state, "receiving");
        // Sent again, as a sender does that lost its association: stored once.
        write_all(&objects, &node.scratch("again"));
        let said = senders::storescu(node.dicom_port(), "Count", &node.scratch("again"));
        assert!(said.success, "{}", said.text);
        let jobs = node.api().jobs().unwrap();
        assert_eq!(jobs.len(), 1, "{jobs:#?}");
        assert_eq!(jobs[0].instances, objects.len() as u64);
    }
}

#[test]
fn a_job_ends_well_after_a_kill_9_of_the_node_while_its_container_runs() {
    needs!(Docker, Dcmtk);
    let (mut node, job) = node_with_a_running_container();
    node.kill().unwrap();
    node.restart().unwrap();
    node.wait_for_state("Gate", "running");
    open_gate(&node);
    assert_ended_well(&node, &job);
}

#[test]
fn a_job_ends_well_whose_container_ended_while_the_node_was_dead() {
    needs!(Docker, Dcmtk);
    let (mut node, job) = node_with_a_running_container();
    node.kill().unwrap();
    open_gate(&node);
    let name = format!("magickbox-{}-1 exited", job.id);
    wait_until(PATIENCE, "the container's end", || {
        (containers_of(&job.id) == [name.clone()]).then_some(())
    })
    .unwrap();
    node.restart().unwrap();
    assert_ended_well(&node, &job);
}

#[test]
fn a_stopped_node_leaves_its_containers_running_and_takes_them_up_again() {
    needs!(Docker, Dcmtk);
    let (mut node, job) = node_with_a_running_container();
    assert!(node.terminate().unwrap().success());
    assert!(
        !node.data().join("run/node.json").exists(),
        "node.json is left behind"
    );
    assert_eq!(
        containers_of(&job.id),
        [format!("magickbox-{}-1 running", job.id)]
    );
    node.restart().unwrap();
    open_gate(&node);
    assert_ended_well(&node, &job);
}

#[test]
fn what_was_received_before_a_kill_9_becomes_a_job_all_the_same() {
    needs!(Docker, Dcmtk);
    // Quiet for so long that the node is dead before the study is complete.
    let config = "[bucket.Count]\ncomplete = { level = \"study\", quiet = \"4s\" }\n";
    let mut node = TestNode::with(&Bucket::fixture("count"), config);
    write_all(&Object::series(5), &node.scratch("sent"));
    assert_eq!(
        senders::storescu(node.dicom_port(), "Count", &node.scratch("sent")).stored(),
        5
    );
    node.kill().unwrap();
    node.restart().unwrap();
    let job = node.wait_for_end("Count");
    assert_eq!(
        (job.outcome.as_deref(), job.instances),
        (Some("success"), 5),
        "{job:#?}"
    );
    assert_eq!(files(&Path::new(&job.directory).join("INPUT")).len(), 5);
}

#[test]
fn a_second_node_on_the_same_data_directory_is_refused_by_name() {
    let node = TestNode::start("");
    let data = node.data();
    let data = data.to_str().unwrap();
    let second = run(
        MAGICKBOX,
        &[
            "serve",
            "--data",
            data,
            "--dicom",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
        ],
    );
    assert_eq!(second.code, Some(1), "{second:#?}");
    assert!(second.stderr.contains(data), "{}", second.stderr);
    assert!(
        second.stderr.contains(&node.ready().pid.to_string()),
        "{}",
        second.stderr
    );
    assert!(node.api().is_ready(), "the first node serves on");
}

#[test]
fn a_job_that_cannot_be_laid_out_waits_in_the_queue_until_it_can() {
    needs!(Docker, Dcmtk);
    let node = TestNode::with(&Bucket::fixture("count"), "");
    let jobs = node.bucket("Count").join("jobs");
    fs::write(&jobs, "in the way of the directory of jobs").unwrap();
    Object::new().write(&node.scratch("sent"));
    assert!(senders::storescu(node.dicom_port(), "Count", &node.scratch("sent")).success);
    let job = node.wait_for_state("Count", "queued");
    wait_until(PATIENCE, "the job to say that it waits", || {
        let events = node.api().job(&job.id).unwrap().events;
        events
            .iter()
            .any(|event| event["kind"] == "waiting")
            .then_some(())
    })
    .unwrap();
    fs::remove_file(&jobs).unwrap();
    let job = node.wait_for_end("Count");
    assert_eq!(
        (job.state.as_str(), job.outcome.as_deref(), job.attempt),
        ("done", Some("success"), 1),
        "{job:#?}"
    );
}
