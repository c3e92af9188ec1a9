//! Objects that are made here, and what dcmtk makes of them where it is there.

mod oddities;

use std::io::Read;
use std::path::PathBuf;
use std::process::Command;

use super::elements::Image;
use super::*;

const EXPLICIT: &str = uids::EXPLICIT_VR_LITTLE_ENDIAN;

fn element(tag: u32, vr: &str, value: &[u8]) -> Vec<u8> {
    let mut bytes = [(tag >> 16) as u16, tag as u16].map(u16::to_le_bytes).concat();
    bytes.extend(vr.as_bytes());
    if matches!(vr, "OB" | "OW" | "SQ" | "UN") {
        bytes.extend([0, 0]);
        bytes.extend((value.len() as u32).to_le_bytes());
    } else {
        bytes.extend((value.len() as u16).to_le_bytes());
    }
    bytes.extend(value);
    bytes
}

fn short(tag: u32, value: u16) -> Vec<u8> {
    element(tag, "US", &value.to_le_bytes())
}

/// What stands before the pixel data of an image, a sequence of undefined length among it.
fn before(image: &Image, planar: Option<u16>) -> Vec<u8> {
    let uid = |tag, text: &str| {
        let mut value = text.as_bytes().to_vec();
        value.resize(value.len().next_multiple_of(2), 0);
        element(tag, "UI", &value)
    };
    let mut sequence = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff".to_vec();
    sequence.extend(uid(0x0008_1155, "1.2.3.4"));
    sequence.extend(b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0");
    let bits = image.sample_bytes as u16 * 8;
    let frames = format!("{:<2}", image.frames);
    [
        uid(
            0x0008_0016,
            uids::MULTI_FRAME_GRAYSCALE_WORD_SECONDARY_CAPTURE_IMAGE_STORAGE,
        ),
        uid(0x0008_0018, "1.2.3.4.5"),
        sequence,
        // Bytes that are no text of any character set.
        element(0x0010_0010, "PN", b"\xff\xfe^\x81"),
        uid(0x0020_000d, "1.2.3"),
        uid(0x0020_000e, "1.2.4"),
        short(0x0028_0002, image.samples as u16),
        element(
            0x0028_0004,
            "CS",
            if image.samples == 3 {
                b"RGB "
            } else {
                b"MONOCHROME2 "
            },
        ),
        planar.map_or_else(Vec::new, |planar| short(0x0028_0006, planar)),
        element(0x0028_0008, "IS", frames.as_bytes()),
        short(0x0028_0010, image.rows as u16),
        short(0x0028_0011, image.columns as u16),
        short(0x0028_0100, bits),
        short(0x0028_0101, bits),
        short(0x0028_0102, bits - 1),
        short(0x0028_0103, 0),
    ]
    .concat()
}

fn file(directory: &Path, syntax: &str, data_set: &[u8]) -> PathBuf {
    let uid = |text: &str| crate::model::Uid::parse(text.as_bytes()).unwrap();
    let meta = part10::FileMeta {
        sop_class_uid: uid(uids::MULTI_FRAME_GRAYSCALE_WORD_SECONDARY_CAPTURE_IMAGE_STORAGE),
        sop_instance_uid: uid("1.2.3.4.5"),
        transfer_syntax_uid: uid(syntax),
    };
    let path = directory.join(format!("{syntax}.dcm"));
    std::fs::write(
        &path,
        [part10::head(&meta, None).unwrap().as_slice(), data_set].concat(),
    )
    .unwrap();
    path
}

fn gray(sample_bytes: usize) -> Image {
    Image {
        rows: 17,
        columns: 23,
        samples: 1,
        sample_bytes,
        frames: 3,
    }
}

/// Runs, ramps and noise.
fn pixels(image: &Image) -> Vec<u8> {
    let byte = |i: usize| match i % 400 {
        0..=200 => (i / 200) as u8,
        201..=300 => i as u8,
        _ => (i.wrapping_mul(2_654_435_761) >> 13) as u8,
    };
    (0..image.bytes().unwrap()).map(byte).collect()
}

fn native(image: &Image, pixels: &[u8], planar: Option<u16>) -> Vec<u8> {
    let vr = if image.sample_bytes == 1 { "OB" } else { "OW" };
    let mut even = pixels.to_vec();
    even.resize(even.len().next_multiple_of(2), 0);
    [before(image, planar), element(0x7fe0_0010, vr, &even)].concat()
}

fn encapsulated(fragments: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\0\0\0\0".to_vec();
    for fragment in fragments {
        bytes.extend(b"\xfe\xff\x00\xe0");
        let mut even = fragment.clone();
        even.resize(even.len().next_multiple_of(2), 0);
        bytes.extend((even.len() as u32).to_le_bytes());
        bytes.extend(even);
    }
    bytes.extend(b"\xfe\xff\xdd\xe0\0\0\0\0");
    bytes
}

/// What a file becomes.
fn transcoded(path: &Path) -> Vec<u8> {
    let (_, mut file) = explicit_little(path).unwrap();
    let mut data_set = Vec::new();
    file.read_to_end(&mut data_set).unwrap();
    data_set
}

/// What dcmtk makes of an object; `None`, loudly, where it is not there.
fn dcmtk(program: &str, options: &[&str], from: &Path) -> Option<PathBuf> {
    let to = from.with_extension(format!("{program}{}", options.concat()));
    match Command::new(program).args(options).args([from, &to]).output() {
        Ok(ran) => {
            assert!(ran.status.success(), "{ran:?}");
            Some(to)
        }
        Err(_) => {
            assert!(std::env::var_os("CI").is_none(), "dcmtk is missing");
            None
        }
    }
}

#[test]
fn what_dcmtk_compressed_without_loss_comes_back_to_the_pixel() {
    let directory = tempfile::tempdir().unwrap();
    for (sample_bytes, stored) in [(1, 8u16), (2, 16), (2, 12)] {
        let image = gray(sample_bytes);
        let mut pixels = pixels(&image);
        if stored == 12 {
            pixels
                .iter_mut()
                .skip(1)
                .step_by(2)
                .for_each(|high| *high &= 0x0f);
        }
        let mut original = native(&image, &pixels, None);
        for (tag, value) in [(0x0028_0101, stored), (0x0028_0102, stored - 1)] {
            let element = short(tag, value);
            let at = original.windows(6).position(|w| w == &element[..6]).unwrap();
            original[at..at + element.len()].copy_from_slice(&element);
        }
        let original = file(directory.path(), EXPLICIT, &original);
        for (program, options) in [
            ("dcmcrle", &[][..]),
            ("dcmcjpeg", &["+e1"]),
            ("dcmcjpeg", &["+el", "+sv", "1"]),
            ("dcmcjpeg", &["+el", "+sv", "4"]),
            ("dcmcjpeg", &["+el", "+sv", "6"]),
            ("dcmcjpeg", &["+el", "+sv", "7"]),
        ] {
            let Some(compressed) = dcmtk(program, options, &original) else {
                return;
            };
            let data_set = transcoded(&compressed);
            let mut even = pixels.clone();
            even.resize(even.len().next_multiple_of(2), 0);
            assert!(
                data_set.ends_with(&even),
                "{program} {options:?} of {sample_bytes} bytes a sample"
            );
            // The name of the patient is no text, and stays what it was.
            let name = element(0x0010_0010, "PN", b"\xff\xfe^\x81");
            assert!(data_set.windows(name.len()).any(|w| w == name));
        }
    }
}

#[test]
fn colors_in_rle_come_back_pixel_by_pixel_whatever_they_were_before() {
    let directory = tempfile::tempdir().unwrap();
    let image = Image {
        samples: 3,
        frames: 1,
        ..gray(1)
    };
    let pixels = pixels(&image);
    let expected = native(&image, &pixels, Some(0));
    let original = file(directory.path(), EXPLICIT, &expected);
    let Some(compressed) = dcmtk("dcmcrle", &[], &original) else {
        return;
    };
    let data_set = transcoded(&compressed);
    let end = element(0x7fe0_0010, "OB", &{
        let mut even = pixels;
        even.resize(even.len().next_multiple_of(2), 0);
        even
    });
    assert!(data_set.ends_with(&end));
    let planar = short(0x0028_0006, 0);
    assert!(data_set.windows(planar.len()).any(|w| w == planar));
}

#[test]
fn a_deflated_data_set_is_inflated_and_fragments_of_native_pixels_are_joined() {
    let directory = tempfile::tempdir().unwrap();
    let image = gray(1);
    let pixels = pixels(&image);
    let expected = native(&image, &pixels, None);
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    deflate.write_all(&expected).unwrap();
    let deflated = file(
        directory.path(),
        uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
        &deflate.finish().unwrap(),
    );
    assert_eq!(transcoded(&deflated), expected);

    let one = Image { frames: 1, ..image };
    let frame = &pixels[..one.bytes().unwrap()];
    let in_fragments = [before(&one, None), encapsulated(&[frame.to_vec()])].concat();
    let path = file(
        directory.path(),
        uids::ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN,
        &in_fragments,
    );
    assert_eq!(transcoded(&path), native(&one, frame, None));
}

#[test]
fn what_cannot_be_decoded_to_the_last_byte_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let image = Image { frames: 1, ..gray(2) };
    let mut header = vec![0; 64];
    header[0] = 2;
    header[4] = 64;
    header[8] = 66;
    let says = |syntax: &str, data_set: &[u8]| {
        explicit_little(&file(directory.path(), syntax, data_set))
            .unwrap_err()
            .to_string()
    };
    let frame = |segment: &[u8]| [header.as_slice(), segment].concat();
    let with = |fragments: &[Vec<u8>]| [before(&image, None), encapsulated(fragments)].concat();
    for (data_set, why) in [
        (with(&[frame(&[129, 7, 129, 7])]), "ends too early"),
        (with(&[vec![0; 8]]), "shorter than its header"),
        (with(&[vec![0; 64]]), "has not the 2 segments"),
        (with(&[]), "shorter than its header"),
        (before(&image, None)[..20].to_vec(), "ends within an element"),
    ] {
        let said = says(uids::RLE_LOSSLESS, &data_set);
        assert!(said.contains(why), "{said}");
    }
    let said = says(uids::JPEG_LOSSLESS_SV1, &with(&[b"\xff\xd8\xff\xd9".to_vec()]));
    assert!(said.contains("cannot be decoded"), "{said}");
    let lossy = says(uids::JPEG_BASELINE8_BIT, &with(&[vec![0; 8]]));
    assert!(lossy.contains("no lossless way"), "{lossy}");
    assert!(!is_possible(uids::JPEG_BASELINE8_BIT) && is_possible(uids::RLE_LOSSLESS));
}

#[test]
fn frames_of_an_odd_length_lose_their_padding_and_frames_of_several_fragments_are_found_by_the_offset_table()
{
    let directory = tempfile::tempdir().unwrap();
    let syntax = uids::ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN;
    let image = gray(1);
    let pixels = pixels(&image);
    let frames: Vec<_> = pixels
        .chunks(image.frame_bytes().unwrap())
        .map(<[u8]>::to_vec)
        .collect();
    let expected = native(&image, &pixels, None);
    let one_each = [before(&image, None), encapsulated(&frames)].concat();
    assert_eq!(transcoded(&file(directory.path(), syntax, &one_each)), expected);

    // Two fragments a frame; an element behind the pixels stays.
    let halves: Vec<_> = frames
        .iter()
        .flat_map(|f| [f[..200].to_vec(), f[200..].to_vec()])
        .collect();
    let padding = element(0xfffc_fffc, "OB", &[0; 6]);
    let without = encapsulated(&halves);
    let table: Vec<u8> = (0..3u32)
        .flat_map(|n| (n * (8 + 200 + 8 + 192)).to_le_bytes())
        .collect();
    let with = |table: &[u8]| {
        let length = (table.len() as u32).to_le_bytes();
        let pixels = [&without[..16], &length, table, &without[20..]].concat();
        [before(&image, None), pixels, padding.clone()].concat()
    };
    let wanted = [expected, padding.clone()].concat();
    assert_eq!(transcoded(&file(directory.path(), syntax, &with(&table))), wanted);
    for table in [&[][..], &table[..8], &[1; 12]] {
        let refused = explicit_little(&file(directory.path(), syntax, &with(table)));
        assert!(matches!(refused, Err(TranscodeError::Unfit(_))), "{refused:?}");
    }
}

#[test]
fn no_memory_is_taken_for_pixels_that_are_only_said_to_be_there() {
    let directory = tempfile::tempdir().unwrap();
    let says = |image: &Image, fragments: &[Vec<u8>]| {
        let data_set = [before(image, None), encapsulated(fragments)].concat();
        explicit_little(&file(directory.path(), uids::RLE_LOSSLESS, &data_set)).unwrap_err()
    };
    let image = Image {
        rows: 65_535,
        columns: 16_000,
        ..gray(1)
    };
    let mut header = vec![0; 64];
    (header[0], header[4]) = (1, 64);
    let said = says(
        &Image {
            frames: 1,
            ..image.clone()
        },
        &[header],
    );
    assert!(said.to_string().contains("ends too early"), "{said}");
    let larger = Image {
        columns: 20_000,
        frames: 1,
        ..image.clone()
    };
    assert!(matches!(says(&larger, &[]), TranscodeError::LargeFrame));
    let all = Image { frames: 9, ..image };
    assert!(matches!(says(&all, &[]), TranscodeError::TooLarge));
    assert_eq!(
        std::fs::read_dir(directory.path()).unwrap().count(),
        1,
        "nothing is left beside the object"
    );
}

proptest::proptest! {
    #[test]
    fn no_data_set_is_too_strange(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
        let directory = tempfile::tempdir().unwrap();
        let image = gray(1);
        let long = [before(&image, None), bytes.clone()].concat();
        let framed = [before(&image, None), encapsulated(&[bytes.clone(), bytes.clone(), bytes.clone()])].concat();
        for syntax in [
            uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
            uids::RLE_LOSSLESS,
            uids::JPEG_LOSSLESS_SV1,
            uids::ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN,
        ] {
            for data_set in [&bytes, &long, &framed] {
                if let Err(TranscodeError::Io(error)) = explicit_little(&file(directory.path(), syntax, data_set)) {
                    panic!("{error}");
                }
            }
        }
    }
}
