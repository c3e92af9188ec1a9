//! Who did what: told once, kept for ever, collected over TLS, whatever happens to the collector and to the node.

mod changed;
mod refused;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use magickbox::failpoint::VARIABLE;
use serde_json::{Value, json};

use crate::legacy::{bytes_of, client, fields};
use crate::needs;
use crate::support::PATIENCE;
use crate::support::collector::{Collector, Mood};
use crate::support::images::Bucket;
use crate::support::legacy::Client;
use crate::support::pacs::Pacs;
use crate::support::parrot::Parrot;
use crate::support::parrot::pdu::Request;
use crate::support::part10::{EXPLICIT_LITTLE, MR, Object, write_all};
use crate::support::peers::python;
use crate::support::senders;
use crate::support::tls::Authority;
use crate::support::under_test::{BUCKETS, MAGICKBOX, TestNode, run, scratch};
use crate::support::wait::wait_until;
use crate::support::zip::{Entry, zip};

/// The patient of every object of these tests.
const NAME: &str = "Test^Object";
const ID: &str = "T1";

/// A collector, and the lines of a configuration that make a node call it.
fn collector(directory: &Path) -> (Collector, String) {
    let ca = Authority::new("hospital", directory);
    let collector = Collector::start(&ca.issue("collector", directory), &ca.certificate);
    let own = ca.issue("node", directory);
    let config = format!(
        "[audit]\ncollector = \"127.0.0.1:{}\"\nca = {:?}\ncertificate = {:?}\nkey = {:?}\nresponse = \"1s\"\n\
         longest_retry = \"1s\"\nsite = \"Radiology\"\n",
        collector.port, ca.certificate, own.certificate, own.key
    );
    (collector, config)
}

/// Every event, oldest first.
fn trail(node: &TestNode) -> Vec<Value> {
    let answer: Value = node.api().get("/api/v1/audit?limit=1000").unwrap();
    let mut events = answer["events"].as_array().unwrap().clone();
    // As they were written; the answer has them as they happened.
    events.sort_by_key(|event| event["id"].as_i64());
    events
}

/// Kind, action and outcome.
fn shown(event: &Value) -> [String; 3] {
    ["kind", "action", "outcome"].map(|key| event[key].as_str().unwrap().to_owned())
}

fn words(kind: &str, action: &str, outcome: &str) -> [String; 3] {
    [kind, action, outcome].map(str::to_owned)
}

/// The XML of a message, after its header is looked at.
#[track_caller]
fn document(message: &str) -> &str {
    let (header, xml) = message.split_once('\u{feff}').unwrap();
    let parts: Vec<_> = header.split(' ').collect();
    assert!(matches!(parts[0], "<85>1" | "<84>1"), "{header}");
    assert_eq!(
        (parts[3], parts[5], parts[6]),
        ("magickbox", "DICOM+RFC3881", "-"),
        "{header}"
    );
    xml
}

/// Holds documents against the schema of PS3.15 §A.5.1.
#[track_caller]
fn validate<'a>(documents: impl Iterator<Item = &'a str>) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/peers/audit_message.py");
    let mut child = Command::new(python())
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = documents.collect::<Vec<_>>().join("\n");
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), lines.as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
}

#[test]
fn whatever_a_person_or_a_peer_does_has_its_event_and_the_collector_gets_all_in_their_order() {
    needs!(Docker, Dcmtk, Pynetdicom, Lxml);
    let home = scratch();
    let (collector, audit) = collector(home.path());
    let pacs = Pacs::start("PACS", &home.path().join("pacs.log"), &[]);
    let out = home.path().join("out");
    fs::create_dir(&out).unwrap();
    let config = format!(
        "{audit}[[remote_ae]]\nae_title = \"PACS\"\naddress = \"127.0.0.1:{}\"\n[[folder]]\nname = \"FOLDER\"\npath = {out:?}\n\
         [[route]]\nname = \"r\"\nto = [\"PACS\", \"FOLDER\"]\ngate = \"off\"\n",
        pacs.port
    );
    let node = TestNode::with(&Bucket::fixture("copy"), &config);
    let object = Object::new();
    object.write(&node.scratch("sent"));
    assert!(senders::storescu(node.dicom_port(), "Copy", &node.scratch("sent")).success);
    let job = node.wait_for_end("Copy").id;
    let (api, web) = (node.api(), client(&node));
    let expect = |what: &str, did: &dyn Fn(), expected: &[[String; 3]]| {
        let before = trail(&node).len();
        did();
        let found = wait_until(PATIENCE, what, || {
            let events = trail(&node).split_off(before);
            // That the test looks is an event too.
            let told: Vec<_> = events
                .iter()
                .filter(|e| e["kind"] != "trail_read")
                .map(shown)
                .collect();
            (told.len() >= expected.len()).then_some(told)
        });
        assert_eq!(found.unwrap(), expected, "{what}");
    };
    let get = |path: String| {
        web.get(&path);
    };
    let act = |verb: &'static str| {
        let (api, job) = (api.clone(), job.clone());
        move || drop(api.act(&job, verb).unwrap())
    };
    let looked = words("accessed", "read", "success");
    for (what, path, expected) in [
        // The wait for its end has looked at it many times: that is one look.
        ("a look at a job again", format!("/api/v1/jobs/{job}"), vec![]),
        (
            "a look at a log",
            format!("/api/v1/jobs/{job}/log"),
            vec![looked.clone()],
        ),
        (
            "a look at series",
            format!("/api/v1/jobs/{job}/series"),
            vec![looked.clone()],
        ),
        (
            "a log of the original",
            format!("/scratch/tmp.{job}/processing.log"),
            vec![looked.clone()],
        ),
        (
            "a zip of results",
            format!("/code/php/getOutputZip.php?folder=tmp.{job}"),
            vec![words("exported", "read", "success")],
        ),
        ("a list of jobs", "/api/v1/jobs".to_owned(), vec![]),
    ] {
        expect(what, &|| get(path.clone()), &expected);
    }
    let refused = words("accessed", "update", "minor_failure");
    expect("a hold of what is over", &act("hold"), &[refused]);
    expect(
        "a change of routes",
        &|| drop(api.put_text("/api/v1/routes", "{ \"routing\": [] }").unwrap()),
        &[words("network_changed", "update", "success")],
    );
    expect(
        "a stranger's association",
        &|| drop(senders::echoscu(node.dicom_port(), "Nobody")),
        &[words("node_refused", "execute", "minor_failure")],
    );
    expect(
        "a page of somebody else",
        &|| {
            let headers = [
                ("Origin", "http://evil.example"),
                ("Sec-Fetch-Site", "cross-site"),
            ];
            let target = format!("/code/php/deleteStudy.php?scratchdir=tmp.{job}");
            drop(web.get_with(&target, &headers, PATIENCE));
        },
        &[words("request_refused", "execute", "minor_failure")],
    );
    expect(
        "a deletion",
        &|| get(format!("/code/php/deleteStudy.php?scratchdir=tmp.{job}")),
        &[words("deleted", "delete", "success")],
    );
    expect(
        "a bucket switched off",
        &|| drop(run(BUCKETS, &["disable", "Copy", "--node", &node.ready().http])),
        &[words("software_changed", "update", "success")],
    );

    let events = trail(&node);
    let look = json!({ "what": "request", "name": format!("GET /api/v1/jobs/{job}") });
    let looks = events
        .iter()
        .filter(|e| e["objects"].as_array().is_some_and(|o| o.contains(&look)));
    assert_eq!(looks.count(), 1);
    let of_study: Vec<_> = events
        .iter()
        .filter(|e| e["study"]["uid"] == json!(object.study))
        .collect();
    let told: Vec<_> = of_study.iter().map(|e| shown(e)).collect();
    for expected in [
        words("transferred", "create", "success"),
        words("transfer_begun", "execute", "success"),
        words("transferred", "read", "success"),
        words("exported", "read", "success"),
    ] {
        assert!(told.contains(&expected), "{expected:?} not in {of_study:#?}");
    }
    for event in &of_study {
        assert_eq!(event["study"]["patient_id"], ID, "{event:#}");
    }
    assert_eq!(of_study[0]["study"]["sop_classes"], json!({ MR: 1 }));
    assert_eq!(of_study[0]["participants"][0]["address"], "127.0.0.1");

    let last = trail(&node).len();
    let messages = wait_until(PATIENCE, "every message at the collector", || {
        Some(collector.messages()).filter(|m| m.len() >= last)
    })
    .unwrap();
    validate(messages.iter().map(|m| document(m)));
    for (message, event) in messages.iter().zip(&events) {
        assert!(
            message.contains(event["at"].as_str().unwrap()),
            "{message}\n{event}"
        );
    }
    let all = format!("{messages:?}{events:?}{}", node.log());
    assert!(!all.contains(NAME) && !all.contains("Test"), "{all}");
    assert!(!node.log().contains(&format!("\"{ID}\"")), "{}", node.log());
    let said = run(
        MAGICKBOX,
        &[
            "audit",
            "list",
            "--node",
            &node.ready().http,
            "--study",
            &object.study,
            "--kind",
            "deleted",
        ],
    );
    assert!(said.stdout.contains("deleted (delete)"), "{said:#?}");
}

#[test]
fn a_push_is_told_with_its_patient() {
    needs!(Docker);
    let node = TestNode::with(&Bucket::fixture("copy"), "");
    let web: Client = client(&node);
    let zip = zip(&[Entry::new("a.dcm", bytes_of(&node, &Object::new()))]);
    assert_eq!(web.push(&zip, &fields("Copy")).unwrap().status, 200);
    let told = trail(&node);
    let push = told.iter().find(|e| e["kind"] == "imported").unwrap();
    assert_eq!(
        (&push["study"]["patient_id"], &push["action"]),
        (&json!(ID), &json!("create"))
    );
    assert_eq!(told.iter().filter(|e| e["kind"] == "imported").count(), 1);
    assert_eq!(web.push(b"no zip", &fields("Copy")).unwrap().status, 422);
    let failed = trail(&node);
    let failed = failed.iter().rfind(|e| e["kind"] == "imported").unwrap();
    assert_eq!(failed["outcome"], "minor_failure");
}

#[test]
fn a_collector_that_hangs_or_vanishes_and_a_node_that_dies_lose_nothing() {
    let home = scratch();
    let (collector, config) = collector(home.path());
    collector.turn(Mood::Vanishes);
    let mut node = TestNode::start_in(home, &config, &[]);
    let backlog = |node: &TestNode| node.api().metric("audit_backlog").unwrap().unwrap();
    let came = |times: usize| {
        let before = collector.connections();
        wait_until(PATIENCE, "connections", || {
            (collector.connections() >= before + times).then_some(())
        })
        .unwrap();
    };
    came(2);
    collector.turn(Mood::Hangs);
    came(2);
    // Nothing waits for it.
    assert!(!trail(&node).is_empty());
    assert!(backlog(&node) > 0);
    assert!(collector.messages().is_empty());
    assert!(node.log().contains("send the audit trail to its collector"));
    node.kill().unwrap();
    // It dies once the collector has a batch, before that is remembered: the batch comes again.
    collector.turn(Mood::Takes);
    let dies = node.restart_with(&[(VARIABLE, "audit-collected")]);
    wait_until(PATIENCE, "the death of the node", || node.is_dead().then_some(())).unwrap();
    drop(dies);
    let once = collector.messages().len();
    assert!(once > 0);
    node.restart().unwrap();
    wait_until(PATIENCE, "no backlog", || {
        (collector.messages().len() > once && backlog(&node) == 0).then_some(())
    })
    .unwrap();
    let mut texts = collector.messages();
    let again = texts.split_off(once);
    assert!(again.len() >= once, "{again:#?}");
    let (first, second) = (document(&texts[0]), document(&again[0]));
    assert_eq!(first, second, "the whole batch, from its first event");
    for event in trail(&node).iter().take(again.len()) {
        let at = event["at"].as_str().unwrap();
        assert!(again.iter().any(|m| m.contains(at)), "{event}");
    }
}

#[test]
fn what_was_received_before_a_kill_9_is_told_once_after_it() {
    needs!(Docker);
    let config = "[bucket.Count]\ncomplete = { level = \"study\", quiet = \"30m\", cap = \"90m\" }\n";
    let mut node = TestNode::with(&Bucket::fixture("count"), config);
    let objects = Object::series(20);
    let request = Request::new("Count").context(1, MR, &[EXPLICIT_LITTLE]);
    let mut parrot = Parrot::associate(node.dicom_port(), &request);
    for object in &objects {
        assert_eq!(parrot.store(1, object), 0x0000);
    }
    node.kill().unwrap();
    for _ in 0..2 {
        node.restart().unwrap();
        let told = trail(&node);
        let came: Vec<_> = told.iter().filter(|e| e["kind"] == "transferred").collect();
        assert_eq!(came.len(), 1, "{came:#?}");
        assert_eq!(came[0]["study"]["sop_classes"], json!({ MR: 20 }));
        assert_eq!(came[0]["study"]["patient_id"], ID);
        node.kill().unwrap();
    }
    // Sent again over an association that ends in order: they were there.
    node.restart().unwrap();
    write_all(&objects, &node.scratch("again"));
    assert!(senders::storescu(node.dicom_port(), "Count", &node.scratch("again")).success);
    let told = wait_until(PATIENCE, "the second association's event", || {
        let told = trail(&node);
        let came = told.into_iter().filter(|e| e["kind"] == "transferred");
        Some(came.collect::<Vec<_>>()).filter(|came| came.len() == 2)
    })
    .unwrap();
    assert_eq!(shown(&told[1]), words("transferred", "read", "success"));
}
