//! A compressed data set on its way to a PACS that takes only explicit VR little endian (PS3.5 §A.4, §A.5, Annex G).

#![no_main]

use std::io::Read;

use libfuzzer_sys::fuzz_target;
use magickbox::dicom::part10::{FileMeta, head};
use magickbox::dicom::transcode::{TranscodeError, explicit_little};
use magickbox::model::Uid;

/// Deflated, RLE, JPEG lossless, native pixels in fragments.
const SYNTAXES: [&str; 4] = ["1.2.1.99", "1.2.5", "1.2.4.70", "1.2.1.98"];

fuzz_target!(|bytes: &[u8]| {
    let Some((which, data_set)) = bytes.split_first() else { return };
    let uid = |text: &str| Uid::parse(text.as_bytes()).expect("a UID");
    let syntax = SYNTAXES[usize::from(*which) % SYNTAXES.len()];
    let meta = FileMeta {
        sop_class_uid: uid("1.2.840.10008.5.1.4.1.1.7"),
        sop_instance_uid: uid("1.2.3"),
        transfer_syntax_uid: uid(&format!("1.2.840.10008.{syntax}")),
    };
    let path = std::env::temp_dir().join(format!("magickbox-fuzz-{}.dcm", std::process::id()));
    let file = [head(&meta, None).expect("a head").as_slice(), data_set].concat();
    std::fs::write(&path, file).expect("a file for the object");
    match explicit_little(&path) {
        Ok((_, mut file)) => {
            let length = file.metadata().expect("its length").len();
            // It is read from its beginning.
            let read = std::io::copy(&mut file.by_ref(), &mut std::io::sink()).expect("what came out");
            assert_eq!(read, length);
        }
        Err(TranscodeError::Io(error)) => panic!("{error}"),
        Err(_) => {}
    }
});
