//! Measures as CSV (RFC 4180) and as JSON: pure. The columns, their names and their order are the contract.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::model::AeTitle;
use crate::store::MeasuredRow;

/// The columns of the CSV, which are the keys of the JSON.
pub const COLUMNS: [&str; 14] = [
    "job",
    "received_at",
    "outcome",
    "bucket_version",
    "image",
    "study_instance_uid",
    "series_instance_uids",
    "file",
    "source",
    "name",
    "value",
    "unit",
    "declared",
    "problem",
];

/// How measures are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values.
    Csv,
    /// One object with a list.
    Json,
}

impl Format {
    /// Reads the word of a query.
    ///
    /// # Errors
    /// What is allowed.
    pub fn parse(word: &str) -> Result<Self, String> {
        match word {
            "csv" => Ok(Self::Csv),
            "json" => Ok(Self::Json),
            other => Err(format!("format={other:?}: one of: csv, json")),
        }
    }

    /// Of a file.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }

    /// Of an answer.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Json => "application/json",
        }
    }

    /// What stands before the first measure.
    pub fn beginning(self, stream: &AeTitle) -> String {
        match self {
            Self::Csv => format!("{}\r\n", COLUMNS.join(",")),
            Self::Json => format!("{{\"bucket\":{},\"measures\":[", json!(stream.as_str())),
        }
    }

    /// What stands behind the last one.
    pub const fn end(self) -> &'static str {
        match self {
            Self::Csv => "",
            Self::Json => "\n]}\n",
        }
    }

    /// One measure.
    pub fn row(self, text: &mut String, row: &MeasuredRow, first: bool) {
        match self {
            Self::Csv => {
                let cells = cells(row).map(|value| cell(&value));
                text.push_str(&cells.join(","));
                text.push_str("\r\n");
            }
            Self::Json => {
                let object: serde_json::Map<_, _> =
                    COLUMNS.iter().map(|c| (*c).to_owned()).zip(cells(row)).collect();
                // Writing to a String does not fail.
                let _ = write!(
                    text,
                    "{}\n{}",
                    if first { "" } else { "," },
                    Value::Object(object)
                );
            }
        }
    }
}

/// In the order of [`COLUMNS`].
fn cells(row: &MeasuredRow) -> [Value; 14] {
    let measure = &row.measure;
    let version = row.version.as_deref().map(|version| {
        // It is JSON, of whatever kind the bucket wrote.
        match serde_json::from_str(version) {
            Ok(Value::String(text)) => text,
            _ => version.to_owned(),
        }
    });
    [
        json!(row.job.as_str()),
        json!(row.received_at),
        json!(row.outcome),
        json!(version),
        json!(row.image),
        json!(row.study_instance_uid),
        json!(row.series_instance_uids),
        json!(measure.file),
        json!(measure.source),
        json!(measure.name),
        measure.value.clone(),
        json!(measure.unit),
        json!(measure.declared),
        json!(measure.problem),
    ]
}

/// A cell of the CSV. A text that a spreadsheet would take for a formula is given an apostrophe; a number is a number.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text,
        other => return other.to_string(),
    };
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let guarded = if formula { format!("'{text}") } else { text.clone() };
    if guarded.contains(['"', ',', '\r', '\n']) || guarded.trim() != guarded {
        format!("\"{}\"", guarded.replace('"', "\"\""))
    } else {
        guarded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_what_a_spreadsheet_reads_and_never_a_formula() {
        for (value, written) in [
            (json!(-3.5), "-3.5"),
            (json!(1e300), "1e+300"),
            (json!(true), "true"),
            (Value::Null, ""),
            (json!(""), ""),
            (json!("left"), "left"),
            (json!("-3.5"), "'-3.5"),
            (json!("=1+1"), "'=1+1"),
            (json!("+1"), "'+1"),
            (json!("@SUM(A1)"), "'@SUM(A1)"),
            (json!("\t=1"), "'\t=1"),
            (
                json!("=HYPERLINK(\"x\",\"y\")"),
                "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\"",
            ),
            (json!("a,b"), "\"a,b\""),
            (json!("a\"b"), "\"a\"\"b\""),
            (json!("a\r\nb"), "\"a\r\nb\""),
            (json!(" a"), "\" a\""),
            (json!("größer"), "größer"),
        ] {
            assert_eq!(cell(&value), written, "{value}");
        }
    }
}
