//! The subject: a node with one bucket whose sets stay open, so that no container runs.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::PATIENCE;
use crate::support::images::Bucket;
use crate::support::parrot::command::Command;
use crate::support::parrot::pdu::{COMMAND, DATA, LAST, Pdv, Request, VERIFICATION, p_data};
use crate::support::parrot::{Heard, Parrot};
use crate::support::part10::{EXPLICIT_LITTLE, MR, Object};
use crate::support::under_test::TestNode;
use crate::support::wait::wait_until;

/// The AE title of the bucket.
pub const CALLED: &str = "Count";

/// Context of [`request`] for MR Image Storage, explicit little endian.
pub const STORE: u8 = 1;
/// Context of [`request`] for Verification.
pub const ECHO: u8 = 3;

/// What an ARTIM of 1 s may take on a busy machine.
pub const ARTIM: Duration = Duration::from_secs(8);

/// A node that only receives, with more configuration (TOML).
#[track_caller]
pub fn subject(config: &str) -> TestNode {
    let open = "complete = { level = \"study\", quiet = \"30m\", cap = \"90m\" }";
    TestNode::with(
        &Bucket::fixture("count"),
        &format!("{config}\n[bucket.{CALLED}]\n{open}\n"),
    )
}

/// The request of most tests: one context to store in, one to verify.
pub fn request() -> Request {
    Request::new(CALLED)
        .context(STORE, MR, &[EXPLICIT_LITTLE])
        .context(ECHO, VERIFICATION, &[EXPLICIT_LITTLE])
}

/// An open association with the contexts of [`request`]. A full node is asked again: a place is free a moment after
/// the last one's goodbye.
#[track_caller]
pub fn associate(node: &TestNode) -> Parrot {
    let accepted = wait_until(PATIENCE, "an association", || {
        let mut parrot = Parrot::connect(node.dicom_port());
        parrot.say(request().encode());
        match parrot.hear() {
            Heard::Accepted(_) => Some(parrot),
            Heard::Rejected(2, 3, 2) => None,
            other => panic!("an A-ASSOCIATE-AC was expected: {other:?}"),
        }
    });
    accepted.unwrap()
}

/// An association from a peer address of its own, which a limit for each address leaves alone.
#[track_caller]
pub fn associate_from(node: &TestNode, address: Ipv4Addr) -> Parrot {
    let mut parrot = Parrot::connect_from(address, node.dicom_port());
    parrot.say(request().encode());
    parrot.accepted();
    parrot
}

/// The objects that are stored.
pub fn stored(node: &TestNode) -> Vec<PathBuf> {
    files_below(&node.bucket(CALLED).join("incoming"), "dcm")
}

/// The stored object with that SOP Instance UID, as a whole file.
#[track_caller]
pub fn stored_object(node: &TestNode, sop_instance: &str) -> Vec<u8> {
    let files = stored(node);
    let start = format!("{sop_instance}-");
    let named = |path: &&PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(&start);
    let found: Vec<_> = files.iter().filter(named).collect();
    assert_eq!(found.len(), 1, "files of {sop_instance} in {files:#?}");
    fs::read(found[0]).unwrap()
}

/// Nothing of an unfinished object stays.
#[track_caller]
pub fn leaves_no_part(node: &TestNode) {
    let incoming = node.bucket(CALLED).join("incoming");
    wait_until(PATIENCE, "the end of unfinished objects", || {
        files_below(&incoming, "part").is_empty().then_some(())
    })
    .unwrap();
}

/// An object that does not fit into the node's memory for one: it lies on the disk before it is whole.
pub fn large_object() -> Object {
    Object {
        pixels: 2_000_000,
        ..Object::new()
    }
}

/// Sends all but the end of a large object, in whole PDUs, and waits until the node has taken it up.
#[track_caller]
pub fn begin_object(node: &TestNode, parrot: &mut Parrot) {
    let object = large_object();
    let command = Command::store(1, object.sop_class, &object.sop_instance).encode();
    parrot.say(p_data(&[Pdv::new(STORE, COMMAND | LAST, command)]));
    let set = object.data_set();
    for piece in set[..set.len() - 8].chunks(16_000) {
        parrot.say(p_data(&[Pdv::new(STORE, DATA, piece)]));
    }
    has_begun(node);
}

/// An object that was begun lies there unfinished: the node has taken it up.
#[track_caller]
pub fn has_begun(node: &TestNode) {
    let incoming = node.bucket(CALLED).join("incoming");
    wait_until(PATIENCE, "the beginning of an object", || {
        (!files_below(&incoming, "part").is_empty()).then_some(())
    })
    .unwrap();
}

/// With `associations = 1` the next association is accepted once the last has given its place back.
#[track_caller]
pub fn gives_its_place_back(node: &TestNode) {
    associate(node).release();
}

/// The node has warned in its log since it was that long.
#[track_caller]
pub fn has_warned_since(node: &TestNode, log: usize) {
    wait_until(PATIENCE, "a warning in the log", || {
        let warned = node.log()[log..].lines().any(|line| line.contains("WARN"));
        warned.then_some(())
    })
    .unwrap();
}

/// The most memory the node has had so far, in bytes.
pub fn peak_memory(node: &TestNode) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", node.ready().pid)).unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}

fn files_below(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut files = Vec::new();
    for path in entries.filter_map(|e| Some(e.ok()?.path())) {
        if path.is_dir() {
            files.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            files.push(path);
        }
    }
    files
}
