//! A-RELEASE (§9.3.6, §9.3.7): orderly between messages, an abort within one.

use crate::needs;
use crate::subject::{
    ARTIM, ECHO, STORE, associate, begin_object, gives_its_place_back, leaves_no_part, subject,
};
use crate::support::parrot::Heard;
use crate::support::parrot::command::Command;
use crate::support::parrot::pdu::{COMMAND, LAST, Pdv, RELEASE_RQ, message, p_data};
use crate::support::part10::Object;

#[test]
fn a_release_is_answered_and_the_peer_may_close() {
    needs!(Docker);
    let node = subject("[dicom]\nassociations = 1\n");
    let mut parrot = associate(&node);
    parrot.echo(ECHO);
    parrot.release();
    gives_its_place_back(&node);
}

#[test]
fn what_comes_before_a_release_in_the_same_segment_is_answered_first() {
    needs!(Docker);
    let node = subject("");
    let mut parrot = associate(&node);
    let mut bytes = message(ECHO, &Command::echo(9), None);
    bytes.extend(RELEASE_RQ);
    parrot.say(bytes);
    assert_eq!(parrot.response().message_id, 9);
    assert_eq!(parrot.hear(), Heard::Released);
}

#[test]
fn after_a_release_nothing_is_answered_and_the_connection_ends() {
    needs!(Docker);
    let node = subject("[dicom]\nartim = \"1s\"\nassociations = 1\n");
    let mut parrot = associate(&node);
    parrot.say(RELEASE_RQ);
    assert_eq!(parrot.hear(), Heard::Released);
    // AA-6: in Sta13 P-DATA-TF and A-RELEASE-RQ are ignored.
    parrot.say(message(ECHO, &Command::echo(1), None));
    parrot.say(RELEASE_RQ);
    parrot.ends_within(ARTIM);
    gives_its_place_back(&node);
}

#[test]
fn a_release_within_a_message_aborts_it() {
    needs!(Docker);
    let node = subject("[dicom]\nartim = \"1s\"\nassociations = 1\n");
    let object = Object::new();
    let command = Command::store(1, object.sop_class, &object.sop_instance).encode();
    let whole_command = Pdv::new(STORE, COMMAND | LAST, &command);
    for (what, value) in [
        ("within a command", Some(Pdv::new(STORE, COMMAND, &command[..50]))),
        ("before a data set", Some(whole_command)),
        ("within a data set", None),
    ] {
        let mut parrot = associate(&node);
        match value {
            Some(value) => parrot.say(p_data(&[value])),
            None => begin_object(&node, &mut parrot),
        }
        parrot.say(RELEASE_RQ);
        let heard = parrot.hear();
        assert!(matches!(heard, Heard::Aborted(..)), "{what}: {heard:?}");
        parrot.ends_within(ARTIM);
        leaves_no_part(&node);
        gives_its_place_back(&node);
    }
}
