//! Objects as they come, well made and not.

use proptest::prelude::*;

use super::read::parse;
use super::*;
use crate::dicom::transfer_syntax::Encoding;

/// An element in explicit VR little endian.
fn element(tag: u32, vr: &[u8; 2], value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(u16::try_from(tag >> 16).unwrap().to_le_bytes());
    bytes.extend(u16::try_from(tag & 0xFFFF).unwrap().to_le_bytes());
    bytes.extend(vr);
    if vr == b"SQ" || vr == b"UN" {
        bytes.extend([0, 0]);
        bytes.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
    } else {
        bytes.extend(u16::try_from(value.len()).unwrap().to_le_bytes());
    }
    bytes.extend(value);
    bytes
}

fn implicit(tag: u32, length: u32, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(u16::try_from(tag >> 16).unwrap().to_le_bytes());
    bytes.extend(u16::try_from(tag & 0xFFFF).unwrap().to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes.extend(value);
    bytes
}

fn study(more: &[Vec<u8>]) -> Vec<u8> {
    let mut elements = vec![
        element(0x0008_0016, b"UI", b"1.2.840.10008.5.1.4.1.1.4\0"),
        element(0x0008_0018, b"UI", b"1.3\0"),
        element(0x0020_000D, b"UI", b"1.4\0"),
        element(0x0020_000E, b"UI", b"1.5\0"),
    ];
    elements.extend(more.iter().cloned());
    elements.sort_by_key(|e| (u16::from_le_bytes([e[0], e[1]]), u16::from_le_bytes([e[2], e[3]])));
    elements.concat()
}

#[test]
fn patient_and_study_are_kept_in_their_own_bytes_and_the_rest_is_passed() {
    let item = |inner: &[u8]| implicit(0xFFFE_E000, u32::try_from(inner.len()).unwrap(), inner);
    let code = [
        element(0x0008_0100, b"SH", b"P1"),
        element(0x0009_0010, b"LO", b"private!"),
    ]
    .concat();
    let bytes = study(&[
        element(0x0008_0005, b"CS", b"ISO_IR 100"),
        element(0x0008_1032, b"SQ", &item(&code)),
        element(0x0008_1140, b"SQ", &item(&[0; 9])),
        element(0x0010_0010, b"PN", b"M\xFCller^A "),
        element(0x0018_0050, b"DS", b"1 "),
    ]);
    let found = parse(&bytes, Encoding::ExplicitLittle, true).unwrap();
    assert_eq!(found.series_instance_uid.as_str(), "1.5");
    assert_eq!(found.bytes(0x0010_0010), b"M\xFCller^A");
    assert_eq!(found.attributes.len(), 3, "{found:?}");
    let Some(Held::Items(items)) = found.held(0x0008_1032) else {
        panic!("{found:?}")
    };
    assert_eq!(
        (items.len(), items[0].len(), items[0][0].tag),
        (1, 1, 0x0008_0100)
    );

    let charset = Charset::beside(&found);
    assert_eq!(charset.specific.as_deref(), Some("ISO_IR 100"));
    assert_eq!(charset.encode("Größe µ €\u{7}"), b"Gr\xF6\xDFe \xB5 ?");
}

#[test]
fn an_implicit_sequence_of_undefined_length_is_one_too() {
    let code = implicit(0x0008_0100, 2, b"P1");
    let item = [
        implicit(0xFFFE_E000, u32::MAX, &code),
        implicit(0xFFFE_E00D, 0, b""),
    ]
    .concat();
    let sequence = [
        implicit(0x0008_1032, u32::MAX, &item),
        implicit(0xFFFE_E0DD, 0, b""),
    ]
    .concat();
    let bytes = [
        implicit(0x0008_0016, 4, b"1.2\0"),
        implicit(0x0008_0018, 4, b"1.3\0"),
        sequence,
        implicit(0x0010_0020, 4, b"ID1 "),
        implicit(0x0020_000D, 4, b"1.4\0"),
        implicit(0x0020_000E, 4, b"1.5\0"),
        implicit(0x0028_0010, 2, b"\x01\0"),
    ]
    .concat();
    let found = parse(&bytes, Encoding::ImplicitLittle, true).unwrap();
    assert_eq!(found.bytes(0x0010_0020), b"ID1");
    assert!(matches!(found.held(0x0008_1032), Some(Held::Items(items)) if items[0][0].vr == *b"SH"));
    let charset = Charset::beside(&found);
    assert_eq!(
        charset.specific.as_deref(),
        Some("ISO_IR 192"),
        "nothing said otherwise"
    );
}

#[test]
fn depth_is_bounded() {
    let mut sequence = Vec::new();
    for _ in 0..100_000 {
        sequence.extend(implicit(0x0008_1032, u32::MAX, b""));
        sequence.extend(implicit(0xFFFE_E000, u32::MAX, b""));
    }
    assert_eq!(parse(&sequence, Encoding::ImplicitLittle, true), None);
}

#[test]
fn the_offset_from_utc_moves_the_clock() {
    let at = crate::model::Timestamp(1_790_000_000_000); // 2026-09-21T14:13:20Z
    assert_eq!(
        date_and_time(at, None),
        ("20260921".to_owned(), "141320".to_owned())
    );
    assert_eq!(
        date_and_time(at, Some(600)),
        ("20260922".to_owned(), "001320".to_owned())
    );
    let found = parse(
        &study(&[element(0x0008_0201, b"SH", b"-0330 ")]),
        Encoding::ExplicitLittle,
        true,
    )
    .unwrap();
    assert_eq!(found.offset_minutes(), Some(-210));
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for encoding in [Encoding::ExplicitLittle, Encoding::ImplicitLittle, Encoding::ExplicitBig] {
            let _ = parse(&bytes, encoding, true);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn whatever_is_found_can_be_put_into_a_file(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        implicit in any::<bool>(),
    ) {
        let code = element(0x0008_0100, b"SH", b"P1");
        let item = super::tests::implicit(0xFFFE_E000, u32::try_from(code.len()).unwrap(), &code);
        let mut bytes = study(&[
            element(0x0008_0005, b"CS", b"ISO_IR 100"),
            element(0x0008_1032, b"SQ", &item),
            element(0x0010_0010, b"PN", b"M\xFCller^A "),
            element(0x0010_1030, b"DS", b"70.5"),
        ]);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let encoding = if implicit { Encoding::ImplicitLittle } else { Encoding::ExplicitLittle };
        if let Some(found) = parse(&bytes, encoding, true) {
            let mut new = object(&found.attributes);
            complete(&mut new, &found, &Charset::beside(&found));
            let meta = crate::dicom::part10::FileMeta {
                sop_class_uid: found.sop_class_uid.clone(),
                sop_instance_uid: found.sop_instance_uid.clone(),
                transfer_syntax_uid: Uid::parse(b"1.2.840.10008.1.2.1").unwrap(),
            };
            let file = crate::dicom::part10::file(&meta, new).unwrap();
            prop_assert!(crate::dicom::part10::parse_head(&file).is_some());
        }
    }
}
