//! Data sets of storage commitment (PS3.4 §J.3.2, §J.3.3): what is read can be written, and reads back, in either syntax.

#![no_main]

use libfuzzer_sys::fuzz_target;
use magickbox::dicom::commitment::{Answer, Request};

fuzz_target!(|bytes: &[u8]| {
    for explicit in [true, false] {
        if let Ok(request) = Request::read(bytes, explicit) {
            assert!(!request.references.is_empty());
            for explicit in [true, false] {
                assert_eq!(Request::read(&request.write(explicit), explicit).as_ref(), Ok(&request));
            }
        }
        if let Ok(answer) = Answer::read(bytes, explicit) {
            for explicit in [true, false] {
                assert_eq!(Answer::read(&answer.write(explicit), explicit).as_ref(), Ok(&answer));
            }
        }
    }
});
