//! The character set of a result: can it carry the text, the result's own and what is filled in?
//!
//! A name that turns into question marks is a name that nobody finds. In this order:
//! 1. A result with text beyond ASCII and without a character set (a bucket that left the attribute out) is read in the
//!    input's; where all of its text can be, that set is filled in.
//! 2. What is filled in is written in the result's set, if that has the characters.
//! 3. If not, and the result's own text is ASCII, it gets the input's set: it means the same in each.
//! 4. If not, the result becomes Unicode, its own text written anew; only where every text of it can be read for certain,
//!    and none stands within a sequence or in bytes of an unknown kind.
//! 5. Else it is held.

use super::attribute::{self, Attribute};
use super::examine::Examined;
use super::object::Object;
use super::text::CharacterSet;
use super::value::Value;
use super::walk::CHARACTER_SET;
use crate::model::GateMode;

fn shown() -> String {
    attribute::shown("Specific Character Set", CHARACTER_SET)
}

/// The set in which the identity of a result is to be read: its own, or, where it has none and needs one, the input's.
pub(super) fn read_with(
    object: &Object,
    wanted: &[(Attribute, &[Value])],
    mode: GateMode,
    examined: &mut Examined,
) -> CharacterSet {
    let own = object.facts.set.clone();
    let beyond_ascii = |(attribute, right): &(Attribute, &[Value])| {
        let own = object.facts.value(*attribute);
        !own.bytes.is_ascii() || right.iter().any(|value| !value.bytes.is_ascii())
    };
    if !own.is_default() || object.texts.is_empty() || !wanted.iter().any(beyond_ascii) {
        return own;
    }
    let values = wanted.iter().flat_map(|(_, values)| *values);
    let mut sets = values.map(|value| &value.set).filter(|set| !set.is_default());
    let Some(set) = sets.find(|set| object.texts.iter().all(|text| set.decode(&text.bytes).is_some())) else {
        return own;
    };
    if object.more_texts {
        return own;
    }
    let values = [None, Some(set.value())];
    examined.missing(
        mode,
        shown(),
        values,
        "missing, and needed for its text: filled in from the input",
    );
    examined.set(CHARACTER_SET, *b"CS", set.value().into_bytes());
    set.clone()
}

/// Tells of text that the set does not have: whoever reads it sees other letters, or none. It names nobody, or it would be
/// held for that; so it goes, but in the strict mode where no set is named at all. One that is named may be one that is not
/// known here.
pub(super) fn readable(object: &Object, set: &CharacterSet, mode: GateMode, examined: &mut Examined) {
    if object.texts.iter().all(|text| set.decode(&text.bytes).is_some()) {
        return;
    }
    match mode {
        GateMode::Strict if set.is_default() => {
            let why = "missing, and the object has text beyond ASCII";
            examined.hold(shown(), [None, None], why);
        }
        _ => examined.note(shown(), "some of the object's text cannot be read in it"),
    }
}

/// Writes what is filled in, in a character set that has it.
pub(super) fn fill(
    object: &Object,
    set: CharacterSet,
    fills: &[(Attribute, Value)],
    mode: GateMode,
    examined: &mut Examined,
) {
    if let Some(written) = in_set(&set, fills) {
        put(examined, fills, written);
        return;
    }
    // Bytes of an unknown kind mean no less with a set than without one.
    let nothing_else = set.is_default() || !object.unknown_bytes;
    let own_is_ascii = object.texts.is_empty() && !object.more_texts && nothing_else;
    let mut sets = fills.iter().map(|(_, value)| value.set.clone());
    let carries = |set: &CharacterSet| Some((set.clone(), in_set(set, fills)?));
    let becomes = if own_is_ascii {
        sets.find_map(|set| carries(&set))
            .or_else(|| carries(&CharacterSet::unicode()))
    } else {
        carries(&CharacterSet::unicode()).filter(|_| anew(object, &set, examined))
    };
    let values = |to: Option<&CharacterSet>| [Some(set.value()), to.map(CharacterSet::value)];
    let Some((becomes, written)) = becomes else {
        let why = "it cannot carry the text that is missing, and the object's own text cannot be written anew for certain";
        examined.hold(shown(), values(fills.first().map(|(_, value)| &value.set)), why);
        return;
    };
    let why =
        "it cannot carry the text that is missing: one that can, the object's own text says the same in it";
    examined.missing(mode, shown(), values(Some(&becomes)), why);
    examined.set(CHARACTER_SET, *b"CS", becomes.value().into_bytes());
    put(examined, fills, written);
}

fn put(examined: &mut Examined, fills: &[(Attribute, Value)], written: Vec<Vec<u8>>) {
    for ((attribute, _), bytes) in fills.iter().zip(written) {
        examined.set(attribute.tag, attribute.vr(), bytes);
    }
}

/// The values in a character set, if it has all of their characters.
fn in_set(set: &CharacterSet, fills: &[(Attribute, Value)]) -> Option<Vec<Vec<u8>>> {
    let one = |(_, value): &(Attribute, Value)| match value.set == *set {
        // Also where nobody here can read it.
        true => Some(value.bytes.clone()),
        false => set.encode(&value.text()?),
    };
    fills.iter().map(one).collect()
}

/// Writes the object's own text anew as Unicode; answers whether that is right.
fn anew(object: &Object, set: &CharacterSet, examined: &mut Examined) -> bool {
    if object.more_texts || object.unknown_bytes || object.texts.iter().any(|text| text.depth > 0) {
        return false;
    }
    let unicode = CharacterSet::unicode();
    let text = |bytes: &[u8]| unicode.encode(&set.decode(bytes)?);
    let Some(all) = object
        .texts
        .iter()
        .map(|t| text(&t.bytes))
        .collect::<Option<Vec<_>>>()
    else {
        return false;
    };
    for (text, bytes) in object.texts.iter().zip(all) {
        examined.set(text.tag, text.vr, bytes);
    }
    true
}
