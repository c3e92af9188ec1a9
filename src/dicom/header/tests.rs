use std::io::Write;

use proptest::prelude::*;

use super::scanner::{ITEM, ITEM_DELIMITATION, SEQUENCE_DELIMITATION, UNDEFINED, is_short_vr};
use super::*;
use crate::dicom::transfer_syntax::Encoding;

/// Tag, VR, value.
pub(super) type Element<'a> = (u32, &'a [u8; 2], Option<&'a [u8]>);

/// A data set in one of the native encodings: `(tag, vr, value)`; a value of `None` opens an undefined length.
pub(super) fn encode(encoding: Encoding, elements: &[Element<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for (tag, vr, value) in elements {
        let big = encoding == Encoding::ExplicitBig;
        let short = |n: u16| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        let long = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        out.extend(short((tag >> 16) as u16));
        out.extend(short(*tag as u16));
        let length = value.map_or(UNDEFINED, |v| v.len() as u32);
        if tag >> 16 == 0xFFFE || encoding == Encoding::ImplicitLittle {
            out.extend(long(length));
        } else if is_short_vr(**vr) {
            out.extend(*vr);
            out.extend(short(length as u16));
        } else {
            out.extend(*vr);
            out.extend([0, 0]);
            out.extend(long(length));
        }
        out.extend(value.unwrap_or_default());
    }
    out
}

const SOP: [Element<'static>; 2] = [
    (0x0008_0016, b"UI", Some(b"1.2.840.10008.5.1.4.1.1.4\0")),
    (0x0008_0018, b"UI", Some(b"1.2.3\0")),
];
const REST: [Element<'static>; 4] = [
    (0x0010_0020, b"LO", Some(b"ID 1")),
    (0x0020_000D, b"UI", Some(b"1.4\0")),
    (0x0020_000E, b"UI", Some(b"1.5\0")),
    (0x7FE0_0010, b"OW", Some(&[7; 64])),
];

fn scan(encoding: Encoding, bytes: &[u8], piece: usize) -> Result<Header, HeaderError> {
    let mut scanner = HeaderScanner::new(encoding);
    bytes.chunks(piece.max(1)).for_each(|piece| scanner.push(piece));
    scanner.finish()
}

fn expected() -> Header {
    let uid = |t: &str| Uid::parse(t.as_bytes()).unwrap();
    Header {
        sop_class_uid: uid("1.2.840.10008.5.1.4.1.1.4"),
        sop_instance_uid: uid("1.2.3"),
        study_instance_uid: uid("1.4"),
        series_instance_uid: uid("1.5"),
        patient_id: b"ID 1".to_vec(),
    }
}

#[test]
fn every_encoding_is_read_in_pieces_of_every_size() {
    let undefined: [Element<'static>; 9] = [
        (0x0008_1140, b"SQ", None),
        (ITEM, b"  ", None),
        (0x0008_0018, b"UI", Some(b"9.9.9\0")), // one level down: not ours
        (ITEM_DELIMITATION, b"  ", Some(b"")),
        (ITEM, b"  ", Some(b"whatever")),
        (SEQUENCE_DELIMITATION, b"  ", Some(b"")),
        (0x0009_0010, b"LO", Some(b"PRIVATE ")),
        (0x0009_1001, b"UN", Some(&[1; 40])),
        (0x0009_1002, b"OB", Some(&[2; 5000])),
    ];
    let all: Vec<_> = SOP.into_iter().chain(undefined).chain(REST).collect();
    for encoding in [
        Encoding::ImplicitLittle,
        Encoding::ExplicitLittle,
        Encoding::ExplicitBig,
    ] {
        let bytes = encode(encoding, &all);
        for piece in (1..40).chain([4096, bytes.len()]) {
            assert_eq!(
                scan(encoding, &bytes, piece),
                Ok(expected()),
                "{encoding:?} in pieces of {piece}"
            );
        }
    }
}

#[test]
fn inside_an_unknown_value_of_undefined_length_all_is_implicit() {
    let mut bytes = encode(Encoding::ExplicitLittle, &SOP);
    bytes.extend(encode(Encoding::ExplicitLittle, &[(0x0009_1001, b"UN", None)]));
    let inner: [Element<'static>; 4] = [
        (ITEM, b"  ", None),
        (0x0009_0001, b"  ", Some(b"text")),
        (ITEM_DELIMITATION, b"  ", Some(b"")),
        (SEQUENCE_DELIMITATION, b"  ", Some(b"")),
    ];
    bytes.extend(encode(Encoding::ImplicitLittle, &inner));
    bytes.extend(encode(Encoding::ExplicitLittle, &REST));
    assert_eq!(scan(Encoding::ExplicitLittle, &bytes, 7), Ok(expected()));
}

#[test]
fn a_hundred_thousand_levels_cost_a_counter() {
    let mut bytes = encode(Encoding::ExplicitLittle, &SOP);
    for _ in 0..100_000 {
        bytes.extend(encode(
            Encoding::ExplicitLittle,
            &[(0x0008_1140, b"SQ", None), (ITEM, b"  ", None)],
        ));
    }
    assert_eq!(
        scan(Encoding::ExplicitLittle, &bytes, 4096),
        Err(HeaderError::Truncated)
    );
}

#[test]
fn a_deflated_data_set_is_inflated_only_as_far_as_needed() {
    let plain = encode(
        Encoding::ExplicitLittle,
        &SOP.into_iter().chain(REST).collect::<Vec<_>>(),
    );
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    deflate.write_all(&plain).unwrap();
    let bytes = deflate.finish().unwrap();
    for piece in [1, 3, bytes.len()] {
        assert_eq!(scan(Encoding::Deflated, &bytes, piece), Ok(expected()));
    }
    assert_eq!(
        scan(Encoding::Deflated, &[0xFF; 64], 64),
        Err(HeaderError::Deflate)
    );
}

#[test]
fn a_deflated_bomb_is_refused() {
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    let head = encode(Encoding::ExplicitLittle, &[(0x0008_0001, b"OB", None)]);
    deflate.write_all(&head[..8]).unwrap();
    deflate
        .write_all(&u32::MAX.wrapping_sub(1).to_le_bytes())
        .unwrap();
    for _ in 0..64 {
        deflate.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let bytes = deflate.finish().unwrap();
    assert!(bytes.len() < 100_000);
    assert_eq!(scan(Encoding::Deflated, &bytes, 4096), Err(HeaderError::Deflate));
}

#[test]
fn what_cannot_be_placed_says_why() {
    let without = |skip: u32| {
        let all: Vec<_> = SOP
            .into_iter()
            .chain(REST)
            .filter(|(tag, ..)| *tag != skip)
            .collect();
        scan(
            Encoding::ExplicitLittle,
            &encode(Encoding::ExplicitLittle, &all),
            100,
        )
    };
    assert_eq!(
        without(0x0020_000D),
        Err(HeaderError::Missing("Study Instance UID (0020,000D)"))
    );
    assert_eq!(
        without(0x0008_0018),
        Err(HeaderError::Missing("SOP Instance UID (0008,0018)"))
    );
    assert_eq!(without(0x0010_0020).unwrap().patient_id, b"");
    let implicit = encode(Encoding::ImplicitLittle, &SOP);
    assert_eq!(
        scan(Encoding::ExplicitLittle, &implicit, 100),
        Err(HeaderError::Malformed)
    );
    let whole = encode(Encoding::ExplicitLittle, &SOP);
    assert_eq!(
        scan(Encoding::ExplicitLittle, &whole[..whole.len() - 3], 100),
        Err(HeaderError::Truncated)
    );
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_end_the_same_way(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        piece in 1usize..50,
        which in 0usize..4,
    ) {
        let encodings =
            [Encoding::ImplicitLittle, Encoding::ExplicitLittle, Encoding::ExplicitBig, Encoding::Deflated];
        let whole = scan(encodings[which], &bytes, bytes.len());
        let pieces = scan(encodings[which], &bytes, piece);
        if encodings[which] == Encoding::Deflated {
            // A stream that is broken behind a broken element may be called either.
            prop_assert_eq!(pieces.ok(), whole.ok());
        } else {
            prop_assert_eq!(pieces, whole);
        }
    }
}
