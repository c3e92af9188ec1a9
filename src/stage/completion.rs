//! When an arriving set of objects is a job (spec folder, bucket.md, `complete`).
//!
//! A set is complete when no object came for `quiet` and no association that carried one is open any more, or `cap`
//! after its first object, whichever is earlier. [`Set::due`] decides; everything else keeps the books.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::model::{Complete, Job, JobId, Timestamp};
use crate::store::{Store, StoreError};

use super::OpenSets;

/// Keeps watch over the open sets.
#[derive(Clone)]
pub struct Completion {
    store: Store,
    sets: Arc<Mutex<HashMap<JobId, Set>>>,
    open_sets: OpenSets,
    changed: Arc<Notify>,
    queued: Arc<Notify>,
}

/// An open set, as far as time goes.
#[derive(Clone, Debug)]
struct Set {
    complete: Complete,
    first: Instant,
    last: Instant,
    carriers: HashSet<u64>,
}

/// Why a set is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Quiet,
    Cap,
}

impl Set {
    /// When it will be complete if nothing happens, and why; without an end in sight only the cap counts.
    fn due(&self) -> (Instant, Why) {
        let cap = self.first + self.complete.cap;
        let quiet = self.last + self.complete.quiet;
        if self.carriers.is_empty() && quiet < cap {
            (quiet, Why::Quiet)
        } else {
            (cap, Why::Cap)
        }
    }
}

impl Completion {
    pub(super) fn new(store: Store, open_sets: OpenSets, queued: Arc<Notify>) -> Self {
        Self {
            store,
            open_sets,
            sets: Arc::default(),
            changed: Arc::default(),
            queued,
        }
    }

    fn sets(&self) -> MutexGuard<'_, HashMap<JobId, Set>> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An object of that set was stored, over that association.
    pub(super) fn touch(&self, job: &JobId, association: u64, complete: &Complete) {
        let now = Instant::now();
        let fresh = {
            let mut sets = self.sets();
            let fresh = !sets.contains_key(job);
            let set = sets.entry(job.clone()).or_insert_with(|| Set {
                complete: complete.clone(),
                first: now,
                last: now,
                carriers: HashSet::new(),
            });
            set.last = now;
            set.carriers.insert(association);
            fresh
        };
        if fresh {
            self.changed.notify_one();
        }
    }

    /// An object of that set has begun to arrive over that association.
    pub(super) fn carries(&self, job: &JobId, association: u64) {
        if let Some(set) = self.sets().get_mut(job) {
            set.last = Instant::now();
            set.carriers.insert(association);
        }
    }

    /// That association is over.
    pub fn association_closed(&self, association: u64) {
        let mut touched = false;
        for set in self.sets().values_mut() {
            touched |= set.carriers.remove(&association);
        }
        if touched {
            self.changed.notify_one();
        }
    }

    /// Takes a set up again after a start: the quiet time begins anew, the cap does not.
    pub(super) fn resume(&self, job: &Job, complete: Complete) {
        let now = Instant::now();
        let first = now
            .checked_sub(Timestamp::now().since(job.received_at))
            .unwrap_or(now);
        let set = Set {
            complete,
            first,
            last: now,
            carriers: HashSet::new(),
        };
        self.sets().insert(job.id.clone(), set);
        self.changed.notify_one();
    }

    /// Freezes sets as they become complete; never ends.
    pub async fn run(&self) {
        loop {
            let next = self.freeze_due().await;
            let wait = next.saturating_duration_since(Instant::now());
            // Either a set changed or the next one is due.
            let _ = tokio::time::timeout(wait, self.changed.notified()).await;
        }
    }

    /// Freezes what is due; answers when to look again.
    async fn freeze_due(&self) -> Instant {
        let now = Instant::now();
        let due: Vec<(JobId, Why, Complete)> = {
            let sets = self.sets();
            let due = sets
                .iter()
                .map(|(job, set)| (job, set, set.due()))
                .filter(|(_, _, (at, _))| *at <= now);
            due.map(|(job, set, (_, why))| (job.clone(), why, set.complete.clone()))
                .collect()
        };
        for (job, why, complete) in due {
            // Objects that come from here on look for another set.
            self.open_sets.forget(&job);
            crate::failpoint::reach("set-before-complete");
            match self
                .store
                .complete(&job, why.text(&complete), Timestamp::now())
                .await
            {
                Ok(()) => {
                    crate::failpoint::reach("set-complete");
                    tracing::info!(job.id = %job, "set complete");
                    self.queued.notify_one();
                }
                // An object that was stored while the set froze brought it here once more.
                Err(StoreError::State(_)) => tracing::debug!(job.id = %job, "set was complete already"),
                Err(error) => {
                    tracing::error!(job.id = %job, %error, "freeze a set; trying again");
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
            }
            self.sets().remove(&job);
        }
        let sets = self.sets();
        sets.values()
            .map(|s| s.due().0)
            .min()
            .unwrap_or_else(|| Instant::now() + Duration::from_secs(3600))
    }
}

/// Before a store in trouble is asked again.
const AGAIN: Duration = Duration::from_secs(2);

impl Why {
    fn text(self, complete: &Complete) -> String {
        match self {
            Self::Quiet => format!("no object for {}", humantime::format_duration(complete.quiet)),
            Self::Cap => format!(
                "first object {} ago, others may follow",
                humantime::format_duration(complete.cap)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Level;

    fn set(carriers: &[u64]) -> (Set, Instant) {
        let start = Instant::now();
        let complete = Complete {
            level: Level::Study,
            quiet: Duration::from_secs(15),
            cap: Duration::from_secs(60),
        };
        (
            Set {
                complete,
                first: start,
                last: start,
                carriers: carriers.iter().copied().collect(),
            },
            start,
        )
    }

    #[test]
    fn a_quiet_set_without_an_open_association_is_complete() {
        let (set, start) = set(&[]);
        assert_eq!(set.due(), (start + Duration::from_secs(15), Why::Quiet));
    }

    #[test]
    fn an_open_association_keeps_its_set_open_until_the_cap() {
        let (set, start) = set(&[7]);
        assert_eq!(set.due(), (start + Duration::from_secs(60), Why::Cap));
    }

    #[test]
    fn the_cap_counts_from_the_first_object_however_many_follow() {
        let (mut set, start) = set(&[]);
        set.last = start + Duration::from_secs(50);
        assert_eq!(set.due(), (start + Duration::from_secs(60), Why::Cap));
    }
}
