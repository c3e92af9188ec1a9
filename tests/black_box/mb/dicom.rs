//! Directories are sent with C-STORE.

use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use super::{Person, parsed};
use crate::support::PATIENCE;
use crate::support::orthanc::free_port;
use crate::support::part10::{DEFLATED, EXPLICIT_BIG, IMPLICIT_LITTLE, JPEG_BASELINE, Object, data_set};
use crate::support::peers::{Peer, are_there};
use crate::support::process::Process;
use crate::support::under_test::{TestNode, scratch};
use crate::support::wait::wait_until;

/// A storescp with its directory.
struct Storescp {
    port: u16,
    home: TempDir,
    _process: Process,
}

impl Storescp {
    fn start(options: &[&str]) -> Self {
        let (port, home) = (free_port(), scratch());
        std::fs::create_dir(home.path().join("objects")).unwrap();
        let mut command = Command::new("storescp");
        command.args(options).arg("-od").arg(home.path().join("objects"));
        command.arg(port.to_string());
        let mut process = Process::start("storescp", &mut command, &home.path().join("log")).unwrap();
        wait_until(PATIENCE, "storescp", || {
            assert!(process.ended().is_none(), "{}", process.log());
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        })
        .unwrap();
        Self {
            port,
            home,
            _process: process,
        }
    }

    fn address(&self) -> String {
        format!("--dicom=127.0.0.1:{}", self.port)
    }

    fn data_sets(&self) -> Vec<Vec<u8>> {
        let stored = std::fs::read_dir(self.home.path().join("objects")).unwrap();
        sorted(stored.map(|file| data_set(&std::fs::read(file.unwrap().path()).unwrap()).to_vec()))
    }
}

fn sorted(sets: impl Iterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let mut sets: Vec<_> = sets.collect();
    sets.sort();
    sets
}

#[test]
fn every_byte_of_every_transfer_syntax_arrives() {
    if !are_there("mb push --dicom", &[Peer::Dcmtk]) {
        return;
    }
    let person = Person::new();
    let study = person.at("study");
    let mut objects = Object::series(5);
    objects[0].transfer_syntax = IMPLICIT_LITTLE;
    objects[1].transfer_syntax = EXPLICIT_BIG;
    objects[2].transfer_syntax = DEFLATED;
    objects[3].transfer_syntax = JPEG_BASELINE;
    // More than is read ahead, and no multiple of anything.
    objects[4].pixels = 9_000_002;
    for object in &objects {
        object.write(&study.join("deep"));
    }
    std::fs::write(study.join("notes.txt"), "no DICOM").unwrap();
    let peer = Storescp::start(&["--fork", "+xa", "+B"]);
    let ran = person.run(&["push", "STORESCP", "study", &peer.address()]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(
        ran.stderr.contains("not sent: 1 file that is no DICOM"),
        "{ran:#?}"
    );
    let told = parsed(&ran);
    assert_eq!((&told["stored"], &told["refused"]), (&json!(5), &json!(0)));
    assert_eq!(told["files"][0]["status"], "0000");
    // No assert_eq: nobody reads megabytes of a failure.
    assert!(peer.data_sets() == sorted(objects.iter().map(Object::data_set)));
}

#[test]
fn a_data_set_without_a_head_is_sent_too() {
    if !are_there("mb push --dicom", &[Peer::Dcmtk]) {
        return;
    }
    let person = Person::new();
    let mut objects = Object::series(2);
    objects[1].transfer_syntax = IMPLICIT_LITTLE;
    std::fs::create_dir(person.at("study")).unwrap();
    for (object, name) in objects.iter().zip(["a", "b"]) {
        std::fs::write(person.at("study").join(name), object.data_set()).unwrap();
    }
    let peer = Storescp::start(&["--fork", "+xa", "+B"]);
    let told = person.does(&[
        "push",
        "STORESCP",
        "study",
        &peer.address(),
        "--associations",
        "1",
    ]);
    assert_eq!(told["stored"], 2);
    // No assert_eq: nobody reads megabytes of a failure.
    assert!(peer.data_sets() == sorted(objects.iter().map(Object::data_set)));
}

#[test]
fn what_a_peer_does_not_take_is_in_a_table_and_the_rest_is_stored() {
    if !are_there("mb push --dicom", &[Peer::Dcmtk]) {
        return;
    }
    let person = Person::new();
    let mut objects = Object::series(3);
    objects[1].sop_class = "1.2.826.0.1.3680043.10.999.1";
    for object in &objects {
        object.write(&person.at("study"));
    }
    let peer = Storescp::start(&["--fork"]);
    let ran = person.run(&["push", "STORESCP", "study", &peer.address()]);
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    assert!(
        ran.stderr
            .contains("not sent: the peer takes no such SOP class in this transfer syntax"),
        "{ran:#?}"
    );
    assert!(ran.stderr.contains("2 of 3 files stored by STORESCP"), "{ran:#?}");
    assert_eq!(parsed(&ran)["refused"], 1);
}

#[test]
fn more_kinds_than_an_association_can_have_are_sent_over_several() {
    if !are_there("mb push --dicom", &[Peer::Dcmtk]) {
        return;
    }
    let person = Person::new();
    for (n, mut object) in Object::series(140).into_iter().enumerate() {
        object.sop_class = Box::leak(format!("1.2.826.0.1.3680043.10.999.{n}").into_boxed_str());
        object.pixels = 2;
        object.write(&person.at("study"));
    }
    let peer = Storescp::start(&["--fork", "-pm", "+B"]);
    let told = person.does(&["push", "STORESCP", "study", &peer.address()]);
    assert_eq!(told["stored"], 140);
}

#[test]
fn a_refused_association_and_a_peer_that_is_not_there_have_their_exit_statuses() {
    let person = Person::new();
    Object::new().write(&person.at("study"));
    let node = TestNode::start("");
    let address = format!("--dicom=127.0.0.1:{}", node.dicom_port());
    let ran = person.run(&["push", "Nobody", "study", &address]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stderr.contains("called AE title not recognized"), "{ran:#?}");
    let address = format!("--dicom=127.0.0.1:{}", free_port());
    let ran = person.run(&["push", "Nobody", "study", &address]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stderr.contains("Connection refused"), "{ran:#?}");
    assert_eq!(
        person.run(&["push", "Nobody", "study", "--dicom=nowhere"]).code,
        Some(2)
    );
}
