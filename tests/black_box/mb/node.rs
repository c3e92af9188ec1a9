//! The whole way on a real node: pushed, run, listed, fetched, removed.

use std::fs;
use std::net::IpAddr;
use std::process::Command;

use serde_json::{Value, json};

use super::push::noise;
use super::{Person, parsed};
use crate::needs;
use crate::support::PATIENCE;
use crate::support::images::Bucket;
use crate::support::orthanc::free_port;
use crate::support::part10::{Object, data_set};
use crate::support::process::Process;
use crate::support::under_test::{MAGICKBOX, TestNode};
use crate::support::wait::wait_until;

fn data_sets(directory: &std::path::Path) -> Vec<Vec<u8>> {
    let mut sets: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| fs::read(entry.unwrap().path()).unwrap())
        .filter(|bytes| bytes.get(128..132) == Some(b"DICM"))
        .map(|bytes| data_set(&bytes).to_vec())
        .collect();
    sets.sort();
    sets
}

#[test]
fn a_directory_goes_there_and_its_results_come_back() {
    needs!(Docker);
    let node = TestNode::with(&Bucket::fixture("copy"), "");
    let person = Person::new();
    let port = node.ready().http.rsplit(':').next().unwrap().to_owned();
    person.does(&["activeMachines", "add", "127.0.0.1", &port]);
    let objects = Object::series(3);
    for object in &objects {
        object.write(&person.at("study"));
    }
    let told = person.does(&["push", "Copy", "study", "--wait"]);
    assert_eq!(
        (&told["state"], &told["outcome"]),
        (&json!("done"), &json!("success"))
    );
    let scratchdir = told["scratchdir"].as_str().unwrap();
    let listed = person.does(&["list", "anna:one"]);
    assert_eq!(listed[0]["scratchdir"], scratchdir);
    assert_eq!(listed[0]["AETitleCalled"], "Copy");
    let log = person.run(&["log", "-f", scratchdir]);
    assert_eq!(log.code, Some(0), "{log:#?}");
    assert_eq!(person.does(&["log", scratchdir])[0]["log"], log.stdout);
    let mut sent: Vec<_> = objects.iter().map(Object::data_set).collect();
    sent.sort();
    person.does(&["pull", "-x", scratchdir]);
    assert!(data_sets(&person.at(&format!("{scratchdir}/OUTPUT"))) == sent);
    person.does(&["pull-input", "-x", scratchdir]);
    assert!(data_sets(&person.at(&format!("{scratchdir}/INPUT"))) == sent);
    assert_eq!(person.does(&["remove", scratchdir])[0]["scratchdir"], scratchdir);
    assert_eq!(person.does(&["list"]), json!(null));
}

#[test]
fn a_directory_is_sent_to_where_the_node_receives_dicom() {
    needs!(Docker);
    let config = "[bucket.Copy]\ncomplete = { level = \"study\", quiet = \"1s\" }\n";
    let node = TestNode::with(&Bucket::fixture("copy"), config);
    let person = Person::new();
    for object in Object::series(5) {
        object.write(&person.at("study"));
    }
    let told = person.does(&["push", "Copy", "study", "--dicom", "--node", &node.ready().http]);
    assert_eq!(told["stored"], 5);
    assert_eq!(node.wait_for_end("Copy").instances, 5);
}

#[test]
fn a_run_that_fails_and_an_unknown_bucket_have_their_exit_statuses() {
    needs!(Docker);
    let node = TestNode::with(&Bucket::fixture("fails"), "");
    let person = Person::new();
    Object::new().write(&person.at("study"));
    let url = &node.ready().http;
    let ran = person.run(&["push", "Fails", "study", "--wait", "--node", url]);
    assert_eq!(ran.code, Some(5), "{ran:#?}");
    assert_eq!(parsed(&ran)["outcome"], "failed");
    let ran = person.run(&["push", "Nobody", "study", "--node", url]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stderr.contains("aetitle Nobody: there are Fails"), "{ran:#?}");
}

#[test]
fn a_push_that_was_killed_goes_on_where_it_was() {
    needs!(Docker);
    let node = TestNode::with(&Bucket::fixture("copy"), "");
    let person = Person::new();
    let content = noise(150 << 20);
    person.study(&[("large.dcm", &content)]);
    let url = node.ready().http.clone();
    let push = ["push", "Copy", "study", "--wait", "--node", &url];
    let mut first = Process::start("mb", &mut person.command(&push), &person.at("log")).unwrap();
    let uploaded = || {
        let uploads = fs::read_dir(node.data().join("uploads")).ok()?;
        let large = |path: &std::path::Path| fs::metadata(path).is_ok_and(|m| m.len() > 16 << 20);
        uploads
            .flatten()
            .map(|e| e.path())
            .any(|p| large(&p) || fs::read_dir(&p).is_ok_and(|d| d.flatten().any(|e| large(&e.path()))))
            .then_some(())
    };
    wait_until(PATIENCE, "a part of the upload", uploaded).unwrap();
    first.kill().unwrap();
    assert!(first.log().contains("sending study"), "{}", first.log());
    let ran = person.run(&push);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(ran.stderr.contains("going on after"), "{ran:#?}");
    let told = parsed(&ran);
    let scratchdir = told["scratchdir"].as_str().unwrap();
    person.does(&["pi", "-x", scratchdir, "--node", &url]);
    let input = person.at(&format!("{scratchdir}/INPUT"));
    let file = fs::read_dir(input).unwrap().next().unwrap().unwrap().path();
    assert!(fs::read(file).unwrap() == content);
}

#[test]
fn a_node_that_says_it_is_there_is_found_and_forgotten_when_it_stops() {
    needs!(Docker);
    let person = Person::new();
    let port = free_port().to_string();
    let config = person.at("node.toml");
    fs::write(
        &config,
        "[http]\nannounce = true\nnetworks = [\"0.0.0.0/0\", \"::/0\"]\n",
    )
    .unwrap();
    let mut command = Command::new(MAGICKBOX);
    command
        .args(["serve", "--dicom", "127.0.0.1:0", "--http"])
        .arg(format!("0.0.0.0:{port}"))
        .arg("--config")
        .arg(&config)
        .arg("--data")
        .arg(person.at("data"));
    let mut node = Process::start("the node", &mut command, &person.at("node.log")).unwrap();
    // Other nodes of this network may be there as well, and one that has just gone is named until its farewell is heard.
    let listed = || {
        let ran = person.run(&["queryMachines", "with", "status"]);
        assert!(matches!(ran.code, Some(0 | 3)), "{ran:#?}");
        let machines = parsed(&ran);
        let ours = |machine: &&Value| machine["Port"] == port;
        machines.as_array().into_iter().flatten().find(ours).cloned()
    };
    let found = wait_until(PATIENCE, "the node among the machines", || {
        assert!(node.ended().is_none(), "{}", node.log());
        listed()
    })
    .unwrap();
    let address: IpAddr = found["Machine"].as_str().unwrap().parse().unwrap();
    assert!(!address.is_unspecified());
    assert_eq!(found["Status"], json!([]));
    node.terminate().unwrap();
    assert!(node.log().contains("announced in this network"));
    wait_until(PATIENCE, "the node gone", || listed().is_none().then_some(())).unwrap();
}
