//! The head of a Part 10 file (PS3.10 §7.1): what is read can be written, and reads back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use magickbox::dicom::part10::{head, parse_head};

fuzz_target!(|bytes: &[u8]| {
    let Some((meta, offset)) = parse_head(bytes) else { return };
    assert!(offset as usize <= bytes.len());
    let written = head(&meta, None).expect("UIDs are valid by construction");
    assert_eq!(parse_head(&written), Some((meta, written.len() as u64)));
});
