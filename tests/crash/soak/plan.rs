//! When a soak does what.

use std::ops::Range;
use std::time::Duration;

/// Without `MAGICKBOX_SOAK`.
const SHORT: u64 = 12;

/// The parts of a soak, in their order. Between them nobody sends until all jobs are over, which comes on top.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Half of the time the node is killed again and again.
    pub crashes: Duration,
    /// Between a start and the next kill.
    pub gap: (Duration, Duration),
    /// Then nothing is killed any more: until all of it is warm …
    pub warm: Duration,
    /// … and so long that what grows shows.
    pub steady: Duration,
    /// Studies under way and jobs that have not ended, beyond which senders wait.
    pub backlog: usize,
}

impl Plan {
    /// `MAGICKBOX_SOAK` seconds, or a few.
    pub fn new() -> Self {
        let seconds = std::env::var("MAGICKBOX_SOAK").map_or(SHORT, |text| {
            let seconds = text.parse().ok().filter(|s| *s >= SHORT);
            seconds.unwrap_or_else(|| panic!("MAGICKBOX_SOAK={text}: seconds, at least {SHORT}"))
        });
        let whole = Duration::from_secs(seconds);
        Self {
            crashes: whole / 2,
            gap: (
                (whole / 10).min(Duration::from_secs(10)),
                (whole / 4).min(Duration::from_secs(25)),
            ),
            warm: whole / 8,
            steady: whole * 3 / 8,
            backlog: if seconds < 60 { 8 } else { 24 },
        }
    }

    pub fn gap(&self) -> Range<Duration> {
        self.gap.0..self.gap.1
    }
}
