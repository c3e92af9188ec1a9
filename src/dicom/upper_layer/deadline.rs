//! Until when something is waited for, and what for.

use std::time::{Duration, Instant};

use super::error::Error;

/// A point in time that a wait ends at.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Instant,
    limit: Duration,
    expected: &'static str,
}

impl Deadline {
    /// `limit` from now; `expected` fits "the peer did not …".
    #[must_use]
    pub fn after(limit: Duration, expected: &'static str) -> Self {
        Self {
            at: Instant::now() + limit,
            limit,
            expected,
        }
    }

    /// Whichever is first.
    #[must_use]
    pub fn or(self, other: Option<Self>) -> Self {
        other.filter(|o| o.at < self.at).unwrap_or(self)
    }

    /// # Errors
    /// [`Error::TimedOut`] once it has passed.
    pub fn check(&self) -> Result<(), Error> {
        if Instant::now() < self.at {
            return Ok(());
        }
        Err(Error::TimedOut {
            expected: self.expected,
            limit: self.limit,
        })
    }
}
