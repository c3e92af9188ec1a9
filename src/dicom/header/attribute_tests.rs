use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::scanner::{ITEM, ITEM_DELIMITATION, SEQUENCE_DELIMITATION};
use super::tests::{Element, encode};
use super::*;
use crate::dicom::part10::{self, FileMeta};
use crate::dicom::transfer_syntax::Encoding;
use crate::model::classify::{Attributes, Value};

const TE: u32 = 0x0018_0081;
const NAME: u32 = 0x0010_0010;
const DESCRIPTION: u32 = 0x0008_103E;
const ORIENTATION: u32 = 0x0020_0037;

fn syntax(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::ImplicitLittle => "1.2.840.10008.1.2",
        Encoding::ExplicitLittle => "1.2.840.10008.1.2.1",
        Encoding::ExplicitBig => "1.2.840.10008.1.2.2",
        Encoding::Deflated => "1.2.840.10008.1.2.1.99",
    }
}

fn read_set(encoding: Encoding, data_set: &[u8], tags: &[u32]) -> Attributes {
    let uid = |text: &str| Uid::parse(text.as_bytes()).unwrap();
    let meta = FileMeta {
        sop_class_uid: uid("1.2.840.10008.5.1.4.1.1.4"),
        sop_instance_uid: uid("1.2.3"),
        transfer_syntax_uid: uid(syntax(encoding)),
    };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.dcm");
    let head = part10::head(&meta, None).unwrap();
    fs::write(&path, [&head, data_set].concat()).unwrap();
    read_attributes(&path, &Wanted::new(tags.iter().copied().collect())).unwrap()
}

fn texts(attributes: &Attributes, tag: u32) -> Option<Vec<&str>> {
    let texts = attributes.get(tag)?.texts();
    Some(texts.iter().map(String::as_str).collect())
}

fn data_of(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let data = std::env::var_os("MAGICKBOX_DATA").map_or_else(beside, PathBuf::from);
    let path = data.join(name);
    if !path.is_dir() {
        assert!(std::env::var_os("CI").is_none(), "there is no {}", path.display());
        eprintln!("SKIPPED: there is no {}", path.display());
        return None;
    }
    Some(path)
}

const FLAT: [Element<'static>; 6] = [
    (DESCRIPTION, b"LO", Some(b" a\\b ")),
    (0x0008_1140, b"SQ", None),
    (SEQUENCE_DELIMITATION, b"  ", Some(b"")),
    (0x0009_1002, b"OB", Some(&[2; 50_000])),
    (TE, b"DS", Some(b"2.9 ")),
    (0x7FE0_0010, b"OW", Some(&[7; 64])),
];

#[test]
fn wanted_attributes_are_read_in_every_encoding_past_whatever_stands_between() {
    for encoding in [
        Encoding::ImplicitLittle,
        Encoding::ExplicitLittle,
        Encoding::ExplicitBig,
    ] {
        let found = read_set(
            encoding,
            &encode(encoding, &FLAT),
            &[DESCRIPTION, TE, 0x0008_1140, NAME],
        );
        assert_eq!(texts(&found, DESCRIPTION), Some(vec!["a", "b"]), "{encoding:?}");
        assert_eq!(texts(&found, TE), Some(vec!["2.9"]), "{encoding:?}");
        assert_eq!(found.get(0x0008_1140), Some(&Value::Opaque), "{encoding:?}");
        assert_eq!(found.get(NAME), None);
    }
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    deflate
        .write_all(&encode(Encoding::ExplicitLittle, &FLAT))
        .unwrap();
    let found = read_set(Encoding::Deflated, &deflate.finish().unwrap(), &[TE]);
    assert_eq!(texts(&found, TE), Some(vec!["2.9"]));
}

#[test]
fn numbers_are_shown_as_people_write_them_and_a_private_one_by_what_its_vendor_says() {
    let elements: [Element<'_>; 5] = [
        (0x0018_9087, b"FD", Some(&1000_f64.to_le_bytes())),
        (0x0028_0010, b"US", Some(&[0, 1])),
        (0x0065_1009, b"UN", Some(&800_f64.to_le_bytes())),
        (0x0069_1009, b"UN", Some(b"TEXT")),
        (0x2001_1003, b"FL", Some(&[0x00, 0x00, 0x7A, 0x44, 1])),
    ];
    let tags: Vec<u32> = elements.iter().map(|(tag, ..)| *tag).collect();
    let found = read_set(
        Encoding::ExplicitLittle,
        &encode(Encoding::ExplicitLittle, &elements),
        &tags,
    );
    assert_eq!(texts(&found, 0x0018_9087), Some(vec!["1000"]));
    assert_eq!(texts(&found, 0x0028_0010), Some(vec!["256"]));
    assert_eq!(texts(&found, 0x0065_1009), Some(vec!["800"]));
    assert_eq!(texts(&found, 0x0069_1009), Some(vec!["TEXT"]));
    // Not a whole number of numbers.
    assert_eq!(found.get(0x2001_1003), Some(&Value::Opaque));
    let implicit = encode(Encoding::ImplicitLittle, &elements[..3]);
    let found = read_set(Encoding::ImplicitLittle, &implicit, &tags);
    assert_eq!(texts(&found, 0x0018_9087), Some(vec!["1000"]));
    assert_eq!(texts(&found, 0x0065_1009), Some(vec!["800"]));
}

/// A sequence with one item, of undefined or of defined length.
fn sequence(encoding: Encoding, tag: u32, item: &[u8], undefined: bool) -> Vec<u8> {
    if undefined {
        let open = encode(encoding, &[(tag, b"SQ", None), (ITEM, b"  ", None)]);
        let closed = [
            (ITEM_DELIMITATION, b"  ", Some(&[][..])),
            (SEQUENCE_DELIMITATION, b"  ", Some(&[][..])),
        ];
        return [open, item.to_vec(), encode(encoding, &closed)].concat();
    }
    let item = encode(encoding, &[(ITEM, b"  ", Some(item))]);
    encode(encoding, &[(tag, b"SQ", Some(&item))])
}

#[test]
fn an_enhanced_object_has_its_attributes_in_functional_groups_and_its_own_come_first() {
    for encoding in [
        Encoding::ExplicitLittle,
        Encoding::ImplicitLittle,
        Encoding::ExplicitBig,
    ] {
        for undefined in [false, true] {
            let number = |n: f64| {
                if encoding == Encoding::ExplicitBig {
                    n.to_be_bytes()
                } else {
                    n.to_le_bytes()
                }
            };
            let group = |tag, elements: &[Element<'_>]| {
                sequence(encoding, tag, &encode(encoding, elements), undefined)
            };
            let shared = [
                group(
                    0x0018_9112,
                    &[
                        (0x0018_0080, b"DS", Some(b"7 ")),
                        (0x0018_1314, b"DS", Some(b"9 ")),
                    ],
                ),
                group(0x0020_9116, &[(ORIENTATION, b"DS", Some(b"1\\0\\0\\0\\1\\0 "))]),
            ];
            let frame = [
                group(0x0018_9114, &[(0x0018_9082, b"FD", Some(&number(2.5)))]),
                group(0x0008_9007, &[(TE, b"DS", Some(b"8 "))]),
            ];
            let data_set = [
                encode(encoding, &[(0x0018_0080, b"DS", Some(b"11"))]),
                sequence(encoding, 0x5200_9229, &shared.concat(), undefined),
                sequence(encoding, 0x5200_9230, &frame[0], undefined),
                encode(encoding, &[(0x7FE0_0010, b"OW", Some(&[7; 64]))]),
            ]
            .concat();
            let found = read_set(encoding, &data_set, &[TE, 0x0018_0080, 0x0018_1314, ORIENTATION]);
            assert_eq!(texts(&found, TE), Some(vec!["2.5"]), "{encoding:?} {undefined}");
            assert_eq!(texts(&found, 0x0018_0080), Some(vec!["11"]));
            assert_eq!(texts(&found, 0x0018_1314), Some(vec!["9"]));
            assert_eq!(texts(&found, ORIENTATION).unwrap().len(), 6);
        }
    }
}

#[test]
fn a_hundred_thousand_levels_cost_a_counter() {
    let open: Vec<Element<'_>> = [(0x0008_1140, b"SQ", None), (ITEM, b"  ", None)].repeat(50_000);
    let found = read_set(
        Encoding::ExplicitLittle,
        &encode(Encoding::ExplicitLittle, &open),
        &[TE],
    );
    assert_eq!(found, Attributes::default());
}

#[test]
fn names_are_read_in_their_character_sets() {
    let Some(data) = data_of("character-sets") else {
        return;
    };
    let file = |name: &str| {
        let wanted = Wanted::new([NAME].into());
        let found = read_attributes(&data.join(name), &wanted).unwrap();
        texts(&found, NAME).unwrap_or_default().join("\\")
    };
    assert_eq!(file("chrFren.dcm"), "Buc^Jérôme");
    assert_eq!(file("chrGerm.dcm"), "Äneas^Rüdiger");
    assert_eq!(file("chrRuss.dcm"), "Люкceмбypг");
    assert_eq!(file("chrX1.dcm"), "Wang^XiaoDong=王^小東=");
    assert_eq!(file("chrH31.dcm"), "Yamada^Tarou=山田^太郎=やまだ^たろう");
    assert_eq!(file("chrI2.dcm"), "Hong^Gildong=洪^吉洞=홍^길동");
}

#[test]
fn a_file_that_is_no_part_10_file_says_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.dcm");
    for content in [&b""[..], b"text", &[0; 200]] {
        fs::write(&path, content).unwrap();
        let found = read_attributes(&path, &Wanted::new([NAME].into())).unwrap();
        assert_eq!(found, Attributes::default());
    }
    assert!(read_attributes(&directory.path().join("none"), &Wanted::default()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_bytes_are_too_strange(
        bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0xFF), Just(0), Just(b'S'), Just(b'Q')], 0..600),
        begin in prop_oneof![Just(0u32), Just(0x5200_9229), Just(0x5200_9230), Just(TE), Just(0x0008_0005)],
        encoding in proptest::sample::select(vec![
            Encoding::ImplicitLittle, Encoding::ExplicitLittle, Encoding::ExplicitBig, Encoding::Deflated,
        ]),
    ) {
        let mut set = if begin == 0 { Vec::new() } else { encode(encoding, &[(begin, b"SQ", None)]) };
        set.extend(bytes);
        let _ = read_set(encoding, &set, &[TE, DESCRIPTION, NAME, ORIENTATION]);
    }
}
