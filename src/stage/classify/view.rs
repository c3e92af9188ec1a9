//! A series as it is shown: the JSON of the original (spec folder, routing.md).

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::model::classify::Attributes;

/// What is shown of the first object of a series. Each is a text, as in the original; of several values they are joined
/// as the object has them.
const SHOWN: [(&str, u32); 13] = [
    ("EchoTime", 0x0018_0081),
    ("Manufacturer", 0x0008_0070),
    ("Modality", 0x0008_0060),
    ("PatientID", 0x0010_0020),
    ("PatientName", 0x0010_0010),
    ("RepetitionTime", 0x0018_0080),
    ("SeriesDescription", 0x0008_103E),
    ("SeriesNumber", 0x0020_0011),
    ("SliceSpacing", 0x0018_0088),
    ("SliceThickness", 0x0018_0050),
    ("StudyDate", 0x0008_0020),
    ("StudyDescription", 0x0008_1030),
    ("StudyInstanceUID", 0x0020_000D),
];

/// The tags of what is shown.
pub(super) fn tags() -> impl Iterator<Item = u32> {
    SHOWN.iter().map(|(_, tag)| *tag)
}

/// What is shown of an object.
pub(super) fn shown(object: &Attributes) -> Map<String, Value> {
    let value = |(key, tag): &(&str, u32)| {
        let texts = object.get(*tag)?.texts();
        Some(((*key).to_owned(), texts.join("\\").into()))
    };
    SHOWN.iter().filter_map(value).collect()
}

/// A series. Serialized, it is what the original kept; it has a patient's name.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct SeriesView(Map<String, Value>);

impl SeriesView {
    /// What is shown of its first object, with what the rules say of all of them.
    pub(super) fn new(series: &str, shown: &Map<String, Value>, types: &[&str], files: u64) -> Self {
        let mut map = shown.clone();
        map.insert("SeriesInstanceUID".to_owned(), series.into());
        map.insert("ClassifyType".to_owned(), json!(types));
        map.insert("NumFiles".to_owned(), files.to_string().into());
        Self(map)
    }

    /// What was written once.
    pub(super) fn from_json(value: Value) -> Option<Self> {
        match value {
            Value::Object(map) => Some(Self(map)),
            _ => None,
        }
    }

    /// With the word of its bucket, where that has one.
    pub(super) fn judged(mut self, accepted: Option<bool>) -> Self {
        if let Some(accepted) = accepted {
            self.0.insert("Accepted".to_owned(), accepted.into());
        }
        self
    }

    /// Its Series Instance UID.
    #[must_use]
    pub fn uid(&self) -> &str {
        self.text("SeriesInstanceUID")
    }

    /// Its types.
    #[must_use]
    pub fn types(&self) -> Vec<&str> {
        let types = self.0.get("ClassifyType").and_then(Value::as_array);
        types.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// Its objects.
    #[must_use]
    pub fn files(&self) -> u64 {
        self.text("NumFiles").parse().unwrap_or_default()
    }

    /// Whether its bucket does not accept it.
    #[must_use]
    pub fn is_left_out(&self) -> bool {
        self.0.get("Accepted") == Some(&Value::Bool(false))
    }

    fn text(&self, key: &str) -> &str {
        self.0.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}
