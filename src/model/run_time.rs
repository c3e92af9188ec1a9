//! How long a node has run, which no hand that sets a clock can change.

use std::time::Duration;

use super::Timestamp;

/// How long a node has run, in all its runs together, in milliseconds. What may take so and so long is measured by it: a
/// machine's clock jumps, and while the node does not run, nobody tries anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunTime(pub i64);

impl RunTime {
    /// This moment moved by `by`.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(Timestamp(self.0).plus(by).0)
    }

    /// How long it has run since `earlier`; zero where that is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Timestamp(self.0).since(Timestamp(earlier.0))
    }
}

/// A moment by the machine's clock and by how long the node has run: the one is for people, the other is to be measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The machine's clock.
    pub at: Timestamp,
    /// How long the node has run.
    pub ran: RunTime,
}
