//! Whether the node grew: in the long stretch of one process, and from start to start with what its store holds.

use std::ops::Range;
use std::time::Instant;

use super::table::Row;
use super::watch::{Sample, slope};

/// Memory that one process may have more in the end, in MiB. What leaks an object, a job or an answer of the API is
/// over it in ten minutes; pages that the allocator keeps are not.
const MEMORY: f64 = 8.0;
/// Open files that it may have more: a connection of the API and one to Docker that have not timed out yet.
const FILES: f64 = 4.0;

/// What was seen of the starts after crashes, and of the long stretch without one.
pub struct Stretch {
    /// What each start had when it was ready.
    pub crashes: Vec<Sample>,
    /// Idle, after it was warm.
    pub early: Sample,
    /// When it was under load between the two.
    pub loaded: Range<Instant>,
    /// Idle, in the end.
    pub late: Sample,
}

impl Stretch {
    /// How much more there was of everything, beside what may be.
    pub fn judge(&self, samples: &[Sample]) -> Vec<Row> {
        let loaded: Vec<_> = samples
            .iter()
            .copied()
            .filter(|s| self.loaded.contains(&s.at))
            .collect();
        let seconds = (self.loaded.end - self.loaded.start).as_secs_f64();
        let mib = |of: &Sample| of.own as f64 / 1024.0;
        let files = |of: &Sample| of.descriptors as f64;
        let (first, last) = (self.crashes.first(), self.crashes.last());
        let starts = |value: &dyn Fn(&Sample) -> f64| match (first, last) {
            (Some(first), Some(last)) => value(last) - value(first),
            _ => f64::INFINITY,
        };
        vec![
            Row::told(
                "seconds of the last stretch under load, without a crash",
                seconds as usize,
            ),
            Row::at_most(
                "memory of its own, idle before it to idle after it",
                MEMORY,
                mib(&self.late) - mib(&self.early),
                "MiB",
            ),
            Row::at_most(
                "memory of its own, slope of its samples under load times its length",
                MEMORY,
                slope(&loaded, |s| s.own) * seconds / 1024.0,
                "MiB",
            ),
            Row::at_most(
                "memory of its own when ready, first start to last start",
                MEMORY,
                starts(&mib),
                "MiB",
            ),
            Row::at_most(
                "open files, idle before it to idle after it",
                FILES,
                files(&self.late) - files(&self.early),
                "",
            ),
            Row::at_most(
                "open files, slope under load times its length",
                FILES,
                slope(&loaded, |s| s.descriptors) * seconds,
                "",
            ),
            Row::told(
                "memory in the end, idle, all resident, KiB",
                self.late.memory as usize,
            ),
            Row::told("memory in the end, idle, of its own, KiB", self.late.own as usize),
            Row::told("open files in the end, idle", self.late.descriptors as usize),
        ]
    }
}
