//! C-ECHO (§9.3.5).

use crate::needs;
use crate::subject::{ECHO, STORE, associate, subject};
use crate::support::parrot::command::{Command, DATA_SET_TYPE, SOP_CLASS};
use crate::support::parrot::pdu::{VERIFICATION, message};

#[test]
fn an_echo_is_answered_with_its_message_id_and_class() {
    needs!(Docker);
    let node = subject("");
    let mut parrot = associate(&node);
    for id in [0, 1, 0x7fff, 0xffff] {
        parrot.say(message(ECHO, &Command::echo(id), None));
        let response = parrot.response();
        assert_eq!(
            (
                response.context,
                response.command_field,
                response.message_id,
                response.status
            ),
            (ECHO, 0x8030, id, 0x0000)
        );
        assert!(response.sop_class.is_none_or(|class| class == VERIFICATION));
    }
    parrot.release();
}

#[test]
fn an_echo_that_announces_a_data_set_is_answered_behind_it() {
    needs!(Docker);
    let node = subject("");
    let mut parrot = associate(&node);
    // Any value but 0101 announces one (§E.1).
    for kind in [0x0000, 0x0001, 0x0102, 0xfefe] {
        let echo = Command::echo(4).short(DATA_SET_TYPE, kind);
        parrot.say(message(ECHO, &echo, Some(&[0; 1000])));
        assert_eq!(parrot.response().message_id, 4, "data set type {kind:04x}");
    }
    parrot.echo(ECHO);
    parrot.release();
}

#[test]
fn an_echo_of_another_class_than_its_contexts_is_no_success() {
    needs!(Docker);
    let node = subject("");
    let mut parrot = associate(&node);
    for (context, class) in [(STORE, VERIFICATION), (ECHO, "1.2.3"), (ECHO, "no uid")] {
        parrot.say(message(context, &Command::echo(1).uid(SOP_CLASS, class), None));
        let status = parrot.response().status;
        assert!(
            [0x0122, 0x0211].contains(&status),
            "{class} on {context}: {status:04X}"
        );
    }
    parrot.echo(ECHO);
    parrot.release();
}
