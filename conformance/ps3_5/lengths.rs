//! Lengths (§7.1): odd, beyond the end, none at all.

use super::trial::{EXPLICIT, IMPLICIT, Trial, cut, with};
use crate::needs;
use crate::support::part10::Object;

#[test]
fn a_data_set_that_ends_early_is_not_understood_and_answered_at_once() {
    needs!(Docker);
    let mut trial = Trial::new();
    for context in [EXPLICIT, IMPLICIT] {
        let object = trial.object(context);
        let whole = object.data_set();
        let (start, _) = cut(&object);
        for (what, set) in [
            ("nothing at all", &whole[..0]),
            ("a byte", &whole[..1]),
            ("half a header", &whole[..5]),
            ("half a value", &whole[..start.len() + 10]),
            ("no study", &start[..]),
        ] {
            // A data set without its UIDs matches no command either.
            trial.refused(what, context, &object, set, &[0xc000, 0xa900]);
        }
    }
    trial.end();
}

#[test]
fn a_length_beyond_the_end_is_not_believed() {
    needs!(Docker);
    let mut trial = Trial::new();
    for (what, element) in [
        ("an LO of 64 KB", b"\x09\0\x10\0LO\xff\xff".as_slice()),
        ("an OB of 4 GiB", b"\x09\0\x10\x10OB\0\0\xfe\xff\xff\xff"),
        ("a UT of 2 GiB", b"\x09\0\x10\x10UT\0\0\xff\xff\xff\x7f"),
        ("a sequence of 4 GiB", b"\x08\0\x40\x11SQ\0\0\xfe\xff\xff\xff"),
    ] {
        let object = trial.object(EXPLICIT);
        trial.refused(what, EXPLICIT, &object, &with(&object, element), &[0xc000]);
    }
    let object = trial.object(IMPLICIT);
    let set = with(&object, b"\x09\0\x10\x10\xfe\xff\xff\xff");
    trial.refused("implicit, of 4 GiB", IMPLICIT, &object, &set, &[0xc000]);
    // A UID that claims to be longer than any.
    let object = trial.object(EXPLICIT);
    let (start, end) = cut(&object);
    let mut set = [start, end].concat();
    let at = set.windows(6).position(|w| w == b"\x20\0\x0d\0UI").unwrap();
    set[at + 6..at + 8].fill(0xff);
    trial.refused("a UI of 64 KB", EXPLICIT, &object, &set, &[0xc000]);
    trial.end();
}

#[test]
fn a_data_set_that_ends_early_behind_its_identity_is_not_understood() {
    needs!(Docker);
    let mut trial = Trial::new();
    for context in [EXPLICIT, IMPLICIT] {
        let object = trial.object(context);
        let set = object.data_set();
        let short = &set[..set.len() - 100];
        trial.refused("pixel data cut short", context, &object, short, &[0xc000]);
        let none = &set[..set.len() - object.pixels as usize];
        trial.refused("no pixel data", context, &object, none, &[0xc000]);
        let half = &none[..none.len() - 3];
        trial.refused(
            "half the header of the pixel data",
            context,
            &object,
            half,
            &[0xc000],
        );
    }
    let object = trial.object(EXPLICIT);
    let open = b"\xe1\x7f\x01\x10SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff";
    let set = [&object.data_set()[..], open].concat();
    trial.refused("an open sequence at the end", EXPLICIT, &object, &set, &[0xc000]);
    trial.end();
}

#[test]
fn odd_lengths_stop_nobody() {
    needs!(Docker);
    let mut trial = Trial::new();
    // Against §7.1.1 and seen in the field.
    for (what, element) in [
        ("an LO of 3", b"\x09\0\x10\0LO\x03\0abc".as_slice()),
        ("an LO of 1", b"\x09\0\x10\0LO\x01\0a"),
        ("an OB of 5", b"\x09\0\x10\x10OB\0\0\x05\0\0\0abcde"),
    ] {
        let object = trial.object(EXPLICIT);
        trial.taken(what, EXPLICIT, &object, &with(&object, element));
    }
    let object = Object {
        pixels: 4097,
        ..trial.object(EXPLICIT)
    };
    let set = object.data_set();
    trial.taken("pixel data of odd length", EXPLICIT, &object, &set);
    // A UID without its padding.
    let object = trial.object(EXPLICIT);
    let (start, end) = cut(&object);
    let odd = b"\x08\0\x14\0UI\x05\x001.2.3";
    let at = start.windows(6).position(|w| w == b"\x08\0\x16\0UI").unwrap();
    let set = [&start[..at], odd, &start[at..], &end].concat();
    trial.taken("a UI of 5", EXPLICIT, &object, &set);
    trial.end();
}

#[test]
fn elements_without_a_value_are_stored() {
    needs!(Docker);
    let mut trial = Trial::new();
    let empty = [
        b"\x08\0\x50\0SH\0\0".as_slice(),
        b"\x08\0\x90\0PN\0\0",
        b"\x09\0\x10\x10OB\0\0\0\0\0\0",
    ]
    .concat();
    let object = trial.object(EXPLICIT);
    trial.taken("empty values", EXPLICIT, &object, &with(&object, &empty));
    trial.end();
}

#[test]
fn an_identity_that_is_missing_or_empty_is_no_object() {
    needs!(Docker);
    let mut trial = Trial::new();
    let tags: [(&str, &[u8]); 4] = [
        ("SOP Class UID", b"\x08\0\x16\0UI"),
        ("SOP Instance UID", b"\x08\0\x18\0UI"),
        ("Study Instance UID", b"\x20\0\x0d\0UI"),
        ("Series Instance UID", b"\x20\0\x0e\0UI"),
    ];
    for (name, header) in tags {
        let object = trial.object(EXPLICIT);
        let whole = object.data_set();
        let at = whole.windows(6).position(|w| w == header).unwrap();
        let length = usize::from(whole[at + 6]);
        let end = at + 8 + length;
        let missing = [&whole[..at], &whole[end..]].concat();
        trial.refused(
            &format!("no {name}"),
            EXPLICIT,
            &object,
            &missing,
            &[0xc000, 0xa900],
        );
        let empty = [&whole[..at + 6], &[0, 0], &whole[end..]].concat();
        trial.refused(
            &format!("an empty {name}"),
            EXPLICIT,
            &object,
            &empty,
            &[0xc000, 0xa900],
        );
        let mut path = whole.clone();
        path[at + 8..at + 14].copy_from_slice(b"../../");
        trial.refused(
            &format!("a path as {name}"),
            EXPLICIT,
            &object,
            &path,
            &[0xc000, 0xa900],
        );
    }
    trial.end();
}
