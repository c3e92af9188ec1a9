//! Storage commitment: what a scanner asks of the node, and what the node asks of an archive.

use std::path::Path;
use std::time::Duration;

use magickbox::failpoint::VARIABLE;
use serde_json::{Value, json};

use crate::needs;
use crate::support::PATIENCE;
use crate::support::api::Job;
use crate::support::bad_archive::{BadArchive, Promise};
use crate::support::commitment::{Archive, PUSH, ask, ask_over, n_action, request};
use crate::support::images::Bucket;
use crate::support::orthanc::{Address, free_port};
use crate::support::parrot::Parrot;
use crate::support::parrot::pdu::{Request, message};
use crate::support::part10::{EXPLICIT_LITTLE, MR, Object, uid};
use crate::support::tls::Authority;
use crate::support::under_test::{MAGICKBOX, TestNode, TestPacs, run, scratch};
use crate::support::wait::wait_until;

#[track_caller]
fn send(node: &TestNode, called: &str, objects: &[Object]) {
    let request = Request::new(called).context(1, MR, &[EXPLICIT_LITTLE]);
    let mut parrot = Parrot::associate(node.dicom_port(), &request);
    for object in objects {
        assert_eq!(parrot.store(1, object), 0x0000);
    }
    parrot.release();
}

/// A node that sends everything to an archive, which is asked to commit it.
fn node_with_archive(port: u16, more: &str) -> TestNode {
    let config = format!(
        "[delivery]\ncalling_ae_title = \"NODE\"\nfirst_retry = \"200ms\"\nlongest_retry = \"200ms\"\n{more}\
         [[remote_ae]]\nae_title = \"ARCHIVE\"\naddress = \"127.0.0.1:{port}\"\ncommit = true\n\
         [[route]]\nname = \"results\"\nto = [\"ARCHIVE\"]\n"
    );
    TestNode::with(&Bucket::fixture("copy"), &config)
}

#[track_caller]
fn delivered(node: &TestNode, state: &str) -> Job {
    node.wait_for("Copy", &format!("a delivery that is {state}"), |job| {
        job.deliveries.first().is_some_and(|d| d.state == state)
    })
}

/// What record.json says of each object, once it says that its delivery is in that state.
#[track_caller]
fn recorded(job: &Job, state: &str) -> Vec<String> {
    let path = Path::new(&job.directory).join("record.json");
    let delivery = wait_until(PATIENCE, "the answer in record.json", || {
        let record: Value = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
        let delivery = record["deliveries"][0].clone();
        (delivery["state"] == state).then_some(delivery)
    })
    .unwrap();
    let objects = delivery["instances"].as_array().unwrap().iter();
    let mut said: Vec<_> = objects
        .map(|o| o["commitment"].as_str().unwrap_or("none").to_owned())
        .collect();
    said.sort();
    said
}

#[test]
fn an_archive_that_keeps_what_it_took_says_so_over_either_association() {
    needs!(Docker, Pynetdicom);
    for mode in ["same", "new"] {
        let port = free_port();
        let node = node_with_archive(port, "");
        let archive = Archive::start(port, mode, node.dicom_port(), "NODE", &node.scratch("archive"));
        send(&node, "Copy", &Object::series(3));
        let job = delivered(&node, "committed");
        assert_eq!(job.state, "done", "{mode}: {job:#?}");
        assert_eq!(archive.said("asked"), 3, "{mode}");
        assert_eq!(archive.said("reported"), "0000", "{mode}");
        assert_eq!(
            archive.all("asked").len(),
            1,
            "{mode}: one request for a delivery"
        );
        let events: Vec<_> = job.events.iter().filter_map(|e| e["text"].as_str()).collect();
        assert!(events.contains(&"to ARCHIVE: committed"), "{mode}: {events:#?}");
        assert_eq!(recorded(&job, "committed"), ["0000"; 3], "{mode}");
    }
}

#[test]
fn over_tls_it_is_asked_and_answered_both_ways_with_a_certificate_on_either_side() {
    needs!(Docker, Pynetdicom);
    let home = scratch();
    let ca = Authority::new("Hospital CA", home.path());
    let [own, peer] = ["node", "peer"].map(|name| ca.issue(name, home.path()));
    let tls = Some((&peer, ca.certificate.as_path()));
    let files = format!("certificate = {:?}, key = {:?}", own.certificate, own.key);
    let [archive_port, scanner_port] = [free_port(), free_port()];
    let remote = |title: &str, port: u16| {
        let ca = &ca.certificate;
        format!(
            "[[remote_ae]]\nae_title = \"{title}\"\naddress = \"127.0.0.1:{port}\"\ntls = {{ ca = {ca:?}, {files} }}\n"
        )
    };
    let config = format!(
        "[dicom]\ntls = {{ address = \"127.0.0.1:0\", client_ca = {:?}, {files} }}\n\
         [delivery]\ncalling_ae_title = \"NODE\"\n{}commit = true\n{}\
         [[route]]\nname = \"results\"\nto = [\"ARCHIVE\"]\n",
        ca.certificate,
        remote("ARCHIVE", archive_port),
        remote("PYTHON", scanner_port)
    );
    let node = TestNode::with(&Bucket::fixture("copy"), &config);
    for mode in ["same", "new"] {
        let directory = node.scratch(&format!("archive-{mode}"));
        let archive = Archive::start_over(tls, archive_port, mode, node.tls_port(), "NODE", &directory);
        let objects = Object::series(2);
        send(&node, "Copy", &objects);
        node.wait_for("Copy", "a delivery that is committed", |job| {
            job.study_instance_uid == objects[0].study
                && job.deliveries.iter().any(|d| d.state == "committed")
        });
        assert_eq!(archive.said("reported"), "0000", "{mode}");
        // A scanner asks, and hears on its own port what it does not hear over the same association.
        let directory = node.scratch(&format!("ask-{mode}"));
        let asking = ask_over(
            tls,
            node.tls_port(),
            "Copy",
            scanner_port,
            mode,
            &objects,
            &directory,
        );
        let answer = asking.answer();
        assert_eq!(
            (&answer["over"], &answer["event"]),
            (&json!(mode), &json!(1)),
            "{answer}"
        );
        assert_eq!(answer["committed"].as_array().unwrap().len(), 2, "{answer}");
    }
}

#[test]
fn what_an_archive_does_not_keep_is_shown_and_sent_again_when_an_operator_says_so() {
    needs!(Docker, Pynetdicom);
    let port = free_port();
    let node = node_with_archive(port, "");
    let archive = Archive::start(port, "half", node.dicom_port(), "NODE", &node.scratch("archive"));
    send(&node, "Copy", &Object::series(3));
    let job = delivered(&node, "uncommitted");
    let error = job.deliveries[0].error.clone().unwrap();
    assert!(error.contains("1 objects are not committed"), "{error}");
    assert!(error.contains("failure reason 0112"), "{error}");
    let lost: Vec<_> = job.deliveries[0]
        .instances
        .iter()
        .filter(|i| i.commitment.as_deref() == Some("0112"))
        .collect();
    assert_eq!(lost.len(), 1);
    assert_eq!(recorded(&job, "uncommitted"), ["0000", "0000", "0112"]);
    let shown = run(MAGICKBOX, &["job", "--node", &node.ready().http, "show", &job.id]);
    let line = format!("{}  sent  0000", lost[0].sop_instance_uid);
    let line = shown
        .stdout
        .lines()
        .find(|l| l.contains(&line))
        .unwrap_or_default();
    assert!(
        line.ends_with("not committed: 0112 no such object instance"),
        "{shown:?}"
    );
    drop(archive);
    let archive = Archive::start(port, "new", node.dicom_port(), "NODE", &node.scratch("better"));
    let answer = node.api().act(&job.id, "retry").unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    delivered(&node, "committed");
    assert_eq!(
        archive.all("stored"),
        [json!(lost[0].sop_instance_uid)],
        "only what was not kept"
    );
    assert_eq!(archive.said("asked"), 1);
}

#[test]
fn an_archive_that_says_nothing_is_asked_again_and_then_shown() {
    needs!(Docker, Pynetdicom);
    let port = free_port();
    let node = node_with_archive(port, "commit_timeout = \"1s\"\ncommit_tries = 2\n");
    let archive = Archive::start(
        port,
        "silent",
        node.dicom_port(),
        "NODE",
        &node.scratch("archive"),
    );
    send(&node, "Copy", &Object::series(1));
    // The job does not wait for it.
    let job = delivered(&node, "committing");
    assert!(job.is_over() || job.state == "delivering", "{job:#?}");
    let job = delivered(&node, "uncommitted");
    assert_eq!(job.state, "done");
    let error = job.deliveries[0].error.clone().unwrap();
    assert!(error.contains("asked 2 times"), "{error}");
    let transactions = archive.all("transaction");
    assert_eq!(transactions.len(), 2);
    assert_ne!(
        transactions[0], transactions[1],
        "a new Transaction UID each time"
    );
}

#[test]
fn an_answer_to_what_nobody_asked_and_an_archive_without_the_service_commit_nothing() {
    needs!(Docker, Pynetdicom);
    let port = free_port();
    let node = node_with_archive(port, "commit_timeout = \"1s\"\ncommit_tries = 1\n");
    let archive = Archive::start(port, "lies", node.dicom_port(), "NODE", &node.scratch("archive"));
    send(&node, "Copy", &Object::series(1));
    assert_eq!(archive.said("reported"), "0110");
    delivered(&node, "uncommitted");
    for (mode, why) in [
        ("refuses", "status 0122"),
        ("none", "does not take storage commitment"),
    ] {
        let port = free_port();
        let node = node_with_archive(port, "");
        let _archive = Archive::start(port, mode, 0, "", &node.scratch("archive"));
        send(&node, "Copy", &Object::series(1));
        let job = delivered(&node, "uncommitted");
        let error = job.deliveries[0].error.clone().unwrap();
        assert!(error.contains(why), "{mode}: {error}");
    }
}

#[test]
fn a_stranger_that_calls_by_the_nodes_own_title_gets_no_association() {
    needs!(Docker);
    let node = node_with_archive(free_port(), "");
    let asking = |calling: &str| {
        let request = Request {
            calling: crate::support::parrot::pdu::title(calling.as_bytes()),
            ..Request::new("NODE")
                .context(1, PUSH, &[EXPLICIT_LITTLE])
                .context(3, MR, &[EXPLICIT_LITTLE])
        };
        let mut parrot = Parrot::connect(node.dicom_port());
        parrot.say(request.encode());
        parrot.hear()
    };
    let crate::support::parrot::Heard::Rejected(1, 1, 7) = asking("STRANGER") else {
        panic!("not rejected");
    };
    let crate::support::parrot::Heard::Accepted(accepted) = asking("ARCHIVE") else {
        panic!("not accepted");
    };
    let results: Vec<_> = accepted.contexts.iter().map(|c| c.result).collect();
    assert_eq!(results, [0, 3], "it may answer, and store nothing");
}

#[test]
fn orthanc_commits_what_it_took_and_is_told_what_the_node_has() {
    needs!(Docker, Orthanc);
    let address = Address::reserve("ORTHANC");
    let config = format!(
        "[delivery]\ncalling_ae_title = \"NODE\"\n{}commit = true\n[[route]]\nname = \"results\"\nto = [\"ORTHANC\"]\n",
        address.remote_ae()
    );
    let node = TestNode::with(&Bucket::fixture("copy"), &config);
    let pacs = TestPacs::start(address);
    // It answers whom it knows.
    for (name, title) in [("node", "NODE"), ("bucket", "Copy")] {
        let to = json!({ "AET": title, "Host": "127.0.0.1", "Port": node.dicom_port() });
        pacs.orthanc.put(&format!("/modalities/{name}"), &to).unwrap();
    }
    let objects = Object::series(3);
    send(&node, "Copy", &objects);
    let job = delivered(&node, "committed");
    assert_eq!(job.state, "done", "{job:#?}");

    let list: Vec<_> = objects
        .iter()
        .map(|o| json!([o.sop_class, o.sop_instance]))
        .chain([json!([MR, "1.2.3.4"])])
        .collect();
    let asked = pacs
        .orthanc
        .post(
            "/modalities/bucket/storage-commitment",
            &json!({ "DicomInstances": list }),
        )
        .unwrap();
    let path = asked["Path"].as_str().unwrap().to_owned();
    let report = wait_until(PATIENCE, "the node's answer to Orthanc", || {
        let report = pacs.orthanc.get(&path).ok()?;
        (report["Status"] != "Pending").then_some(report)
    })
    .unwrap();
    assert_eq!(report["Status"], "Failure", "{report:#}");
    assert_eq!(report["Success"].as_array().unwrap().len(), 3, "{report:#}");
    let failures = report["Failures"].as_array().unwrap();
    assert_eq!(failures.len(), 1, "{report:#}");
    assert_eq!(failures[0]["SOPInstanceUID"], "1.2.3.4");
    assert_eq!(failures[0]["FailureReason"], 0x0112);
}

#[test]
fn what_is_committed_outlives_its_age_as_long_as_was_promised() {
    needs!(Docker, Pynetdicom);
    let config = "[storage]\nkeep = \"1ms\"\n[bucket.Count]\nkeep = \"forever\"\n";
    let is_there = |job: &Job| Path::new(&job.directory).exists();
    let mut node = TestNode::with(&Bucket::fixture("count"), config);
    let [committed, other] = [0, 1].map(|_| {
        let object = Object::new();
        send(&node, "Count", std::slice::from_ref(&object));
        let job = node.wait_for("Count", "the end of the job", |j| {
            j.study_instance_uid == object.study && j.is_over()
        });
        (object, job)
    });
    let answer = ask(
        node.dicom_port(),
        "Count",
        0,
        "same",
        &[committed.0],
        &node.scratch("ask"),
    )
    .answer();
    assert_eq!(answer["committed"].as_array().unwrap().len(), 1, "{answer}");
    assert!(node.terminate().unwrap().success());
    let file = node.scratch("node.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("keep = \"forever\"", "keep = \"1ms\"")).unwrap();
    node.restart().unwrap();
    wait_until(PATIENCE, "the removal of the other job", || {
        node.api().job(&other.1.id).unwrap().removed_at
    })
    .unwrap();
    assert!(!is_there(&other.1) && is_there(&committed.1));
    assert!(node.api().job(&committed.1.id).unwrap().removed_at.is_none());
}

#[test]
fn an_archive_that_answers_over_its_own_association_is_asked_about_the_next_study_at_once() {
    needs!(Docker);
    let archive = BadArchive::start(Promise::KeepsOverItsOwn, "ARCHIVE", "OTHER");
    let node = node_with_archive(archive.port, "");
    archive.knows(node.dicom_port());
    let studies = 4;
    for _ in 0..studies {
        send(&node, "Copy", &Object::series(1));
    }
    let heard = |many: usize| (archive.heard().len() >= many).then_some(());
    wait_until(PATIENCE, "the first answer", || heard(1)).unwrap();
    // The association that asks is kept open for ten seconds otherwise.
    wait_until(Duration::from_secs(20), "the answers to all", || heard(studies)).unwrap();
}

/// Each of its requests takes the node most of a second: what is not there may be on its way.
#[test]
fn a_scanner_that_asks_for_much_and_one_that_is_away_delay_no_others_answer() {
    needs!(Docker, Pynetdicom);
    const MANY: u16 = 40;
    let nobody = free_port();
    let config = format!(
        "[delivery]\nfirst_retry = \"200ms\"\n[[remote_ae]]\nae_title = \"AWAY\"\naddress = \"127.0.0.1:{nobody}\"\n"
    );
    let node = TestNode::with(&Bucket::fixture("count"), &config);
    let object = Object::new();
    send(&node, "Count", std::slice::from_ref(&object));
    let asking = |title: &[u8], many: u16| {
        let proposed = Request {
            calling: crate::support::parrot::pdu::title(title),
            ..Request::new("Count").context(1, PUSH, &[EXPLICIT_LITTLE])
        };
        let mut parrot = Parrot::associate(node.dicom_port(), &proposed);
        for number in 0..many {
            let asked = request(&uid(), &[Object::new()]);
            parrot.say(message(1, &n_action(number + 1, 1), Some(&asked)));
        }
        parrot
    };
    let of = |title: &str, state: &str| {
        let all = node.api().get::<Value>("/api/v1/commitments").unwrap();
        let rows = all["commitments"].as_array().cloned().unwrap_or_default();
        let of = rows
            .iter()
            .filter(|row| row["calling_ae_title"] == title && row["state"] == state);
        of.count()
    };
    drop(asking(b"AWAY", 1));
    let _busy = asking(b"BUSY", MANY);
    wait_until(PATIENCE, "the requests of the busy one", || {
        let all = ["received", "checked"].map(|state| of("BUSY", state));
        (all.iter().sum::<usize>() >= usize::from(MANY)).then_some(())
    })
    .unwrap();
    let objects = std::slice::from_ref(&object);
    let answer = ask(
        node.dicom_port(),
        "Count",
        0,
        "same",
        objects,
        &node.scratch("ask"),
    )
    .answer();
    assert_eq!(answer["committed"].as_array().unwrap().len(), 1, "{answer}");
    assert!(
        of("BUSY", "received") > 0,
        "it was not answered after all of the other's"
    );
    wait_until(PATIENCE, "an attempt to answer the one that is away", || {
        (of("AWAY", "checked") == 1).then_some(())
    })
    .unwrap();
}

#[test]
fn a_kill_9_anywhere_between_request_and_answer_loses_neither() {
    needs!(Docker, Pynetdicom);
    for point in ["commitment-kept", "commitment-promised", "commitment-checked"] {
        let port = free_port();
        let config = format!(
            "[delivery]\nfirst_retry = \"200ms\"\n[[remote_ae]]\nae_title = \"ARCHIVE\"\naddress = \"127.0.0.1:{port}\"\n"
        );
        let mut node = TestNode::start_in(scratch(), &config, &[(VARIABLE, point)]);
        node.install(&Bucket::fixture("count"));
        let object = Object::new();
        send(&node, "Count", std::slice::from_ref(&object));
        let proposed = Request {
            calling: crate::support::parrot::pdu::title(b"ARCHIVE"),
            ..Request::new("Count").context(1, PUSH, &[EXPLICIT_LITTLE])
        };
        let mut parrot = Parrot::associate(node.dicom_port(), &proposed);
        let transaction = uid();
        let asked = request(&transaction, std::slice::from_ref(&object));
        parrot.say(message(1, &n_action(1, 1), Some(&asked)));
        wait_until(PATIENCE, "the death of the node", || node.is_dead().then_some(())).unwrap();
        node.restart().unwrap();
        let answered = wait_until(PATIENCE, "an answer that is tried", || {
            let all = node.api().get::<Value>("/api/v1/commitments").unwrap();
            let row = all["commitments"].as_array()?.first()?.clone();
            row["attempts"].as_u64().is_some_and(|n| n > 0).then_some(row)
        })
        .unwrap();
        assert_eq!(answered["transaction_uid"], json!(transaction), "{point}");
        assert_eq!(answered["failed"], 0, "{point}: {answered:#}");
    }
    for point in ["commitment-asked", "commitment-heard"] {
        let port = free_port();
        let home = scratch();
        let config = format!(
            "[delivery]\ncalling_ae_title = \"NODE\"\nfirst_retry = \"200ms\"\ncommit_timeout = \"1s\"\n\
             [[remote_ae]]\nae_title = \"ARCHIVE\"\naddress = \"127.0.0.1:{port}\"\ncommit = true\n\
             [[route]]\nname = \"results\"\nto = [\"ARCHIVE\"]\n"
        );
        let mut node = TestNode::start_in(home, &config, &[(VARIABLE, point)]);
        node.install(&Bucket::fixture("copy"));
        let mode = if point == "commitment-heard" {
            "new"
        } else {
            "same"
        };
        let _archive = Archive::start(port, mode, node.dicom_port(), "NODE", &node.scratch("archive"));
        send(&node, "Copy", &Object::series(2));
        wait_until(PATIENCE, "the death of the node", || node.is_dead().then_some(())).unwrap();
        node.restart().unwrap();
        let job = delivered(&node, "committed");
        assert_eq!(job.state, "done", "{point}");
    }
}

/// What is not asked for stays as it was.
#[test]
fn a_destination_that_is_not_to_be_asked_is_not_asked() {
    needs!(Docker, Pynetdicom);
    let port = free_port();
    let config = format!(
        "[[remote_ae]]\nae_title = \"ARCHIVE\"\naddress = \"127.0.0.1:{port}\"\n\
         [[route]]\nname = \"results\"\nto = [\"ARCHIVE\"]\n"
    );
    let node = TestNode::with(&Bucket::fixture("copy"), &config);
    let archive = Archive::start(port, "same", 0, "", &node.scratch("archive"));
    send(&node, "Copy", &Object::series(1));
    let job = delivered(&node, "sent");
    assert_eq!(job.deliveries[0].instances[0].commitment, None);
    assert_eq!(archive.all("asked").len(), 0);
}
