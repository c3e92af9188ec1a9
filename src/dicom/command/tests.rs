//! Reading back what was written, and what no peer should write.

use super::*;
use proptest::prelude::*;

fn uid(text: &str) -> Uid {
    Uid::parse(text.as_bytes()).unwrap()
}

#[test]
fn a_request_and_its_response_read_back() {
    let bytes = c_store_rq(7, &uid("1.2.840.10008.5.1.4.1.1.4"), &uid("1.2.3"));
    let request = Command::parse(&bytes).unwrap();
    assert_eq!(request.command_field, field::C_STORE_RQ);
    assert_eq!(request.message_id, 7);
    assert!(request.has_data_set);
    assert_eq!(request.sop_instance_uid.as_deref(), Some(&b"1.2.3\0"[..]));
    let answer = Command::parse(&response(&request, Status::OUT_OF_RESOURCES, Some("no space"))).unwrap();
    assert_eq!(answer.command_field, field::C_STORE_RSP);
    assert_eq!(answer.message_id, 7);
    assert_eq!(answer.status, Some(Status::OUT_OF_RESOURCES));
    assert_eq!(answer.error_comment.as_deref(), Some("no space"));
    assert!(!answer.has_data_set);
}

#[test]
fn requests_about_an_instance_read_back_by_whatever_name_its_uids_go() {
    for (bytes, command_field, type_id) in [
        (n_action_rq(3, "1.2", "1.2.1", 1), field::N_ACTION_RQ, 1),
        (
            n_event_report_rq(3, "1.2", "1.2.1", 2),
            field::N_EVENT_REPORT_RQ,
            2,
        ),
    ] {
        let request = Command::parse(&bytes).unwrap();
        assert_eq!(request.command_field, command_field);
        assert_eq!((request.message_id, request.type_id), (3, Some(type_id)));
        assert!(request.is_of_class("1.2") && request.has_data_set && request.fault.is_none());
        assert_eq!(request.sop_instance_uid.as_deref(), Some(&b"1.2.1\0"[..]));
        let answer = Command::parse(&response(&request, Status::SUCCESS, None)).unwrap();
        assert_eq!(answer.command_field, command_field | field::RESPONSE);
        assert!(answer.is_of_class("1.2"));
    }
}

#[test]
fn the_group_length_counts_what_follows_it() {
    let bytes = c_store_rq(1, &uid("1.2"), &uid("1.3"));
    let length = u32::from_le_bytes(bytes[8..12].try_into().unwrap());
    assert_eq!(length as usize, bytes.len() - 12);
}

#[test]
fn what_is_missing_is_named() {
    let bytes = c_store_rq(1, &uid("1.2"), &uid("1.3"));
    let mut without_id = bytes.clone();
    let at = bytes.windows(4).position(|w| w == [0, 0, 0x10, 0x01]).unwrap();
    without_id.drain(at..at + 10);
    assert_eq!(Command::parse(&without_id), Err(CommandError::Missing(0x0110)));
    assert_eq!(Command::parse(&[]), Err(CommandError::Missing(0x0100)));
}

#[test]
fn what_contradicts_itself_is_named_and_can_still_be_answered() {
    let bytes = c_store_rq(1, &uid("1.2"), &uid("1.3"));
    let again = |element: &[u8]| {
        let mut bytes = [&bytes[..], element].concat();
        let length = group_length(&bytes);
        bytes[8..12].copy_from_slice(&length);
        Command::parse(&bytes).unwrap()
    };
    assert_eq!(again(&[]).fault, None);
    let longer = [&bytes[..], &[0, 0, 0x31, 0x10, 2, 0, 0, 0, 9, 0]].concat();
    assert_eq!(Command::parse(&longer).unwrap().fault, Some(Fault::GroupLength));
    let other_instance = [0, 0, 0, 0x10, 4, 0, 0, 0, b'9', b'.', b'9', 0];
    let contradictory = again(&other_instance);
    assert_eq!(contradictory.fault, Some(Fault::Repeated(0x1000)));
    assert_eq!(contradictory.message_id, 1);
    assert_eq!(
        again(&[0, 0, 0x10, 0x01, 2, 0, 0, 0, 9, 0]).fault,
        Some(Fault::Repeated(0x0110))
    );
    let mut long_priority = bytes.clone();
    let at = bytes.windows(4).position(|w| w == [0, 0, 0, 0x07]).unwrap();
    long_priority.splice(at + 4..at + 10, [4, 0, 0, 0, 0, 0, 0, 0]);
    let length = group_length(&long_priority);
    long_priority[8..12].copy_from_slice(&length);
    assert_eq!(
        Command::parse(&long_priority).unwrap().fault,
        Some(Fault::Length(0x0700))
    );
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Command::parse(&bytes);
    }

    #[test]
    fn a_cut_command_is_refused_or_lacks_something(cut in 0usize..90) {
        let bytes = c_store_rq(1, &uid("1.2.840.10008.5.1.4.1.1.4"), &uid("1.2.3.4"));
        if cut < bytes.len() && let Ok(command) = Command::parse(&bytes[..cut]) {
            prop_assert!(command.sop_instance_uid.is_none());
        }
    }
}
