//! Waiting for an event, with a deadline: the only place that pauses.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Between two looks; short against everything that is waited for.
const PAUSE: Duration = Duration::from_millis(25);

/// Looks until there is something to see.
///
/// # Errors
/// Names `what` when the deadline passes first.
pub fn wait_until<T>(deadline: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> Result<T> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(seen) = look() {
            return Ok(seen);
        }
        if Instant::now() >= end {
            bail!("waited {} s in vain for {what}", deadline.as_secs());
        }
        thread::sleep(PAUSE);
    }
}
