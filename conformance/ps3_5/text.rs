//! Character sets (§6.1): text never stops an object.

use super::trial::{EXPLICIT, IMPLICIT, Trial};
use crate::needs;
use crate::support::part10::Object;

/// The object with a character set and a patient of these bytes.
fn named(object: &Object, character_set: &[u8], name: &[u8]) -> Vec<u8> {
    let set = object.data_set();
    let old = object.text(0x0010, 0x0010, "PN", "Test^Object");
    let at = set.windows(old.len()).position(|w| w == old).unwrap();
    let mut bytes = object.element(0x0008, 0x0005, "CS", character_set, 0);
    bytes.extend(&set[..at]);
    bytes.extend(object.element(0x0010, 0x0010, "PN", name, 0));
    bytes.extend(&set[at + old.len()..]);
    bytes
}

#[test]
fn text_in_any_character_set_and_in_a_wrong_one_is_stored_as_it_is() {
    needs!(Docker);
    let mut trial = Trial::new();
    for (what, character_set, name) in [
        (
            "none named, Latin 1",
            b"".as_slice(),
            b"M\xfcller^J\xf6".as_slice(),
        ),
        ("Latin 1", b"ISO_IR 100", b"M\xfcller^J\xf6"),
        (
            "UTF-8",
            b"ISO_IR 192",
            "Mu\u{308}ller^\u{5c71}\u{7530}".as_bytes(),
        ),
        ("UTF-8 that is none", b"ISO_IR 192", b"\xff\xfe\xc3\x28\xa0\xa1"),
        ("one that does not exist", b"ISO_IR 999", b"Doe^Jane"),
        ("no character set at all", b"\\\\\\\\", b"Doe^Jane"),
        ("bytes as its name", b"\xff\x00\x1b\x07", b"Doe^Jane"),
        (
            "code extensions",
            b"\\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=",
        ),
        (
            "an escape without an end",
            b"\\ISO 2022 IR 87",
            b"Yamada=\x1b$B;3",
        ),
        ("GB18030", b"GB18030", b"\xcd\xf5^\xd0\xa1\xb6\xab"),
        ("control characters", b"ISO_IR 100", b"\x1b[2J\x07\x00\x0d\x0a"),
    ] {
        for context in [EXPLICIT, IMPLICIT] {
            let object = trial.object(context);
            let even = |text: &[u8]| {
                let mut text = text.to_vec();
                text.resize(text.len().next_multiple_of(2), b' ');
                text
            };
            let set = named(&object, &even(character_set), &even(name));
            trial.taken(what, context, &object, &set);
        }
    }
    trial.end();
}

#[test]
fn a_patient_id_in_any_bytes_groups_and_never_shows() {
    needs!(Docker);
    let mut trial = Trial::new();
    for id in [
        b"\xff\xff\xff\xff".as_slice(),
        b"../../..",
        b"\0\0",
        b"a\\b\\c\\ ",
    ] {
        let object = trial.object(EXPLICIT);
        let set = object.data_set();
        let old = object.text(0x0010, 0x0020, "LO", "T1");
        let at = set.windows(old.len()).position(|w| w == old).unwrap();
        let new = object.element(0x0010, 0x0020, "LO", id, 0);
        let set = [&set[..at], &new, &set[at + old.len()..]].concat();
        trial.taken("a strange Patient ID", EXPLICIT, &object, &set);
    }
    trial.end();
}
