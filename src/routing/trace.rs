//! What a decision looked at, for whoever wants to know why.

use serde::Serialize;

/// One look at a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The rule's key, as its file calls it.
    pub key: String,
    /// The pattern; absent ones hold.
    pub pattern: Option<String>,
    /// What it was searched in; `None` where that is not to be shown, or not there.
    pub value: Option<String>,
    /// Whether it was found.
    pub holds: bool,
}

/// A file that does not go to a destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The file.
    pub file: String,
    /// Why its attributes could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    /// The first pattern of each set that was not found.
    pub misses: Vec<Check>,
}

/// What becomes of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Files go there.
    Sends,
    /// Files go there if an earlier destination of the rule fails.
    StandsBy,
    /// An earlier rule sends the same files there.
    Already,
    /// No file is to go there.
    NoFiles,
    /// The job ended otherwise.
    OtherOutcome,
}

/// What was found about one destination of a rule that matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SendTrace {
    /// AE title of the destination.
    pub to: String,
    /// Where it is, if the rule says so; else a `[[remote_ae]]` does.
    pub address: Option<String>,
    /// What becomes of it.
    pub verdict: Verdict,
    /// The pattern of the outcome.
    pub outcome: Check,
    /// How many files go.
    pub files: usize,
    /// Of how many.
    pub of: usize,
    /// The destination that has to fail before.
    pub after: Option<String>,
    /// Files that do not go, the first of them.
    pub left_out: Vec<LeftOut>,
    /// The end of the log goes along, as a series of its own.
    pub error_report: bool,
}

/// What was found about one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleTrace {
    /// Its name.
    pub name: String,
    /// `configuration` or `routing.json`.
    pub source: &'static str,
    /// Whether it is on.
    pub enabled: bool,
    /// The rule before it after which no other is looked at.
    pub not_reached: Option<String>,
    /// Whether it matched.
    pub matches: bool,
    /// Whether it ends the search.
    pub last: bool,
    /// What is sent: `output` or `input`.
    pub sends: &'static str,
    /// Its patterns.
    pub checks: Vec<Check>,
    /// Its destinations, if it matched.
    pub to: Vec<SendTrace>,
}
