//! What an operator decides about jobs, through the API and with `magickbox job`.

use std::fs;

use serde_json::json;

use crate::needs;
use crate::support::PATIENCE;
use crate::support::api::Job;
use crate::support::images::{Bucket, containers_of, docker};
use crate::support::part10::{Object, files};
use crate::support::senders;
use crate::support::under_test::{MAGICKBOX, TestNode, run};
use crate::support::wait::wait_until;

/// Sends a study of one object; answers its Study Instance UID.
#[track_caller]
fn send(node: &TestNode, stream: &str) -> String {
    let object = Object::new();
    let directory = node.scratch(&object.study);
    object.write(&directory);
    assert!(senders::storescu(node.dicom_port(), stream, &directory).success);
    object.study
}

/// The job of a study, once it is in that state.
#[track_caller]
fn in_state(node: &TestNode, study: &str, state: &str) -> Job {
    let what = format!("the job of {study} in state {state}");
    let wanted = |job: &Job| job.study_instance_uid == study && job.state == state;
    node.api().wait_for_job(PATIENCE, &what, wanted).unwrap()
}

#[track_caller]
fn act(node: &TestNode, job: &Job, verb: &str) -> String {
    let answer = node.api().act(&job.id, verb).unwrap();
    assert_eq!(answer.status, 200, "{verb}: {}", answer.body);
    answer.body["id"].as_str().unwrap().to_owned()
}

fn open_gate(node: &TestNode) {
    fs::write(node.bucket("Gate").join("memory/go"), "").unwrap();
}

#[test]
fn a_running_job_is_cancelled_with_its_container_and_can_be_restarted_from_its_input() {
    needs!(Docker, Dcmtk);
    let node = TestNode::with(&Bucket::fixture("gate"), "");
    let study = send(&node, "Gate");
    let job = in_state(&node, &study, "running");
    let refused = node.api().act(&job.id, "restart").unwrap();
    assert_eq!(refused.status, 409, "{}", refused.detail());
    act(&node, &job, "cancel");
    in_state(&node, &study, "cancelled");
    wait_until(PATIENCE, "the container to go", || {
        containers_of(&job.id).is_empty().then_some(())
    })
    .unwrap();
    assert_eq!(node.api().act(&job.id, "cancel").unwrap().status, 409);

    open_gate(&node);
    let new = act(&node, &job, "restart");
    let what = "the restarted job to end";
    let ended = node
        .api()
        .wait_for_job(PATIENCE, what, |j| j.id == new && j.state == "done")
        .unwrap();
    assert_eq!(ended.outcome.as_deref(), Some("success"));
    let input = |job: &Job| files(&std::path::Path::new(&job.directory).join("INPUT"));
    let (before, after) = (input(&node.api().job(&job.id).unwrap()), input(&ended));
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_eq!(fs::read(&before[0]).unwrap(), fs::read(&after[0]).unwrap());
}

/// record.json of a job, once it is there.
#[track_caller]
fn record(job: &Job) -> serde_json::Value {
    let path = std::path::Path::new(&job.directory).join("record.json");
    let read = || serde_json::from_slice(&fs::read(&path).ok()?).ok();
    wait_until(PATIENCE, "record.json", read).unwrap()
}

#[test]
fn a_job_that_is_cancelled_while_it_runs_has_a_record_even_if_the_node_is_killed_before_it_is_written() {
    needs!(Docker, Dcmtk);
    let mut node = TestNode::with(&Bucket::fixture("gate"), "");
    let study = send(&node, "Gate");
    let job = in_state(&node, &study, "running");
    wait_until(PATIENCE, "the container to begin", || {
        std::path::Path::new(&job.directory)
            .join("OUTPUT/began")
            .exists()
            .then_some(())
    })
    .unwrap();
    act(&node, &job, "cancel");
    let first = record(&job);
    let known = ["job", "outcome", "reason", "attempt"].map(|key| &first[key]);
    let expected = [
        json!(job.id),
        json!("failed"),
        json!("cancelled by an operator"),
        json!(1),
    ];
    assert_eq!(known, expected.each_ref(), "{first}");
    assert_eq!(first["input"].as_array().unwrap().len(), 1, "{first}");
    assert_eq!(first["output"][0]["file"], "began", "{first}");
    assert!(
        first["exit_status"].is_i64() && first["bucket"]["digest"].is_string(),
        "{first}"
    );
    wait_until(PATIENCE, "the container to go", || {
        containers_of(&job.id).is_empty().then_some(())
    })
    .unwrap();

    // As a kill between the store's word and the record leaves it.
    node.kill().unwrap();
    fs::remove_file(std::path::Path::new(&job.directory).join("record.json")).unwrap();
    node.restart().unwrap();
    let again = record(&job);
    for key in [
        "job", "outcome", "reason", "attempt", "input", "output", "bucket", "settings",
    ] {
        assert_eq!(again[key], first[key], "{key}");
    }
}

#[test]
fn a_job_that_fails_before_it_starts_has_a_record_of_what_is_known() {
    needs!(Docker, Dcmtk);
    let bucket = Bucket::fixture("gate").called("Vanished");
    let node = TestNode::with(&bucket, "");
    assert!(docker(&["rmi", "--force", &bucket.image()]));
    let study = send(&node, "Vanished");
    let job = in_state(&node, &study, "failed");
    let record = record(&job);
    assert_eq!(record["outcome"], "failed", "{record}");
    assert_eq!(record["reason"], json!(job.reason), "{record}");
    assert_eq!(record["input"].as_array().unwrap().len(), 1, "{record}");
    for absent in ["exit_status", "peak_memory"] {
        assert!(record[absent].is_null(), "{absent}: {record}");
    }
    assert!(
        record["times"]["started"].is_null() && record["output"] == json!([]),
        "{record}"
    );
}

#[test]
fn a_held_job_waits_while_others_pass_it_and_a_restart_of_the_node_changes_nothing() {
    needs!(Docker, Dcmtk);
    let mut node = TestNode::with(&Bucket::fixture("gate"), "");
    let first = send(&node, "Gate");
    in_state(&node, &first, "running");
    let (held, urgent) = (send(&node, "Gate"), send(&node, "Gate"));
    let held_job = in_state(&node, &held, "queued");
    act(&node, &held_job, "hold");
    let urgent_job = in_state(&node, &urgent, "queued");
    let late = send(&node, "Gate");
    let late_job = in_state(&node, &late, "queued");
    let body = json!({ "priority": "urgent" });
    assert_eq!(
        node.api()
            .act_with(&late_job.id, "priority", &body)
            .unwrap()
            .status,
        200
    );
    let wrong = node
        .api()
        .act_with(&late_job.id, "priority", &json!({ "priority": "soon" }))
        .unwrap();
    assert_eq!(wrong.status, 400);
    assert!(
        wrong.detail().contains("urgent, normal, off-peak"),
        "{}",
        wrong.detail()
    );
    node.kill().unwrap();
    node.restart().unwrap();
    open_gate(&node);
    in_state(&node, &late, "done");
    in_state(&node, &urgent, "done");
    let diary = fs::read_to_string(node.bucket("Gate").join("memory/diary")).unwrap();
    let begun: Vec<_> = diary.lines().filter_map(|l| l.strip_prefix("begin ")).collect();
    assert_eq!(
        begun,
        [&first, &late, &urgent],
        "the urgent one overtakes, the held one waits"
    );
    let again = node.api().job(&held_job.id).unwrap();
    assert_eq!(again.state, "held");

    let said = run(
        MAGICKBOX,
        &["job", "--node", &node.ready().http, "release", &held_job.id],
    );
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    in_state(&node, &held, "done");
    let shown = run(
        MAGICKBOX,
        &["job", "--node", &node.ready().http, "show", &held_job.id],
    )
    .stdout;
    assert!(
        shown.contains("held") && shown.contains("released") && shown.contains("success"),
        "{shown}"
    );
    let listed = run(MAGICKBOX, &["job", "--node", &node.ready().http, "list"]).stdout;
    assert!(
        listed.contains(&urgent_job.id) && listed.contains("JOB  "),
        "{listed}"
    );
    let none = run(
        MAGICKBOX,
        &["job", "--node", &node.ready().http, "cancel", "no-such-job"],
    );
    assert!(
        none.code != Some(0) && none.stderr.contains("there is no job no-such-job"),
        "{}",
        none.stderr
    );
}

#[test]
fn an_open_set_is_completed_at_an_operators_word() {
    needs!(Docker, Dcmtk);
    let config = "[bucket.Count]\ncomplete = { level = \"study\", quiet = \"30m\", cap = \"90m\" }\n";
    let node = TestNode::with(&Bucket::fixture("count"), config);
    let study = send(&node, "Count");
    let job = in_state(&node, &study, "receiving");
    assert_eq!(node.api().act(&job.id, "hold").unwrap().status, 409);
    act(&node, &job, "complete");
    let ended = in_state(&node, &study, "done");
    assert_eq!(ended.outcome.as_deref(), Some("success"));
    assert_eq!(node.api().act(&job.id, "complete").unwrap().status, 409);
}

#[test]
fn an_open_set_that_is_cancelled_keeps_its_objects_and_what_follows_begins_anew() {
    needs!(Docker, Dcmtk);
    let config = "[bucket.Count]\ncomplete = { level = \"study\", quiet = \"30m\", cap = \"90m\" }\n";
    let mut node = TestNode::with(&Bucket::fixture("count"), config);
    let object = Object::new();
    object.write(&node.scratch("one"));
    assert!(senders::storescu(node.dicom_port(), "Count", &node.scratch("one")).success);
    let job = in_state(&node, &object.study, "receiving");
    act(&node, &job, "cancel");
    assert!(senders::storescu(node.dicom_port(), "Count", &node.scratch("one")).success);
    let second = in_state(&node, &object.study, "receiving");
    assert_ne!(second.id, job.id);
    node.kill().unwrap();
    node.restart().unwrap();
    // The cancelled one still has its input.
    let new = act(&node, &job, "restart");
    let ended = node
        .api()
        .wait_for_job(PATIENCE, "the restarted one", |j| {
            j.id == new && j.state == "done"
        })
        .unwrap();
    assert_eq!((ended.instances, ended.outcome.as_deref()), (1, Some("success")));
}

#[test]
fn a_bucket_that_writes_without_end_is_stopped_at_its_limits() {
    needs!(Docker, Dcmtk);
    let endless =
        "#!/bin/sh\nn=0\nwhile true; do head -c 65536 /dev/zero >\"$2/f$n\"; n=$((n+1)); sleep 0.01; done\n";
    let bucket = Bucket::fixture("gate").with_file("work.sh", endless);
    for (limit, said) in [
        ("output = \"4MiB\"", "more than its limit of 4.0 MiB into /output"),
        ("files = 50", "more than its limit of 50 files in /output"),
    ] {
        let node = TestNode::with(&bucket, &format!("[bucket.Gate]\nresources = {{ {limit} }}\n"));
        let study = send(&node, "Gate");
        let job = in_state(&node, &study, "done");
        assert_eq!(job.outcome.as_deref(), Some("failed"));
        let reason = job.reason.unwrap_or_default();
        assert!(reason.contains(said), "{reason}");
        assert!(containers_of(&job.id).is_empty());
    }
}

#[test]
fn a_job_that_nobody_releases_in_time_is_cancelled_and_can_be_restarted() {
    needs!(Docker, Dcmtk);
    // Held before and behind a kill: a deadline that began anew at each start would not come within the second hour.
    let mut node = TestNode::with(&Bucket::fixture("gate"), "[engine]\nhold = \"1h\"\n");
    let first = send(&node, "Gate");
    in_state(&node, &first, "running");
    let study = send(&node, "Gate");
    let job = in_state(&node, &study, "queued");
    act(&node, &job, "hold");
    let command = |node: &TestNode, verb: &[&str]| {
        let http = node.ready().http.clone();
        let said = run(MAGICKBOX, &[&["job", "--node", &http], verb].concat());
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        said.stdout
    };
    assert!(
        command(&node, &["list"]).contains("held until 20"),
        "{}",
        command(&node, &["list"])
    );
    assert!(
        command(&node, &["show", &job.id]).contains("held_until"),
        "{}",
        command(&node, &["show", &job.id])
    );

    node.kill().unwrap();
    hour_earlier(&node, &job.id);
    node.restart().unwrap();
    in_state(&node, &study, "cancelled");
    let shown = command(&node, &["show", &job.id]);
    assert!(shown.contains("held for 1h, and nobody released it"), "{shown}");
    assert!(!shown.contains("held_until"), "{shown}");
    open_gate(&node);
    in_state(&node, &first, "done");
    let new = act(&node, &job, "restart");
    let done = |j: &Job| j.id == new && j.state == "done";
    let ended = node
        .api()
        .wait_for_job(PATIENCE, "the restarted job to end", done)
        .unwrap();
    assert_eq!((ended.outcome.as_deref(), ended.attempt), (Some("success"), 1));
    assert_eq!(node.api().job(&job.id).unwrap().attempt, 0, "it was never run");
}

/// As if a job had been held an hour before.
fn hour_earlier(node: &TestNode, job: &str) {
    let store = rusqlite::Connection::open(node.data().join("store/magickbox.sqlite")).unwrap();
    let sql = "UPDATE events SET at = at - 3600000 WHERE kind = 'held' AND job = (SELECT seq FROM jobs WHERE id = ?1)";
    assert_eq!(store.execute(sql, [job]).unwrap(), 1);
}
