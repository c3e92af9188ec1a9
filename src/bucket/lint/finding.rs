//! One finding, with its place.

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A node refuses it, or no run of it can succeed.
    Error,
    /// It may hurt later.
    Warning,
}

/// Where in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Path in the image.
    pub file: &'static str,
    /// From 1.
    pub line: Option<usize>,
    /// From 1, in characters.
    pub column: Option<usize>,
    /// Characters that are meant, from the column on.
    pub length: usize,
    /// The line as it stands.
    pub text: Option<String>,
}

impl Place {
    /// The whole of a file.
    #[must_use]
    pub const fn whole(file: &'static str) -> Self {
        Self {
            file,
            line: None,
            column: None,
            length: 0,
            text: None,
        }
    }

    /// A part of a text, in bytes from its start.
    #[must_use]
    pub fn span(file: &'static str, text: &str, start: usize, end: usize) -> Self {
        let before = text.get(..start).unwrap_or_default();
        let begin = before.rfind('\n').map_or(0, |at| at + 1);
        let line = text
            .get(begin..)
            .unwrap_or_default()
            .lines()
            .next()
            .unwrap_or_default();
        let column = text.get(begin..start).unwrap_or_default().chars().count() + 1;
        let meant = text.get(start..end).unwrap_or_default();
        Self {
            file,
            line: Some(before.matches('\n').count() + 1),
            column: Some(column),
            length: meant.lines().next().unwrap_or_default().chars().count().max(1),
            text: Some(line.to_owned()),
        }
    }
}

/// Something wrong with a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LintFinding {
    /// How bad it is.
    pub severity: Severity,
    /// The rule, one word for programs.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// Where; none for the image as a whole.
    pub place: Option<Place>,
}

impl LintFinding {
    pub(super) fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            help: None,
            place: None,
        }
    }

    pub(super) fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, message)
        }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }
}
