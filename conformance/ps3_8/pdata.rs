//! P-DATA-TF (§9.3.5, Annex E): however a message is cut, it is the same message.

use crate::needs;
use crate::subject::{ARTIM, ECHO, STORE, associate, request, stored_object, subject};
use crate::support::parrot::command::Command;
use crate::support::parrot::pdu::{COMMAND, DATA, LAST, Pdv, message, p_data};
use crate::support::parrot::{Heard, Parrot};
use crate::support::part10::{Object, data_set};
use crate::support::under_test::TestNode;

/// Data of one object that is small enough to be sent byte by byte.
fn small() -> (Object, Vec<u8>, Vec<u8>) {
    let object = Object {
        pixels: 32,
        ..Object::new()
    };
    let command = Command::store(7, object.sop_class, &object.sop_instance).encode();
    let set = object.data_set();
    (object, command, set)
}

/// Fragments of so many bytes, the last marked.
fn fragments(control: u8, bytes: &[u8], size: usize) -> Vec<Pdv> {
    let mut values: Vec<_> = bytes
        .chunks(size)
        .map(|piece| Pdv::new(STORE, control, piece))
        .collect();
    values.last_mut().unwrap().control |= LAST;
    values
}

#[track_caller]
fn is_stored(node: &TestNode, parrot: &mut Parrot, object: &Object, set: &[u8]) {
    let response = parrot.response();
    assert_eq!(
        (response.message_id, response.status),
        (7, 0x0000),
        "{response:?}"
    );
    assert_eq!(data_set(&stored_object(node, &object.sop_instance)), set);
}

#[test]
fn many_fragments_may_stand_in_one_pdu() {
    needs!(Docker);
    let node = subject("");
    let mut parrot = associate(&node);
    let (object, command, set) = small();
    parrot.say(p_data(&fragments(COMMAND, &command, 3)));
    parrot.say(p_data(&fragments(DATA, &set, 5)));
    is_stored(&node, &mut parrot, &object, &set);

    // Command set and data set in one PDU.
    let (object, command, set) = small();
    parrot.say(p_data(
        &[fragments(COMMAND, &command, 20), fragments(DATA, &set, 7)].concat(),
    ));
    is_stored(&node, &mut parrot, &object, &set);
    parrot.release();
}

#[test]
fn fragments_may_be_of_one_byte_and_of_none() {
    needs!(Docker);
    let node = subject("");
    let mut parrot = associate(&node);
    // One byte a fragment, each in a PDU of its own.
    let (object, command, set) = small();
    for value in [fragments(COMMAND, &command, 1), fragments(DATA, &set, 1)].concat() {
        parrot.say(p_data(&[value]));
    }
    is_stored(&node, &mut parrot, &object, &set);

    // The last fragment is empty, and so are some before it.
    let (object, command, set) = small();
    let with_empty = |control: u8, bytes: &[u8]| {
        let (start, end) = bytes.split_at(bytes.len() / 2);
        [
            Pdv::new(STORE, control, []),
            Pdv::new(STORE, control, start),
            Pdv::new(STORE, control, []),
            Pdv::new(STORE, control, end),
            Pdv::new(STORE, control | LAST, []),
        ]
    };
    for value in [with_empty(COMMAND, &command), with_empty(DATA, &set)].concat() {
        parrot.say(p_data(&[value]));
    }
    is_stored(&node, &mut parrot, &object, &set);
    parrot.release();
}

#[test]
fn a_pdu_without_a_value_says_nothing() {
    needs!(Docker);
    let node = subject("[dicom]\nartim = \"1s\"\n");
    let mut parrot = associate(&node);
    parrot.say(p_data(&[]));
    // §9.3.5 wants one value at least: to ignore it and to abort for it are both lawful, to wait is not.
    parrot.say(message(ECHO, &Command::echo(1), None));
    match parrot.hear() {
        Heard::Data(_) => parrot.release(),
        Heard::Aborted(2, 5 | 6) => parrot.ends_within(ARTIM),
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_messages_may_stand_in_one_pdu() {
    needs!(Docker);
    let node = subject("");
    let mut parrot = associate(&node);
    let echo = |id| Pdv::new(ECHO, COMMAND | LAST, Command::echo(id).encode());
    let (object, command, set) = small();
    let store = [fragments(COMMAND, &command, 1000), fragments(DATA, &set, 1000)].concat();
    parrot.say(p_data(&[vec![echo(5), echo(6)], store, vec![echo(8)]].concat()));
    for id in [5, 6] {
        assert_eq!(parrot.response().message_id, id);
    }
    is_stored(&node, &mut parrot, &object, &set);
    assert_eq!(parrot.response().message_id, 8);
    parrot.release();
}

#[test]
fn pdus_may_come_in_tcp_segments_of_any_size() {
    needs!(Docker);
    let node = subject("");
    let mut parrot = associate(&node);
    for at_once in [1, 5, 11, 13, 100] {
        let (object, command, set) = small();
        let values = [fragments(COMMAND, &command, 50), fragments(DATA, &set, 60)].concat();
        let pdus: Vec<u8> = values
            .iter()
            .flat_map(|v| p_data(std::slice::from_ref(v)))
            .collect();
        parrot.dribble(pdus, at_once);
        is_stored(&node, &mut parrot, &object, &set);
    }
    parrot.release();
}

#[test]
fn a_pdu_of_the_size_we_offered_is_taken() {
    needs!(Docker);
    let node = subject("");
    let mut parrot = associate(&node);
    let object = Object {
        pixels: 300_000,
        ..Object::new()
    };
    let set = object.data_set();
    parrot.say(p_data(&[Pdv::new(
        STORE,
        COMMAND | LAST,
        Command::store(7, object.sop_class, &object.sop_instance).encode(),
    )]));
    for value in fragments(DATA, &set, 131_072 - 6) {
        parrot.say(p_data(&[value]));
    }
    is_stored(&node, &mut parrot, &object, &set);
    parrot.release();
}

#[test]
fn our_pdus_respect_the_maximum_length_of_the_peer() {
    needs!(Docker);
    let node = subject("");
    // 0 is no limit; 16 bytes leave 10 for each fragment.
    for maximum in [0, 16, 31, 256] {
        let mut parrot = Parrot::associate(node.dicom_port(), &request().maximum_length(maximum));
        parrot.say(message(ECHO, &Command::echo(1), None));
        let mut command = Vec::new();
        loop {
            let Heard::Data(values) = parrot.hear() else {
                panic!("no response");
            };
            let length: usize = values.iter().map(|v| 6 + v.data.len()).sum();
            assert!(
                maximum == 0 || length <= maximum as usize,
                "{length} bytes for {maximum}"
            );
            let last = values.iter().any(|v| v.control & LAST == LAST);
            command.extend(values.into_iter().flat_map(|v| v.data));
            if last {
                break;
            }
        }
        assert!(
            command.windows(10).any(|w| w == b"\0\0\0\x09\x02\0\0\0\0\0"),
            "{command:02x?}"
        );
        parrot.release();
    }
}

#[test]
fn a_peer_that_leaves_no_room_for_a_byte_is_sent_nothing_endless() {
    needs!(Docker);
    let node = subject("[dicom]\nartim = \"1s\"\nassociations = 1\n");
    // 6 bytes hold the header of a value and nothing of it.
    for maximum in [1, 4, 6] {
        let mut parrot = Parrot::connect(node.dicom_port());
        parrot.say(request().maximum_length(maximum).encode());
        match parrot.hear() {
            // Refused or aborted at once: as good an answer.
            Heard::Rejected(..) | Heard::Aborted(..) => {}
            Heard::Accepted(_) => {
                parrot.say(message(ECHO, &Command::echo(1), None));
                let heard = parrot.hear();
                assert!(
                    matches!(heard, Heard::Aborted(..) | Heard::Data(_)),
                    "{maximum}: {heard:?}"
                );
            }
            other => panic!("{maximum}: {other:?}"),
        }
        drop(parrot);
        crate::subject::gives_its_place_back(&node);
    }
}
