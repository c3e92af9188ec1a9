//! When an arriving set of objects is a job (spec folder, bucket.md, `complete`).
//!
//! A set is complete when no object came for `quiet` and no association that carried one is open any more, or `cap`
//! after its first object, whichever is earlier; at once when an operator says so, or a sender that asks for storage
//! commitment of all of it. [`Set::due`] decides; everything else keeps the books.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::model::{Complete, Job, JobId, Timestamp};
use crate::store::StoreError;

use super::freezer::Freezer;
use super::{OpenSets, StageError};

/// Keeps watch over the open sets.
#[derive(Clone)]
pub struct Completion {
    freezer: Freezer,
    sets: Arc<Mutex<HashMap<JobId, Set>>>,
    /// Rows that the store refused, by set: without them it is not complete.
    owed: Arc<Mutex<HashMap<JobId, usize>>>,
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
    /// Where it could not be frozen, not before then again.
    not_before: Option<Instant>,
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
        let (at, why) = if self.carriers.is_empty() && quiet < cap {
            (quiet, Why::Quiet)
        } else {
            (cap, Why::Cap)
        };
        (self.not_before.map_or(at, |again| at.max(again)), why)
    }
}

impl Completion {
    pub(super) fn new(freezer: Freezer, open_sets: OpenSets, queued: Arc<Notify>) -> Self {
        Self {
            freezer,
            open_sets,
            sets: Arc::default(),
            owed: Arc::default(),
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
                not_before: None,
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

    /// A job was queued that was never an open set.
    pub(super) fn queued(&self) {
        self.queued.notify_one();
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
            not_before: None,
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
            let (sets, owed) = (self.sets(), self.owed());
            let due = sets
                .iter()
                .map(|(job, set)| (job, set, set.due()))
                .filter(|(job, _, (at, _))| *at <= now && !owed.contains_key(*job));
            due.map(|(job, set, (_, why))| (job.clone(), why, set.complete.clone()))
                .collect()
        };
        for (job, why, complete) in due {
            match self.freeze(&job, why.text(&complete)).await {
                // An object that was stored while the set froze brought it here once more.
                Err(StageError::Store(StoreError::State(_))) => {
                    self.sets().remove(&job);
                    tracing::debug!(job.id = %job, "set was complete already");
                }
                Err(error) => {
                    tracing::error!(job.id = %job, %error, "freeze a set; trying again");
                    if let Some(set) = self.sets().get_mut(&job) {
                        set.not_before = Some(Instant::now() + AGAIN);
                    }
                }
                Ok(()) => {}
            }
        }
        let (sets, owed) = (self.sets(), self.owed());
        let next = sets.iter().filter(|(job, _)| !owed.contains_key(*job));
        next.map(|(_, set)| set.due().0)
            .min()
            .unwrap_or_else(|| Instant::now() + Duration::from_secs(3600))
    }

    /// Makes an open set a job; objects that come from here on look for another one.
    async fn freeze(&self, job: &JobId, why: String) -> Result<(), StageError> {
        self.open_sets.forget(job);
        crate::failpoint::reach("set-before-complete");
        self.freezer.freeze(job, why).await?;
        crate::failpoint::reach("set-complete");
        self.sets().remove(job);
        tracing::info!(job.id = %job, "set complete");
        self.queued.notify_one();
        Ok(())
    }

    /// Completes an open set at once, at an operator's word. What comes later is late.
    ///
    /// # Errors
    /// [`StoreError::State`] when it is no open set, or the store still owes it rows; what disk and store say else.
    pub async fn complete_now(&self, job: &JobId) -> Result<(), StageError> {
        if self.owed().contains_key(job) {
            let why =
                format!("job {job} has objects that the store has not taken yet: try again in a moment");
            return Err(StoreError::State(why).into());
        }
        self.freeze(job, "completed by an operator".to_owned()).await
    }

    /// Completes an open set at once, for what its sender said over that association: `why`. Answers whether it did: while
    /// another association carries objects of it, or the store owes it rows, more is to come whatever was said.
    ///
    /// # Errors
    /// [`StoreError::State`] when it is no open set; what disk and store say else.
    pub async fn complete_proven(
        &self,
        job: &JobId,
        association: u64,
        why: String,
    ) -> Result<bool, StageError> {
        let carried = self
            .sets()
            .get(job)
            .is_some_and(|set| set.carriers.iter().any(|other| *other != association));
        if carried || self.owed().contains_key(job) {
            return Ok(false);
        }
        self.freeze(job, why).await.map(|()| true)
    }

    /// Forgets an open set that was cancelled: what comes from here on begins another one. Its files stay.
    pub fn cancel(&self, job: &JobId) {
        self.open_sets.forget(job);
        self.sets().remove(job);
    }

    fn owed(&self) -> MutexGuard<'_, HashMap<JobId, usize>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store refused a row of that set; it is not complete before it is [`Completion::paid`].
    pub(super) fn owe(&self, job: &JobId) {
        *self.owed().entry(job.clone()).or_default() += 1;
    }

    /// A row that was owed is there.
    pub(super) fn paid(&self, job: &JobId) {
        let mut owed = self.owed();
        if let Some(rows) = owed.get_mut(job) {
            *rows -= 1;
            if *rows == 0 {
                owed.remove(job);
            }
        }
        drop(owed);
        self.changed.notify_one();
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
                not_before: None,
            },
            start,
        )
    }

    #[test]
    fn a_quiet_set_without_an_open_association_is_complete() {
        let (mut set, start) = set(&[]);
        assert_eq!(set.due(), (start + Duration::from_secs(15), Why::Quiet));
        set.not_before = Some(start + Duration::from_secs(20));
        assert_eq!(set.due(), (start + Duration::from_secs(20), Why::Quiet));
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
