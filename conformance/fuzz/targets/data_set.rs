//! The head of a data set in every encoding (PS3.5 §7, Annex A): however it is cut, it says the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use magickbox::dicom::header::{Header, HeaderError, HeaderScanner};
use magickbox::dicom::transfer_syntax::Encoding;

fn scan(encoding: Encoding, bytes: &[u8], piece: usize) -> Result<Header, HeaderError> {
    let mut scanner = HeaderScanner::new(encoding);
    bytes.chunks(piece).for_each(|piece| scanner.push(piece));
    scanner.finish()
}

fuzz_target!(|input: (u8, u8, Vec<u8>)| {
    let (which, piece, bytes) = input;
    let encodings = [
        Encoding::ImplicitLittle,
        Encoding::ExplicitLittle,
        Encoding::ExplicitBig,
        Encoding::Deflated,
    ];
    let encoding = encodings[usize::from(which) % encodings.len()];
    let whole = scan(encoding, &bytes, bytes.len().max(1));
    let pieces = scan(encoding, &bytes, usize::from(piece).max(1));
    if encoding == Encoding::Deflated {
        // A stream that is broken behind a broken element may be called either.
        assert_eq!(pieces.ok(), whole.ok());
    } else {
        assert_eq!(pieces, whole);
    }
});
