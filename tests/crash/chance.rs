//! Chance that can be repeated: a seed that is printed.

use std::ops::Range;
use std::time::{Duration, SystemTime};

/// Numbers of a linear congruential generator (Knuth's MMIX).
pub struct Chance(u64);

impl Chance {
    /// `MAGICKBOX_SEED`, or the time; printed with what it is for.
    pub fn new(what: &str) -> Self {
        let seed = std::env::var("MAGICKBOX_SEED").ok().and_then(|s| s.parse().ok());
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let seed = seed.unwrap_or(now.as_millis() as u64);
        println!("{what}: MAGICKBOX_SEED={seed}");
        Self(seed | 1)
    }

    /// One for somebody who draws beside the others.
    pub fn another(&mut self) -> Self {
        let next = self.next();
        // Not the same numbers a little later.
        Self((self.0 ^ next << 33).rotate_left(29) | 1)
    }

    /// The next number of a range that is not empty.
    pub fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    /// The next time of a range of at least a millisecond.
    pub fn time(&mut self, range: Range<Duration>) -> Duration {
        Duration::from_millis(self.within(range.start.as_millis() as u64..range.end.as_millis() as u64))
    }

    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}
