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
}
