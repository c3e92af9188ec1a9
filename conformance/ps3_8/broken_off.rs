//! Associations that end in mid-object: no file, no place, and a word in the log.

use crate::needs;
use crate::subject::{
    ARTIM, STORE, associate, begin_object, gives_its_place_back, has_warned_since, leaves_no_part, stored,
    subject,
};
use crate::support::parrot::command::Command;
use crate::support::parrot::pdu::{ABORT, COMMAND, DATA, LAST, Pdv, p_data};
use crate::support::parrot::{Heard, Parrot};
use crate::support::under_test::TestNode;

/// An object is begun, `end` ends it; answers what is left of the peer.
#[track_caller]
fn break_off(node: &TestNode, end: impl FnOnce(Parrot)) {
    let log = node.log().len();
    let mut parrot = associate(node);
    begin_object(node, &mut parrot);
    end(parrot);
    leaves_no_part(node);
    has_warned_since(node, log);
    gives_its_place_back(node);
    assert_eq!(stored(node).len(), 0, "half an object is stored");
}

#[test]
fn an_object_that_is_broken_off_leaves_nothing_behind() {
    needs!(Docker);
    let node = subject("[dicom]\nartim = \"1s\"\nassociations = 1\n");
    break_off(&node, |mut parrot| {
        parrot.say(ABORT);
        assert_eq!(parrot.hear(), Heard::Closed);
    });
    break_off(&node, drop);
    break_off(&node, Parrot::reset);
    // Within a PDU: its header promises more.
    break_off(&node, |mut parrot| {
        parrot.say(b"\x04\0\0\0\x10\0\0\0\x0f\xfc\x01\0half")
    });
    break_off(&node, |mut parrot| {
        parrot.say(b"\x04\0\0");
        parrot.reset();
    });
}

#[test]
fn a_message_that_begins_within_another_aborts_it() {
    needs!(Docker);
    let node = subject("[dicom]\nartim = \"1s\"\nassociations = 1\n");
    let echo = Command::echo(2).encode();
    for (what, value) in [
        (
            "a command within a data set",
            Pdv::new(STORE, COMMAND | LAST, &echo),
        ),
        ("a data set of another context", Pdv::new(3, DATA, b"more")),
    ] {
        break_off(&node, |mut parrot| {
            parrot.say(p_data(&[value]));
            let heard = parrot.hear();
            assert!(matches!(heard, Heard::Aborted(..)), "{what}: {heard:?}");
            parrot.ends_within(ARTIM);
        });
    }
}

#[test]
fn a_command_over_two_contexts_or_a_data_set_without_one_is_aborted() {
    needs!(Docker);
    let node = subject("[dicom]\nartim = \"1s\"\nassociations = 1\n");
    let echo = Command::echo(2).encode();
    let (start, end) = echo.split_at(20);
    for (what, values) in [
        (
            "a command over two contexts",
            vec![Pdv::new(3, COMMAND, start), Pdv::new(1, COMMAND | LAST, end)],
        ),
        (
            "a data set within a command",
            vec![Pdv::new(3, COMMAND, start), Pdv::new(3, DATA | LAST, end)],
        ),
        (
            "a data set without a command",
            vec![Pdv::new(1, DATA | LAST, end)],
        ),
    ] {
        let mut parrot = associate(&node);
        parrot.say(p_data(&values));
        let heard = parrot.hear();
        assert!(matches!(heard, Heard::Aborted(..)), "{what}: {heard:?}");
        parrot.ends_within(ARTIM);
        gives_its_place_back(&node);
    }
}
