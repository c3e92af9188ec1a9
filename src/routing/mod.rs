//! Where results go: the rules in force, and what they decide.
//!
//! ```text
//! json         routing.json as rules, every finding with its place
//! in_force     the rules of configuration and routing.json; the file is read again when it changes, saved when asked
//! attributes   what `which` asks of a file
//! offer        the files that rules choose from
//! decision     which file goes where, and why: one pure function decides and explains
//! trace        what it looked at
//! ```

mod attributes;
mod decision;
mod in_force;
mod json;
mod offer;
mod trace;

pub use attributes::{Attributes, is_dicom, keyword, read as read_attributes};
pub use decision::{Decision, Facts, Planned, decide, needed, wants_report};
pub use in_force::{Refusal, Routes, RoutesConfig, RoutesError, Rules};
pub use json::{Finding, Findings, LARGEST, Site, parse as parse_rules};
pub use offer::{Offer, Offered, offered};
pub use trace::{Check, LeftOut, RuleTrace, SendTrace, Verdict};
