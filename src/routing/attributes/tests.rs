//! Attributes of files, good and bad.

use std::io::Write;

use proptest::prelude::*;

use super::*;

fn meta(syntax: &str) -> FileMeta {
    let uid = |t: &str| Uid::parse(t.as_bytes()).unwrap();
    FileMeta {
        sop_class_uid: uid("1.2.840.10008.5.1.4.1.1.4"),
        sop_instance_uid: uid("1.2.3"),
        transfer_syntax_uid: uid(syntax),
    }
}

/// A file of that transfer syntax with that data set.
fn file(syntax: &str, data: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&part10::head(&meta(syntax), None).unwrap())
        .unwrap();
    file.write_all(data).unwrap();
    file
}

/// An element with a short length, explicit or implicit.
fn element(syntax: Syntax, tag: (u16, u16), vr: &[u8; 2], value: &[u8]) -> Vec<u8> {
    let two = |n: u16| {
        if syntax.little {
            n.to_le_bytes()
        } else {
            n.to_be_bytes()
        }
    };
    let mut out = [two(tag.0), two(tag.1)].concat();
    let length = u16::try_from(value.len()).unwrap();
    if syntax.explicit {
        out.extend(vr);
        out.extend(two(length));
    } else {
        out.extend(u32::from(length).to_le_bytes());
    }
    out.extend(value);
    out
}

const LITTLE: Syntax = Syntax {
    explicit: true,
    little: true,
};

fn data(syntax: Syntax) -> Vec<u8> {
    let rows = if syntax.little { [0, 2] } else { [2, 0] };
    [
        element(syntax, (8, 5), b"CS", b"ISO_IR 100"),
        element(syntax, (8, 8), b"CS", b"DERIVED\\PRIMARY "),
        element(syntax, (8, 0x60), b"CS", b"MR"),
        element(syntax, (8, 0x103e), b"LO", b"T1 Sch\xe4del "),
        element(syntax, (0x20, 0x13), b"IS", b"7 "),
        element(syntax, (0x28, 0x10), b"US", &rows),
        // Behind all that is wanted, and cut off: nobody looks.
        element(syntax, (0x7fe0, 0x10), b"UN", &[0; 40])[..30].to_vec(),
    ]
    .concat()
}

fn tags(texts: &[&str]) -> BTreeSet<AttributeTag> {
    texts.iter().map(|t| AttributeTag::parse(t).unwrap()).collect()
}

fn values(attributes: Attributes) -> Vec<(String, String)> {
    match attributes {
        Attributes::Read(values) => values.into_iter().map(|(t, v)| (t.to_string(), v)).collect(),
        Attributes::Unreadable(why) => panic!("{why}"),
    }
}

const WANTED: [&str; 7] = [
    "0008,0008",
    "0008,0060",
    "0008,103e",
    "0008,0070",
    "0020,0013",
    "0028,0010",
    "0002,0003",
];

#[test]
fn values_are_read_as_text_in_every_encoding() {
    let deflated = |bytes: &[u8]| {
        let mut out = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    };
    let (implicit, big) = (
        Syntax {
            explicit: false,
            little: true,
        },
        Syntax {
            explicit: true,
            little: false,
        },
    );
    for (syntax, bytes) in [
        (EXPLICIT, data(LITTLE)),
        (IMPLICIT, data(implicit)),
        (BIG_ENDIAN, data(big)),
        (DEFLATED, deflated(&data(LITTLE))),
        ("1.2.840.10008.1.2.4.90", data(LITTLE)),
        ("1.2.3.4.5", data(LITTLE)),
    ] {
        let file = file(syntax, &bytes);
        let read = values(read(file.path(), &tags(&WANTED)));
        let expected = [
            ("0002,0003", "1.2.3"),
            ("0008,0008", "DERIVED\\PRIMARY"),
            ("0008,0060", "MR"),
            ("0008,103e", "T1 Schädel"),
            ("0020,0013", "7"),
            ("0028,0010", "512"),
        ]
        .map(|(t, v)| (t.to_owned(), v.to_owned()));
        assert_eq!(read, expected, "{syntax}");
    }
}

#[test]
fn sequences_of_undefined_length_are_walked_over() {
    let mut bytes = element(LITTLE, (8, 0x60), b"CS", b"MR");
    // (0008,1140) SQ of undefined length, an item of undefined length with an element like one that is wanted.
    bytes.extend(b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff");
    bytes.extend(element(LITTLE, (0x20, 0x13), b"IS", b"1 "));
    bytes.extend(b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0");
    bytes.extend(element(LITTLE, (0x20, 0x13), b"IS", b"2 "));
    let file = file(EXPLICIT, &bytes);
    let read = values(read(file.path(), &tags(&["0020,0013"])));
    assert_eq!(read, [("0020,0013".to_owned(), "2".to_owned())]);
}

#[test]
fn what_cannot_be_read_says_why() {
    let mut long = element(LITTLE, (8, 0x60), b"CS", b"MR");
    // Two gigabytes that are not there.
    long.extend(b"\x08\0\x3e\x10UT\0\0\xff\xff\xff\x7f");
    for bytes in [&b"\x08\0\x60"[..], &long] {
        let file = file(EXPLICIT, bytes);
        let read = read(file.path(), &tags(&["0008,103e"]));
        assert!(matches!(read, Attributes::Unreadable(_)), "{read:?}");
    }
    let other = tempfile::NamedTempFile::new().unwrap();
    let why = read(other.path(), &tags(&["0008,103e"]));
    assert!(matches!(why, Attributes::Unreadable(why) if why.contains("no DICOM file")));
}

proptest! {
    #[test]
    fn no_data_set_is_too_strange(at in 0..90usize, put in any::<[u8; 4]>(), explicit: bool) {
        let mut bytes = data(LITTLE);
        for (slot, byte) in bytes.iter_mut().skip(at).zip(put) {
            *slot = byte;
        }
        let syntax = Syntax { explicit, little: true };
        let found = elements(&bytes, syntax, &tags(&WANTED));
        if let Ok(found) = found {
            let _ = decoded(&meta(EXPLICIT), syntax, &found, &tags(&WANTED));
        }
    }
}
