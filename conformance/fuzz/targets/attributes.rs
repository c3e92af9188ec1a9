//! What rules of classification ask of an object (PS3.5 §7, PS3.3 §C.7.6.16): asked for one attribute or for all of them, it
//! says the same.

#![no_main]

use std::collections::BTreeSet;
use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use magickbox::dicom::header::{Wanted, attributes_in};

/// Of the patient and the study, of pixels, of functional groups under both names.
const ASKED: [u32; 9] = [
    0x0008_0005,
    0x0008_0008,
    0x0008_0060,
    0x0010_0010,
    0x0018_0081,
    0x0018_0024,
    0x0020_0037,
    0x0020_9113,
    0x0040_0275,
];

fuzz_target!(|bytes: &[u8]| {
    let read = |tags: &[u32]| {
        let wanted = Wanted::new(tags.iter().copied().collect::<BTreeSet<_>>());
        attributes_in(Cursor::new(bytes), &wanted).expect("memory has no trouble of its own")
    };
    let all = read(&ASKED);
    for tag in ASKED {
        assert_eq!(read(&[tag]).get(tag), all.get(tag), "{tag:08X}");
    }
});
