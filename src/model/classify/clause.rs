//! One of the rules of a type.

use super::{Subject, Test};

/// What has to hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// An attribute is so.
    Attribute(Subject, Test),
    /// The rules of another type of the file hold: its place there.
    Type(usize),
}

/// A condition, or its opposite.
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    /// What has to hold.
    pub condition: Condition,
    /// `negate`: or rather must not.
    pub negate: bool,
}
