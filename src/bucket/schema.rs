//! The keys of info.json (spec folder, bucket.md): one table that the check, the templates and the editor share.

use serde_json::{Map, Value, json};

use crate::model::Capability;

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// An AE title (PS3.5 §6.2).
    AeTitle,
    /// 1 or 0, true or false.
    Flag,
    /// A number greater than 0.
    Number,
    /// A whole number within bounds.
    Whole(u64, u64),
    /// A number of bytes, or a text such as `4GiB`.
    Bytes,
    /// A length of time such as `15s`.
    Duration,
    /// A length of time, or `forever`.
    Age,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A list of some of these words.
    List(&'static [&'static str]),
    /// A list of names of types and of rules.
    Accept,
    /// `uid:gid`
    User,
    /// Two numbers, the lesser first.
    Range,
    /// A table of the keys whose paths begin with this one's, and of no other.
    Table,
    /// A list of such tables; the paths of their keys go on with `[]`.
    Tables,
}

/// The words of `capabilities`.
const CAPABILITIES: [&str; 8] = {
    let mut words = [""; 8];
    let mut i = 0;
    #[expect(
        clippy::indexing_slicing,
        reason = "a constant: out of bounds does not compile"
    )]
    while i < words.len() {
        words[i] = Capability::ALL[i].word();
        i += 1;
    }
    words
};

/// One key of info.json.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Where it stands: `resources.cpus`, `measures[].name`.
    pub path: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What holds without it, as JSON; empty where nothing does.
    pub default: &'static str,
    /// An example, as JSON.
    pub example: &'static str,
    /// One sentence for the developer of a bucket.
    pub doc: &'static str,
}

/// Every key that means something, in the order in which people read them.
#[rustfmt::skip] // a table: a line a key
pub const KEYS: &[Key] = &[
    key("name", Kind::Text, "", r#""T1 volumes""#, "The bucket's name, as people read it."),
    key("description", Kind::Text, "", r#""Head and brain volume""#, "What it does, in one line."),
    key("version", Kind::Text, "", r#""0.1.0""#, "Its version; every result's record carries it."),
    key("AETitle", Kind::AeTitle, "", r#""ProcT1""#, "The AE title that studies for this bucket are sent to; unique on a node, and capitals matter."),
    key("license", Kind::Text, "", r#""MIT""#, "Free text."),
    key("enabled", Kind::Flag, "1", "0", "Whether its AE title takes studies once it is installed."),
    key("resources", Kind::Table, "", "", "What one run needs: reserved for it, and its limit."),
    key("resources.cpus", Kind::Number, "1", "2.5", "Processors; fractions are allowed."),
    key("resources.memory", Kind::Bytes, r#""4GiB""#, r#""8GiB""#, "Memory; a run that needs more is ended."),
    key("resources.gpus", Kind::Whole(0, 64), "0", "1", "Graphics processors."),
    key("resources.shm", Kind::Bytes, r#""64MiB""#, r#""1GiB""#, "Size of /dev/shm."),
    key("resources.output", Kind::Bytes, r#""64GiB""#, r#""1GiB""#, "What it may leave in /output; a run that writes more is ended."),
    key("resources.files", Kind::Whole(1, 1_000_000), "1000000", "5000", "Files and directories that it may make in /output."),
    key("resources.scratch", Kind::Bytes, r#""64GiB""#, r#""2GiB""#, "What it may write outside /output and /memory; a run that writes more is ended."),
    key("parallel", Kind::Whole(1, 1000), "1", "2", "Runs of this bucket at the same time."),
    key("timeout", Kind::Duration, r#""6h""#, r#""30m""#, "How long a run may take; then it is ended and the job has failed."),
    key("network", Kind::Words(&["none", "bridge"]), r#""none""#, r#""bridge""#, "What a run sees of the network: nothing, or what the machine sees."),
    key("user", Kind::User, "", r#""1000:1000""#, "Whom work.sh runs as, in numbers; without it, root of the image."),
    key("root", Kind::Words(&["writable", "read-only"]), r#""writable""#, r#""read-only""#, "What a run may do with the image's own files; what it writes there is thrown away."),
    key("capabilities", Kind::List(&CAPABILITIES), "[]", r#"["SETUID"]"#, "What its root may do beyond writing files that are not its own and giving files away."),
    key("complete", Kind::Table, "", "", "When what arrives is complete and becomes a job."),
    key("complete.level", Kind::Words(&["series", "study", "patient"]), r#""study""#, r#""series""#, "What is put together in /input."),
    key("complete.quiet", Kind::Duration, r#""15s""#, r#""1m""#, "How long no object of it may have come."),
    key("complete.cap", Kind::Duration, r#""90m""#, r#""3h""#, "When it is a job at the latest, counted from its first object."),
    key("accept", Kind::Accept, "", r#"["T1", { "tag": ["SeriesDescription"], "value": "mprage" }]"#, "Which series belong in /input: types of the site's classification, or rules; without it, all."),
    key("priority", Kind::Words(&["urgent", "normal", "off-peak"]), r#""normal""#, r#""off-peak""#, "How soon its jobs are wanted."),
    key("arguments", Kind::Text, "", r#""--fast""#, "What work.sh finds in MB_ARGUMENTS unless a job brings its own."),
    key("keep", Kind::Age, "", r#""30d""#, "How long the files of its jobs are kept after their end; without it, as the node does."),
    key("measures", Kind::Tables, "", "", "What db-plugin.code prints, declared: one table a measure."),
    key("measures[].name", Kind::Text, "", r#""brain_volume_ml""#, "The key in db-plugin.code's JSON."),
    key("measures[].unit", Kind::Text, "", r#""mL""#, "Its unit in UCUM."),
    key("measures[].code", Kind::Table, "", "", "What is measured, as a code."),
    key("measures[].code.value", Kind::Text, "", r#""118565006""#, "The code."),
    key("measures[].code.scheme", Kind::Text, "", r#""SCT""#, "Who made it: SCT, DCM, LN."),
    key("measures[].code.meaning", Kind::Text, "", r#""Volume""#, "In words."),
    key("measures[].site", Kind::Table, "", "", "Where in the body it is measured, as a code."),
    key("measures[].site.value", Kind::Text, "", r#""12738006""#, "The code."),
    key("measures[].site.scheme", Kind::Text, "", r#""SCT""#, "Who made it: SCT, DCM, LN."),
    key("measures[].site.meaning", Kind::Text, "", r#""Brain""#, "In words."),
    key("measures[].range", Kind::Range, "", "[300, 2200]", "The least and the largest plausible value."),
    key("report", Kind::Words(&["none", "sr"]), r#""none""#, r#""sr""#, "What the node makes of the declared measures: nothing, or a DICOM Structured Report."),
];

const fn key(
    path: &'static str,
    kind: Kind,
    default: &'static str,
    example: &'static str,
    doc: &'static str,
) -> Key {
    Key {
        path,
        kind,
        default,
        example,
        doc,
    }
}

/// The schema of info.json as JSON Schema (draft 2020-12). Unknown keys are allowed where a node keeps them.
#[must_use]
pub fn info_schema() -> Value {
    let mut schema = table("");
    if let Some(map) = schema.as_object_mut() {
        map.insert(
            "$schema".to_owned(),
            "https://json-schema.org/draft/2020-12/schema".into(),
        );
        map.insert("title".to_owned(), "info.json of a bucket".into());
        map.insert("required".to_owned(), json!(["AETitle"]));
        // A node keeps and shows what it does not know.
        map.insert("additionalProperties".to_owned(), true.into());
    }
    schema
}

/// The schema of a table whose keys' paths begin with `prefix`. What is not read strictly may have more keys.
fn table(prefix: &str) -> Value {
    let mut properties = Map::new();
    for key in KEYS {
        let name = key.path.strip_prefix(prefix).filter(|rest| !rest.is_empty());
        if let Some(name) = name.filter(|rest| !rest.contains(['.', '['])) {
            properties.insert(name.to_owned(), property(key));
        }
    }
    let strict = matches!(prefix, "resources." | "complete.");
    json!({ "type": "object", "properties": properties, "additionalProperties": !strict })
}

fn property(key: &Key) -> Value {
    let mut schema = match key.kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::AeTitle => {
            json!({ "type": "string", "pattern": r"^ *[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])? *$" })
        }
        Kind::Flag => json!({ "enum": [1, 0, true, false] }),
        Kind::Number => json!({ "type": "number", "exclusiveMinimum": 0 }),
        Kind::Whole(from, to) => json!({ "type": "integer", "minimum": from, "maximum": to }),
        Kind::Bytes => json!({ "anyOf": [
            { "type": "integer", "minimum": 1 },
            { "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?([kKmMgGtTpP]i?)?[bB]?$" },
        ] }),
        Kind::Duration => json!({ "type": "string", "pattern": duration("") }),
        Kind::Age => json!({ "type": "string", "pattern": duration("forever|") }),
        Kind::Words(words) => json!({ "enum": words }),
        Kind::List(words) => json!({ "type": "array", "items": { "enum": words } }),
        Kind::Accept => json!({ "type": "array", "minItems": 1, "items": { "anyOf": [
            { "type": "string" },
            { "type": "object", "required": ["tag"] },
            { "type": "object", "required": ["rules"] },
        ] } }),
        Kind::User => json!({ "type": "string", "pattern": "^[0-9]{1,9}:[0-9]{1,9}$" }),
        Kind::Range => {
            json!({ "type": "array", "items": { "type": "number" }, "minItems": 2, "maxItems": 2 })
        }
        Kind::Table => table(&format!("{}.", key.path)),
        Kind::Tables => json!({ "type": "array", "items": table(&format!("{}[].", key.path)) }),
    };
    if let Some(map) = schema.as_object_mut() {
        map.insert("description".to_owned(), key.doc.into());
        if let Ok(value) = serde_json::from_str::<Value>(key.default) {
            map.insert("default".to_owned(), value);
        }
        if let Ok(value) = serde_json::from_str::<Value>(key.example) {
            map.insert("examples".to_owned(), json!([value]));
        }
    }
    schema
}

/// A pattern for lengths of time, with what else is allowed.
fn duration(or: &str) -> String {
    let units =
        "(ns|us|ms|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?|M|months?|y|years?)";
    format!("^({or}([0-9]+ ?{units} ?)+)$")
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::bucket::Manifest;
    use crate::model::{Reader, Report, Settings};

    /// An info.json with one of the texts of every key.
    fn filled(text: fn(&Key) -> &'static str) -> Value {
        let mut info = json!({});
        for key in KEYS {
            let Ok(value) = serde_json::from_str::<Value>(text(key)) else {
                continue;
            };
            let mut at = &mut info;
            for part in key.path.replace("[]", ".[]").split('.') {
                at = if part == "[]" {
                    if at.is_null() {
                        *at = json!([null]);
                    }
                    &mut at[0]
                } else {
                    &mut at[part]
                };
            }
            *at = value;
        }
        info
    }

    #[test]
    fn the_defaults_of_the_table_are_those_of_the_node() {
        let mut info = filled(|key| key.default);
        info["AETitle"] = "A".into();
        let manifest = Manifest::parse(info.to_string().as_bytes()).unwrap();
        assert_eq!(manifest.settings, Settings::default());
        assert!(manifest.enabled);
    }

    #[test]
    fn every_example_is_one_a_node_takes() {
        let info = filled(|key| key.example);
        let manifest = Manifest::parse(info.to_string().as_bytes()).unwrap();
        assert_eq!(manifest.measures[0].unit, "mL");
        assert_eq!(manifest.settings.report, Report::Sr);
        assert_eq!(manifest.settings.resources.gpus, 1);
    }

    #[test]
    fn the_table_has_every_key_that_a_node_reads() {
        let findings = RefCell::default();
        let unknown = json!({ "?": 1, "resources": { "?": 1 }, "complete": { "?": 1 } });
        let reader = Reader::new(unknown.as_object().unwrap(), &findings);
        let _ = Settings::read(&reader);
        reader.deny_unknown();
        let mut seen = 0;
        for finding in findings.borrow().iter().filter(|f| f.path.ends_with('?')) {
            let prefix = finding.path.trim_end_matches('?');
            let (_, allowed) = finding.message.split_once("allowed here: ").unwrap();
            for name in allowed.split(", ") {
                let path = format!("{prefix}{name}");
                assert!(
                    KEYS.iter().any(|key| key.path == path),
                    "{path} is not in the table"
                );
                seen += 1;
            }
        }
        assert!(seen > 15, "the test reads nothing: {seen}");
    }

    #[test]
    fn the_words_of_the_table_are_those_a_node_takes() {
        let mut seen = 0;
        for key in KEYS {
            let (words, list) = match key.kind {
                Kind::Words(words) => (words, false),
                Kind::List(words) => (words, true),
                _ => continue,
            };
            for word in words {
                // A report is made of measures that are declared.
                let mut info = json!({ "AETitle": "A", "measures": [{ "name": "a", "unit": "1" }] });
                let (table, name) = key.path.split_once('.').unwrap_or(("", key.path));
                let value = if list { json!([word]) } else { json!(word) };
                if table.is_empty() {
                    info[name] = value;
                } else {
                    info[table][name] = value;
                }
                Manifest::parse(info.to_string().as_bytes()).unwrap();
                seen += 1;
            }
        }
        assert!(seen > 10, "the test reads nothing: {seen}");
    }

    #[test]
    fn the_schema_has_tables_within_tables() {
        let schema = info_schema();
        let properties = &schema["properties"];
        assert_eq!(properties["resources"]["properties"]["gpus"]["maximum"], 64);
        assert_eq!(properties["resources"]["additionalProperties"], false);
        let measure = &properties["measures"]["items"]["properties"];
        assert_eq!(measure["code"]["properties"]["scheme"]["type"], "string");
        assert_eq!(properties["network"]["enum"], json!(["none", "bridge"]));
        assert_eq!(schema["required"], json!(["AETitle"]));
    }
}
