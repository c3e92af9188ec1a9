//! What a series is: types, the rules that tell them, and what a bucket accepts (spec folder, routing.md). Pure.
//!
//! A rule file is a list of types; all rules of a type have to hold, and of several types of one name any is enough.
//! [`RuleSet`] is such a file, read to the letter; [`evaluate`] holds it against the [`Attributes`] of one object;
//! [`Accept`] says which series a bucket takes.
//!
//! Where the original left something to chance, this holds:
//!
//! | | |
//! | --- | --- |
//! | an attribute that is not there | no operator but `notexist` and `!=` holds |
//! | `==`, `!=` | as numbers where both are, else as texts |
//! | `<`, `>` | hold between numbers only |
//! | several values without an index | `regexp` is searched in each and in all of them as written, `contains` wants one of them |
//! | one value | `contains` wants a part of the text |
//! | `negate` | turns the whole rule round, an included type and `approx` too |
//! | `["ClassifyType"]` | the types found so far: an entry sees those above it in the file |
//! | `check: "SeriesLevel"` | is about this entry only: another one of the same name stays found |

mod accept;
mod attributes;
mod clause;
mod evaluate;
mod read;
mod rule_set;
mod subject;
mod test;

pub use accept::Accept;
pub use attributes::{Attributes, Value};
pub use clause::{Clause, Condition};
pub use evaluate::{Found, Seen, evaluate};
pub use rule_set::{Check, RuleSet, RulesError, TypeRule};
pub use subject::Subject;
pub use test::{Pattern, Target, Test};

#[cfg(test)]
mod tests;
