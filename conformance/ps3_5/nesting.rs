//! Sequences (§7.5): of defined and undefined length, empty, deep, unended.

use super::trial::{EXPLICIT, IMPLICIT, Trial, with};
use crate::needs;

const SQ: &[u8] = b"\x08\0\x40\x11SQ\0\0";
const IMPLICIT_SQ: &[u8] = b"\x08\0\x40\x11";
const UNDEFINED: &[u8] = b"\xff\xff\xff\xff";
const ITEM: &[u8] = b"\xfe\xff\x00\xe0";
const ITEM_END: &[u8] = b"\xfe\xff\x0d\xe0\0\0\0\0";
const SQ_END: &[u8] = b"\xfe\xff\xdd\xe0\0\0\0\0";
/// A UID within an item.
const INNER: &[u8] = b"\x08\0\x55\x11UI\x04\x001.2\0";
const IMPLICIT_INNER: &[u8] = b"\x08\0\x55\x11\x04\0\0\x001.2\0";

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap().to_le_bytes()
}

#[test]
fn sequences_in_every_form_are_stored_as_they_are() {
    needs!(Docker);
    let mut trial = Trial::new();
    let item_defined = [ITEM, &length(INNER), INNER].concat();
    let item_undefined = [ITEM, UNDEFINED, INNER, ITEM_END].concat();
    for (what, sequence) in [
        ("an empty sequence of defined length", [SQ, &[0; 4]].concat()),
        (
            "an empty sequence of undefined length",
            [SQ, UNDEFINED, SQ_END].concat(),
        ),
        ("an empty item", [SQ, UNDEFINED, ITEM, &[0; 4], SQ_END].concat()),
        (
            "all defined",
            [SQ, &length(&item_defined), &item_defined].concat(),
        ),
        ("all undefined", [SQ, UNDEFINED, &item_undefined, SQ_END].concat()),
        (
            "a defined sequence of undefined items",
            [SQ, &length(&item_undefined), &item_undefined].concat(),
        ),
        (
            "an undefined sequence of defined items",
            [SQ, UNDEFINED, &item_defined, SQ_END].concat(),
        ),
        (
            "items of both kinds",
            [SQ, UNDEFINED, &item_defined, &item_undefined, SQ_END].concat(),
        ),
    ] {
        let object = trial.object(EXPLICIT);
        trial.taken(what, EXPLICIT, &object, &with(&object, &sequence));
    }
    let item = [ITEM, UNDEFINED, IMPLICIT_INNER, ITEM_END].concat();
    let object = trial.object(IMPLICIT);
    let sequence = [IMPLICIT_SQ, UNDEFINED, &item, SQ_END].concat();
    trial.taken("implicit VR", IMPLICIT, &object, &with(&object, &sequence));
    trial.end();
}

#[test]
fn an_unknown_value_of_undefined_length_is_implicit_inside() {
    needs!(Docker);
    let mut trial = Trial::new();
    // §6.2.2: UN of undefined length is a sequence in implicit VR little endian.
    let unknown = [
        b"\x09\0\x10\x10UN\0\0".as_slice(),
        UNDEFINED,
        ITEM,
        UNDEFINED,
        IMPLICIT_INNER,
        ITEM_END,
        SQ_END,
    ]
    .concat();
    let object = trial.object(EXPLICIT);
    trial.taken(
        "UN of undefined length",
        EXPLICIT,
        &object,
        &with(&object, &unknown),
    );
    trial.end();
}

#[test]
fn the_identity_of_an_object_is_not_read_from_its_items() {
    needs!(Docker);
    let mut trial = Trial::new();
    // Another object's UIDs, in an item.
    let inner = [
        b"\x08\0\x16\0UI\x04\x001.2\0".as_slice(),
        b"\x08\0\x18\0UI\x04\x001.3\0",
        b"\x20\0\x0d\0UI\x04\x001.4\0",
        b"\x20\0\x0e\0UI\x04\x001.5\0",
    ]
    .concat();
    for sequence in [
        [SQ, UNDEFINED, ITEM, UNDEFINED, &inner, ITEM_END, SQ_END].concat(),
        {
            let item = [ITEM, &length(&inner), &inner].concat();
            [SQ, &length(&item), &item].concat()
        },
    ] {
        let object = trial.object(EXPLICIT);
        trial.taken("UIDs in an item", EXPLICIT, &object, &with(&object, &sequence));
    }
    trial.end();
}

#[test]
fn a_hundred_thousand_levels_cost_nothing() {
    needs!(Docker);
    const LEVELS: usize = 100_000;
    let mut trial = Trial::new();
    let open = [SQ, UNDEFINED, ITEM, UNDEFINED].concat().repeat(LEVELS);
    let closed = [&open[..], &[ITEM_END, SQ_END].concat().repeat(LEVELS)].concat();
    let object = trial.object(EXPLICIT);
    trial.taken("levels that all end", EXPLICIT, &object, &with(&object, &closed));

    let implicit = [
        [IMPLICIT_SQ, UNDEFINED, ITEM, UNDEFINED].concat().repeat(LEVELS),
        [ITEM_END, SQ_END].concat().repeat(LEVELS),
    ]
    .concat();
    let object = trial.object(IMPLICIT);
    trial.taken("implicit levels", IMPLICIT, &object, &with(&object, &implicit));

    let object = trial.object(EXPLICIT);
    trial.refused(
        "levels without an end",
        EXPLICIT,
        &object,
        &with(&object, &open),
        &[0xc000],
    );
    // The lengths of defined nesting would not fit: each level claims all that could follow.
    let claims = [SQ, b"\xf0\xff\xff\xff", ITEM, b"\xe8\xff\xff\xff"]
        .concat()
        .repeat(LEVELS);
    let object = trial.object(EXPLICIT);
    trial.refused(
        "levels of 4 GiB",
        EXPLICIT,
        &object,
        &with(&object, &claims),
        &[0xc000],
    );
    trial.end();
}

#[test]
fn a_sequence_without_an_end_stops_nobody() {
    needs!(Docker);
    let mut trial = Trial::new();
    for (what, unended) in [
        (
            "a sequence",
            [SQ, UNDEFINED, ITEM, UNDEFINED, INNER, ITEM_END].concat(),
        ),
        (
            "an item",
            [SQ, UNDEFINED, ITEM, UNDEFINED, INNER, SQ_END].concat(),
        ),
        (
            "an item of a defined sequence",
            [SQ, &[8, 0, 0, 0], ITEM, UNDEFINED].concat(),
        ),
    ] {
        let object = trial.object(EXPLICIT);
        let set = with(&object, &unended);
        trial.answered(&format!("{what} that does not end"), EXPLICIT, &object, &set);
    }
    trial.end();
}

#[test]
fn delimiters_without_a_beginning_stop_nobody() {
    needs!(Docker);
    let mut trial = Trial::new();
    for (what, stray) in [
        ("an item", [ITEM, &[0; 4]].concat()),
        ("the end of an item", ITEM_END.to_vec()),
        ("the end of a sequence", SQ_END.to_vec()),
        ("many ends", [ITEM_END, SQ_END].concat().repeat(1000)),
    ] {
        let object = trial.object(EXPLICIT);
        trial.answered(what, EXPLICIT, &object, &with(&object, &stray));
    }
    trial.end();
}
