//! Where results go: the rules in force, and what they decide.
//!
//! ```text
//! json         routing.json as rules, every finding with its place
//! in_force     the rules of configuration and routing.json; the file is read again when it changes, saved when asked
//! attributes   what `which` asks of a file
//! decision     which file goes where, and why: one pure function decides and explains
//! ```

mod attributes;
mod decision;
mod in_force;
mod json;

pub use attributes::{Attributes, is_dicom, keyword, read as read_attributes};
pub use decision::{
    Check, Decision, Facts, LeftOut, Offer, Offered, Planned, RuleTrace, SendTrace, Verdict, decide, needed,
    offered,
};
pub use in_force::{Refusal, Routes, RoutesConfig, RoutesError, Rules};
pub use json::{Finding, Findings, LARGEST, Site};
