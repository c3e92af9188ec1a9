//! Who is told what happens while a bucket runs: a terminal, a page, nobody.

use std::time::Duration;

use crate::engine::watching::Sample;

/// Told what happens while a bucket runs. Called from one task, one call after the other; a call that takes long holds up
/// the run.
pub trait Observer: Send + Sync {
    /// A line of `buckets run` itself: what it found, what it does.
    fn says(&self, line: &str);

    /// What the bucket printed since, its processing.log. Plain text: control characters but line ends and tabs are gone,
    /// what is no UTF-8 is replaced. Not HTML.
    fn printed(&self, text: &str);

    /// Five times a second while the container runs.
    fn progress(&self, progress: &Progress);
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Since its container was started.
    pub elapsed: Duration,
    /// When it is stopped.
    pub limit: Duration,
    /// Bytes of memory it may use.
    pub memory_limit: u64,
    /// What it uses, at most two seconds old.
    pub sample: Sample,
}

/// Nobody.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Observer for Silent {
    fn says(&self, _: &str) {}
    fn printed(&self, _: &str) {}
    fn progress(&self, _: &Progress) {}
}
