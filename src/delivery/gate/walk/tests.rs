use std::io::Cursor;

use proptest::prelude::*;

use super::super::encode::Encoder;
use super::super::made::{ENCODINGS, Made, undefined};
use super::*;

/// Tag, depth, and whether an item around it has a character set.
type Leaves = Vec<(u32, usize, bool)>;

fn walk_bytes(bytes: &[u8], encoding: Encoding) -> Result<(Vec<Element>, Leaves), WalkError> {
    let mut leaves = Vec::new();
    let extent = Extent {
        begin: 0,
        end: bytes.len() as u64,
        encoding,
    };
    let mut reader = BufReader::new(Cursor::new(bytes));
    let elements = walk(&mut reader, extent, None, &mut |leaf| {
        leaves.push((leaf.tag, leaf.depth, leaf.own_character_set));
    })?;
    Ok((elements, leaves))
}

fn why(bytes: &[u8], encoding: Encoding) -> String {
    walk_bytes(bytes, encoding).unwrap_err().to_string()
}

#[test]
fn elements_lie_one_behind_the_other_in_every_encoding() {
    for (encoding, syntax) in ENCODINGS.into_iter().take(3) {
        let encoder = Encoder(encoding);
        let inner = [
            encoder.element(0x0008_0005, *b"CS", b"ISO_IR 192").unwrap(),
            encoder.element(0x0008_0104, *b"LO", b"inner").unwrap(),
        ]
        .concat();
        let item = encoder.item(&inner).unwrap();
        let sequence = |tag| undefined(encoder, tag, b"SQ", &item);
        let made = Made::result().in_encoding((encoding, syntax));
        let bytes = [
            made.data_set(),
            // Behind the pixels: digital signatures, padding.
            sequence(0xFFFA_FFFA),
        ]
        .concat();
        let (elements, leaves) = walk_bytes(&bytes, encoding).unwrap();
        assert_eq!(elements.len(), made.elements.len() + 1);
        let mut at = 0;
        for element in &elements {
            assert_eq!(element.start, at, "{encoding:?} {:08x}", element.tag);
            at = element.end;
        }
        assert_eq!(at, bytes.len() as u64);
        assert!(leaves.contains(&(0x0008_0104, 1, true)), "{leaves:?}");
        assert!(leaves.contains(&(0x0010_0010, 0, false)), "{leaves:?}");
    }
}

#[test]
fn what_is_not_whole_is_named() {
    let little = Encoding::ExplicitLittle;
    let whole = Made::result().data_set();
    assert_eq!(
        why(&whole[..whole.len() - 2], little),
        "an element is longer than what is left of the data set, or of its item"
    );
    assert_eq!(
        why(&whole[..whole.len() - 70], little),
        "the data set, or an item, ends within an element"
    );
    let encoder = Encoder(little);
    let element = |tag, value: &[u8]| encoder.element(tag, *b"LO", value).unwrap();
    let out_of_order = [element(0x0010_0020, b"A1"), element(0x0010_0010, b"X")].concat();
    assert_eq!(
        why(&out_of_order, little),
        "its elements are not in ascending order (PS3.5 §7.1)"
    );
    let twice = [element(0x0010_0020, b"A1"), element(0x0010_0020, b"A2")].concat();
    assert_eq!(
        why(&twice, little),
        "its elements are not in ascending order (PS3.5 §7.1)"
    );
    assert_eq!(
        why(&element(0x0002_0010, b"1.2"), little),
        "an element of a group that no data set has"
    );
    assert_eq!(
        why(&[whole.clone(), vec![0; 12]].concat(), little),
        "an element has no value representation"
    );
    // Inside a sequence of given length an item that says more.
    let mut item = encoder.item(&element(0x0008_0104, b"inner")).unwrap();
    item[4] += 4;
    let sequence = encoder.element(0x0008_1140, *b"SQ", &item).unwrap();
    assert_eq!(
        why(&[sequence, whole].concat(), little),
        "an element is longer than what is left of the data set, or of its item"
    );
    // One that does not end.
    let mut open = undefined(encoder, 0x0008_1140, b"SQ", &[]);
    open.truncate(open.len() - 8);
    assert_eq!(why(&open, little), "the data set ends within a sequence");
    let deep: Vec<u8> = std::iter::repeat_n(
        [
            encoder.header(0x0008_1140, *b"SQ", u32::MAX).unwrap(),
            b"\xfe\xff\x00\xe0\xff\xff\xff\xff".to_vec(),
        ]
        .concat(),
        1000,
    )
    .flatten()
    .collect();
    assert_eq!(why(&deep, little), "sequences lie too deep within each other");
}

#[test]
fn fragments_are_passed_over() {
    let encoder = Encoder(Encoding::ExplicitLittle);
    let fragments = [
        encoder.item(&[]).unwrap(),
        encoder.item(b"\xff\xd8 no elements \xff\xd9").unwrap(),
    ]
    .concat();
    let bytes = [
        Made::result().without(0x7FE0_0010).data_set(),
        undefined(encoder, 0x7FE0_0010, b"OB", &fragments),
    ]
    .concat();
    let (elements, _) = walk_bytes(&bytes, Encoding::ExplicitLittle).unwrap();
    let pixels = elements.last().unwrap();
    assert!(pixels.undefined && pixels.end == bytes.len() as u64);
}

#[test]
fn unknown_bytes_of_no_given_length_are_implicit_inside() {
    let implicit = Encoder(Encoding::ImplicitLittle);
    let item = implicit
        .item(&implicit.element(0x0009_1001, *b"LO", b"AB").unwrap())
        .unwrap();
    for encoding in [Encoding::ExplicitLittle, Encoding::ExplicitBig] {
        let encoder = Encoder(encoding);
        let bytes = [
            encoder.header(0x0009_1000, *b"UN", u32::MAX).unwrap(),
            item.clone(),
            implicit.end_of_sequence(),
            encoder.element(0x0010_0020, *b"LO", b"A1").unwrap(),
        ]
        .concat();
        let (elements, leaves) = walk_bytes(&bytes, encoding).unwrap();
        assert_eq!(elements.len(), 2);
        assert_eq!(leaves[0].0, 0x0009_1001);
    }
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..300), which in 0usize..3) {
        let _ = walk_bytes(&bytes, ENCODINGS[which].0);
    }

    #[test]
    fn a_data_set_that_was_hurt_is_walked_or_refused(at in 0usize..400, byte in any::<u8>(), which in 0usize..3) {
        let mut bytes = Made::result().in_encoding(ENCODINGS[which]).data_set();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok((elements, _)) = walk_bytes(&bytes, ENCODINGS[which].0) {
            prop_assert_eq!(elements.last().unwrap().end, bytes.len() as u64);
        }
    }
}
