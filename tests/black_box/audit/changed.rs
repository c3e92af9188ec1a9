//! What is changed behind the back of the node, and what is given out of many studies.

use std::fs;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::legacy::client;
use crate::needs;
use crate::support::PATIENCE;
use crate::support::images::Bucket;
use crate::support::part10::Object;
use crate::support::senders;
use crate::support::under_test::{MAGICKBOX, TestNode, run};
use crate::support::wait::wait_until;

use super::{ID, trail};

#[test]
fn what_is_changed_with_an_editor_is_told_as_what_a_caller_changes_is() {
    let mut node = TestNode::start("");
    let changes = |node: &TestNode, kind: &str, expected: usize| {
        wait_until(PATIENCE, kind, || {
            let told = trail(node).into_iter();
            let found: Vec<_> = told.filter(|e| e["kind"] == kind).collect();
            (found.len() >= expected).then_some(found)
        })
        .unwrap()
    };
    let by_editor = |event: &Value| event["text"].as_str().is_some_and(|t| t.contains("on the disk"));
    fs::write(node.data().join("routing.json"), "{ \"routing\": [] }").unwrap();
    let told = changes(&node, "network_changed", 1);
    assert!(by_editor(&told[0]) && told.len() == 1, "{told:#?}");
    drop(
        node.api()
            .put_text("/api/v1/routes", "{ \"routing\": [ ] }")
            .unwrap(),
    );
    let told = changes(&node, "network_changed", 2);
    assert!(!by_editor(&told[1]), "{told:#?}");
    fs::write(node.data().join("routing.json"), "{ \"routing\": [  ] }").unwrap();
    let told = changes(&node, "network_changed", 3);
    assert!(by_editor(&told[2]) && told.len() == 3, "{told:#?}");

    node.terminate().unwrap();
    node.restart().unwrap();
    node.terminate().unwrap();
    let config = node.data().with_file_name("node.toml");
    fs::write(
        config,
        "[[caller]]\nae_title = \"NEW\"\naddresses = [\"192.0.2.0/24\"]\n",
    )
    .unwrap();
    node.restart().unwrap();
    let told = changes(&node, "configuration_changed", 1);
    assert_eq!(told.len(), 1, "the same configuration is no change: {told:#?}");
    assert!(told[0]["text"].as_str().unwrap().contains("SHA-256"), "{told:#?}");
}

#[test]
fn what_is_measured_is_told_by_study_however_it_is_fetched() {
    needs!(Docker, Dcmtk);
    let node = TestNode::with(&Bucket::fixture("measures").with("report", "none"), "");
    let object = Object::new();
    object.write(&node.scratch("sent"));
    assert!(senders::storescu(node.dicom_port(), "Measures", &node.scratch("sent")).success);
    let job = node.wait_for_end("Measures").id;
    let web = client(&node);
    let mut known = trail(&node).len();
    for (path, kind) in [
        ("/api/v1/buckets/Measures/measures".to_owned(), "exported"),
        ("/api/v1/buckets/Measures/memory".to_owned(), "exported"),
        (
            format!("/code/php/db.php?sender=a&query=/scratch/tmp.{job}"),
            "exported",
        ),
        ("/code/php/getScratch.php".to_owned(), "accessed"),
    ] {
        web.get(&path);
        let told = trail(&node).split_off(known);
        let told: Vec<_> = told.into_iter().filter(|e| e["kind"] == kind).collect();
        assert_eq!(told.len(), 1, "{path}: {told:#?}");
        assert_eq!(told[0]["study"]["uid"], json!(object.study), "{path}");
        assert_eq!(told[0]["study"]["patient_id"], ID, "{path}");
        known = trail(&node).len();
    }
    web.get("/code/php/getScratch.php");
    let told = trail(&node).split_off(known);
    let again = told.iter().filter(|e| e["kind"] == "accessed").count();
    assert_eq!(again, 0, "each study once a day: {told:#?}");
}

#[test]
fn what_is_changed_by_hand_is_found_by_verify() {
    let mut node = TestNode::start("");
    let data = node.data();
    let verify = || run(MAGICKBOX, &["audit", "verify", "--data", data.to_str().unwrap()]);
    assert_eq!(verify().code, Some(0));
    node.terminate().unwrap();
    let said = verify();
    assert!(
        said.code == Some(0) && said.stdout.contains("2 events"),
        "{said:#?}"
    );
    let file = Connection::open(data.join("store/magickbox.sqlite")).unwrap();
    let change = "UPDATE audit SET event = replace(event, 'success', 'minor_failure') WHERE id = 1";
    let refused = file.execute_batch(change).unwrap_err().to_string();
    assert!(refused.contains("append-only"), "{refused}");
    file.execute_batch(&format!("DROP TRIGGER audit_is_not_changed; {change}"))
        .unwrap();
    let said = verify();
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(said.stderr.contains("event 1 of the audit trail"), "{said:#?}");
}
