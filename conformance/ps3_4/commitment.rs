//! Storage Commitment as SCP (Annex J): what is committed is there, whole; the answer comes whichever way it can.

use std::fs;

use serde_json::{Value, json};

use crate::needs;
use crate::subject::{CALLED, ECHO, STORE, request, stored, subject};
use crate::support::PATIENCE;
use crate::support::commitment::{self as push, Asking, PUSH, ask, n_action, n_event_report, uid_element};
use crate::support::orthanc::free_port;
use crate::support::parrot::Parrot;
use crate::support::parrot::command::Command;
use crate::support::parrot::pdu::{Request, message};
use crate::support::part10::{CT, EXPLICIT_LITTLE, IMPLICIT_LITTLE, MR, Object, uid};
use crate::support::under_test::TestNode;
use crate::support::wait::wait_until;

/// Context of the association for storage commitment.
const COMMIT: u8 = 5;

fn with_commitment() -> Request {
    request().context(COMMIT, PUSH, &[EXPLICIT_LITTLE])
}

#[track_caller]
fn send(node: &TestNode, objects: &[Object]) {
    let mut parrot = Parrot::associate(node.dicom_port(), &request());
    for object in objects {
        assert_eq!(parrot.store(STORE, object), 0x0000);
    }
    parrot.release();
}

#[track_caller]
fn asks(parrot: &mut Parrot, command: &Command, data_set: Option<&[u8]>) -> u16 {
    parrot.say(message(COMMIT, command, data_set));
    parrot.response().status
}

/// pynetdicom asks about these, and hears the answer over the same association.
#[track_caller]
fn asked(node: &TestNode, objects: &[Object]) -> Asking {
    ask(
        node.dicom_port(),
        CALLED,
        0,
        "same",
        objects,
        &node.scratch("ask"),
    )
}

/// The request as the API tells it, once it is as wanted.
#[track_caller]
fn listed(node: &TestNode, wanted: impl Fn(&Value) -> bool) -> Value {
    wait_until(PATIENCE, "a request for storage commitment", || {
        let all = node.api().get::<Value>("/api/v1/commitments").unwrap();
        let all = all["commitments"].as_array().unwrap().clone();
        all.into_iter().find(|c| wanted(c))
    })
    .unwrap()
}

#[test]
fn a_request_that_means_nothing_is_refused_as_the_standard_says() {
    needs!(Docker);
    let node = subject("");
    let mut parrot = Parrot::associate(node.dicom_port(), &with_commitment());
    let good = push::request(&uid(), &[Object::new()]);
    let refused = [
        (n_action(1, 2), Some(good.clone()), 0x0123),
        (n_action(2, 1).without(0x1008), Some(good.clone()), 0x0123),
        (n_action(3, 1).uid(0x1001, "1.2.3"), Some(good.clone()), 0x0112),
        (n_action(4, 1).uid(0x0003, MR), Some(good.clone()), 0x0122),
        (n_action(5, 1).short(0x0800, 0x0101), None, 0x0212),
        (n_action(6, 1), Some(push::request(&uid(), &[])), 0x0115),
        (n_action(7, 1), Some(good[8 + 64..].to_vec()), 0x0115),
        (n_action(8, 1), Some(good[..good.len() - 2].to_vec()), 0x0115),
        (
            n_action(9, 1),
            Some(push::request("1..2", &[Object::new()])),
            0x0115,
        ),
    ];
    for (command, data_set, expected) in refused {
        let status = asks(&mut parrot, &command, data_set.as_deref());
        assert_eq!(status, expected, "{command:?}");
    }
    // Neither is it an operation of Storage, nor C-STORE one of it.
    parrot.say(message(STORE, &n_action(10, 1), Some(&good)));
    assert_eq!(parrot.response().status, 0x0122);
    let object = Object::new();
    let store = Command::store(11, PUSH, &object.sop_instance);
    parrot.say(message(COMMIT, &store, Some(&object.data_set())));
    assert_eq!(parrot.response().status, 0x0122);
    // An answer to what nobody asked.
    let report = n_event_report(12, 1);
    assert_eq!(asks(&mut parrot, &report, Some(&good)), 0x0110);
    assert_eq!(asks(&mut parrot, &report.short(0x1002, 3), Some(&good)), 0x0113);
    parrot.echo(ECHO);
    parrot.release();
    assert_eq!(
        node.api().get::<Value>("/api/v1/commitments").unwrap(),
        json!({ "commitments": [] })
    );
}

#[test]
fn the_answer_comes_over_the_association_that_asked_and_tells_what_is_there() {
    needs!(Docker);
    let node = subject("");
    let objects = Object::series(3);
    let mut parrot = Parrot::associate(node.dicom_port(), &with_commitment());
    for object in &objects[..2] {
        assert_eq!(parrot.store(STORE, object), 0x0000);
    }
    let other_class = Object {
        sop_class: CT,
        ..objects[1].clone()
    };
    let transaction = uid();
    let asked = push::request(
        &transaction,
        &[objects[0].clone(), other_class, objects[2].clone()],
    );
    assert_eq!(asks(&mut parrot, &n_action(9, 1), Some(&asked)), 0x0000);
    let (context, command, data_set) = parrot.request();
    assert_eq!(context, COMMIT);
    let has = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|w| w == part);
    // Some are not committed: event type 2.
    assert!(
        has(&command, &[0, 0, 0x02, 0x10, 2, 0, 0, 0, 2, 0]),
        "{command:02x?}"
    );
    assert!(has(&data_set, &uid_element(0x1195, &transaction)));
    let reason = |object: &Object, reason: u16| {
        let [r0, r1] = reason.to_le_bytes();
        let tail = [8, 0, 0x97, 0x11, b'U', b'S', 2, 0, r0, r1];
        [uid_element(0x1155, &object.sop_instance), tail.to_vec()].concat()
    };
    assert!(has(&data_set, &reason(&objects[1], 0x0119)), "another class");
    assert!(has(&data_set, &reason(&objects[2], 0x0112)), "never sent");
    assert!(has(&data_set, &uid_element(0x1155, &objects[0].sop_instance)));
    // The association lives while the answer is not answered.
    parrot.echo(ECHO);
    let taken = Command(Vec::new())
        .short(0x0100, 0x8100)
        .short(0x0120, 1)
        .short(0x0800, 0x0101)
        .short(0x0900, 0);
    parrot.say(message(COMMIT, &taken, None));
    parrot.echo(ECHO);
    parrot.release();
    let row = listed(&node, |c| c["state"] == "answered");
    assert_eq!(
        (&row["objects"], &row["failed"]),
        (&json!(3), &json!(2)),
        "{row:#}"
    );
    assert_eq!(row["not_committed"].as_array().unwrap().len(), 2);
    assert!(row["kept_until"].is_string(), "{row:#}");
    // What is listed and is not here is no proof that the study is.
    assert_eq!(node.api().jobs().unwrap()[0].state, "receiving");
}

#[test]
fn an_object_that_is_not_as_it_was_stored_is_not_committed() {
    needs!(Docker, Pynetdicom);
    let node = subject("");
    let objects = Object::series(3);
    send(&node, &objects);
    let file = |object: &Object| {
        let start = format!("{}-", object.sop_instance);
        let named = |p: &std::path::PathBuf| p.file_name().unwrap().to_str().unwrap().starts_with(&start);
        stored(&node).into_iter().find(named).unwrap()
    };
    let damaged = file(&objects[0]);
    let mut bytes = fs::read(&damaged).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&damaged, bytes).unwrap();
    fs::remove_file(file(&objects[1])).unwrap();
    let asking = asked(&node, &objects);
    let answer = asking.answer();
    assert_eq!(
        (&answer["status"], &answer["event"]),
        (&json!("0000"), &json!(2)),
        "{answer}"
    );
    let failed = json!({ &objects[0].sop_instance: "0110", &objects[1].sop_instance: "0110" });
    assert_eq!(answer["failed"], failed);
    assert_eq!(answer["committed"], json!([objects[2].sop_instance]));
}

#[test]
fn a_request_that_lists_all_of_an_open_set_says_that_it_is_complete() {
    needs!(Docker, Pynetdicom);
    let node = subject("");
    let objects = Object::series(4);
    send(&node, &objects);
    // Not yet: there is more here than it lists.
    let part = asked(&node, &objects[1..]);
    let answer = part.answer();
    assert_eq!(
        (&answer["event"], &answer["over"]),
        (&json!(1), &json!("same")),
        "{answer}"
    );
    assert_eq!(answer["transaction"], answer["asked"]);
    assert_eq!(node.api().jobs().unwrap()[0].state, "receiving");
    let all = asked(&node, &objects);
    assert_eq!(all.answer()["committed"].as_array().unwrap().len(), 4);
    let job = node.wait_for(CALLED, "a set that is complete", |job| job.state != "receiving");
    let texts: Vec<_> = job.events.iter().filter_map(|e| e["text"].as_str()).collect();
    let why = "a storage commitment request of PYTHON lists all 4 objects";
    assert!(texts.iter().any(|t| t.contains(why)), "{texts:#?}");
    // The same again, when they are somewhere else by now.
    node.wait_for_end(CALLED);
    let again = asked(&node, &objects);
    assert_eq!(again.answer()["committed"].as_array().unwrap().len(), 4);
}

#[test]
fn where_scanners_ask_series_by_series_a_request_proves_nothing() {
    needs!(Docker, Pynetdicom);
    let node = subject("[storage]\ncommit_completes = false\n");
    let objects = Object::series(2);
    send(&node, &objects);
    let all = asked(&node, &objects);
    assert_eq!(all.answer()["committed"].as_array().unwrap().len(), 2);
    listed(&node, |c| c["state"] == "answered");
    assert_eq!(node.api().jobs().unwrap()[0].state, "receiving");
}

#[test]
fn the_answer_goes_to_where_the_remote_ae_is_when_its_association_is_gone_and_again_until_it_is_heard() {
    needs!(Docker, Pynetdicom);
    let port = free_port();
    let node = subject(&format!(
        "[delivery]\nfirst_retry = \"200ms\"\nlongest_retry = \"200ms\"\n\
         [[remote_ae]]\nae_title = \"PYTHON\"\naddress = \"127.0.0.1:{port}\"\n"
    ));
    let objects = Object::series(2);
    send(&node, &objects);
    let answer = ask(
        node.dicom_port(),
        CALLED,
        port,
        "new",
        &objects,
        &node.scratch("ask"),
    )
    .answer();
    assert_eq!(answer["over"], "new", "{answer}");
    assert_eq!(answer["transaction"], answer["asked"]);
    assert_eq!(answer["committed"].as_array().unwrap().len(), 2);
    // It calls as the AE that was asked.
    assert_eq!(answer["caller"], CALLED);

    let late = ask(
        node.dicom_port(),
        CALLED,
        port,
        "late",
        &objects,
        &node.scratch("late"),
    );
    let waiting = listed(&node, |c| {
        c["attempts"].as_u64().is_some_and(|n| n >= 2) && c["state"] == "checked"
    });
    assert!(
        waiting["error"].as_str().unwrap().contains("connect to"),
        "{waiting:#}"
    );
    fs::write(node.scratch("late").join("listen"), "").unwrap();
    let answer = late.answer();
    assert_eq!(
        (&answer["over"], &answer["transaction"]),
        (&json!("new"), &answer["asked"]),
        "{answer}"
    );
    listed(&node, |c| {
        c["transaction_uid"] == answer["asked"] && c["state"] == "answered"
    });
}

#[test]
fn a_requestor_that_cannot_keep_the_answer_now_is_told_again() {
    needs!(Docker, Pynetdicom);
    let port = free_port();
    let node = subject(&format!(
        "[delivery]\nfirst_retry = \"200ms\"\nlongest_retry = \"200ms\"\n\
         [[remote_ae]]\nae_title = \"PYTHON\"\naddress = \"127.0.0.1:{port}\"\n"
    ));
    let objects = Object::series(1);
    send(&node, &objects);
    let scratch = node.scratch("busy");
    let answer = ask(node.dicom_port(), CALLED, port, "busy", &objects, &scratch).answer();
    assert_eq!(
        (&answer["over"], &answer["transaction"]),
        (&json!("new"), &answer["asked"]),
        "{answer}"
    );
    listed(&node, |c| c["state"] == "answered");
}

#[test]
fn a_requestor_that_is_gone_and_nobody_knows_where_is_shown_and_what_was_promised_stays() {
    needs!(Docker);
    let node = subject("");
    let objects = Object::series(1);
    send(&node, &objects);
    let request = Request::new(CALLED).context(COMMIT, PUSH, &[IMPLICIT_LITTLE, EXPLICIT_LITTLE]);
    let mut parrot = Parrot::associate(node.dicom_port(), &request);
    let asked = push::request(&uid(), &objects);
    parrot.say(message(COMMIT, &n_action(1, 1), Some(&asked)));
    assert_eq!(parrot.response().status, 0x0000);
    parrot.reset();
    let row = listed(&node, |c| c["state"] == "unanswered");
    assert_eq!(row["failed"], 0, "{row:#}");
    assert!(
        row["error"].as_str().unwrap().contains("no [[remote_ae]] says"),
        "{row:#}"
    );
    // It comes again: the same request, answered again.
    let mut parrot = Parrot::associate(node.dicom_port(), &request);
    parrot.say(message(COMMIT, &n_action(1, 1), Some(&asked)));
    assert_eq!(parrot.response().status, 0x0000);
    assert_eq!(parrot.request().0, COMMIT);
    parrot.release();
}
