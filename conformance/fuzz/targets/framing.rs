//! P-DATA-TF PDUs and their values (PS3.8 §9.3.5): however the bytes are cut into reads, the pieces are the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use magickbox::dicom::upper_layer::framing::{Framer, Next};

/// Whose bytes, and which: (context, command, byte), and an end as `None`.
type Heard = Vec<(u8, bool, Option<u8>)>;

fn walk(mut bytes: &[u8], at_most: usize) -> (Heard, bool) {
    let mut framer = Framer::new(1 << 16);
    let mut heard = Vec::new();
    loop {
        let sound = match framer.next() {
            Next::Pdu => match bytes.split_first_chunk::<6>() {
                Some(([_, _, length @ ..], rest)) => {
                    bytes = rest;
                    framer.pdu(u32::from_be_bytes(*length)).is_ok()
                }
                None => return (heard, true),
            },
            Next::Pdv => match (framer.pdv_fits().is_ok(), bytes.split_first_chunk()) {
                (true, Some((header, rest))) => {
                    bytes = rest;
                    framer.pdv(*header).is_ok()
                }
                (fits, _) => return (heard, fits),
            },
            Next::Payload { left, .. } => {
                let now = left.min(at_most).min(bytes.len());
                if now == 0 && left > 0 {
                    return (heard, true);
                }
                let (payload, rest) = bytes.split_at(now);
                bytes = rest;
                let piece = framer.take(now).expect("payload is due");
                heard.extend(payload.iter().map(|b| (piece.context, piece.command, Some(*b))));
                if piece.ends {
                    heard.push((piece.context, piece.command, None));
                }
                true
            }
        };
        if !sound {
            return (heard, false);
        }
    }
}

fuzz_target!(|input: (u8, Vec<u8>)| {
    let (at_most, bytes) = (usize::from(input.0).max(1), input.1);
    assert_eq!(walk(&bytes, at_most), walk(&bytes, usize::MAX));
});
