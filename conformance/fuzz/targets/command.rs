//! Command sets (PS3.7 §6.3): what can be read can be answered, and the answer can be read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use magickbox::dicom::command::{Command, field, response};
use magickbox::dicom::status::Status;

fuzz_target!(|bytes: &[u8]| {
    let Ok(command) = Command::parse(bytes) else { return };
    let answer = response(&command, Status::SUCCESS, Some("a comment"));
    let read = Command::parse(&answer).expect("our own answer");
    assert_eq!(read.command_field, command.command_field | field::RESPONSE);
    assert_eq!(read.message_id, command.message_id);
    assert_eq!(read.fault, None);
    assert!(!read.has_data_set);
});
