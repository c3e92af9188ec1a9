//! Which objects make one job, however they come.

use std::fs;
use std::path::Path;
use std::thread;

use crate::needs;
use crate::support::PATIENCE;
use crate::support::api::Job;
use crate::support::images::Bucket;
use crate::support::parrot::Parrot;
use crate::support::parrot::pdu::Request;
use crate::support::part10::{EXPLICIT_LITTLE, MR, Object, files, uid, write_all};
use crate::support::senders;
use crate::support::under_test::TestNode;
use crate::support::wait::wait_until;

/// Long enough for the next association to come, on a busy machine too.
const PATIENT: &str = "[bucket.Count]\ncomplete = { level = \"study\", quiet = \"15s\" }\n";

/// Sends objects as dcmtk does, over one association.
#[track_caller]
fn send(node: &TestNode, stream: &str, objects: &[Object]) {
    let directory = node.scratch(&uid());
    write_all(objects, &directory);
    let said = senders::storescu(node.dicom_port(), stream, &directory);
    assert_eq!(said.stored(), objects.len(), "{}", said.text);
}

fn parrot(node: &TestNode, stream: &str) -> Parrot {
    let request = Request::new(stream).context(1, MR, &[EXPLICIT_LITTLE]);
    Parrot::associate(node.dicom_port(), &request)
}

/// The SOP Instance UIDs in INPUT.
fn input(job: &Job) -> Vec<String> {
    let files = files(&Path::new(&job.directory).join("INPUT"));
    let name = |file: &std::path::PathBuf| file.file_stem().unwrap().to_str().unwrap().to_owned();
    let mut names: Vec<_> = files.iter().map(name).collect();
    names.sort();
    names
}

fn uids(objects: &[Object]) -> Vec<String> {
    let mut uids: Vec<_> = objects.iter().map(|o| o.sop_instance.clone()).collect();
    uids.sort();
    uids
}

fn texts(node: &TestNode, job: &Job, kind: &str) -> Vec<String> {
    let events = node.api().job(&job.id).unwrap().events;
    let of_kind = events.iter().filter(|event| event["kind"] == kind);
    of_kind
        .map(|event| event["text"].as_str().unwrap().to_owned())
        .collect()
}

/// The one job there is, well ended, has exactly these objects.
#[track_caller]
fn assert_one_job(node: &TestNode, stream: &str, objects: &[Object]) {
    let job = node.wait_for_end(stream);
    assert_eq!(job.outcome.as_deref(), Some("success"), "{job:#?}");
    assert_eq!(input(&job), uids(objects));
    let jobs = node.api().jobs().unwrap();
    assert_eq!(jobs.iter().filter(|j| j.stream == stream).count(), 1, "{jobs:#?}");
}

#[test]
fn a_study_over_several_associations_is_one_job() {
    needs!(Docker, Dcmtk);
    let node = TestNode::with(&Bucket::fixture("count"), PATIENT);
    let objects = Object::series(6);
    for part in objects.chunks(2) {
        send(&node, "Count", part);
    }
    assert_one_job(&node, "Count", &objects);
}

#[test]
fn studies_that_come_interleaved_over_one_association_are_a_job_each() {
    needs!(Docker);
    let node = TestNode::with(&Bucket::fixture("count"), "");
    let [one, other] = [Object::series(3), Object::series(3)];
    let mut parrot = parrot(&node, "Count");
    for (a, b) in one.iter().zip(&other) {
        assert_eq!(parrot.store(1, a), 0x0000);
        assert_eq!(parrot.store(1, b), 0x0000);
    }
    parrot.release();
    for objects in [&one, &other] {
        let study = &objects[0].study;
        let job = node.wait_for("Count", "the end of both", |job| {
            job.study_instance_uid == *study && job.state == "done"
        });
        assert_eq!(input(&job), uids(objects));
    }
    assert_eq!(node.api().jobs().unwrap().len(), 2);
}

#[test]
fn two_senders_of_one_study_at_once_make_one_job() {
    needs!(Docker, Dcmtk);
    let node = TestNode::with(&Bucket::fixture("count"), PATIENT);
    let objects = Object::series(40);
    let (mine, yours) = objects.split_at(20);
    // Both associations are open before either has sent anything.
    let mut parrot = parrot(&node, "Count");
    thread::scope(|scope| {
        scope.spawn(|| send(&node, "Count", yours));
        for object in mine {
            assert_eq!(parrot.store(1, object), 0x0000);
        }
    });
    parrot.release();
    assert_one_job(&node, "Count", &objects);
}

#[test]
fn one_study_to_two_ae_titles_is_two_jobs_and_each_is_whole() {
    needs!(Docker, Dcmtk);
    let node = TestNode::with(&Bucket::fixture("count"), "");
    node.install(&Bucket::fixture("count").called("Other"));
    let objects = Object::series(3);
    for stream in ["Count", "Other"] {
        send(&node, stream, &objects);
    }
    for stream in ["Count", "Other"] {
        assert_one_job(&node, stream, &objects);
    }
    // Neither is a later version of the other.
    for job in node.api().jobs().unwrap() {
        assert_eq!(texts(&node, &job, "superseded"), Vec::<String>::new());
    }
}

#[test]
fn late_objects_make_the_whole_study_a_job_while_the_first_runs_on_as_it_began() {
    needs!(Docker, Dcmtk);
    let node = TestNode::with(&Bucket::fixture("gate"), "");
    let objects = Object::series(3);
    send(&node, "Gate", &objects[..2]);
    let first = node.wait_for_state("Gate", "running");
    send(&node, "Gate", &objects[2..]);
    let second = node.wait_for_state("Gate", "queued");
    assert_eq!(second.instances, 3, "{second:#?}");
    assert_eq!(node.api().job(&first.id).unwrap().state, "running");
    fs::write(node.bucket("Gate").join("memory/go"), "").unwrap();
    for (job, objects) in [(&first, &objects[..2]), (&second, &objects[..])] {
        let job = node.wait_for("Gate", "the end", |j| j.id == job.id && j.is_over());
        assert_eq!(job.outcome.as_deref(), Some("success"), "{job:#?}");
        assert_eq!(input(&job), uids(objects));
    }
    assert!(texts(&node, &first, "superseded")[0].contains(&second.id));
}

#[test]
fn late_objects_after_the_end_make_the_whole_study_a_new_job() {
    needs!(Docker, Dcmtk);
    let node = TestNode::with(&Bucket::fixture("count"), "");
    let objects = Object::series(3);
    send(&node, "Count", &objects[..2]);
    let first = node.wait_for_end("Count");
    let before = input(&first);
    send(&node, "Count", &objects[2..]);
    let second = node.wait_for("Count", "the second job", |j| j.id != first.id && j.is_over());
    assert_eq!(
        (second.outcome.as_deref(), second.instances),
        (Some("success"), 3),
        "{second:#?}"
    );
    assert_eq!(input(&second), uids(&objects));
    assert_eq!(input(&first), before, "the first job's INPUT");
    assert!(texts(&node, &first, "superseded")[0].contains(&second.id));
    assert!(
        texts(&node, &second, "again")
            .iter()
            .any(|t| t.starts_with("2 objects of job"))
    );
}

#[test]
fn a_job_in_the_queue_gives_way_to_the_whole_study() {
    needs!(Docker, Dcmtk);
    let node = TestNode::with(&Bucket::fixture("gate"), "");
    send(&node, "Gate", &[Object::new()]);
    node.wait_for_state("Gate", "running");
    let objects = Object::series(3);
    send(&node, "Gate", &objects[..2]);
    let first = node.wait_for_state("Gate", "queued");
    send(&node, "Gate", &objects[2..]);
    let first = node.wait_for("Gate", "the first to give way", |j| {
        j.id == first.id && j.state == "cancelled"
    });
    let second = node.wait_for_state("Gate", "queued");
    assert_eq!(
        first.reason,
        Some(format!("superseded by job {} before it ran", second.id))
    );
    fs::write(node.bucket("Gate").join("memory/go"), "").unwrap();
    let second = node.wait_for("Gate", "its end", |j| j.id == second.id && j.is_over());
    assert_eq!(input(&second), uids(&objects));
    assert_eq!(node.api().job(&first.id).unwrap().attempt, 0, "it never ran");
}

#[test]
fn a_study_that_is_sent_again_is_a_job_with_its_objects_once() {
    needs!(Docker, Dcmtk);
    let node = TestNode::with(&Bucket::fixture("count"), "");
    let objects = Object::series(3);
    send(&node, "Count", &objects);
    let first = node.wait_for_end("Count");
    send(&node, "Count", &objects);
    let second = node.wait_for("Count", "the second job", |j| j.id != first.id && j.is_over());
    assert_eq!(second.instances, 3, "{second:#?}");
    assert_eq!(input(&second), uids(&objects));
    wait_until(PATIENCE, "the first to say so", || {
        texts(&node, &first, "superseded").pop()
    })
    .unwrap();
}
