//! A rule file.

use std::collections::BTreeSet;

use super::{Clause, Condition, Subject, Target, Test};

/// When a type is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Check {
    /// With each object until it is found; then it stays.
    #[default]
    UntilFound,
    /// `"SeriesLevel"`: with each object, and what the last one says holds.
    EachObject,
}

/// A type, and how it is told.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeRule {
    /// `type`: its name; several may have the same.
    pub name: String,
    /// `check`
    pub check: Check,
    /// `rules`: all of them have to hold.
    pub clauses: Vec<Clause>,
}

/// The types of a rule file, in its order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleSet {
    pub(super) types: Vec<TypeRule>,
}

/// Why a rule file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// It is longer than any rule file.
    #[error("longer than {} MiB: no rule file is", MOST_BYTES >> 20)]
    TooLong,
    /// It is no JSON.
    #[error("line {line}, column {column}: {message}")]
    NotJson {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What the parser said.
        message: String,
    },
    /// It says what it may not; each with its place, such as `[3].rules[0].operator`.
    #[error("{}", .0.join("; "))]
    Findings(Vec<String>),
}

/// The longest rule file, in bytes.
pub(super) const MOST_BYTES: usize = 1 << 20;

impl RuleSet {
    /// The types.
    #[must_use]
    pub fn types(&self) -> &[TypeRule] {
        &self.types
    }

    /// The same with more types behind its own, which these cannot include.
    #[must_use]
    pub fn with(&self, more: Vec<TypeRule>) -> Self {
        let mut types = self.types.clone();
        types.extend(more);
        Self { types }
    }

    /// Whether a rule looks at more than the object at hand, so that two objects that say the same may be judged otherwise.
    #[must_use]
    pub fn look_at_the_series(&self) -> bool {
        let mut clauses = self.types.iter().flat_map(|t| &t.clauses);
        clauses.any(|clause| {
            matches!(
                clause.condition,
                Condition::Attribute(Subject::NumFiles | Subject::ClassifyType, _)
            )
        })
    }

    /// The tags that its rules look at.
    #[must_use]
    pub fn tags(&self) -> BTreeSet<u32> {
        let mut tags = BTreeSet::new();
        for clause in self.types.iter().flat_map(|t| &t.clauses) {
            let Condition::Attribute(subject, test) = &clause.condition else {
                continue;
            };
            let other = match test {
                Test::Equal(target)
                | Test::NotEqual(target)
                | Test::Less(target)
                | Test::Greater(target)
                | Test::Contains(target)
                | Test::Approx(target, _) => match target {
                    Target::Other(other, _) => Some(other),
                    Target::Texts(_) => None,
                },
                Test::Exist | Test::NotExist | Test::Search(_) => None,
            };
            for subject in [Some(subject), other].into_iter().flatten() {
                if let Subject::Element { tag, .. } = subject {
                    tags.insert(*tag);
                }
            }
        }
        tags
    }
}
