//! What Success and the end of an association promise, by `durability`.

use crate::needs;
use crate::support::images::Bucket;
use crate::support::parrot::pdu::{self, Request};
use crate::support::parrot::{Heard, Parrot};
use crate::support::part10::{EXPLICIT_LITTLE, MR, Object};
use crate::support::under_test::TestNode;

const SYNCED_AT_ITS_END: &str = "[storage]\ndurability = \"association\"\n[bucket.Count]\n\
     complete = { level = \"study\", quiet = \"30m\", cap = \"90m\" }\n";

#[test]
fn what_an_association_stored_is_there_after_its_release_and_a_kill_9() {
    needs!(Docker);
    let mut node = TestNode::with(&Bucket::fixture("count"), SYNCED_AT_ITS_END);
    let objects = Object::series(20);
    let request = Request::new("Count").context(1, MR, &[EXPLICIT_LITTLE]);
    let mut parrot = Parrot::associate(node.dicom_port(), &request);
    for object in &objects {
        assert_eq!(parrot.store(1, object), 0x0000);
    }
    parrot.say(pdu::RELEASE_RQ);
    assert_eq!(parrot.hear(), Heard::Released);
    node.kill().unwrap();
    node.restart().unwrap();
    node.wait_for("Count", "every object", |job| {
        job.instances == objects.len() as u64
    });
}

#[test]
fn an_association_that_is_cut_off_keeps_what_was_answered() {
    needs!(Docker);
    let config = "[storage]\ndurability = \"association\"\n";
    let node = TestNode::with(&Bucket::fixture("count"), config);
    let objects = Object::series(3);
    let request = Request::new("Count").context(1, MR, &[EXPLICIT_LITTLE]);
    let mut parrot = Parrot::associate(node.dicom_port(), &request);
    for object in &objects {
        assert_eq!(parrot.store(1, object), 0x0000);
    }
    parrot.reset();
    let job = node.wait_for_end("Count");
    assert_eq!(
        (job.outcome.as_deref(), job.instances),
        (Some("success"), 3),
        "{job:#?}"
    );
}
