//! The disk of the node gets full: at any moment, and nothing that was answered is lost.

use std::fs;
use std::path::Path;

use crate::needs;
use crate::support::PATIENCE;
use crate::support::api::Job;
use crate::support::images::Bucket;
use crate::support::parrot::pdu::Request;
use crate::support::parrot::{Heard, Parrot};
use crate::support::part10::{EXPLICIT_LITTLE, MR, Object, data_set, files, uid};
use crate::support::under_test::TestNode;
use crate::support::wait::wait_until;

/// So little that it is the disk itself that says no.
const NO_RESERVE: &str = "[storage]\nreserve = 1\nresume = 1\nreserve_files = 1\n";

fn request(called: &str) -> Request {
    Request::new(called).context(1, MR, &[EXPLICIT_LITTLE])
}

/// Asks for an association until the node takes it.
#[track_caller]
fn associate_when_there_is_room(node: &TestNode, called: &str) -> Parrot {
    wait_until(PATIENCE, "an association", || {
        let mut parrot = Parrot::connect(node.dicom_port());
        parrot.say(request(called).encode());
        matches!(parrot.hear(), Heard::Accepted(_)).then_some(parrot)
    })
    .unwrap()
}

/// Every acknowledged object is in the job, byte for byte, and nothing else is.
#[track_caller]
fn assert_holds(job: &Job, acknowledged: &[Object]) {
    let input = files(&Path::new(&job.directory).join("INPUT"));
    assert_eq!(input.len(), acknowledged.len(), "{job:#?}");
    for object in acknowledged {
        let file = Path::new(&job.directory)
            .join("INPUT")
            .join(format!("{}.dcm", object.sop_instance));
        let stored = fs::read(&file).unwrap();
        assert!(data_set(&stored) == object.data_set(), "{}", file.display());
    }
}

#[track_caller]
fn wait_for_event(node: &TestNode, job: &Job, kind: &str) {
    wait_until(PATIENCE, &format!("the event {kind}"), || {
        let events = node.api().job(&job.id).unwrap().events;
        events.iter().any(|event| event["kind"] == kind).then_some(())
    })
    .unwrap();
}

/// Nothing half received is left.
#[track_caller]
fn assert_no_parts(node: &TestNode, stream: &str) {
    let parts = node.bucket(stream).join("incoming/.parts");
    let left = fs::read_dir(parts).map_or(0, Iterator::count);
    assert_eq!(left, 0, "unfinished objects are left");
}

#[test]
fn below_the_reserve_nothing_is_received_and_it_goes_on_above_the_second_mark() {
    needs!(Docker);
    let config = "[storage]\nreserve = \"16MiB\"\nresume = \"32MiB\"\nreserve_files = 1\n";
    let Some(node) = TestNode::on_disk(module_path!(), "size=64m", &Bucket::fixture("count"), config) else {
        return;
    };
    let mut open = Parrot::associate(node.dicom_port(), &request("Count"));
    let first = Object::new();
    assert_eq!(open.store(1, &first), 0x0000);
    assert_eq!(node.api().metric("receiving_stopped").unwrap(), Some(0));

    node.disk().fill(8 << 20);
    // PS3.8 Table 9-21: rejected-transient, service provider (presentation), temporary congestion.
    let refused = || {
        let mut parrot = Parrot::connect(node.dicom_port());
        parrot.say(request("Count").encode());
        assert_eq!(parrot.hear(), Heard::Rejected(2, 3, 1));
    };
    refused();
    assert_eq!(node.api().metric("receiving_stopped").unwrap(), Some(1));
    let free = node.api().metric("disk_free_bytes").unwrap().unwrap();
    assert!(free <= 8 << 20, "{free}");

    // Between the two marks it still stands.
    node.disk().empty();
    node.disk().fill(24 << 20);
    refused();
    // An association that was open gets its answer too, once it asks the disk again; and its set becomes a job.
    open.release();
    node.wait_for_end("Count");

    node.disk().empty();
    let mut again = associate_when_there_is_room(&node, "Count");
    assert_eq!(again.store(1, &Object::new()), 0x0000);
    assert_eq!(node.api().metric("receiving_stopped").unwrap(), Some(0));
    let log = node.log();
    assert_eq!(log.matches("receiving stopped").count(), 1, "{log}");
    assert_eq!(log.matches("receiving goes on").count(), 1, "{log}");
}

#[test]
fn an_object_that_is_larger_than_the_disk_is_answered_a700_and_the_next_one_is_stored() {
    needs!(Docker);
    let Some(node) = TestNode::on_disk(module_path!(), "size=64m", &Bucket::fixture("count"), NO_RESERVE)
    else {
        return;
    };
    let mut parrot = Parrot::associate(node.dicom_port(), &request("Count"));
    let small = Object::new();
    let large = Object {
        sop_instance: uid(),
        pixels: 80 << 20,
        ..small.clone()
    };
    assert_eq!(parrot.store(1, &large), 0xA700);
    assert_no_parts(&node, "Count");
    assert_eq!(parrot.store(1, &small), 0x0000);
    parrot.release();
    let job = node.wait_for_end("Count");
    assert_eq!(job.outcome.as_deref(), Some("success"), "{job:#?}");
    assert_holds(&job, &[small]);
}

#[test]
fn whatever_the_disk_still_takes_what_was_answered_with_success_becomes_a_job_by_itself() {
    needs!(Docker);
    let Some(node) = TestNode::on_disk(module_path!(), "size=64m", &Bucket::fixture("count"), NO_RESERVE)
    else {
        return;
    };
    let study = Object::new();
    let mut acknowledged = Vec::new();
    let mut parrot = Parrot::associate(node.dicom_port(), &request("Count"));
    let mut refused = 0;
    // From a disk that has some pages left to one that has none: the file, its directory, the store's pages.
    for leave in [512, 256, 128, 64, 32, 16, 12, 8, 4, 0] {
        node.disk().fill(leave << 10);
        for _ in 0..3 {
            let object = Object {
                sop_instance: uid(),
                ..study.clone()
            };
            match parrot.store(1, &object) {
                0x0000 => acknowledged.push(object),
                0xA700 => refused += 1,
                other => panic!("{other:04X}"),
            }
        }
    }
    assert!(
        refused > 0 && !acknowledged.is_empty(),
        "{refused}, {}",
        acknowledged.len()
    );
    assert_no_parts(&node, "Count");
    parrot.release();
    // The set cannot be frozen, or laid out; nobody but the room is needed.
    node.disk().empty();
    let job = node.wait_for_end("Count");
    assert_eq!(job.outcome.as_deref(), Some("success"), "{job:#?}");
    assert_eq!(node.api().jobs().unwrap().len(), 1);
    assert_holds(&job, &acknowledged);
}

#[test]
fn what_was_answered_on_a_full_disk_is_there_after_a_kill_9() {
    needs!(Docker);
    let config = format!("{NO_RESERVE}[bucket.Count]\ncomplete = {{ quiet = \"10m\", cap = \"20m\" }}\n");
    let Some(mut node) = TestNode::on_disk(module_path!(), "size=64m", &Bucket::fixture("count"), &config)
    else {
        return;
    };
    let study = Object::new();
    let mut acknowledged = Vec::new();
    let mut parrot = Parrot::associate(node.dicom_port(), &request("Count"));
    for leave in [256, 64, 32, 16, 8, 4, 0] {
        node.disk().fill(leave << 10);
        let object = Object {
            sop_instance: uid(),
            ..study.clone()
        };
        if parrot.store(1, &object) == 0x0000 {
            acknowledged.push(object);
        }
    }
    assert!(!acknowledged.is_empty());
    node.kill().unwrap();
    node.disk().empty();
    node.restart().unwrap();
    let job = node.wait_for_state("Count", "receiving");
    // One that was refused because of its row may be there too: nobody was told that it is not.
    assert!(job.instances >= acknowledged.len() as u64, "{job:#?}");
    let set = node.bucket("Count").join("incoming").join(&job.id);
    let names: Vec<_> = files(&set)
        .iter()
        .map(|f| f.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    for object in &acknowledged {
        let there = names
            .iter()
            .any(|n| n.starts_with(&format!("{}-", object.sop_instance)));
        assert!(there, "{} in {names:?}", object.sop_instance);
    }
}

#[test]
fn a_bucket_that_fills_the_disk_fails_and_its_papers_wait_for_room() {
    needs!(Docker);
    let greedy = "#!/bin/sh\ndd if=/dev/zero of=\"$2/large\" bs=64k count=4096\n";
    let bucket = Bucket::fixture("count").with_file("work.sh", greedy);
    let Some(node) = TestNode::on_disk(module_path!(), "size=64m", &bucket, NO_RESERVE) else {
        return;
    };
    node.disk().fill(24 << 20);
    let mut parrot = Parrot::associate(node.dicom_port(), &request("Count"));
    let object = Object::new();
    assert_eq!(parrot.store(1, &object), 0x0000);
    parrot.release();
    let job = node.wait_for("Count", "the end of the container", |job| {
        !matches!(job.state.as_str(), "receiving" | "queued")
    });
    wait_until(PATIENCE, "a full disk", || {
        (node.disk().free() == 0).then_some(())
    })
    .unwrap();
    node.disk().empty();
    let job = node.wait_for("Count", "its end", |other| other.id == job.id && other.is_over());
    assert_eq!(
        (job.state.as_str(), job.outcome.as_deref(), job.attempt),
        ("done", Some("failed"), 1),
        "{job:#?}"
    );
    assert!(
        job.reason.as_deref().unwrap_or_default().contains("exit status"),
        "{job:#?}"
    );
    for paper in ["record.json", "measures.json", "proc.json", "info.json"] {
        let text = fs::read(Path::new(&job.directory).join(paper)).unwrap();
        serde_json::from_slice::<serde_json::Value>(&text).unwrap();
    }
    assert_holds(&job, &[object]);
}

#[test]
fn a_disk_without_inodes_is_full_and_a_job_waits_in_the_queue_until_there_are_some() {
    needs!(Docker);
    let options = "size=64m,nr_inodes=160";
    let Some(node) = TestNode::on_disk(module_path!(), options, &Bucket::fixture("count"), NO_RESERVE) else {
        return;
    };
    let study = Object::new();
    let (mut acknowledged, mut status) = (Vec::new(), 0);
    let mut parrot = Parrot::associate(node.dicom_port(), &request("Count"));
    for _ in 0..200 {
        let object = Object {
            sop_instance: uid(),
            ..study.clone()
        };
        status = parrot.store(1, &object);
        if status != 0 {
            break;
        }
        acknowledged.push(object);
    }
    assert_eq!(status, 0xA700);
    let mut refused = Parrot::connect(node.dicom_port());
    refused.say(request("Count").encode());
    assert_eq!(refused.hear(), Heard::Rejected(2, 3, 1));
    parrot.release();
    // A link is an inode here: it cannot be laid out.
    let job = node.wait_for_state("Count", "queued");
    wait_for_event(&node, &job, "waiting");
    node.disk().remount("size=64m,nr_inodes=4000");
    let job = node.wait_for_end("Count");
    assert_eq!(job.outcome.as_deref(), Some("success"), "{job:#?}");
    assert_holds(&job, &acknowledged);
    associate_when_there_is_room(&node, "Count").release();
}

#[test]
fn a_stream_whose_queue_is_full_takes_no_new_study_and_goes_on_with_open_ones() {
    needs!(Docker);
    let config = "[engine]\nqueue = 2\n";
    let node = TestNode::with(&Bucket::fixture("gate"), config);
    node.install(&Bucket::fixture("count"));
    let send = |parrot: &mut Parrot| {
        let object = Object::new();
        (parrot.store(1, &object), object)
    };
    // One runs, two wait.
    for waiting in 0..3_usize {
        let mut parrot = Parrot::associate(node.dicom_port(), &request("Gate"));
        assert_eq!(send(&mut parrot).0, 0x0000);
        parrot.release();
        let what = format!("{waiting} jobs that wait");
        wait_until(PATIENCE, &what, || {
            let jobs = node.api().jobs().unwrap();
            let of = |state: &str| jobs.iter().filter(|j| j.state == state).count();
            (of("running") == 1 && of("queued") == waiting).then_some(())
        })
        .unwrap();
    }
    let mut refused = Parrot::connect(node.dicom_port());
    refused.say(request("Gate").encode());
    assert_eq!(refused.hear(), Heard::Rejected(2, 3, 1));
    // Another stream has a queue of its own; there an open set takes what belongs to it, and a new one finds no place.
    let mut other = Parrot::associate(node.dicom_port(), &request("Count"));
    let (status, open) = send(&mut other);
    assert_eq!(status, 0x0000);
    assert_eq!(send(&mut other).0, 0x0000);
    assert_eq!(send(&mut other).0, 0xA700, "a third set, where two may wait");
    let more = Object {
        sop_instance: uid(),
        ..open
    };
    assert_eq!(other.store(1, &more), 0x0000);
    other.release();
    fs::write(node.bucket("Gate").join("memory/go"), "").unwrap();
    node.wait_for_end("Gate");
    associate_when_there_is_room(&node, "Gate").release();
}

#[test]
fn a_bucket_that_prints_more_than_is_kept_does_not_fill_the_disk_and_its_last_words_are_there() {
    needs!(Docker);
    // So fast that the engine itself may drop some of it before it is read. That both ends of what is read are kept is a
    // test of `container::log_file`.
    let chatty =
        "#!/bin/sh\nyes 'a line of no interest whatever' | head -c 70000000\necho\necho the last line\n";
    let node = TestNode::with(&Bucket::fixture("count").with_file("work.sh", chatty), "");
    let mut parrot = Parrot::associate(node.dicom_port(), &request("Count"));
    assert_eq!(parrot.store(1, &Object::new()), 0x0000);
    parrot.release();
    let over = node
        .api()
        .wait_for_job(PATIENCE * 3, "the end of the job", Job::is_over);
    let job = over.unwrap();
    assert_eq!(job.outcome.as_deref(), Some("success"), "{job:#?}");
    let log = fs::read_to_string(Path::new(&job.directory).join("processing.log")).unwrap();
    assert!(log.len() <= 64 << 20, "{} bytes", log.len());
    assert!(log.ends_with("\nthe last line\n"), "{} bytes", log.len());
}
