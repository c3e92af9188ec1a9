//! Operations that are not offered (§9.1, §10.1): an orderly refusal, and the association lives.

use crate::needs;
use crate::subject::{ECHO, STORE, associate, gives_its_place_back, subject};
use crate::support::parrot::Heard;
use crate::support::parrot::command::{
    Command, DATA_SET_TYPE, NO_DATA_SET, RESPONDED_TO, SOP_CLASS, SOP_INSTANCE, STATUS,
};
use crate::support::parrot::pdu::message;
use crate::support::part10::{MR, Object};

/// C-GET, C-FIND, C-MOVE, N-EVENT-REPORT, N-GET, N-SET, N-ACTION, N-CREATE, N-DELETE; and fields nobody knows.
const NOT_OFFERED: [u16; 13] = [
    0x0010, 0x0020, 0x0021, 0x0100, 0x0110, 0x0120, 0x0130, 0x0140, 0x0150, 0x0000, 0x0002, 0x0031, 0x7777,
];

#[test]
fn an_operation_that_is_not_offered_is_refused_in_order_and_the_association_lives() {
    needs!(Docker);
    let node = subject("");
    let mut parrot = associate(&node);
    for field in NOT_OFFERED {
        for (context, data_set) in [(STORE, None), (ECHO, None), (STORE, Some(&[0_u8; 40_000][..]))] {
            let mut command = Command::request(field, 9)
                .uid(SOP_CLASS, MR)
                .short(DATA_SET_TYPE, NO_DATA_SET);
            if data_set.is_some() {
                command = command.short(DATA_SET_TYPE, 1);
            }
            parrot.say(message(context, &command, data_set));
            let response = parrot.response();
            assert_eq!(
                (response.context, response.command_field, response.message_id),
                (context, field | 0x8000, 9)
            );
            assert!(
                [0x0211, 0x0122].contains(&response.status),
                "{field:04X}: {response:?}"
            );
            parrot.echo(ECHO);
        }
    }
    assert_eq!(parrot.store(STORE, &Object::new()), 0x0000);
    parrot.release();
}

#[test]
fn a_cancel_of_nothing_is_met_with_silence() {
    needs!(Docker);
    let node = subject("");
    let mut parrot = associate(&node);
    let cancel = Command::request(0x0fff, 1)
        .without(crate::support::parrot::command::MESSAGE_ID)
        .short(RESPONDED_TO, 1)
        .short(DATA_SET_TYPE, NO_DATA_SET);
    for context in [STORE, ECHO] {
        parrot.say(message(context, &cancel, None));
        // What comes next answers the echo.
        parrot.echo(ECHO);
    }
    parrot.release();
}

#[test]
fn a_response_to_nothing_is_aborted() {
    needs!(Docker);
    let node = subject("[dicom]\nassociations = 1\n");
    for field in [0x8001, 0x8020, 0x8030, 0x8100, 0x8fff, 0xffff] {
        let mut parrot = associate(&node);
        let response = Command::request(field, 1)
            .without(crate::support::parrot::command::MESSAGE_ID)
            .short(RESPONDED_TO, 1)
            .short(DATA_SET_TYPE, NO_DATA_SET)
            .short(STATUS, 0)
            .uid(SOP_CLASS, MR)
            .uid(SOP_INSTANCE, "1.2.3");
        parrot.say(message(STORE, &response, None));
        let heard = parrot.hear();
        assert!(matches!(heard, Heard::Aborted(..)), "{field:04X}: {heard:?}");
        drop(parrot);
        gives_its_place_back(&node);
    }
}
