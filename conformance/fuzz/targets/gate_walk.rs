//! A bucket's data set as the gate walks it (PS3.5 §7): elements lie one behind the other from its first byte to its last.

#![no_main]

use libfuzzer_sys::fuzz_target;
use magickbox::delivery::walked;
use magickbox::dicom::transfer_syntax::Encoding;

fuzz_target!(|bytes: &[u8]| {
    let Some((which, bytes)) = bytes.split_first() else { return };
    let encodings = [Encoding::ImplicitLittle, Encoding::ExplicitLittle, Encoding::ExplicitBig];
    let Some((elements, values)) = walked(bytes, encodings[usize::from(*which) % encodings.len()]) else { return };
    // A value has at least a header of eight bytes.
    assert!(values <= bytes.len() / 8);
    let end = elements.iter().fold(0, |at, (start, end)| {
        assert!(*start == at && end > start);
        *end
    });
    assert_eq!(end, bytes.len() as u64);
});
