//! The original's addresses, asked as the clients that people have ask: from a push to its removal.

mod abuse;
mod answers;
mod push;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};

use crate::needs;
use crate::support::PATIENCE;
use crate::support::images::{Bucket, containers_of};
use crate::support::legacy::{Client, PATIENT};
use crate::support::part10::{Object, uid};
use crate::support::senders;
use crate::support::under_test::TestNode;
use crate::support::wait::wait_until;
use crate::support::zip::{Entry, zip};

/// The bytes of an object.
pub fn bytes_of(node: &TestNode, object: &Object) -> Vec<u8> {
    let path = object.write(&node.scratch(&uid()));
    fs::read(path).unwrap()
}

pub fn client(node: &TestNode) -> Client {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Client::new(&node.ready().http, now.unwrap().subsec_nanos().into())
}

pub const FIELDS: [(&str, &str); 6] = [
    ("aetitle", "Copy"),
    ("description", "a test"),
    ("filename", "dir_0123"),
    ("sender", "Anna Müller"),
    ("jobname", "dir/../\"'$(x)"),
    ("arguments", ""),
];

/// The fields for another bucket.
pub fn fields(aetitle: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut fields = FIELDS.to_vec();
    fields[0].1 = aetitle;
    fields
}

/// Copies its input, and says what it was told.
fn bucket() -> Bucket {
    Bucket::fixture("copy").with_file(
        "work.sh",
        "#!/bin/sh\ncp -r \"$1\"/* \"$2\"/\necho \"arguments: $MB_ARGUMENTS\"\n\
         printf '{ \"volume\": 12.5 }\\n' >\"$2/measures.json\"\n",
    )
}

#[track_caller]
fn wait_for_list(client: &Client, what: &str, wanted: impl Fn(&[Map<String, Value>]) -> bool) {
    wait_until(PATIENCE, what, || wanted(&client.list()).then_some(()))
        .unwrap_or_else(|e| panic!("{e}: {:?}", client.list()));
}

/// The files in a zip, by Python's zipfile.
#[track_caller]
fn unzip(directory: &Path, zip: &[u8]) -> Vec<String> {
    fs::create_dir_all(directory).unwrap();
    let file = directory.join("x.zip");
    fs::write(&file, zip).unwrap();
    let script = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\n\
                  z.extractall(sys.argv[2])\nfor n in z.namelist(): print(n)";
    let said = Command::new("python3")
        .args(["-c", script])
        .args([&file, directory])
        .output()
        .unwrap();
    assert!(said.status.success(), "{said:?}");
    String::from_utf8(said.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_study_is_pushed_listed_logged_pulled_and_removed() {
    needs!(Docker);
    let node = TestNode::start("");
    let client = client(&node);
    assert_eq!(client.get("/code/php/getInstalledBuckets.php").json(), json!([]));
    assert_eq!(client.get("/code/php/getStatus.php").json(), json!([]));
    assert_eq!(client.get("/code/php/getScratch.php").json(), json!([]));
    node.install(&bucket());
    let buckets = client.get("/code/php/getInstalledBuckets.php").json();
    for key in ["AETitle", "description", "license", "name", "version"] {
        assert!(buckets[0][key].is_string(), "{buckets}");
    }
    assert_eq!(
        client.get("/code/php/getStatus.php").json(),
        json!([["copy", "0", "0", "1"]])
    );

    let object = Object::new();
    let bytes = bytes_of(&node, &object);
    let zipped = zip(&[
        Entry::new("x_file00001_.dcm", bytes.clone()),
        Entry::new("file00002_ü.txt", "notes"),
    ]);
    let reply = client.push(&zipped, &FIELDS).unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let said = reply.json();
    let (job, scratchdir) = (
        said["job"].as_str().unwrap(),
        said["scratchdir"].as_str().unwrap(),
    );
    wait_for_list(&client, "the end of the job", |jobs| {
        jobs.iter().any(|job| job.get("measures").is_some())
    });
    let jobs = client.list();
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0]["scratchdir"], scratchdir);
    assert_eq!(jobs[0]["AETitleCaller"], "Anna Müller");
    assert_eq!(jobs[0]["AETitleCalled"], "Copy");
    assert_eq!(jobs[0]["CallerIP"], "127.0.0.1");
    assert_eq!(
        jobs[0]["measures"]["measures.json_measures.json"]["volume"], 12.5,
        "{:?}",
        jobs[0]
    );
    let ended = node.wait_for_end("Copy");
    assert_eq!(
        (ended.id.as_str(), ended.outcome.as_deref()),
        (job, Some("success"))
    );
    assert_eq!(ended.calling_ae_title, "Anna M_ller");
    let log = client.get(&format!("/scratch/{scratchdir}/processing.log"));
    assert_eq!((log.status, log.text().as_str()), (200, "arguments: \n"));

    let out = client.get(&format!("/code/php/getOutputZip.php?folder={scratchdir}"));
    let named = format!(
        "attachment; filename=\"{}_{scratchdir}.zip\"",
        jobs[0]["pid"].as_str().unwrap()
    );
    assert_eq!(out.header("content-disposition"), Some(named.as_str()));
    let laid_out = format!("{}.dcm", object.sop_instance);
    let names = |kind: &str, more: &[&str]| -> Vec<String> {
        let mut names = vec!["", &laid_out, "file00002_ü.txt"];
        names.extend(more);
        let mut names: Vec<_> = names.iter().map(|n| format!("{scratchdir}/{kind}/{n}")).collect();
        names.sort();
        names
    };
    let target = node.scratch("pulled");
    assert_eq!(unzip(&target, &out.body), names("OUTPUT", &["measures.json"]));
    let input = client.get(&format!(
        "/code/php/getOutputZip.php?folder={scratchdir}&type=input"
    ));
    assert!(
        input
            .header("content-disposition")
            .unwrap()
            .ends_with("_input.zip\"")
    );
    assert_eq!(unzip(&target, &input.body), names("INPUT", &[]));
    let pulled = target.join(scratchdir).join("INPUT").join(&laid_out);
    assert_eq!(fs::read(pulled).unwrap(), bytes);

    let removed = client.get(&format!("/code/php/deleteStudy.php?scratchdir={scratchdir}"));
    assert_eq!(removed.status, 200, "{}", removed.text());
    assert_eq!(client.get("/code/php/getScratch.php").json(), json!([]));
    wait_until(PATIENCE, "the files to go", || {
        (!Path::new(&ended.directory).exists()).then_some(())
    })
    .unwrap();
    wait_until(PATIENCE, "the history to say so", || {
        node.api()
            .job(job)
            .unwrap()
            .removed_why
            .filter(|why| why == "deleted by 127.0.0.1")
    })
    .unwrap();
    for target in [
        format!("/code/php/getOutputZip.php?folder={scratchdir}"),
        format!("/scratch/{scratchdir}/processing.log"),
    ] {
        assert_eq!(client.get(&target).status, 404);
    }
    // Once more is no mistake.
    assert_eq!(
        client
            .get(&format!("/code/php/deleteStudy.php?scratchdir={scratchdir}"))
            .status,
        200
    );
    for logged in [
        "\"/code/php/processZip.php\"",
        "\"/code/php/deleteStudy.php\"",
        "caller=\"127.0.0.1\"",
    ] {
        assert!(node.log().contains(logged), "{logged} not in {}", node.log());
    }
    assert!(
        !node.log().contains("Müller"),
        "what a sender says stays out of the log"
    );
}

#[test]
fn a_running_job_is_cancelled_before_its_files_go_and_one_that_waits_never_runs() {
    needs!(Docker);
    let node = TestNode::with(&Bucket::fixture("gate"), "");
    let client = client(&node);
    let push = || {
        let zip = zip(&[Entry::new("a", bytes_of(&node, &Object::new()))]);
        let reply = client.push(&zip, &fields("Gate")).unwrap().json();
        (
            reply["job"].as_str().unwrap().to_owned(),
            reply["scratchdir"].as_str().unwrap().to_owned(),
        )
    };
    let running = push();
    node.wait_for_state("Gate", "running");
    let waiting = push();
    assert_eq!(
        client.get("/code/php/getStatus.php").json(),
        json!([["gate", "2", "1", "1"]])
    );
    // What waits can be pulled already.
    let input = client.get(&format!(
        "/code/php/getOutputZip.php?folder={}&type=input",
        waiting.1
    ));
    assert_eq!(unzip(&node.scratch("waiting"), &input.body).len(), 2);
    for (_, scratchdir) in [&running, &waiting] {
        let reply = client.get(&format!("/code/php/deleteStudy.php?scratchdir={scratchdir}"));
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    assert_eq!(client.list().len(), 0);
    for (job, _) in [&running, &waiting] {
        let ended = node
            .api()
            .wait_for_job(PATIENCE, "the removal", |j| {
                j.id == *job && j.removed_at.is_some()
            })
            .unwrap();
        assert_eq!(ended.state, "cancelled");
        assert!(!Path::new(&ended.directory).exists(), "{}", ended.directory);
        assert_eq!(containers_of(job), [""; 0]);
    }
    assert_eq!(node.api().job(&waiting.0).unwrap().attempt, 0);
}

#[test]
fn what_still_arrives_cannot_be_removed_and_says_so() {
    needs!(Docker, Dcmtk);
    let node = TestNode::with(
        &Bucket::fixture("copy").with("complete", json!({ "level": "study", "quiet": "20m" })),
        "",
    );
    let directory = node.scratch("study");
    Object::new().write(&directory);
    assert!(senders::storescu(node.dicom_port(), "Copy", &directory).success);
    let client = client(&node);
    let scratchdir = client.list()[0]["scratchdir"].as_str().unwrap().to_owned();
    let reply = client.get(&format!("/code/php/deleteStudy.php?scratchdir={scratchdir}"));
    assert_eq!((reply.status, client.list().len()), (409, 1), "{}", reply.text());
}

#[test]
fn a_node_that_is_killed_has_removed_what_it_said_it_would_after_the_next_start() {
    needs!(Docker);
    let mut node = TestNode::with(&Bucket::fixture("gate"), "");
    let client = client(&node);
    let zip = zip(&[Entry::new("a", bytes_of(&node, &Object::new()))]);
    let said = client.push(&zip, &fields("Gate")).unwrap().json();
    let job = node.wait_for_state("Gate", "running");
    let scratchdir = said["scratchdir"].as_str().unwrap();
    assert_eq!(
        client
            .get(&format!("/code/php/deleteStudy.php?scratchdir={scratchdir}"))
            .status,
        200
    );
    node.kill().unwrap();
    assert!(PathBuf::from(&job.directory).exists());
    node.restart().unwrap();
    wait_until(PATIENCE, "the files to go", || {
        (!Path::new(&job.directory).exists()).then_some(())
    })
    .unwrap();
    assert_eq!(containers_of(&job.id), [""; 0]);
}

#[test]
fn zips_and_logs_are_answered_from_any_byte_on() {
    needs!(Docker);
    let node = TestNode::with(&bucket(), "");
    let client = client(&node);
    let zip = zip(&[Entry::new("a.bin", vec![7; 400_000])]);
    let mut fields = FIELDS.to_vec();
    fields[5].1 = "--level 3; \"$(rm -rf /)\" 'ü'";
    let said = client.push(&zip, &fields).unwrap().json();
    let scratchdir = said["scratchdir"].as_str().unwrap();
    node.wait_for_end("Copy");
    let target = format!("/code/php/getOutputZip.php?folder={scratchdir}");
    let whole = client.get(&target);
    let tag = whole.header("etag").unwrap();
    assert_eq!(
        whole.header("content-length").unwrap(),
        whole.body.len().to_string()
    );
    let from = |range: &str, more: &[(&str, &str)]| {
        let mut headers = vec![("Range", range)];
        headers.extend(more);
        client.get_with(&target, &headers, PATIENT)
    };
    let rest = from("bytes=300000-", &[("If-Range", tag)]);
    assert_eq!(rest.status, 206);
    assert!(rest.body == whole.body[300_000..]);
    let end = whole.body.len();
    assert_eq!(
        rest.header("content-range").unwrap(),
        format!("bytes 300000-{}/{end}", end - 1)
    );
    assert_eq!(from("bytes=300000-", &[("If-Range", "\"another\"")]).status, 200);
    assert_eq!(from(&format!("bytes={end}-"), &[]).status, 416);

    let log = format!("/scratch/{scratchdir}/processing.log");
    let text = "arguments: --level 3; \"$(rm -rf /)\" 'ü'\n";
    assert_eq!(client.get(&log).text(), text);
    let rest = client.get_with(&log, &[("Range", "bytes=11-")], PATIENT);
    assert_eq!((rest.status, rest.text().as_str()), (206, &text[11..]));
    let none = client.get_with(&log, &[("Range", &format!("bytes={}-", text.len()))], PATIENT);
    assert_eq!(none.status, 416);
    assert_eq!(
        none.header("content-range").unwrap(),
        format!("bytes */{}", text.len())
    );
}

#[test]
fn the_rest_of_the_originals_pages() {
    needs!(Docker);
    let node = TestNode::with(&bucket(), "");
    let client = client(&node);
    assert_eq!(client.get("/code/php/timing.php?aetitle=Copy").json(), json!([]));
    let object = Object::new();
    let zip = zip(&[Entry::new("a", bytes_of(&node, &object))]);
    let said = client.push(&zip, &FIELDS).unwrap().json();
    let scratchdir = said["scratchdir"].as_str().unwrap();
    node.wait_for_end("Copy");
    let timing = client.get("/code/php/timing.php?aetitle=Copy").json();
    assert!(
        timing["avg"].is_number() && timing["std"] == 0.0 && timing["aetitle"] == "Copy",
        "{timing}"
    );
    let measures = client
        .get(&format!(
            "/code/php/db.php?sender=me&query=/data/scratch/{scratchdir}"
        ))
        .json();
    assert_eq!(
        measures["measures.json_measures.json.json"]["volume"], 12.5,
        "{measures}"
    );
    let archive = client.get("/code/php/getArchive.php").json();
    assert_eq!(archive[0]["SIUID"], object.study, "{archive}");
    let one = client
        .get(&format!("/code/php/getArchive.php?siuid={scratchdir}"))
        .json();
    assert_eq!(one[0]["AETitleCalled"], "Copy", "{one}");
    assert_eq!(client.get("/code/php/getRoutingLog.php").json(), json!([]));
    for (target, status) in [
        ("timing.php", 400),
        ("timing.php?aetitle=Copy&time=3", 400),
        ("db.php?query=x", 400),
    ] {
        assert_eq!(
            client.get(&format!("/code/php/{target}")).status,
            status,
            "{target}"
        );
    }
}

#[test]
fn rules_are_saved_and_wrong_ones_change_nothing() {
    needs!(Docker);
    let node = TestNode::start("");
    let client = client(&node);
    let rules = |pattern: &str| {
        format!(
            r#"{{ "routing": [ {{ "name": "one & only", "AETitleIn": "{pattern}", "send": [ {{ "success": {{ "IP": "192.0.2.1",
            "PORT": "104", "AETitleSender": "ME", "AETitleTo": "PACS" }} }} ] }} ] }}"#
        )
    };
    let save = |text: &str| client.post_field("/code/php/saveRouting.php", "text", text);
    let saved = save(&rules("^Proc"));
    assert_eq!((saved.status, saved.text().as_str()), (200, ""));
    let in_force = || client.get("/api/v1/routes").json()["rules"][0].clone();
    assert_eq!(
        (&in_force()["name"], &in_force()["called"]),
        (&json!("one & only"), &json!("^Proc"))
    );

    let refused = save(&rules("(Proc"));
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(
        refused.text().contains("one & only") && refused.text().contains("AETitleIn"),
        "{}",
        refused.text()
    );
    assert_eq!(in_force()["called"], "^Proc");
    let none = client.post_field("/code/php/saveRouting.php", "other", "x");
    assert_eq!(none.status, 422, "{}", none.text());
}
