//! Measures: the numbers and words a bucket found in a study.

use serde::Serialize;
use serde_json::Value;

/// One measured value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measure {
    /// The output file it was read from, relative to `OUTPUT/`.
    pub file: String,
    /// Who said it: `db-plugin` or `measures.json`.
    pub source: String,
    /// The measure's name.
    pub name: String,
    /// A number, a text or a truth value.
    pub value: Value,
    /// The unit in UCUM, when the bucket gave one.
    pub unit: Option<String>,
    /// Whether the bucket's info.json declares it. What is not declared is a text, whatever it looks like.
    pub declared: bool,
    /// Why it is not what was declared: no number, another unit, outside of its range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl Measure {
    /// A measure that was held against no declaration yet.
    #[must_use]
    pub fn new(file: &str, source: &str, name: &str, value: Value, unit: Option<&str>) -> Self {
        Self {
            file: file.to_owned(),
            source: source.to_owned(),
            name: name.to_owned(),
            value,
            unit: unit.map(str::to_owned),
            declared: false,
            problem: None,
        }
    }

    /// The value as people read it: a text without quotes.
    #[must_use]
    pub fn text(&self) -> String {
        self.value
            .as_str()
            .map_or_else(|| self.value.to_string(), str::to_owned)
    }
}
