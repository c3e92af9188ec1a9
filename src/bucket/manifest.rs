//! info.json (spec folder, bucket.md).

use std::cell::RefCell;

use serde_json::{Map, Value};

use crate::model::settings::overlay;
use crate::model::{AeTitle, DeclaredMeasure, Finding, Reader, Report, Settings};

/// A bucket's self-description, read to the letter.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// `AETitle`: the title it answers to.
    pub ae_title: AeTitle,
    /// `name`
    pub name: String,
    /// `description`
    pub description: String,
    /// `version`
    pub version: String,
    /// `license`
    pub license: String,
    /// `enabled`: 1/0 or true/false; absent: enabled.
    pub enabled: bool,
    /// How it is run.
    pub settings: Settings,
    /// `measures`: those that are declared as they have to be.
    pub measures: Vec<DeclaredMeasure>,
    /// Everything as written, unknown keys too.
    pub info: Value,
    /// The site's overrides that were laid over it, if it has any for this bucket.
    pub site: Option<Value>,
}

const NOTHING_DECLARED: &str = "needs measures that are declared: \
    \"measures\": [{ \"name\": \"brain_volume_ml\", \"unit\": \"mL\" }]";

/// Why an info.json cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is no JSON.
    #[error("/root/storage/info.json is not JSON: line {line}, column {column}: {message}")]
    NotJson {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What the parser said.
        message: String,
    },
    /// It says what it may not.
    #[error("/root/storage/info.json: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Findings(Vec<Finding>),
}

impl Manifest {
    /// Reads the file of an image.
    ///
    /// # Errors
    /// [`ManifestError`] with the place or with every finding.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let info: Value = serde_json::from_slice(bytes).map_err(|error| {
            let text = error.to_string();
            let message = text.split(" at line ").next().unwrap_or_default().to_owned();
            ManifestError::NotJson {
                line: error.line(),
                column: error.column(),
                message,
            }
        })?;
        Self::read(info, None)
    }

    /// Reads a description that was accepted once, with the site's overrides laid over it.
    ///
    /// # Errors
    /// [`ManifestError::Findings`].
    pub fn read(info: Value, site: Option<&Value>) -> Result<Self, ManifestError> {
        let findings = RefCell::default();
        let effective = site.map_or_else(|| info.clone(), |site| overlay(&info, site));
        let empty = Map::new();
        let map = effective.as_object().unwrap_or(&empty);
        let reader = Reader::new(map, &findings);
        if effective.as_object().is_none() {
            reader.find("info.json", "has to be an object, { … }");
        } else if !map.contains_key("AETitle") {
            reader.find(
                "AETitle",
                "is missing: the AE title this bucket answers to, 1 to 16 characters",
            );
        }
        let ae_title = reader.text("AETitle", AeTitle::parse);
        let enabled = reader.get("enabled", read_enabled).unwrap_or(true);
        let settings = Settings::read(&reader);
        let (measures, unclear) = DeclaredMeasure::read_all(map);
        if settings.report != Report::None && measures.is_empty() && unclear.is_empty() {
            reader.find("report", NOTHING_DECLARED);
        }
        let mut found = findings.into_inner();
        // Buckets were installed before anybody looked at this key: what is not declared well is text. But nobody wants a
        // report of something else than what was declared.
        if settings.report != Report::None {
            found.extend(unclear);
        }
        match ae_title {
            Some(ae_title) if found.is_empty() => Ok(Self {
                ae_title,
                name: shown(map, "name"),
                description: shown(map, "description"),
                version: shown(map, "version"),
                license: shown(map, "license"),
                enabled,
                settings,
                measures,
                info,
                site: site.cloned(),
            }),
            _ => Err(ManifestError::Findings(found)),
        }
    }
}

/// A key that is only shown: whatever it is, as text.
fn shown(map: &Map<String, Value>, key: &str) -> String {
    match map.get(key) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn read_enabled(value: &Value) -> Result<bool, &'static str> {
    match value {
        Value::Bool(enabled) => Ok(*enabled),
        Value::Number(n) if n.as_u64() == Some(1) => Ok(true),
        Value::Number(n) if n.as_u64() == Some(0) => Ok(false),
        Value::String(text) if text == "1" => Ok(true),
        Value::String(text) if text == "0" => Ok(false),
        _ => Err("1 or 0, true or false"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_bucket_of_the_original_is_read_and_unknown_keys_are_kept() {
        let text = br#"{ "name": "T1 volumes", "description": "one line", "version": 2, "AETitle": "ProcT1 ",
                         "license": "free text", "enabled": 1, "lab": { "room": 7 } }"#;
        let manifest = Manifest::parse(text).unwrap();
        assert_eq!(manifest.ae_title.as_str(), "ProcT1");
        assert_eq!(manifest.version, "2");
        assert!(manifest.enabled);
        assert_eq!(manifest.info["lab"]["room"], 7);
        assert_eq!(manifest.settings, Settings::default());
    }

    #[test]
    fn broken_json_is_told_with_line_and_column() {
        let error = Manifest::parse(b"{ \"name\": \"x\",\n  \"AETitle\" \"y\" }")
            .unwrap_err()
            .to_string();
        assert!(error.contains("line 2, column 13"), "{error}");
    }

    #[test]
    fn every_finding_is_told() {
        let error =
            Manifest::parse(br#"{ "AETitle": "much too long an AE title", "parallel": 0 }"#).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("AETitle: ") && text.contains("at most 16"),
            "{text}"
        );
        assert!(text.contains("parallel: "), "{text}");
        assert!(
            Manifest::parse(b"{}")
                .unwrap_err()
                .to_string()
                .contains("AETitle: is missing")
        );
        assert!(
            Manifest::parse(b"[]")
                .unwrap_err()
                .to_string()
                .contains("has to be an object")
        );
    }

    #[test]
    fn measures_that_are_not_declared_well_are_none_unless_a_report_is_made_of_them() {
        let of = |report: &str| {
            let text = json!({ "AETitle": "A", "report": report,
                "measures": [{ "name": "brain", "unit": "mL" }, { "name": "side" }, 7] });
            Manifest::parse(text.to_string().as_bytes())
        };
        let manifest = of("none").unwrap();
        assert_eq!(manifest.measures.len(), 1);
        assert_eq!(manifest.measures[0].unit, "mL");
        let refused = of("sr").unwrap_err().to_string();
        assert!(
            refused.contains("measures[1].unit: is missing") && refused.contains("measures[2]: "),
            "{refused}"
        );
        let nothing = Manifest::parse(br#"{ "AETitle": "A", "report": "sr" }"#).unwrap_err();
        assert!(
            nothing.to_string().contains("report: needs measures"),
            "{nothing}"
        );
    }

    #[test]
    fn the_site_wins() {
        let manifest = Manifest::read(
            json!({ "AETitle": "A", "parallel": 2, "enabled": true }),
            Some(&json!({ "parallel": 4 })),
        );
        assert_eq!(manifest.unwrap().settings.parallel, 4);
    }
}
