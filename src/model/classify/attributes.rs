//! What an object says of itself, as far as rules ask.

use std::collections::BTreeMap;

/// A value as rules see it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Texts, one a value, without padding. None of them: the attribute is there and empty.
    Texts(Vec<String>),
    /// It is there, but it is no text or too long to be read.
    Opaque,
}

impl Value {
    /// Its values; none where it cannot be read.
    #[must_use]
    pub fn texts(&self) -> &[String] {
        match self {
            Self::Texts(texts) => texts,
            Self::Opaque => &[],
        }
    }
}

/// Attributes of one object, by tag.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes(BTreeMap<u32, Value>);

impl Attributes {
    /// Keeps a value, in place of an earlier one.
    pub fn insert(&mut self, tag: u32, value: Value) {
        self.0.insert(tag, value);
    }

    /// Keeps a value unless there is one.
    pub fn insert_missing(&mut self, tag: u32, value: Value) {
        self.0.entry(tag).or_insert(value);
    }

    /// The value of a tag.
    #[must_use]
    pub fn get(&self, tag: u32) -> Option<&Value> {
        self.0.get(&tag)
    }
}

/// A number, however it is padded.
pub(super) fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|n: &f64| n.is_finite())
}
