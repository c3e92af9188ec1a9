//! A value with the character set it is written in, and whether two say the same.
//!
//! - Padding counts for nothing (PS3.5 §6.2): spaces around text, NUL behind a UID.
//! - IDs, dates, codes and UIDs are the same to the letter: `007` is another patient than `7`.
//! - A person's name has up to three groups (alphabetic, ideographic, phonetic) of up to five components; delimiters at the
//!   end may be left out (PS3.5 §6.2.1). Case does not count, as where a PACS looks for a name (PS3.4 §C.2.2.2.1): a scanner
//!   that writes capitals does not make another person, and the ID stands beside it. A group that the result has not is
//!   missing, one that says something else is a contradiction.
//! - The same bytes in the same character set are the same, even where nobody here can read it.

use super::attribute::{Attribute, Kind};
use super::text::CharacterSet;

/// A value as it stands in a data set, without padding.
#[derive(Clone, Debug, PartialEq, Eq, Default, PartialOrd, Ord)]
pub(super) struct Value {
    pub bytes: Vec<u8>,
    pub set: CharacterSet,
}

/// What a value is to the one it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sameness {
    Same,
    /// It says nothing, or not all of it, and nothing else.
    Missing,
    Different,
    /// One of them cannot be read for certain.
    Unreadable,
}

impl Value {
    /// From the bytes of an element.
    pub fn new(bytes: &[u8], set: &CharacterSet) -> Self {
        let is_padding = |b: &u8| matches!(b, b' ' | 0);
        let begin = bytes.iter().position(|b| !is_padding(b)).unwrap_or(bytes.len());
        let end = bytes
            .iter()
            .rposition(|b| !is_padding(b))
            .map_or(begin, |at| at + 1);
        Self {
            bytes: bytes.get(begin..end).unwrap_or_default().to_vec(),
            set: set.clone(),
        }
    }

    /// Whether it says nothing: a name of nothing but delimiters does neither.
    pub fn is_empty(&self, kind: Kind) -> bool {
        match kind {
            Kind::Exact => self.bytes.is_empty(),
            Kind::Name => self.bytes.iter().all(|b| matches!(b, b'^' | b'=' | b' ')),
        }
    }

    pub fn text(&self) -> Option<String> {
        self.set.decode(&self.bytes)
    }

    /// For people; what cannot be read is shown as its bytes.
    pub fn shown(&self) -> String {
        self.text()
            .unwrap_or_else(|| self.bytes.escape_ascii().to_string())
    }

    /// What this value is to the one it should be.
    pub fn against(&self, right: &Self, attribute: Attribute) -> Sameness {
        let kind = attribute.kind();
        match (self.is_empty(kind), right.is_empty(kind)) {
            (true, true) => return Sameness::Same,
            (true, false) => return Sameness::Missing,
            _ if self == right => return Sameness::Same,
            _ => {}
        }
        match (self.text(), right.text()) {
            (Some(own), Some(right)) if kind == Kind::Name => names(&own, &right),
            (Some(own), Some(right)) if own == right => Sameness::Same,
            (Some(_), Some(_)) => Sameness::Different,
            _ => Sameness::Unreadable,
        }
    }
}

fn names(own: &str, right: &str) -> Sameness {
    let (own, right) = (groups(own), groups(right));
    let mut sameness = Sameness::Same;
    for place in 0..own.len().max(right.len()) {
        let group = |name: &[Vec<String>]| name.get(place).cloned().unwrap_or_default();
        match (group(&own), group(&right)) {
            (own, right) if own == right => {}
            (own, _) if own.is_empty() => sameness = Sameness::Missing,
            _ => return Sameness::Different,
        }
    }
    sameness
}

/// The components of each group, in one case, without those at the end that are empty.
fn groups(name: &str) -> Vec<Vec<String>> {
    let components = |group: &str| {
        let component = |c: &str| c.trim_matches(' ').to_lowercase();
        let mut components: Vec<_> = group.split('^').map(component).collect();
        while components.last().is_some_and(String::is_empty) {
            components.pop();
        }
        components
    };
    name.split('=').map(components).collect()
}

#[cfg(test)]
mod tests {
    use super::super::attribute::PATIENT_ID;
    use super::*;

    const NAME: Attribute = Attribute { tag: 0x0010_0010 };

    fn value(bytes: &[u8], set: &str) -> Value {
        Value::new(bytes, &CharacterSet::parse(set.as_bytes()))
    }

    #[test]
    fn ids_are_the_same_to_the_letter_without_padding() {
        for (own, right, expected) in [
            ("A1 ", " A1", Sameness::Same),
            ("007", "7", Sameness::Different),
            ("a1", "A1", Sameness::Different),
            ("A 1", "A1", Sameness::Different),
            ("  ", "A1", Sameness::Missing),
            ("", "\0", Sameness::Same),
            ("A1", "", Sameness::Different),
        ] {
            let (own, right) = (value(own.as_bytes(), ""), value(right.as_bytes(), ""));
            assert_eq!(own.against(&right, PATIENT_ID), expected, "{own:?} {right:?}");
        }
    }

    #[test]
    fn names_are_compared_group_by_group() {
        for (own, right, expected) in [
            ("Doe^John", "DOE^JOHN^^^", Sameness::Same),
            ("Doe ^ John", "Doe^John", Sameness::Same),
            ("Doe^John", "Doe^John^^Dr", Sameness::Different),
            ("Doe John", "Doe^John", Sameness::Different),
            ("Doe^Jane", "Doe^John", Sameness::Different),
            ("^^", "Doe^John", Sameness::Missing),
            ("Yamada^Tarou", "Yamada^Tarou=山田^太郎=", Sameness::Missing),
            ("Yamada^Tarou==", "Yamada^Tarou", Sameness::Same),
            ("Yamada^Tarou=山田", "Yamada^Tarou", Sameness::Different),
            (
                "Yamada^Tarou=山本^太郎",
                "Yamada^Tarou=山田^太郎",
                Sameness::Different,
            ),
            ("=山田^太郎", "Yamada^Tarou=山田^太郎", Sameness::Missing),
            ("MÜLLER", "Müller", Sameness::Same),
        ] {
            let unicode = |text: &str| value(text.as_bytes(), "ISO_IR 192");
            assert_eq!(
                unicode(own).against(&unicode(right), NAME),
                expected,
                "{own} {right}"
            );
        }
    }

    #[test]
    fn character_sets_are_read_before_names_are_compared() {
        let latin = value(b"M\xfcller", "ISO_IR 100");
        for (bytes, set, expected) in [
            (&b"M\xc3\xbcller"[..], "ISO_IR 192", Sameness::Same),
            // Nothing says how it is to be read.
            (b"M\xfcller", "", Sameness::Unreadable),
            (b"M\xfcller", "ISO_IR 144", Sameness::Different),
            (b"Mueller", "", Sameness::Different),
        ] {
            assert_eq!(value(bytes, set).against(&latin, NAME), expected, "{set}");
        }
        // A set that nobody here can read.
        let unknown = value(b"M\xfcller", "ISO_IR 203");
        assert_eq!(unknown.against(&unknown.clone(), NAME), Sameness::Same);
        assert_eq!(unknown.against(&latin, NAME), Sameness::Unreadable);
    }
}
