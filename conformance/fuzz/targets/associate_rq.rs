//! A-ASSOCIATE-RQ (PS3.8 §9.3.2) and its user information: whatever a stranger sends first.

#![no_main]

use libfuzzer_sys::fuzz_target;
use magickbox::dicom::upper_layer::AssociateRq;

fuzz_target!(|body: &[u8]| {
    if let Ok(request) = AssociateRq::parse(body) {
        // What was read is what negotiation relies on.
        for (i, context) in request.contexts.iter().enumerate() {
            assert_eq!(context.id % 2, 1);
            assert!(!request.contexts[..i].iter().any(|c| c.id == context.id));
        }
    }
});
