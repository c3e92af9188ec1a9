//! Deflated data sets (§A.5): what they inflate to costs the node nothing.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, ZlibEncoder};

use super::trial::{DEFLATE, Trial, cut};
use crate::needs;
use crate::support::part10::{EXPLICIT_LITTLE, Object};

/// Deflates, with so many zeros between two parts.
fn deflate(start: &[u8], zeros: usize, end: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(start).unwrap();
    let block = vec![0; 1 << 20];
    for _ in 0..zeros >> 20 {
        encoder.write_all(&block).unwrap();
    }
    encoder.write_all(end).unwrap();
    let mut bytes = encoder.finish().unwrap();
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes
}

/// The same object before it is deflated.
fn plain(object: &Object) -> Object {
    Object {
        transfer_syntax: EXPLICIT_LITTLE,
        ..object.clone()
    }
}

#[test]
fn a_bomb_does_not_go_off() {
    needs!(Docker);
    let mut trial = Trial::new();
    let size: u32 = 128 << 20;
    let zeros = size as usize;
    // Before what the node has to read: a thousand times its size, and more than the node may have.
    let object = trial.object(DEFLATE);
    let (start, end) = cut(&plain(&object));
    let header = [b"\x09\0\x10\x10OB\0\0".as_slice(), &size.to_le_bytes()].concat();
    let bomb = deflate(&[start, header].concat(), zeros, &end);
    trial.answered("a bomb before the identity", DEFLATE, &object, &bomb);
    // Behind it: lawful pixel data that compresses well.
    let object = trial.object(DEFLATE);
    let mut pixels = plain(&object);
    pixels.pixels = size;
    let head = [
        pixels.attributes(),
        pixels.element(0x7fe0, 0x0010, "OW", &[], size),
    ]
    .concat();
    let bomb = deflate(&head, zeros, &[]);
    trial.taken("a bomb of pixel data", DEFLATE, &object, &bomb);
    // Deflated twice.
    let object = trial.object(DEFLATE);
    let twice = deflate(&deflate(&head, zeros, &[]), 0, &[]);
    trial.refused("deflated twice", DEFLATE, &object, &twice, &[0xc000, 0xa900]);
    trial.end();
}

#[test]
fn what_cannot_be_inflated_is_not_understood() {
    needs!(Docker);
    let mut trial = Trial::new();
    let object = trial.object(DEFLATE);
    let whole = object.data_set();
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(&plain(&object).data_set()).unwrap();
    let zlib = zlib.finish().unwrap();
    let noise: Vec<u8> = (0..5000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8 | 7)
        .collect();
    for (what, set) in [
        ("nothing", &[][..]),
        ("noise", &noise),
        ("a stream cut short", &whole[..40]),
        // With zlib's header, which §A.5 leaves out.
        ("a zlib stream", &zlib),
    ] {
        trial.refused(what, DEFLATE, &object, set, &[0xc000, 0xa900]);
    }
    trial.end();
}

#[test]
fn the_padding_of_a_deflated_data_set_is_no_data() {
    needs!(Docker);
    let mut trial = Trial::new();
    let object = trial.object(DEFLATE);
    let mut set = object.data_set();
    set.push(0);
    trial.taken("a NUL behind the stream", DEFLATE, &object, &set);
    trial.end();
}
