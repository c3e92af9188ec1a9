//! A-ABORT (§9.3.8, §9.2): by AA-1 as service user where no association is, by AA-8 as service provider where one is.

use crate::needs;
use crate::subject::{
    ECHO, STORE, associate, gives_its_place_back, has_warned_since, leaves_no_part, request, subject,
};
use crate::support::parrot::pdu::{
    ABORT, COMMAND, DATA, LAST, Pdv, RELEASE_RP, RELEASE_RQ, context_item, item, p_data, pdu,
};
use crate::support::parrot::{Heard, Parrot};
use crate::support::part10::{EXPLICIT_LITTLE, MR};
use crate::support::under_test::TestNode;

const CONFIG: &str = "[dicom]\nassociations = 1\n";
const UNRECOGNIZED_PDU: u8 = 1;
const UNEXPECTED_PDU: u8 = 2;

/// What is said first is answered by an A-ABORT of the service user.
#[track_caller]
fn aborted_before_an_association(node: &TestNode, what: &str, bytes: &[u8]) {
    let mut parrot = Parrot::connect(node.dicom_port());
    parrot.say(bytes);
    // The reason is not significant where the source is the service user.
    let heard = parrot.hear();
    assert!(matches!(heard, Heard::Aborted(0, _)), "{what}: {heard:?}");
    drop(parrot);
}

/// What is said within an association is answered by an A-ABORT of the service provider with one of these reasons.
#[track_caller]
fn aborted_within_an_association(node: &TestNode, what: &str, bytes: &[u8], reasons: &[u8]) {
    let log = node.log().len();
    let mut parrot = associate(node);
    parrot.say(bytes);
    let heard = parrot.hear();
    let right = matches!(heard, Heard::Aborted(2, reason) if reasons.contains(&reason));
    assert!(right, "{what}: {heard:?}, not source 2 and reason {reasons:?}");
    drop(parrot);
    has_warned_since(node, log);
    leaves_no_part(node);
    gives_its_place_back(node);
}

#[test]
fn any_pdu_but_a_request_is_aborted_as_service_user_in_sta2() {
    needs!(Docker);
    let node = subject(CONFIG);
    for (what, bytes) in [
        ("A-ASSOCIATE-AC", pdu(2, &request().body())),
        ("A-ASSOCIATE-RJ", pdu(3, &[0, 1, 1, 1])),
        ("P-DATA-TF", p_data(&[Pdv::new(1, COMMAND | LAST, b"")])),
        ("A-RELEASE-RQ", RELEASE_RQ.to_vec()),
        ("A-RELEASE-RP", RELEASE_RP.to_vec()),
        ("type 00", pdu(0, &[0; 4])),
        ("type 08", pdu(8, &[0; 4])),
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
    ] {
        aborted_before_an_association(&node, what, &bytes);
    }
    // Who cannot be told apart yet is logged so often and no more.
    has_warned_since(&node, 0);
    associate(&node).release();
}

#[test]
fn a_malformed_request_is_aborted_as_service_user() {
    needs!(Docker);
    let node = subject(CONFIG);
    let overrun = |mut bytes: Vec<u8>, at: usize| {
        bytes[at] = 0xff;
        bytes
    };
    let good = request().encode();
    let user = good.len() - 4 - request().user.concat().len();
    assert_eq!(good[user], 0x50);
    let context = |id| request().item(context_item(id, MR, &[EXPLICIT_LITTLE])).encode();
    for (what, bytes) in [
        ("an even context id", context(2)),
        ("context id 0", context(0)),
        ("a context id twice", context(STORE)),
        (
            "an application context beyond the end",
            overrun(good.clone(), 74 + 2),
        ),
        ("a context beyond the end", overrun(good.clone(), 74 + 25 + 2)),
        (
            "an abstract syntax beyond its context",
            overrun(good.clone(), 74 + 25 + 8 + 2),
        ),
        ("user information beyond the end", overrun(good.clone(), user + 2)),
        (
            "a sub-item beyond the user information",
            overrun(good.clone(), user + 6),
        ),
        (
            "a context without its id",
            request().item(item(0x20, &[])).encode(),
        ),
        ("half an item header", {
            let mut body = request().body();
            body.extend([0x20, 0]);
            pdu(1, &body)
        }),
        ("nothing but the header", pdu(1, &[])),
        ("less than the fixed fields", pdu(1, &request().body()[..67])),
        ("4 GiB", b"\x01\0\xff\xff\xff\xff\0\x01\0\0".to_vec()),
    ] {
        aborted_before_an_association(&node, what, &bytes);
    }
    // Who cannot be told apart yet is logged so often and no more.
    has_warned_since(&node, 0);
    associate(&node).release();
}

#[test]
fn a_request_that_is_longer_than_the_limit_is_aborted_unread() {
    needs!(Docker);
    let node = subject("[dicom]\nassociate_request = \"4KiB\"\n");
    let long = request().item(item(0x99, &[0; 5000])).encode();
    aborted_before_an_association(&node, "a long request", &long);
    aborted_before_an_association(&node, "only its header", &long[..6]);
    let fits = request().item(item(0x99, &[0; 3000]));
    Parrot::associate(node.dicom_port(), &fits).release();
}

#[test]
fn an_unrecognized_pdu_is_aborted_as_service_provider_with_reason_1() {
    needs!(Docker);
    let node = subject(CONFIG);
    for kind in [0, 8, 0x16, 0xff] {
        let what = format!("type {kind:02x}");
        aborted_within_an_association(&node, &what, &pdu(kind, &[0; 4]), &[UNRECOGNIZED_PDU]);
    }
    let endless = b"\x10\0\xff\xff\xff\xff";
    aborted_within_an_association(&node, "type 10 of 4 GiB", endless, &[UNRECOGNIZED_PDU]);
}

#[test]
fn a_pdu_out_of_place_is_aborted_as_service_provider_with_reason_2() {
    needs!(Docker);
    let node = subject(CONFIG);
    for (what, bytes) in [
        ("A-ASSOCIATE-RQ again", request().encode()),
        ("A-ASSOCIATE-AC", pdu(2, &request().body())),
        ("A-ASSOCIATE-RJ", pdu(3, &[0, 1, 1, 1])),
        ("A-RELEASE-RP", RELEASE_RP.to_vec()),
    ] {
        aborted_within_an_association(&node, what, &bytes, &[UNEXPECTED_PDU]);
    }
}

#[test]
fn an_invalid_p_data_tf_is_aborted_as_service_provider_with_a_reason_for_its_parameter() {
    needs!(Docker);
    let node = subject(CONFIG);
    // 5: unexpected PDU parameter, 6: invalid value of one.
    let reasons = [5, 6];
    for (what, bytes) in [
        ("a value beyond its PDU", pdu(4, &[0, 0, 0, 9, STORE, 3, 0, 0])),
        (
            "a value of 4 GiB",
            pdu(4, &[0xff, 0xff, 0xff, 0xff, STORE, 3, 0, 0]),
        ),
        ("a value of no bytes", pdu(4, &[0, 0, 0, 0])),
        ("a value of one byte", pdu(4, &[0, 0, 0, 1, STORE])),
        ("half a length", pdu(4, &[0, 0, 0])),
        (
            "a context that was not proposed",
            p_data(&[Pdv::new(99, COMMAND | LAST, [0; 8])]),
        ),
        (
            "a context with an even id",
            p_data(&[Pdv::new(2, DATA | LAST, [0; 8])]),
        ),
        (
            "a PDU of 4 GiB",
            b"\x04\0\xff\xff\xff\xff\0\0\0\x02\x01\x03".to_vec(),
        ),
    ] {
        aborted_within_an_association(&node, what, &bytes, &reasons);
    }
}

#[test]
fn a_pdu_larger_than_we_offered_is_aborted_before_it_is_read() {
    needs!(Docker);
    let node = subject("[dicom]\nassociations = 1\nmaximum_pdu = \"16KiB\"\n");
    let whole = p_data(&[Pdv::new(STORE, COMMAND, vec![0; (16 << 10) - 6 + 1])]);
    assert_eq!(whole.len(), 6 + (16 << 10) + 1);
    aborted_within_an_association(&node, "one byte more", &whole, &[5, 6]);
    aborted_within_an_association(&node, "its header", &whole[..6], &[5, 6]);
}

#[test]
fn a_context_that_was_refused_carries_nothing() {
    needs!(Docker);
    let node = subject(CONFIG);
    let mut parrot = Parrot::connect(node.dicom_port());
    parrot.say(request().context(5, "1.2.3", &[EXPLICIT_LITTLE]).encode());
    assert_eq!(parrot.accepted().contexts[2].result, 3);
    parrot.echo(ECHO);
    parrot.say(p_data(&[Pdv::new(5, COMMAND | LAST, [0; 8])]));
    let heard = parrot.hear();
    assert!(matches!(heard, Heard::Aborted(2, 5 | 6)), "{heard:?}");
    drop(parrot);
    gives_its_place_back(&node);
}

#[test]
fn an_abort_is_not_answered_and_closes_the_connection() {
    needs!(Docker);
    let node = subject("[dicom]\nassociations = 1\n");
    let mut early = Parrot::connect(node.dicom_port());
    early.say(ABORT);
    assert_eq!(early.hear(), Heard::Closed);
    let log = node.log().len();
    let mut parrot = associate(&node);
    parrot.say(pdu(7, &[0, 0, 2, 6]));
    assert_eq!(parrot.hear(), Heard::Closed);
    has_warned_since(&node, log);
    gives_its_place_back(&node);
}
