//! Command sets (§6.3): what is missing, contradictory or no command set is never answered with Success.

use crate::needs;
use crate::subject::{ECHO, STORE, associate, gives_its_place_back, leaves_no_part, stored, subject};
use crate::support::parrot::command::{
    Command, DATA_SET_TYPE, FIELD, GROUP_LENGTH, MESSAGE_ID, NO_DATA_SET, PRIORITY, SOP_CLASS, SOP_INSTANCE,
    element,
};
use crate::support::parrot::pdu::{COMMAND, LAST, Pdv, message_of_bytes, p_data};
use crate::support::parrot::{Heard, Parrot};
use crate::support::part10::{CT, MR, Object, uid};
use crate::support::under_test::TestNode;

const CONFIG: &str = "[dicom]\nassociations = 1\n";

fn command(object: &Object) -> Command {
    Command::store(1, object.sop_class, &object.sop_instance)
}

/// A failure, and the association lives.
#[track_caller]
fn refused(parrot: &mut Parrot, what: &str, command: &[u8], data_set: Option<&[u8]>) -> u16 {
    parrot.say(message_of_bytes(STORE, command, data_set));
    let response = parrot.response();
    assert_eq!(
        (response.command_field, response.message_id),
        (0x8001, 1),
        "{what}: {response:?}"
    );
    assert_ne!(response.status, 0x0000, "{what}: {response:?}");
    assert_ne!(
        response.status & 0xf000,
        0xb000,
        "{what}: a warning: {response:?}"
    );
    parrot.echo(ECHO);
    response.status
}

/// An A-ABORT; the place is given back.
#[track_caller]
fn aborted(node: &TestNode, what: &str, command: &[u8]) {
    let mut parrot = associate(node);
    parrot.say(p_data(&[Pdv::new(STORE, COMMAND | LAST, command)]));
    let heard = parrot.hear();
    assert!(matches!(heard, Heard::Aborted(..)), "{what}: {heard:?}");
    drop(parrot);
    gives_its_place_back(node);
}

#[test]
fn an_element_that_is_missing_is_named_where_an_answer_is_possible() {
    needs!(Docker);
    let node = subject(CONFIG);
    let mut parrot = associate(&node);
    let object = Object::new();
    let (whole, set) = (command(&object), object.data_set());
    for (what, tag) in [
        ("Affected SOP Class UID", SOP_CLASS),
        ("Affected SOP Instance UID", SOP_INSTANCE),
    ] {
        refused(
            &mut parrot,
            what,
            &whole.clone().without(tag).encode(),
            Some(&set),
        );
    }
    for (what, tag) in [("an empty class", SOP_CLASS), ("an empty instance", SOP_INSTANCE)] {
        refused(
            &mut parrot,
            what,
            &whole.clone().set(tag, &[]).encode(),
            Some(&set),
        );
    }
    // The data set is missing, and the command says so.
    let without = whole.clone().short(DATA_SET_TYPE, NO_DATA_SET);
    refused(&mut parrot, "no data set", &without.encode(), None);
    assert_eq!(stored(&node).len(), 0);
    assert_eq!(parrot.store(STORE, &object), 0x0000);
    parrot.release();
}

#[test]
fn a_priority_that_is_missing_is_no_success() {
    needs!(Docker);
    let node = subject(CONFIG);
    let mut parrot = associate(&node);
    let object = Object::new();
    let command = command(&object).without(PRIORITY).encode();
    refused(&mut parrot, "Priority", &command, Some(&object.data_set()));
    parrot.release();
}

#[test]
fn a_command_that_no_response_can_name_is_aborted() {
    needs!(Docker);
    let node = subject(CONFIG);
    let whole = command(&Object::new());
    for (what, tag) in [
        ("no Message ID", MESSAGE_ID),
        ("no Command Field", FIELD),
        ("no Command Data Set Type", DATA_SET_TYPE),
    ] {
        aborted(&node, what, &whole.clone().without(tag).encode());
    }
    for (what, tag) in [
        ("Message ID", MESSAGE_ID),
        ("Command Field", FIELD),
        ("Command Data Set Type", DATA_SET_TYPE),
    ] {
        for value in [&[][..], &[1], &[1, 0, 0, 0]] {
            aborted(
                &node,
                &format!("{what} of {} bytes", value.len()),
                &whole.clone().set(tag, value).encode(),
            );
        }
    }
    leaves_no_part(&node);
}

#[test]
fn what_is_no_command_set_is_aborted() {
    needs!(Docker);
    let node = subject(CONFIG);
    let whole = command(&Object::new()).encode();
    let mut explicit = Vec::new();
    for (tag, value) in &command(&Object::new()).0 {
        let vr = if value.len() == 2 { b"US" } else { b"UI" };
        explicit.extend([0, 0]);
        explicit.extend(tag.to_le_bytes());
        explicit.extend(vr);
        explicit.extend(u16::try_from(value.len()).unwrap().to_le_bytes());
        explicit.extend(value);
    }
    let mut big_endian = Vec::new();
    for (tag, value) in &command(&Object::new()).0 {
        big_endian.extend([0, 0]);
        big_endian.extend(tag.to_be_bytes());
        big_endian.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
        big_endian.extend(value.iter().rev());
    }
    let mut endless = whole.clone();
    endless[16..20].fill(0xff);
    for (what, bytes) in [
        ("nothing", vec![]),
        ("half a header", vec![0; 5]),
        ("zeros", vec![0; 64]),
        ("text", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("an element cut short", whole[..whole.len() - 1].to_vec()),
        ("an element of 4 GiB", endless),
        ("explicit VR", explicit),
        ("big endian", big_endian),
        ("an element of group 0008", {
            [&whole[..], &[8, 0, 0x18, 0, 2, 0, 0, 0, b'1', 0]].concat()
        }),
    ] {
        aborted(&node, what, &bytes);
    }
}

#[test]
fn a_command_set_without_an_end_is_aborted() {
    needs!(Docker);
    let node = subject(CONFIG);
    let mut parrot = associate(&node);
    // Each element is lawful; more than 16 KiB of them is not a command any more.
    let piece: Vec<u8> = (0..10).flat_map(|_| element(0x5110, &[b' '; 100])).collect();
    for _ in 0..40 {
        parrot.say(p_data(&[Pdv::new(STORE, COMMAND, &piece)]));
    }
    let heard = parrot.hear();
    assert!(matches!(heard, Heard::Aborted(..)), "{heard:?}");
    drop(parrot);
    gives_its_place_back(&node);
}

#[test]
fn a_command_that_contradicts_itself_is_no_success() {
    needs!(Docker);
    let node = subject(CONFIG);
    let object = Object::new();
    let whole = command(&object);
    let twice = |tag: u16, value: &str| {
        let mut command = whole.clone();
        let other = Command(vec![]).uid(tag, value).0.remove(0);
        let at = command.0.iter().position(|(t, _)| *t == tag).unwrap();
        command.0.insert(at, other);
        command.encode()
    };
    let twice_field = {
        let mut command = whole.clone();
        command.0.insert(1, (FIELD, vec![0x30, 0]));
        command.encode()
    };
    for (what, bytes) in [
        ("two SOP instances", twice(SOP_INSTANCE, &uid())),
        ("two SOP classes", twice(SOP_CLASS, CT)),
        ("two command fields", twice_field),
    ] {
        no_success(&node, what, &bytes, &object);
    }
}

#[test]
fn a_group_length_that_lies_is_no_success() {
    needs!(Docker);
    let node = subject(CONFIG);
    let object = Object::new();
    for length in [0_u32, 20, 4000, u32::MAX] {
        let lies = element(GROUP_LENGTH, &length.to_le_bytes());
        let bytes = [lies, command(&object).elements()].concat();
        no_success(&node, &format!("a group length of {length}"), &bytes, &object);
    }
}

/// A failure or an A-ABORT; nothing is stored and the place is given back.
#[track_caller]
fn no_success(node: &TestNode, what: &str, command: &[u8], object: &Object) {
    let mut parrot = associate(node);
    parrot.say(message_of_bytes(STORE, command, Some(&object.data_set())));
    match parrot.answer() {
        Err(Heard::Aborted(..)) => {}
        Ok(response) => assert_ne!(response.status, 0x0000, "{what}: {response:?}"),
        Err(other) => panic!("{what}: {other:?}"),
    }
    drop(parrot);
    gives_its_place_back(node);
    assert_eq!(stored(node).len(), 0, "{what}");
}

#[test]
fn elements_that_do_not_matter_are_passed_over() {
    needs!(Docker);
    let node = subject("");
    let mut parrot = associate(&node);
    let object = Object::new();
    // A move originator, retired elements, and one that nobody knows.
    let command = command(&object)
        .set(0x0001, &[0; 4])
        .set(0x1030, b"ORIGINATOR")
        .short(0x1031, 5)
        .set(0x4000, b"DIALOG  ")
        .set(0x7fff, &[1; 300]);
    parrot.say(message_of_bytes(
        STORE,
        &command.encode(),
        Some(&object.data_set()),
    ));
    assert_eq!(parrot.response().status, 0x0000);
    // Priority and data set type may be any of their values.
    for (priority, kind) in [(1, 0x0000), (2, 0x0102), (0, 0xffff)] {
        let object = Object::new();
        let command = Command::store(1, MR, &object.sop_instance)
            .short(PRIORITY, priority)
            .short(DATA_SET_TYPE, kind);
        parrot.say(message_of_bytes(
            STORE,
            &command.encode(),
            Some(&object.data_set()),
        ));
        assert_eq!(
            parrot.response().status,
            0x0000,
            "priority {priority}, {kind:04x}"
        );
    }
    parrot.release();
}
