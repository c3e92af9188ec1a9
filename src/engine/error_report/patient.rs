//! A log without what the study says of its patient: programs print what they are given.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use crate::dicom::composite::{self, Patients};
use crate::model::AttributeTag;

/// What stands in its place.
const GONE: &str = "***";

/// Names: each word of them.
const NAMES: [AttributeTag; 2] = [tag(0x0010, 0x0010), tag(0x0008, 0x0090)];

/// Patient ID and Accession Number: as a whole.
const NUMBERS: [AttributeTag; 2] = [tag(0x0010, 0x0020), tag(0x0008, 0x0050)];

const BIRTH_DATE: AttributeTag = tag(0x0010, 0x0030);

/// Whether objects are of two patients: one says something else than another.
///
/// # Errors
/// What reading says.
pub(super) fn are_two(objects: &[PathBuf]) -> io::Result<bool> {
    let mut patients = Patients::default();
    for object in objects {
        if let Some(found) = composite::read(object)? {
            patients.add(&found);
        }
    }
    Ok(patients.are_two())
}

const fn tag(group: u16, element: u16) -> AttributeTag {
    AttributeTag { group, element }
}

/// The text without name, ID, birth date, accession number and referring physician, however they are written: in capitals,
/// in a file's name, with dashes. What is part of a longer word is left.
pub(super) fn without(text: &str, study: &BTreeMap<AttributeTag, String>) -> String {
    let words = words(study);
    let text: Vec<char> = text.chars().collect();
    let mut kept = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(character) = text.get(at) {
        match words.iter().find(|word| stands(word, &text, at)) {
            Some(word) => {
                kept.push_str(GONE);
                at += word.len();
            }
            None => {
                kept.push(*character);
                at += 1;
            }
        }
    }
    kept
}

/// What must not be told, longest first.
fn words(study: &BTreeMap<AttributeTag, String>) -> Vec<Vec<char>> {
    let value = |tag: &AttributeTag| study.get(tag).map_or("", String::as_str).trim();
    let mut words = Vec::new();
    for name in NAMES.iter().map(value) {
        words.extend(name.split(['^', '=', '\\', ' ']).map(str::to_owned));
    }
    words.extend(NUMBERS.iter().map(value).map(str::to_owned));
    words.extend(dates(value(&BIRTH_DATE)));
    let mut words: Vec<Vec<char>> = words.iter().map(|word| word.chars().collect()).collect();
    // A letter alone is an initial, which names nobody, and is in every log.
    words.retain(|word| word.len() > 1 || word.iter().any(char::is_ascii_digit));
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words
}

/// A date as people and programs write it.
fn dates(date: &str) -> Vec<String> {
    let (Some(year), Some(month), Some(day)) = (date.get(..4), date.get(4..6), date.get(6..8)) else {
        return Vec::new();
    };
    let mut written = vec![date.to_owned()];
    for between in ["-", ".", "/", "_", " "] {
        for parts in [[year, month, day], [day, month, year], [month, day, year]] {
            written.push(parts.join(between));
        }
    }
    written
}

/// Whether the word stands there, in whatever case, and is no part of a longer one. Where words are written without
/// spaces between, a sign that is no letter of an alphabet with cases ends one.
fn stands(word: &[char], text: &[char], at: usize) -> bool {
    let end = at + word.len();
    let same = |(a, b): (&char, &char)| a == b || a.to_lowercase().eq(b.to_lowercase());
    let there = text
        .get(at..end)
        .is_some_and(|part| part.iter().zip(word).all(same));
    let joins = |one: Option<&char>, other: Option<&char>| {
        let runs = |c: &char| c.is_numeric() || c.is_lowercase() || c.is_uppercase();
        one.is_some_and(runs) && other.is_some_and(runs)
    };
    let before = at.checked_sub(1).and_then(|before| text.get(before));
    there && !joins(before, word.first()) && !joins(word.last(), text.get(end))
}
