//! What data sets have that nobody who writes a decoder thinks of first.

use super::*;

const SYNTAX: &str = uids::ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN;

/// An image of one frame, and its pixels.
fn one() -> (Image, Vec<u8>) {
    let image = Image { frames: 1, ..gray(2) };
    let pixels = pixels(&image);
    (image, pixels)
}

/// The data set with something in the place of one of its elements.
fn with(mut data_set: Vec<u8>, instead_of: &[u8], element: &[u8]) -> Vec<u8> {
    let at = data_set
        .windows(instead_of.len())
        .position(|w| w == instead_of)
        .unwrap();
    data_set.splice(at..at + instead_of.len(), element.iter().copied());
    data_set
}

/// What becomes of it in fragments, `before` its pixels.
fn becomes(syntax: &str, data_set: &[u8]) -> Result<Vec<u8>, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = file(directory.path(), syntax, data_set);
    let (_, mut file) = explicit_little(&path).map_err(|error| error.to_string())?;
    let mut data_set = Vec::new();
    file.read_to_end(&mut data_set).unwrap();
    Ok(data_set)
}

#[test]
fn a_number_of_frames_that_is_not_there_or_empty_is_one() {
    let (image, pixels) = one();
    let frames = element(0x0028_0008, "IS", b"1 ");
    for instead in [&b""[..], &element(0x0028_0008, "IS", b"")] {
        let odd = |data_set| with(data_set, &frames, instead);
        let data_set = [
            odd(before(&image, None)),
            encapsulated(std::slice::from_ref(&pixels)),
        ]
        .concat();
        assert_eq!(becomes(SYNTAX, &data_set), Ok(odd(native(&image, &pixels, None))));
    }
}

#[test]
fn an_empty_planar_configuration_of_a_gray_image_says_nothing() {
    let (image, pixels) = one();
    let empty = |data_set| with(data_set, &short(0x0028_0006, 0), &element(0x0028_0006, "US", b""));
    let data_set = [
        empty(before(&image, Some(0))),
        encapsulated(std::slice::from_ref(&pixels)),
    ]
    .concat();
    assert_eq!(
        becomes(SYNTAX, &data_set),
        Ok(empty(native(&image, &pixels, Some(0))))
    );
}

#[test]
fn what_is_said_of_the_length_of_fragments_goes_with_them() {
    let (image, pixels) = one();
    let long = |tag, vr: &[u8; 2], value: &[u8]| {
        let mut bytes = element(tag, "OB", value);
        bytes.splice(4..6, *vr);
        bytes
    };
    let about = [
        element(0x7fe0_0000, "UL", &[9, 0, 0, 0]),
        long(0x7fe0_0001, b"OV", &[0; 8]),
        long(0x7fe0_0002, b"OV", &(pixels.len() as u64).to_le_bytes()),
        long(0x7fe0_0003, b"UV", &(pixels.len() as u64).to_le_bytes()),
    ];
    let data_set = [
        before(&image, None),
        about.concat(),
        encapsulated(std::slice::from_ref(&pixels)),
    ]
    .concat();
    assert_eq!(becomes(SYNTAX, &data_set), Ok(native(&image, &pixels, None)));
}

#[test]
fn a_sequence_of_unknown_vr_is_gone_through_as_implicit_vr() {
    let (image, pixels) = one();
    // (0029,1010) of undefined length; in its item (0029,1011) of four bytes that look like a VR and a length, and a
    // sequence of undefined length.
    let unknown = [
        &b"\x29\x00\x10\x10UN\0\0\xff\xff\xff\xff"[..],
        b"\xfe\xff\x00\xe0\xff\xff\xff\xff",
        b"\x29\x00\x11\x10\x04\0\0\0OB\xff\xff",
        b"\x29\x00\x12\x10\xff\xff\xff\xff",
        b"\xfe\xff\x00\xe0\x0a\0\0\0\x29\x00\x13\x10\x02\0\0\0ab",
        b"\xfe\xff\xdd\xe0\0\0\0\0",
        b"\xfe\xff\x0d\xe0\0\0\0\0",
        b"\xfe\xff\xdd\xe0\0\0\0\0",
    ]
    .concat();
    let rows = short(0x0028_0010, image.rows as u16);
    let odd = |data_set| with(data_set, &rows, &[&unknown[..], &rows].concat());
    let data_set = [
        odd(before(&image, None)),
        encapsulated(std::slice::from_ref(&pixels)),
    ]
    .concat();
    assert_eq!(becomes(SYNTAX, &data_set), Ok(odd(native(&image, &pixels, None))));
}

#[test]
fn an_icon_in_fragments_is_not_left_in_them() {
    let (image, pixels) = one();
    let icon = encapsulated(&[vec![1, 2]]);
    let length = (icon.len() as u32).to_le_bytes();
    let of_length = element(
        0x0088_0200,
        "SQ",
        &[b"\xfe\xff\x00\xe0", &length[..], &icon].concat(),
    );
    let undefined = [
        &b"\x88\x00\x00\x02SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"[..],
        &icon,
        b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0",
    ];
    for sequence in [of_length, undefined.concat()] {
        let data_set = [
            before(&image, None),
            sequence,
            encapsulated(std::slice::from_ref(&pixels)),
        ]
        .concat();
        let said = becomes(SYNTAX, &data_set).unwrap_err();
        assert!(said.contains("within a sequence"), "{said}");
    }
    let native_icon = element(0x7fe0_0010, "OB", &[1, 2]);
    let length = (native_icon.len() as u32).to_le_bytes();
    let item = [b"\xfe\xff\x00\xe0", &length[..], &native_icon].concat();
    let sequence = element(0x0088_0200, "SQ", &item);
    let data_set = [
        before(&image, None),
        sequence.clone(),
        encapsulated(std::slice::from_ref(&pixels)),
    ]
    .concat();
    let expected = [
        before(&image, None),
        sequence,
        element(0x7fe0_0010, "OW", &pixels),
    ]
    .concat();
    assert!(
        becomes(SYNTAX, &data_set).unwrap() == expected[..],
        "an icon as it is stays"
    );
}

#[test]
fn what_would_be_read_as_something_else_is_refused() {
    let (image, pixels) = one();
    let rows = short(0x0028_0010, image.rows as u16);
    for (instead_of, element, why) in [
        (rows.clone(), Vec::new(), "no size"),
        (
            element(0x0028_0004, "CS", b"MONOCHROME2 "),
            element(0x0028_0004, "CS", b"YBR_FULL_422"),
            "YBR_FULL_422",
        ),
    ] {
        let data_set = with(before(&image, None), &instead_of, &element);
        let data_set = [data_set, encapsulated(std::slice::from_ref(&pixels))].concat();
        let said = becomes(uids::RLE_LOSSLESS, &data_set).unwrap_err();
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn a_deflated_data_set_that_is_cut_is_refused() {
    let (image, pixels) = one();
    let whole = native(&image, &pixels, None);
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    deflate.write_all(&whole).unwrap();
    let deflated = deflate.finish().unwrap();
    let syntax = uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN;
    // A byte of padding may stand behind it (PS3.5 §A.5).
    for padding in [&b""[..], &[0]] {
        assert!(becomes(syntax, &[&deflated[..], padding].concat()).unwrap() == whole);
    }
    for end in [0, 1, 100, deflated.len() / 2, deflated.len() - 1] {
        let said = becomes(syntax, &deflated[..end]).unwrap_err();
        assert!(said.contains("ends too early"), "{end}: {said}");
    }
}
