//! `routing.json`: rules as sites have owned them for years, read as they are.
//!
//! Comments and trailing commas are allowed, numbers may be texts. What cannot be understood is refused with the rule's
//! name, the key and its place; what has no effect is a warning. All findings are told at once.

mod rule;
mod table;

use std::cell::RefCell;
use std::fmt::Display;

use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde::Serialize;

use crate::model::{Remote, RemoteAe, Route};

use table::{Notes, Table};

/// The largest file, in bytes.
pub const LARGEST: u64 = 1 << 20;

/// The most rules of a file.
const MOST_RULES: usize = 500;

/// The most patterns of a file: each may take 256 KiB.
const MOST_PATTERNS: usize = 2000;

/// What the file may refer to.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// Where `$me` and `$port` are.
    pub default_pacs: Option<RemoteAe>,
    /// Those that the configuration names.
    pub remote_aes: Vec<RemoteAe>,
}

impl Site {
    /// That of a configuration.
    #[must_use]
    pub fn new(default_pacs: Option<RemoteAe>, remotes: &[Remote]) -> Self {
        let dicom = |remote: &Remote| match remote {
            Remote::Dicom(remote) => Some(remote.clone()),
            Remote::Folder(_) | Remote::Web(_) => None,
        };
        Self {
            default_pacs,
            remote_aes: remotes.iter().filter_map(dicom).collect(),
        }
    }
}

/// Something to say about a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The name of the rule it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The key below the rule, `send[0].success.PORT`.
    pub key: String,
    /// What is wrong, and what is right.
    pub message: String,
}

impl Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if let Some(rule) = &self.rule {
            write!(f, "rule {rule:?}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// Why a file is refused, whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", text(.0))]
pub struct Findings(pub Vec<Finding>);

/// One line a finding.
fn text(findings: &[Finding]) -> String {
    let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// The rules of a file, and warnings.
///
/// # Errors
/// Every finding that keeps it from being understood.
pub fn parse(bytes: &[u8], site: &Site) -> Result<(Vec<Route>, Vec<Finding>), Findings> {
    let alone = |line, column, message: String| {
        Findings(vec![Finding {
            line,
            column,
            rule: None,
            key: String::new(),
            message,
        }])
    };
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LARGEST {
        let text = format!("has more than {} KiB", LARGEST >> 10);
        return Err(alone(1, 1, text));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let (line, column) = table::place(&String::from_utf8_lossy(good), usize::MAX);
        alone(line, column, "is no text in UTF-8".to_owned())
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let options = ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let parsed = parse_to_ast(text, &CollectOptions::default(), &options).map_err(|error| {
        let (line, column) = table::place(text, error.range().start);
        alone(line, column, format!("no JSON: {}", error.kind()))
    })?;
    let Some(root) = parsed.value else {
        return Err(alone(
            1,
            1,
            "is empty: no rules are written {\"routing\": []}".to_owned(),
        ));
    };
    let notes = RefCell::new(Notes::default());
    let top = Table::of(text, &root, &notes);
    let routes = top.map(|top| rules(&top, site)).unwrap_or_default();
    let mut notes = notes.into_inner();
    notes.errors.sort_by_key(|f| (f.line, f.column));
    notes.warnings.sort_by_key(|f| (f.line, f.column));
    if notes.errors.is_empty() {
        Ok((routes, notes.warnings))
    } else {
        Err(Findings(notes.errors))
    }
}

fn rules(top: &Table<'_>, site: &Site) -> Vec<Route> {
    let listed = top.tables("routing");
    top.warn_unknown();
    let Some(listed) = listed else {
        top.error("routing", "is missing: the list of rules");
        return Vec::new();
    };
    if listed.len() > MOST_RULES {
        top.error("routing", &format!("has more than {MOST_RULES} rules"));
        return Vec::new();
    }
    let rules = listed.iter().enumerate();
    rules
        .filter_map(|(index, table)| rule::read(index, table, site))
        .collect()
}

#[cfg(test)]
mod tests;
