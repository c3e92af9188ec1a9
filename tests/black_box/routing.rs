//! A `routing.json` as sites own it: read as it is, read again when it changes, explained.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::needs;
use crate::support::PATIENCE;
use crate::support::api::Job;
use crate::support::images::Bucket;
use crate::support::orthanc::Address;
use crate::support::part10::{Object, SECONDARY_CAPTURE};
use crate::support::senders;
use crate::support::under_test::{MAGICKBOX, Ran, TestNode, TestPacs, run, scratch};
use crate::support::wait::wait_until;

/// A destination of a rule: that Orthanc under that AE title, with more keys.
fn to(pacs: &Address, title: &str, more: &str) -> String {
    format!(
        r#"{{ "IP": "127.0.0.1", "PORT": "{}", "AETitleSender": "me", "AETitleTo": "{title}"{more} }}"#,
        pacs.dicom_port
    )
}

/// A node with the bucket that hands back what it gets, and these rules.
#[track_caller]
fn node(rules: &str, config: &str) -> TestNode {
    let home = scratch();
    fs::create_dir_all(home.path().join("data")).unwrap();
    fs::write(home.path().join("data/routing.json"), rules).unwrap();
    let node = TestNode::start_in(home, config, &[]);
    node.install(&Bucket::fixture("copy"));
    node
}

fn file(node: &TestNode) -> PathBuf {
    node.data().join("routing.json")
}

/// Sends a study of an MR image and a screen shot; answers its Study Instance UID.
#[track_caller]
fn send(node: &TestNode) -> String {
    let image = Object::new();
    let shot = Object {
        sop_class: SECONDARY_CAPTURE,
        study: image.study.clone(),
        ..Object::new()
    };
    let directory = node.scratch(&image.study);
    image.write(&directory);
    shot.write(&directory);
    assert!(senders::storescu(node.dicom_port(), "Copy", &directory).success);
    image.study
}

#[track_caller]
fn job(node: &TestNode, study: &str, what: &str, wanted: impl Fn(&Job) -> bool) -> Job {
    node.wait_for("Copy", what, |job| job.study_instance_uid == study && wanted(job))
}

#[track_caller]
fn ended(node: &TestNode, study: &str) -> Job {
    job(node, study, "the end of the job", Job::is_over)
}

/// Destination, state and number of objects of each delivery.
fn went(job: &Job) -> Vec<(&str, &str, usize)> {
    let went = job.deliveries.iter();
    went.map(|d| (d.destination.as_str(), d.state.as_str(), d.instances.len()))
        .collect()
}

fn route(node: &TestNode, arguments: &[&str]) -> Ran {
    let mut all = vec!["route", "--node", &node.ready().http];
    all.extend(arguments);
    run(MAGICKBOX, &all)
}

#[test]
fn rules_of_the_original_send_what_they_choose_where_they_say_and_explain_it() {
    needs!(Docker, Dcmtk, Orthanc);
    let pacs = TestPacs::start(Address::reserve("PACS"));
    let address = pacs.orthanc.address().clone();
    let rules = format!(
        r#"{{ "routing": [
  // what sites write: comments, and a comma too many
  {{ "name": "another bucket", "AETitleIn": "^ProcRSI$", "send": [ {{ ".*": {0} }} ] }},
  {{ "name": "switched off", "status": 0, "send": [ {{ ".*": {0} }} ] }},
  {{ "name": "images", "AETitleIn": "copy", "AETitleFrom": "SEND", "break": 1, "send": [
      {{ "success": {{ "IP": "$me", "PORT": "$port", "AETitleSender": "ProcDefault", "AETitleTo": "PACS",
                      "which": [ {{ "0008,0060": "^mr", "0010,0020": "T1" }}, {{ "0008,0060": "SR" }} ] }},
        "failed": {0} }} ], }},
  {{ "name": "never", "send": [ {{ ".*": {0} }} ] }}
] }}"#,
        to(&address, "PACS", "")
    );
    let config = format!("{}[routing]\ndefault_pacs = \"PACS\"\n", address.remote_ae());
    let node = node(&rules, &config);
    let study = send(&node);
    let job = ended(&node, &study);
    assert_eq!(went(&job), [("PACS", "sent", 1)], "{job:#?}");
    assert_eq!(job.deliveries[0].route, "images");
    assert_eq!(pacs.orthanc.holdings().unwrap().instances, 1);

    // What is explained is what happened.
    let said = route(&node, &["explain", &job.id]);
    for expected in [
        "A result of Copy, sent by SENDER, that ended with \"success\"",
        "✗ another bucket  routing.json\n    ✗ AETitleIn \"^ProcRSI$\" is not found in \"Copy\"",
        "· switched off  routing.json\n    is off",
        "✓ images  routing.json",
        "1 of 2 files of output",
        "Modality (0008,0060) \"OT\" has no \"^mr\"; Modality (0008,0060) \"OT\" has no \"SR\"",
        "\"failed\" is not found in \"success\"",
        "is not looked at: \"images\" matched and ends the search",
        "So it goes to PACS (1 file).",
        "PACS, by \"images\": sent",
    ] {
        assert!(said.stdout.contains(expected), "{expected} not in\n{said:#?}");
    }
    assert!(
        !said.stdout.contains('\x1b'),
        "no colours where there is no terminal"
    );
    let said = route(&node, &["explain", &job.id, "--json"]);
    let answer: Value = serde_json::from_str(&said.stdout).unwrap();
    let planned: Vec<_> = answer["plan"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| &p["to"])
        .collect();
    assert_eq!(planned, ["PACS"]);
    assert_eq!(answer["plan"][0]["files"].as_array().unwrap().len(), 1);
    let said = route(&node, &["explain", &job.id, "--outcome", "failed"]);
    assert!(said.stdout.contains("So it goes to PACS (2 files)."), "{said:#?}");

    // A file as if it were a result.
    let path = Object::new().write(&node.scratch("one"));
    let path = path.to_str().unwrap();
    let said = route(
        &node,
        &["explain", path, "--called", "Copy", "--calling", "SENDER"],
    );
    assert!(said.stdout.contains("So it goes to PACS (1 file)."), "{said:#?}");
    let said = route(&node, &["explain", path, "--called", "ProcRSI"]);
    assert!(said.stdout.contains("✓ another bucket"), "{said:#?}");
    assert!(said.stdout.contains("✗ images"), "{said:#?}");
    let said = route(&node, &["explain", path]);
    assert!(said.stderr.contains("--called AET is missing"), "{said:#?}");

    let said = route(&node, &["list"]);
    for expected in [
        "routing.json, read at ",
        "  2  switched off  routing.json  off",
        "files whose Modality (0008,0060) has \"^mr\" and PatientID (0010,0020) has \"T1\"",
        "no later rule is looked at once this one matched",
    ] {
        assert!(said.stdout.contains(expected), "{expected} not in\n{said:#?}");
    }
}

#[test]
fn a_destination_that_refuses_hands_over_to_the_next_and_one_that_takes_does_not() {
    needs!(Docker, Dcmtk, Orthanc);
    let pacs = TestPacs::start(Address::reserve("PACS"));
    let address = pacs.orthanc.address().clone();
    let stop = r#", "break": 1"#;
    // This Orthanc refuses who calls it by another name, for good.
    let rules = format!(
        r#"{{ "routing": [ {{ "name": "r", "send": [ {{ "success": {}, "succ": {}, ".*": {} }} ] }} ] }}"#,
        to(&address, "NOBODY", stop),
        to(&address, "PACS", stop),
        to(&address, "SPARE", ""),
    );
    let node = node(&rules, "");
    let study = send(&node);
    let job = ended(&node, &study);
    assert_eq!(
        went(&job),
        [
            ("NOBODY", "refused", 2),
            ("PACS", "sent", 2),
            ("SPARE", "not-needed", 2)
        ],
        "{job:#?}"
    );
    assert_eq!(
        (job.state.as_str(), job.outcome.as_deref()),
        ("done", Some("success"))
    );
    assert_eq!(pacs.orthanc.holdings().unwrap().instances, 2);
    let record = fs::read(PathBuf::from(&job.directory).join("record.json")).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    let states: Vec<_> = record["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| &d["state"])
        .collect();
    assert_eq!(states, ["refused", "sent", "not-needed"]);
}

#[test]
fn a_destination_that_is_away_hands_over_at_once_and_gets_it_later_all_the_same() {
    needs!(Docker, Dcmtk, Orthanc);
    let away = Address::reserve("AWAY");
    let pacs = TestPacs::start(Address::reserve("PACS"));
    let rules = format!(
        r#"{{ "routing": [ {{ "name": "r", "send": [ {{ "success": {} }}, {{ "success": {} }} ] }} ] }}"#,
        to(&away, "AWAY", r#", "break": "1""#),
        to(pacs.orthanc.address(), "PACS", ""),
    );
    let retries = "[delivery]\nfirst_retry = \"1s\"\nlongest_retry = \"1s\"\n";
    let mut node = node(&rules, retries);
    let study = send(&node);
    job(&node, &study, "the delivery to the second", |job| {
        went(job) == [("AWAY", "retrying", 2), ("PACS", "sent", 2)]
    });
    // The rules go, the node dies: a delivery knows where it goes.
    fs::write(file(&node), "{\"routing\": []}").unwrap();
    node.kill().unwrap();
    node.restart().unwrap();
    let late = TestPacs::start(away);
    let job = ended(&node, &study);
    assert_eq!(went(&job), [("AWAY", "sent", 2), ("PACS", "sent", 2)]);
    assert_eq!(late.orthanc.holdings().unwrap().instances, 2);
}

#[test]
fn the_end_of_the_log_goes_along_as_a_series_of_the_study_where_a_rule_asks_for_it() {
    needs!(Docker, Dcmtk, Orthanc);
    let pacs = TestPacs::start(Address::reserve("PACS"));
    let rules = format!(
        r#"{{ "routing": [ {{ "name": "r", "send": [ {{ "failed": {} }} ] }} ] }}"#,
        to(pacs.orthanc.address(), "PACS", r#", "sendErrorAsDcm": 1"#)
    );
    let node = node(&rules, "");
    node.install(&Bucket::fixture("fails"));
    let object = Object::new();
    object.write(&node.scratch("sent"));
    assert!(senders::storescu(node.dicom_port(), "Fails", &node.scratch("sent")).success);
    let job = node.wait_for_end("Fails");
    assert_eq!(job.outcome.as_deref(), Some("failed"));
    assert_eq!(went(&job), [("PACS", "sent", 1)], "{job:#?}");
    assert_eq!(pacs.orthanc.holdings().unwrap().instances, 1);
    let path = PathBuf::from(&job.directory).join("report/error-report-1.dcm");
    let report = dicom_object::open_file(path).unwrap();
    let text = |keyword: &str| {
        let element = report.element_by_name(keyword).unwrap();
        element.to_str().unwrap().into_owned()
    };
    assert_eq!(text("StudyInstanceUID"), object.study);
    assert_ne!(text("SeriesInstanceUID"), object.series);
    assert_eq!(
        (text("PatientName"), text("PatientID")),
        ("Test^Object".into(), "T1".into())
    );
    assert_eq!(text("SeriesDescription"), "Error Report");
    let said = route(&node, &["explain", &job.id]);
    assert!(
        said.stdout.contains("as the series \"Error Report\""),
        "{said:#?}"
    );
    assert!(said.stdout.contains("So it goes to PACS (1 file)."), "{said:#?}");
}

#[test]
fn a_node_that_dies_while_one_hands_over_to_the_next_leaves_none_of_them_waiting() {
    needs!(Docker, Dcmtk, Orthanc);
    let pacs = TestPacs::start(Address::reserve("PACS"));
    let address = pacs.orthanc.address().clone();
    let rules = |first: &str, second: &str| {
        format!(
            r#"{{ "routing": [ {{ "name": "r", "send": [ {{ "success": {}, ".*": {} }} ] }} ] }}"#,
            to(&address, first, r#", "break": 1"#),
            to(&address, second, ""),
        )
    };
    for (first, second, expected) in [
        ("NOBODY", "PACS", [("NOBODY", "refused", 2), ("PACS", "sent", 2)]),
        ("PACS", "SPARE", [("PACS", "sent", 2), ("SPARE", "not-needed", 2)]),
    ] {
        // The record says already what the rows do not.
        for point in ["delivery-before-settle", "record-completed", "settled"] {
            let mut node = node(&rules(first, second), "");
            node.terminate().unwrap();
            node.restart_with(&[("MAGICKBOX_FAILPOINT", point)]).unwrap();
            let study = send(&node);
            wait_until(PATIENCE, "the death of the node", || node.is_dead().then_some(())).unwrap();
            node.restart().unwrap();
            let job = ended(&node, &study);
            assert_eq!(went(&job), expected, "{point}");
            assert_eq!(job.state, "done", "{point}");
        }
    }
}

#[test]
fn a_file_that_changes_is_in_force_at_once_and_a_wrong_one_changes_nothing() {
    needs!(Docker, Dcmtk, Orthanc);
    let pacs = TestPacs::start(Address::reserve("PACS"));
    let rules = |name: &str| {
        format!(
            r#"{{ "routing": [ {{ "name": "{name}", "send": [ {{ ".*": {} }} ] }} ] }}"#,
            to(pacs.orthanc.address(), "PACS", "")
        )
    };
    let mut node = node(&rules("first"), "");
    let routes = |node: &TestNode| -> Value { node.api().get("/api/v1/routes").unwrap() };
    assert_eq!(routes(&node)["rules"][0]["name"], "first");
    assert_eq!(node.api().metric("routing_rules").unwrap(), Some(1));

    let second = rules("second");
    fs::write(file(&node), &second[..second.len() / 2]).unwrap();
    let refused = wait_until(PATIENCE, "the refusal of half a file", || {
        let routes = routes(&node);
        (!routes["refused"].is_null()).then_some(routes)
    })
    .unwrap();
    assert_eq!(refused["rules"][0]["name"], "first", "{refused}");
    assert_eq!(refused["refused"]["findings"][0]["line"], 1, "{refused}");
    assert_eq!(node.api().metric("routing_refused").unwrap(), Some(1));
    let study = send(&node);
    assert_eq!(ended(&node, &study).deliveries[0].route, "first");
    let said = route(&node, &["list"]);
    assert!(said.stdout.contains("✗ not in force:"), "{said:#?}");

    // So it does over a restart.
    node.terminate().unwrap();
    node.restart().unwrap();
    assert_eq!(routes(&node)["rules"][0]["name"], "first");
    assert!(node.log().contains("the rules before stay"));

    fs::write(file(&node), &second).unwrap();
    wait_until(PATIENCE, "the second rules", || {
        (routes(&node)["rules"][0]["name"] == "second").then_some(())
    })
    .unwrap();
    assert!(routes(&node)["refused"].is_null());
    let study = send(&node);
    assert_eq!(ended(&node, &study).deliveries[0].route, "second");

    // Over HTTP: all or nothing.
    let answer = node
        .api()
        .put_text("/api/v1/routes", &rules("third").replace("127.0.0.1", "a b"))
        .unwrap();
    assert_eq!(answer.status, 422, "{answer:?}");
    assert!(
        answer.detail().contains("rule \"third\": send[0]..*.IP: \"a b\""),
        "{answer:?}"
    );
    assert_eq!(fs::read_to_string(file(&node)).unwrap(), second);
    let answer = node.api().put_text("/api/v1/routes", &rules("third")).unwrap();
    assert_eq!(
        (answer.status, &answer.body["rules"][0]["name"]),
        (200, &json!("third"))
    );
    assert_eq!(fs::read_to_string(file(&node)).unwrap(), rules("third"));
}

#[test]
fn a_node_that_never_had_rules_does_not_start_with_wrong_ones() {
    let home = scratch();
    let data = home.path().join("data");
    fs::create_dir_all(&data).unwrap();
    let rules = "{ \"routing\": [ { \"name\": \"to the PACS\", \"AETitleIn\": \"(\" } ] }";
    fs::write(data.join("routing.json"), rules).unwrap();
    let said = run(
        MAGICKBOX,
        &[
            "serve",
            "--data",
            data.to_str().unwrap(),
            "--dicom",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
        ],
    );
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(
        said.stderr
            .contains("1:54: rule \"to the PACS\": AETitleIn: \"(\": no regular expression"),
        "{said:#?}"
    );
}

#[test]
fn what_a_job_has_received_is_explained_before_its_bucket_sees_it() {
    needs!(Docker);
    let rules = r#"{ "routing": [ { "name": "as it came", "RouteDirectory": "INPUT", "send": [ { "success":
        { "IP": "127.0.0.1", "PORT": "9", "AETitleSender": "me", "AETitleTo": "PACS",
          "which": [ { "0008,0060": "^MR$" } ] } } ] } ] }"#;
    let node = node(
        rules,
        "[bucket.Copy]\ncomplete = { level = \"study\", quiet = \"1h\" }\n",
    );
    let study = send(&node);
    let open = job(&node, &study, "an open set", |job| job.state == "receiving");
    let said = route(&node, &["explain", &open.id]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    for expected in ["the job has not ended yet", "1 of 2 files of input"] {
        assert!(said.stdout.contains(expected), "{expected}: {said:#?}");
    }
}
