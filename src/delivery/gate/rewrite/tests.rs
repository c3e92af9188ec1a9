use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::made::{ENCODINGS, Made, undefined, write as write_file};
use super::super::object;
use super::*;

/// How an element of a test is written.
#[derive(Clone, Debug)]
enum Kind {
    Plain(Vec<u8>),
    Sequence { defined: bool, inner: Vec<u8> },
    Fragments(Vec<u8>),
}

fn encoded(encoder: Encoder, tag: u32, kind: &Kind, items: bool) -> Vec<u8> {
    match kind {
        Kind::Plain(value) => encoder.element(tag, *b"LO", value).unwrap(),
        Kind::Sequence { defined, inner } => {
            let one = encoder.element(0x0008_0104, *b"LO", inner).unwrap();
            let item = if items {
                encoder.item(&one).unwrap()
            } else {
                Vec::new()
            };
            match defined {
                true => encoder.element(tag, *b"SQ", &item).unwrap(),
                false => undefined(encoder, tag, b"SQ", &item),
            }
        }
        Kind::Fragments(value) => {
            let fragment = encoder.item(value).unwrap();
            undefined(
                encoder,
                tag,
                b"OB",
                &[encoder.item(&[]).unwrap(), fragment].concat(),
            )
        }
    }
}

/// Attributes around those that are edited, sequences of either length, pixels last.
fn elements() -> impl Strategy<Value = BTreeMap<u32, Kind>> {
    let even = |n| {
        proptest::collection::vec(0x20u8..0x7f, 0..n).prop_map(|mut v: Vec<u8>| {
            v.resize(v.len().next_multiple_of(2), b' ');
            v
        })
    };
    let plain = [
        0x0008_0060,
        0x0008_103E,
        0x0010_0010,
        0x0010_0020,
        0x0010_4000,
        0x0020_0010,
        0x0028_4000,
    ];
    let sequences = [0x0008_1140, 0x0008_2112, 0x0018_A001, 0x0040_A730, 0xFFFA_FFFA];
    let plain = (
        proptest::sample::select(plain.to_vec()),
        even(20).prop_map(Kind::Plain),
    );
    let sequence = (
        proptest::sample::select(sequences.to_vec()),
        (any::<bool>(), even(12)).prop_map(|(defined, inner)| Kind::Sequence { defined, inner }),
    );
    (
        proptest::collection::vec(prop_oneof![plain, sequence], 0..12),
        proptest::option::of(even(40).prop_map(Kind::Fragments)),
    )
        .prop_map(|(some, pixels)| {
            let mut all: BTreeMap<_, _> = some.into_iter().collect();
            all.extend(pixels.map(|pixels| (0x7FE0_0010, pixels)));
            all
        })
}

fn edits() -> impl Strategy<Value = BTreeMap<u32, Vec<u8>>> {
    let tags = vec![
        0x0008_0005,
        0x0008_0050,
        0x0010_0010,
        0x0010_0020,
        0x0020_000D,
        0x0020_0010,
    ];
    let value = proptest::collection::vec(0x20u8..0x7f, 0..9);
    proptest::collection::btree_map(proptest::sample::select(tags), value, 0..5)
}

/// The bytes of each element of a data set.
fn parts(path: &Path) -> BTreeMap<u32, Vec<u8>> {
    let mut object = object::read(path, path.parent().unwrap()).unwrap();
    let mut parts = BTreeMap::new();
    for element in object.elements.clone() {
        let mut bytes = vec![0; usize::try_from(element.end - element.start).unwrap()];
        object.source.seek(SeekFrom::Start(element.start)).unwrap();
        object.source.read_exact(&mut bytes).unwrap();
        parts.insert(element.tag, bytes);
    }
    parts
}

fn rewritten(from: &Path, edits: &Edits) -> std::path::PathBuf {
    let directory = from.parent().unwrap();
    let mut object = object::read(from, directory).unwrap();
    let pieces = pieces(&object.elements, object.extent, edits).unwrap();
    let target = directory.join("copy.dcm");
    write(&mut object, &pieces, &directory.join(".part"), &target).unwrap();
    target
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]
    #[test]
    fn what_is_not_edited_is_the_same_byte_by_byte_before_and_behind(
        elements in elements(), changes in edits(), appended in any::<bool>(), which in 0usize..4, items in any::<bool>()
    ) {
        let made = Made::result().in_encoding(ENCODINGS[which]);
        let encoder = made.encoder();
        // Implicit little endian has no fragments.
        let fits = |kind: &Kind| encoder.0 != Encoding::ImplicitLittle || !matches!(kind, Kind::Fragments(_));
        let bytes: BTreeMap<u32, Vec<u8>> = elements
            .iter()
            .filter(|(_, kind)| fits(kind))
            .map(|(tag, kind)| (*tag, encoded(encoder, *tag, kind, items)))
            .collect();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("original.dcm");
        write_file(&path, &made, &bytes.values().flatten().copied().collect::<Vec<_>>());
        let before = std::fs::read(&path).unwrap();
        prop_assert_eq!(&parts(&path), &bytes);

        let item = encoder.item(&encoder.element(0x0008_0070, *b"LO", b"NEW").unwrap()).unwrap();
        let mut edits: Edits =
            changes.iter().map(|(tag, value)| (*tag, Edit::Set(*b"SH", value.clone()))).collect();
        if appended {
            edits.insert(0x0018_A001, Edit::Append(item.clone()));
        }
        let copy = parts(&rewritten(&path, &edits));
        for (tag, bytes) in &bytes {
            if !edits.contains_key(tag) {
                prop_assert_eq!(copy.get(tag), Some(bytes), "{:08x}", tag);
            }
        }
        for (tag, value) in &changes {
            prop_assert_eq!(&copy[tag], &encoder.element(*tag, *b"SH", value).unwrap());
        }
        if appended {
            let sequence = &copy[&0x0018_A001];
            let ends = [sequence.ends_with(&item), sequence.ends_with(&[item, encoder.end_of_sequence()].concat())];
            prop_assert!(ends.contains(&true));
        }
        let expected = bytes.keys().chain(edits.keys()).collect::<std::collections::BTreeSet<_>>().len();
        prop_assert_eq!(copy.len(), expected);
        prop_assert_eq!(std::fs::read(&path).unwrap(), before, "the original stays as it was");
    }
}

#[test]
fn the_copy_is_what_dicom_object_reads() {
    for encoding in ENCODINGS.into_iter().take(3) {
        let directory = tempfile::tempdir().unwrap();
        let path = Made::result()
            .in_encoding(encoding)
            .without(0x0010_0020)
            .write(directory.path());
        let item = Made::result().in_encoding(encoding).encoder();
        let item = item
            .item(&item.element(0x0008_0070, *b"LO", b"NEW").unwrap())
            .unwrap();
        let edits = Edits::from([
            (0x0010_0020, Edit::Set(*b"LO", b"A1".to_vec())),
            (0x0018_A001, Edit::Append(item)),
        ]);
        let object = dicom_object::open_file(rewritten(&path, &edits)).unwrap();
        let text = |tag| object.element(tag).unwrap().to_str().unwrap().trim().to_owned();
        assert_eq!(text(dicom_core::Tag(0x0010, 0x0020)), "A1");
        assert_eq!(text(dicom_core::Tag(0x0010, 0x0010)), "Doe^John");
        assert_eq!(
            object
                .element(dicom_core::Tag(0x7FE0, 0x0010))
                .unwrap()
                .to_bytes()
                .unwrap()
                .len(),
            64
        );
        assert_eq!(
            object
                .element(dicom_core::Tag(0x0018, 0xA001))
                .unwrap()
                .items()
                .unwrap()
                .len(),
            1
        );
    }
}

#[test]
fn the_length_of_a_group_goes_where_the_group_changes() {
    let directory = tempfile::tempdir().unwrap();
    let made = Made::result()
        .raw(0x0008_0000, b"UL", &[1, 0, 0, 0])
        .raw(0x0010_0000, b"UL", &[1, 0, 0, 0]);
    let path = made.write(directory.path());
    let edits = Edits::from([(0x0010_0020, Edit::Set(*b"LO", b"A2".to_vec()))]);
    let copy = parts(&rewritten(&path, &edits));
    assert!(copy.contains_key(&0x0008_0000) && !copy.contains_key(&0x0010_0000));
}

#[test]
fn the_same_edits_make_the_same_bytes() {
    for encoding in ENCODINGS {
        let directory = tempfile::tempdir().unwrap();
        let path = Made::result().in_encoding(encoding).write(directory.path());
        let edits = Edits::from([(0x0010_0020, Edit::Set(*b"LO", b"A2".to_vec()))]);
        let first = std::fs::read(rewritten(&path, &edits)).unwrap();
        assert_eq!(std::fs::read(rewritten(&path, &edits)).unwrap(), first);
        assert_eq!(first.len() % 2, 0);
    }
}
