//! Whether the node grew: in the long stretch of one process, and from start to start with what its store holds.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::table::{Part, Row};
use super::watch::{Sample, slope};

/// Memory that one process may have more in the end, in MiB: the page caches of SQLite, which fill to 2 MB a connection
/// as the store grows, and fragments. What an object, a job or an answer of the API leaks is over it in ten minutes.
const MEMORY: f64 = 8.0;
/// Open files that it may have more: connections of the API and to Docker that have not timed out yet.
const FILES: f64 = 8.0;
/// Under load both go up and down: a slope through less than that says nothing.
const LONG_ENOUGH: Duration = Duration::from_secs(30);

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
    pub fn judge(&self, samples: &[Sample]) -> Part {
        // Senders that begin all at once are no growth.
        let begin = self.loaded.start + (self.loaded.end - self.loaded.start) / 5;
        let loaded: Vec<_> = samples
            .iter()
            .copied()
            .filter(|s| s.at >= begin && s.at < self.loaded.end)
            .collect();
        let seconds = (self.loaded.end - self.loaded.start).as_secs_f64();
        let mib = |of: &Sample| of.own as f64 / 1024.0;
        let files = |of: &Sample| of.descriptors as f64;
        let (first, last) = (self.crashes.first(), self.crashes.last());
        let starts = |value: &dyn Fn(&Sample) -> f64| match (first, last) {
            (Some(first), Some(last)) => value(last) - value(first),
            _ => f64::INFINITY,
        };
        let mut rows = vec![
            Row::told(
                "the last stretch under load, without a crash",
                format!("{seconds:.0} s"),
            ),
            Row::at_most(
                "memory, idle before it to idle after it",
                MEMORY,
                mib(&self.late) - mib(&self.early),
                "MiB",
            ),
            Row::at_most(
                "memory when ready, first start to last start",
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
        ];
        if self.loaded.end - self.loaded.start >= LONG_ENOUGH {
            rows.extend([
                Row::at_most(
                    "memory, slope under load times the length",
                    MEMORY,
                    slope(&loaded, |s| s.own) * seconds / 1024.0,
                    "MiB",
                ),
                Row::at_most(
                    "open files, slope under load times the length",
                    FILES,
                    slope(&loaded, |s| s.descriptors) * seconds,
                    "",
                ),
            ]);
        }
        for (what, sample) in [("idle before it", &self.early), ("idle after it", &self.late)] {
            let resident = sample.memory as f64 / 1024.0;
            let found = format!(
                "{:.1} of {resident:.1} MiB, {} files",
                mib(sample),
                sample.descriptors
            );
            rows.push(Row::told(what, found));
        }
        Part {
            title: "growth; memory of its own (RssAnon)",
            rows,
        }
    }
}
