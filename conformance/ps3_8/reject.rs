//! A-ASSOCIATE-RJ (§9.3.4): the exact result, source and reason.

use std::net::Ipv4Addr;

use crate::needs;
use crate::subject::{ARTIM, ECHO, associate, associate_from, gives_its_place_back, request, subject};
use crate::support::parrot::pdu::{Request, title};
use crate::support::parrot::{Heard, Parrot};
use crate::support::under_test::TestNode;

#[track_caller]
fn rejected(node: &TestNode, request: &Request, expected: (u8, u8, u8)) {
    let mut parrot = Parrot::connect(node.dicom_port());
    parrot.say(request.encode());
    let (result, source, reason) = expected;
    assert_eq!(parrot.hear(), Heard::Rejected(result, source, reason));
}

#[test]
fn an_unknown_called_ae_title_is_rejected_1_1_7() {
    needs!(Docker);
    let node = subject("");
    for text in ["NOBODY", "", "../../etc/passwd", "\u{1b}[2J"] {
        let called = title(text.as_bytes());
        rejected(&node, &Request { called, ..request() }, (1, 1, 7));
    }
    associate(&node).release();
}

#[test]
fn another_application_context_is_rejected_1_1_2() {
    needs!(Docker);
    let node = subject("");
    for other in [
        "1.2.840.10008.3.1.1.2",
        "1.2.840.10008.3.1.1",
        "1.2.840.10008.3.1.1.1.1",
    ] {
        let request = Request {
            application_context: other.into(),
            ..request()
        };
        rejected(&node, &request, (1, 1, 2));
    }
}

#[test]
fn a_protocol_version_without_bit_0_is_rejected_1_2_2() {
    needs!(Docker);
    let node = subject("");
    for version in [0, 2, 0xfffe] {
        let request = Request { version, ..request() };
        rejected(&node, &request, (1, 2, 2));
    }
}

#[test]
fn a_full_node_rejects_for_the_moment_2_3_2() {
    needs!(Docker);
    let node = subject("[dicom]\nassociations = 1\n");
    let mut open = associate(&node);
    rejected(&node, &request(), (2, 3, 2));
    // A request that would never be taken is told so, however full the node is.
    let called = title(b"NOBODY");
    rejected(&node, &Request { called, ..request() }, (1, 1, 7));
    open.echo(ECHO);
    open.release();
    gives_its_place_back(&node);
}

#[test]
fn one_address_that_has_its_share_is_rejected_2_3_2_and_others_are_not() {
    needs!(Docker);
    let node = subject("[dicom]\nassociations = 3\nassociations_per_address = 1\n");
    let open = associate(&node);
    rejected(&node, &request(), (2, 3, 2));
    let mut other = associate_from(&node, Ipv4Addr::new(127, 0, 0, 2));
    other.echo(ECHO);
    open.release();
    gives_its_place_back(&node);
}

#[test]
fn a_disk_with_too_little_room_is_told_as_congestion_2_3_1() {
    needs!(Docker);
    let node = subject("[storage]\nreserve = \"1000TiB\"\n");
    rejected(&node, &request(), (2, 3, 1));
}

#[test]
fn after_a_rejection_nothing_is_answered_and_the_connection_ends() {
    needs!(Docker);
    let node = subject("[dicom]\nartim = \"1s\"\n");
    let mut parrot = Parrot::connect(node.dicom_port());
    let called = title(b"NOBODY");
    parrot.say(Request { called, ..request() }.encode());
    assert_eq!(parrot.hear(), Heard::Rejected(1, 1, 7));
    // AA-6: in Sta13 it is ignored.
    parrot.say(crate::support::parrot::pdu::RELEASE_RQ);
    parrot.ends_within(ARTIM);
}
