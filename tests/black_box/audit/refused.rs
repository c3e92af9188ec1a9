//! Who was turned away, and what was not stored.

use rusqlite::Connection;
use serde_json::json;

use crate::needs;
use crate::support::PATIENCE;
use crate::support::images::Bucket;
use crate::support::parrot::Parrot;
use crate::support::parrot::pdu::{ABORT, Request};
use crate::support::part10::{EXPLICIT_LITTLE, MR, Object};
use crate::support::tls::{Authority, probe};
use crate::support::under_test::{MAGICKBOX, TestNode, run, scratch};
use crate::support::wait::wait_until;

use super::{ID, collector, document, shown, trail, validate, words};

#[test]
fn what_a_sender_did_not_get_stored_is_told_by_study_and_status() {
    needs!(Docker, Lxml);
    let config = "[bucket.Count]\ncomplete = { level = \"study\", quiet = \"30m\", cap = \"90m\" }\n";
    let home = scratch();
    let (collector, audit) = collector(home.path());
    let node = TestNode::with(&Bucket::fixture("count"), &format!("{audit}{config}"));
    let request = Request::new("Count").context(1, MR, &[EXPLICIT_LITTLE]);
    let failed = |expected: usize| {
        wait_until(PATIENCE, "events of failed transfers", || {
            let told = trail(&node).into_iter();
            let failed: Vec<_> = told
                .filter(|e| e["kind"] == "transferred" && e["outcome"] != "success")
                .collect();
            (failed.len() >= expected).then_some(failed)
        })
        .unwrap()
    };
    let (good, other) = (Object::new(), Object::new());
    let mut parrot = Parrot::associate(node.dicom_port(), &request);
    assert_eq!(parrot.store(1, &good), 0x0000);
    for _ in 0..3 {
        assert_eq!(parrot.store_set(1, &good, &other.data_set()), 0xA900);
    }
    let whole = other.data_set();
    assert_eq!(parrot.store_set(1, &other, &whole[..whole.len() - 5]), 0xC000);
    assert_eq!(parrot.store_set(1, &other, b"no DICOM, no DICOM"), 0xC000);
    parrot.release();
    let told = failed(2);
    let of = |study: &str| {
        let event = told.iter().find(|e| e["study"]["uid"] == study).unwrap();
        (shown(event), event["study"].clone(), event["text"].clone())
    };
    let serious = words("transferred", "create", "serious_failure");
    let study = json!({ "uid": other.study, "patient_id": ID, "sop_classes": { MR: 4 } });
    let text = json!("3 answered A900, 1 answered C000");
    assert_eq!(of(&other.study), (serious.clone(), study, text));
    let unknown = json!({ "uid": "", "patient_id": "", "sop_classes": { MR: 1 } });
    assert_eq!(of(""), (serious, unknown, json!("1 answered C000")));

    // Cut off within an object, whose study has been said.
    let large = Object::new();
    let mut parrot = Parrot::associate(node.dicom_port(), &request);
    parrot.begin(1, &large, &large.data_set());
    parrot.say(ABORT);
    let told = failed(3);
    let event = told
        .iter()
        .find(|e| e["study"]["uid"] == json!(large.study))
        .unwrap();
    assert_eq!(shown(event), words("transferred", "create", "minor_failure"));
    assert!(
        event["text"].as_str().unwrap().starts_with("1 cut off"),
        "{event:#}"
    );

    let last = trail(&node).len();
    let messages = wait_until(PATIENCE, "every message at the collector", || {
        Some(collector.messages()).filter(|m| m.len() >= last)
    });
    validate(messages.unwrap().iter().map(|m| document(m)));
}

#[test]
fn who_cannot_prove_over_tls_who_it_is_is_told() {
    let home = scratch();
    let (ca, strangers) = (
        Authority::new("CA", home.path()),
        Authority::new("elsewhere", home.path()),
    );
    let own = ca.issue("NODE", home.path());
    let config = format!(
        "[dicom]\n[dicom.tls]\naddress = \"127.0.0.1:0\"\ncertificate = {:?}\nkey = {:?}\nclient_ca = {:?}\n",
        own.certificate, own.key, ca.certificate
    );
    let node = TestNode::start(&config);
    let refused = |expected: usize| {
        wait_until(PATIENCE, "events of refused nodes", || {
            let told = trail(&node).into_iter();
            let refused: Vec<_> = told.filter(|e| e["kind"] == "node_refused").collect();
            (refused.len() >= expected).then_some(refused)
        })
        .unwrap()
    };
    let stranger = strangers.issue("X", home.path());
    for (expected, client) in [(1, None), (2, Some(&stranger))] {
        let said = probe(node.tls_port(), client, "1.3");
        assert!(!said.error.is_empty(), "{client:?}");
        let told = refused(expected);
        assert_eq!(told.len(), expected);
        assert_eq!(told[expected - 1]["participants"][0]["address"], "127.0.0.1");
    }
    // No TLS at all.
    let mut plain = Parrot::connect(node.tls_port());
    plain.say(Request::new("Count").context(1, MR, &[EXPLICIT_LITTLE]).encode());
    refused(3);
}

#[test]
fn a_wrong_token_is_told_and_who_may_only_read_does_not_see_the_trail() {
    let made = run(MAGICKBOX, &["token", "ben", "--may", "read"]).stdout;
    let token = made
        .split("MAGICKBOX_TOKEN=")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    let lines = &made[made.find("[[http.token]]").unwrap()..];
    let mut node = TestNode::start(&format!("[http]\nnetworks = [\"127.0.0.2\"]\n{lines}"));
    let asked = |token: &str| {
        let list = ["audit", "list", "--node", &node.ready().http, "--token", token];
        run(MAGICKBOX, &list)
    };
    assert!(asked("mbx_wrong").stderr.contains("does not know this token"));
    let said = asked(token);
    assert!(said.stderr.contains("needs \"operate\""), "{said:#?}");
    node.terminate().unwrap();
    let file = Connection::open(node.data().join("store/magickbox.sqlite")).unwrap();
    let mut statement = file
        .prepare("SELECT event FROM audit WHERE kind = 'request_refused' ORDER BY id")
        .unwrap();
    let told: Vec<String> = statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let [unknown, not_that] = told.as_slice() else {
        panic!("{told:#?}");
    };
    assert!(unknown.contains("its token is not known") && unknown.contains("\"user\":\"127.0.0.1\""));
    assert!(not_that.contains("its token may not operate") && not_that.contains("\"user\":\"ben\""));
    assert!(!told.concat().contains("mbx_"));
}
