//! Transfer syntaxes (§10, Annex A): a data set is in the one of its context, or it is not understood.

use super::trial::{BIG, DEFLATE, EXPLICIT, IMPLICIT, Trial, with};
use crate::needs;
use crate::support::part10::{Object, data_set};
use crate::support::under_test::scratch;

#[test]
fn every_context_takes_data_sets_in_its_syntax() {
    needs!(Docker);
    let mut trial = Trial::new();
    for context in [EXPLICIT, IMPLICIT, BIG, DEFLATE] {
        let object = trial.object(context);
        let set = object.data_set();
        trial.taken(&format!("context {context}"), context, &object, &set);
    }
    trial.end();
}

#[test]
fn a_data_set_in_another_syntax_is_not_understood() {
    needs!(Docker);
    let mut trial = Trial::new();
    for context in [EXPLICIT, IMPLICIT, BIG, DEFLATE] {
        for other in [EXPLICIT, IMPLICIT, BIG, DEFLATE] {
            if context != other {
                let object = trial.object(other);
                let set = object.data_set();
                let what = format!("the syntax of context {other} on {context}");
                trial.refused(&what, context, &object, &set, &[0xc000, 0xa900]);
            }
        }
    }
    trial.end();
}

/// The parts of a Part 10 file behind its preamble: the file meta information, and all of it.
fn parts(object: &Object) -> (Vec<u8>, Vec<u8>) {
    let directory = scratch();
    let file = std::fs::read(object.write(directory.path())).unwrap();
    let meta = file.len() - data_set(&file).len();
    (file[132..meta].to_vec(), file[132..].to_vec())
}

#[test]
fn a_part_10_file_is_no_data_set() {
    needs!(Docker);
    let mut trial = Trial::new();
    let object = trial.object(EXPLICIT);
    let (meta, rest) = parts(&object);
    let file = [&[0; 128][..], b"DICM", &rest].concat();
    for (what, set) in [("a whole file", &file), ("file meta information alone", &meta)] {
        trial.refused(what, EXPLICIT, &object, set, &[0xc000, 0xa900]);
    }
    trial.end();
}

#[test]
fn file_meta_information_is_no_part_of_a_data_set() {
    needs!(Docker);
    let mut trial = Trial::new();
    let object = trial.object(EXPLICIT);
    let (_, set) = parts(&object);
    trial.refused(
        "a file without its preamble",
        EXPLICIT,
        &object,
        &set,
        &[0xc000, 0xa900],
    );
    trial.end();
}

#[test]
fn elements_nobody_knows_are_stored_as_they_are() {
    needs!(Docker);
    let mut trial = Trial::new();
    for (what, element) in [
        (
            "a private element",
            b"\x09\0\x10\0LO\x04\0ACME\x09\0\x01\x10UN\0\0\x04\0\0\0\x01\x02\x03\x04".as_slice(),
        ),
        // A reader skips a VR of the future by the long form (§6.2, note).
        ("a VR nobody knows", b"\x09\0\x10\x10ZZ\0\0\x02\0\0\0ab"),
        ("a retired element", b"\x08\0\x01\0UL\x04\0\0\0\0\0"),
    ] {
        let object = trial.object(EXPLICIT);
        let mut set = with(&object, element);
        if what == "a retired element" {
            set = [element, &object.data_set()].concat();
        }
        trial.taken(what, EXPLICIT, &object, &set);
    }
    // Padding behind the pixel data (§7.2).
    let object = trial.object(EXPLICIT);
    let set = [
        &object.data_set()[..],
        b"\xfc\xff\xfc\xffOB\0\0\x04\0\0\0\0\0\0\0",
    ]
    .concat();
    trial.taken("data set trailing padding", EXPLICIT, &object, &set);
    trial.end();
}
