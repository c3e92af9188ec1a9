//! What a DICOMweb server says of the objects that it was sent (PS3.18 §10.5.3): none is told stored that it does not name.

#![no_main]

use libfuzzer_sys::fuzz_target;
use magickbox::delivery::told;

const UIDS: [&str; 2] = ["1.2.3", "1.2.4"];

fuzz_target!(|input: (u16, &str)| {
    let (status, body) = input;
    for status in [status, 200, 202, 409] {
        let Some(told) = told(status, body, &UIDS) else { continue };
        assert_eq!(told.len(), UIDS.len());
        for (stored, uid) in told.into_iter().zip(UIDS) {
            // The name may be written in escapes.
            assert!(!stored || body.contains(uid) || body.contains('\\'));
        }
    }
});
