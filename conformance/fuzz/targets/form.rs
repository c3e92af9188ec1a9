//! A form as a browser sends it (RFC 7578): however it is cut into pieces, its parts are the same, and in it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use magickbox::http::parts;

const KIND: &str = "multipart/form-data; boundary=b1";

fuzz_target!(|input: (u8, Vec<u8>)| {
    let (piece, body) = (usize::from(input.0).max(1), input.1);
    let whole = parts(KIND, &body, body.len());
    let cut = parts(KIND, &body, piece);
    // Where it is too long in more than one way, either is said.
    assert_eq!(cut.is_ok(), whole.is_ok());
    if let (Ok(cut), Ok(whole)) = (cut, whole) {
        assert_eq!(cut, whole);
        for (_, content) in &whole {
            assert!(content.is_empty() || body.windows(content.len()).any(|w| w == content));
        }
    }
});
