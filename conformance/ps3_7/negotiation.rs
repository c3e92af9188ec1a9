//! User information (§D.3.3): what is asked is answered, what is not asked is not.

use crate::needs;
use crate::subject::{ECHO, STORE, associate, request, subject};
use crate::support::parrot::command::Command;
use crate::support::parrot::pdu::{Accepted, Request, message};
use crate::support::parrot::{Heard, Parrot};
use crate::support::part10::{CT, MR, Object};
use crate::support::under_test::TestNode;

const ASYNCHRONOUS: u8 = 0x53;
const ROLE: u8 = 0x54;
const EXTENDED: u8 = 0x56;
const COMMON_EXTENDED: u8 = 0x57;
const IDENTITY: u8 = 0x58;
const IDENTITY_ANSWER: u8 = 0x59;

/// The acceptance of a request; the association works and ends in order.
#[track_caller]
fn ask(node: &TestNode, request: &Request) -> Accepted {
    let mut parrot = Parrot::connect(node.dicom_port());
    parrot.say(request.encode());
    let accepted = parrot.accepted();
    parrot.echo(ECHO);
    parrot.release();
    accepted
}

/// A field with its length in two bytes before it.
fn field(value: &[u8]) -> Vec<u8> {
    [&u16::try_from(value.len()).unwrap().to_be_bytes()[..], value].concat()
}

fn role(sop_class: &str, scu: u8, scp: u8) -> Vec<u8> {
    [field(sop_class.as_bytes()), vec![scu, scp]].concat()
}

fn window(invoked: u16, performed: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (invoked.to_be_bytes(), performed.to_be_bytes());
    [a, b, c, d]
}

#[test]
fn a_requestor_may_be_scu_and_not_scp() {
    needs!(Docker);
    let node = subject("");
    for (scu, scp, answer) in [(1, 0, (1, 0)), (1, 1, (1, 0)), (0, 1, (0, 0)), (0, 0, (0, 0))] {
        let request = request().user(ROLE, &role(MR, scu, scp));
        let accepted = ask(&node, &request);
        let expected = role(MR, answer.0, answer.1);
        assert_eq!(accepted.user(ROLE), [expected.as_slice()], "proposed {scu}/{scp}");
    }
    // Each class has its answer; the order is free.
    let both = request()
        .user(ROLE, &role("1.2.840.10008.1.1", 1, 1))
        .user(ROLE, &role(MR, 1, 1));
    let accepted = ask(&node, &both);
    let answers = accepted.user(ROLE);
    for class in [MR, "1.2.840.10008.1.1"] {
        assert!(
            answers.contains(&role(class, 1, 0).as_slice()),
            "{class}: {answers:?}"
        );
    }
    assert_eq!(answers.len(), 2);
}

#[test]
fn a_role_for_a_class_that_was_not_proposed_does_not_matter() {
    needs!(Docker);
    let node = subject("");
    let accepted = ask(&node, &request().user(ROLE, &role(CT, 1, 1)));
    assert!(accepted.contexts.iter().all(|c| c.result == 0));
}

#[test]
fn the_asynchronous_operations_window_is_answered_within_what_was_proposed() {
    needs!(Docker);
    let node = subject("[dicom]\nasynchronous_operations = 4\n");
    for (invoked, performed) in [(1, 1), (2, 1), (4, 4), (100, 100), (0, 0), (0, 1)] {
        let request = request().user(ASYNCHRONOUS, &window(invoked, performed));
        let accepted = ask(&node, &request);
        let [answer] = accepted.user(ASYNCHRONOUS)[..] else {
            panic!("no answer, or several: {accepted:?}");
        };
        let expected = if invoked == 0 { 4 } else { invoked.min(4) };
        let number = |at: usize| u16::from_be_bytes([answer[at], answer[at + 1]]);
        assert_eq!(number(0), expected, "proposed {invoked} invoked");
        let most = if performed == 0 { u16::MAX } else { performed };
        assert!(
            (1..=most).contains(&number(2)),
            "proposed {performed} performed: {}",
            number(2)
        );
    }
}

#[test]
fn operations_that_are_sent_without_waiting_are_all_answered_in_order() {
    needs!(Docker);
    let node = subject("");
    let request = request().user(ASYNCHRONOUS, &window(10, 1));
    let mut parrot = Parrot::associate(node.dicom_port(), &request);
    let mut bytes = Vec::new();
    for id in [11, 3, 7, 5, 0xffff] {
        let object = Object::new();
        let command = Command::store(id, object.sop_class, &object.sop_instance);
        bytes.extend(message(STORE, &command, Some(&object.data_set())));
        bytes.extend(message(ECHO, &Command::echo(id - 1), None));
    }
    parrot.say(bytes);
    for id in [11, 3, 7, 5, 0xffff] {
        let (store, echo) = (parrot.response(), parrot.response());
        assert_eq!(
            (store.context, store.message_id, store.status),
            (STORE, id, 0x0000)
        );
        assert_eq!(
            (echo.context, echo.message_id, echo.status),
            (ECHO, id - 1, 0x0000)
        );
    }
    parrot.release();
}

#[test]
fn a_user_identity_is_accepted_and_acknowledged_where_that_was_asked() {
    needs!(Docker);
    let node = subject("");
    let (name, secret) = ("dr.who", "tardis-and-passcode");
    // 1: username, 2: with passcode, 3: Kerberos, 4: SAML, 5: JSON Web Token; 9: nobody knows.
    for kind in [1, 2, 3, 4, 5, 9] {
        for asked in [0, 1] {
            let second = if kind == 2 { secret } else { "" };
            let identity = [
                vec![kind, asked],
                field(name.as_bytes()),
                field(second.as_bytes()),
            ]
            .concat();
            let accepted = ask(&node, &request().user(IDENTITY, &identity));
            let answers = accepted.user(IDENTITY_ANSWER);
            if asked == 0 {
                assert_eq!(answers, [[0; 0]; 0], "type {kind} without a response asked for");
            } else if kind <= 2 {
                // A server response of no length (Table D.3-15).
                assert_eq!(answers, [[0, 0]], "type {kind}");
            }
        }
    }
    assert!(!node.log().contains(secret), "a passcode in the log");
}

#[test]
fn extended_negotiation_of_storage_is_answered_with_what_we_do() {
    needs!(Docker);
    let node = subject("");
    // Level 3: the peer is SCU only (PS3.4 §B.3.1).
    let asked = [field(MR.as_bytes()), vec![3, 0, 0, 0, 2, 0]].concat();
    let accepted = ask(&node, &request().user(EXTENDED, &asked));
    let [answer] = accepted.user(EXTENDED)[..] else {
        panic!("no answer, or several: {accepted:?}");
    };
    let class = field(MR.as_bytes());
    assert!(answer.starts_with(&class), "{answer:02x?}");
    let information = &answer[class.len()..];
    // Level 2 (full) storage, and no coercion of elements.
    assert_eq!((information[0], information[4]), (2, 0), "{information:02x?}");
    assert_eq!(information.len(), 6);
}

#[test]
fn extended_negotiation_of_what_has_none_is_left_alone() {
    needs!(Docker);
    let node = subject("");
    for class in ["1.2.840.10008.1.1", "1.2.3", CT] {
        let asked = [field(class.as_bytes()), vec![1; 6]].concat();
        let accepted = ask(&node, &request().user(EXTENDED, &asked));
        assert_eq!(accepted.user(EXTENDED).len(), 0, "{class}");
    }
}

#[test]
fn common_extended_negotiation_is_taken_and_never_answered() {
    needs!(Docker);
    let node = subject("");
    // SOP class, service class, no related general classes (§D.3.3.6).
    let asked = [
        field(MR.as_bytes()),
        field(b"1.2.840.10008.4.2"),
        field(&field(CT.as_bytes())),
    ]
    .concat();
    let accepted = ask(&node, &request().user(COMMON_EXTENDED, &asked));
    assert_eq!(accepted.user(COMMON_EXTENDED).len(), 0);
}

#[test]
fn sub_items_that_are_malformed_inside_harm_nobody() {
    needs!(Docker);
    let node = subject("");
    for kind in [
        ROLE,
        ASYNCHRONOUS,
        EXTENDED,
        COMMON_EXTENDED,
        IDENTITY,
        0x51,
        0x52,
    ] {
        for value in [b"".as_slice(), b"\xff", b"\xff\xff", b"\xff\xff\xff\xff\xff"] {
            let mut parrot = Parrot::connect(node.dicom_port());
            parrot.say(request().user(kind, value).encode());
            // To ignore it and to abort for it are both lawful.
            match parrot.hear() {
                Heard::Accepted(_) => parrot.echo(ECHO),
                Heard::Aborted(0, _) => {}
                other => panic!("{kind:02x} {value:02x?}: {other:?}"),
            }
        }
    }
    associate(&node).release();
}
