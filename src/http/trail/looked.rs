//! Who looked at what shortly before: a page that asks each second is one look.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

/// Looks that are remembered; beyond, each is told.
const REMEMBERED: usize = 4096;

/// Who looked at what. An address is as long as a caller likes; this is not.
type Look = [u8; 32];

fn look(who: &str, what: &str) -> Look {
    let mut hasher = Sha256::new();
    // No length of the one makes it another pair.
    hasher.update(who.len().to_le_bytes());
    hasher.update(who);
    hasher.update(what);
    hasher.finalize().into()
}

/// Who looked at what, and when it was told.
#[derive(Clone, Debug)]
pub(super) struct Looked {
    seen: Arc<Mutex<HashMap<Look, Instant>>>,
    window: Duration,
    most: usize,
}

impl Looked {
    /// A caller that looks at the same within this time has looked once.
    pub(super) fn within(window: Duration) -> Self {
        Self {
            seen: Arc::default(),
            window,
            most: REMEMBERED,
        }
    }

    /// The same, with another number of looks that are remembered.
    pub(super) fn remembering(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// Whether that was told within the window; if not, it is now.
    pub(super) fn again(&self, who: &str, what: &str) -> bool {
        self.again_at(who, what, Instant::now())
    }

    fn again_at(&self, who: &str, what: &str, now: Instant) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let key = look(who, what);
        if seen
            .get(&key)
            .is_some_and(|at| now.duration_since(*at) < self.window)
        {
            return true;
        }
        if seen.len() >= self.most {
            seen.retain(|_, at| now.duration_since(*at) < self.window);
        }
        if seen.len() < self.most {
            seen.insert(key, now);
        }
        false
    }

    /// It was not told after all.
    pub(super) fn forget(&self, who: &str, what: &str) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.remove(&look(who, what));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_that_looks_again_soon_has_looked_once() {
        let (looked, now) = (Looked::within(Duration::from_secs(600)), Instant::now());
        let answers = [
            ("a", "x", 0),
            ("a", "x", 599),
            ("b", "x", 0),
            ("a", "y", 0),
            ("a", "x", 600),
            ("ax", "", 600),
        ]
        .map(|(who, what, s)| looked.again_at(who, what, now + Duration::from_secs(s)));
        assert_eq!(answers, [false, true, false, false, false, false]);
    }

    #[test]
    fn many_callers_take_no_memory_and_none_is_left_out() {
        let (looked, now) = (Looked::within(Duration::from_secs(600)), Instant::now());
        let told = (0..10_000)
            .filter(|n| !looked.again_at(&n.to_string(), "x", now))
            .count();
        assert_eq!((told, looked.seen.lock().unwrap().len()), (10_000, REMEMBERED));
    }
}
