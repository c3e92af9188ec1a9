//! Jobs that are over lose their files by age, or when the disk gets full. What may be removed at all is the store's
//! word; which of it goes, and in which order, is [`plan`]'s; everything else carries it out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::StorageConfig;
use crate::files;
use crate::model::{AeTitle, JobId, Keep, Layout, Place, Timestamp};
use crate::store::{Removable, Store};
use crate::telemetry::metrics::METRICS;

use super::{AtWork, Room, Stage, StageError, io};

/// The disk is looked at this often, for the log and the metrics too when nobody sends.
const LOOK: Duration = Duration::from_secs(2);

/// Ages are looked at this often; a lack of room with every look at the disk.
const AGES: Duration = Duration::from_secs(60);

/// Jobs that are read at once.
const PAGE: u32 = 500;

/// The longest one pass takes; the next one goes on where it stopped.
const PASS: Duration = Duration::from_secs(30);

/// What each installed bucket says of `keep`; what is not in it is left alone.
pub type Keeps = HashMap<AeTitle, Option<Keep>>;

/// Removes what need not be kept.
pub struct Retention {
    layout: Layout,
    store: Store,
    room: Room,
    at_work: AtWork,
    keep: Keep,
    make_room: Option<u64>,
    keeps: Arc<dyn Fn() -> Keeps + Send + Sync>,
}

/// What is kept how long.
struct Policy<'a> {
    keep: Keep,
    keeps: &'a Keeps,
    now: Timestamp,
}

impl Policy<'_> {
    /// Whether any bucket lets a job go that was over then.
    fn may_be_old(&self, ended_at: Timestamp) -> bool {
        self.keeps.values().any(|own| match own.unwrap_or(self.keep) {
            Keep::For(age) => ended_at.plus(age) <= self.now,
            Keep::Forever => false,
        })
    }
}

/// Why a job goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Age(Duration),
    Room,
}

impl Why {
    fn text(self) -> String {
        match self {
            Self::Age(age) => format!("over for more than {}", humantime::format_duration(age)),
            Self::Room => "removed to make room".to_owned(),
        }
    }
}

/// Which of these jobs go, in their order: all that are older than their age, and of the rest as many as it takes to
/// free `short` bytes, oldest first.
fn plan<'a>(jobs: &'a [Removable], policy: &Policy<'_>, short: u64) -> Vec<(&'a Removable, Why)> {
    let mut freed = 0_u64;
    let mut going = Vec::new();
    for job in jobs {
        let Some(own) = policy.keeps.get(&job.stream) else {
            continue;
        };
        let why = match own.unwrap_or(policy.keep) {
            Keep::For(age) if job.ended_at.plus(age) <= policy.now => Why::Age(age),
            _ if freed < short && *own != Some(Keep::Forever) => Why::Room,
            _ => continue,
        };
        // A job without objects frees something all the same.
        freed = freed.saturating_add(job.bytes.max(1));
        going.push((job, why));
    }
    going
}

impl Retention {
    /// The retention of a stage's data directory. `keeps` tells what the installed buckets say, whenever it is asked.
    pub fn new(
        stage: &Stage,
        config: &StorageConfig,
        keeps: impl Fn() -> Keeps + Send + Sync + 'static,
    ) -> Self {
        Self {
            layout: stage.layout.clone(),
            store: stage.store.clone(),
            room: stage.room.clone(),
            at_work: stage.at_work.clone(),
            keep: config.keep,
            make_room: config.make_room,
            keeps: Arc::new(keeps),
        }
    }

    /// Looks at the disk and removes what has to go; never ends.
    pub async fn run(self) {
        let this = Arc::new(self);
        let mut ages_due = Instant::now();
        loop {
            let ages = Instant::now() >= ages_due;
            if ages {
                ages_due = Instant::now() + AGES;
            }
            let retention = this.clone();
            let pass = tokio::task::spawn_blocking(move || retention.pass(ages)).await;
            match pass {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "remove what is not kept; trying again"),
                Err(error) => {
                    tracing::error!(%error, "the removal of what is not kept broke down; it begins again")
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// One look at the disk, and one round of removals where one is due.
    fn pass(&self, ages: bool) -> Result<(), StageError> {
        // The log line and the metrics come of it.
        self.room.is_there();
        let end = Instant::now() + PASS;
        self.finish_begun(end)?;
        if !ages && self.short() == 0 {
            return Ok(());
        }
        let keeps = (self.keeps)();
        let policy = Policy {
            keep: self.keep,
            keeps: &keeps,
            now: Timestamp::now(),
        };
        let mut after: Option<Removable> = None;
        loop {
            let page = self.store.removable(after.as_ref(), PAGE)?;
            let (Some(first), Some(last)) = (page.first(), page.last()) else {
                return Ok(());
            };
            // They come by their end: behind this one nothing is old enough.
            if self.short() == 0 && !policy.may_be_old(first.ended_at) {
                return Ok(());
            }
            for (job, why) in plan(&page, &policy, self.short()) {
                if Instant::now() >= end {
                    return Ok(());
                }
                // What a job made is not in its bytes: the disk is asked again before the next one goes for it.
                if why == Why::Room && self.short() == 0 {
                    continue;
                }
                self.remove(job, why)?;
            }
            after = Some(last.clone());
        }
    }

    /// Jobs that somebody deleted, and removals that were cut off; what is worked on still has its turn later.
    fn finish_begun(&self, end: Instant) -> Result<(), StageError> {
        for (id, stream) in self.store.removals_begun()? {
            if Instant::now() >= end {
                return Ok(());
            }
            if self.at_work.is_on(&id) {
                continue;
            }
            self.finish(&id, &stream)?;
            METRICS.jobs_removed.one();
            tracing::info!(job.id = %id, "the files of a job removed");
        }
        Ok(())
    }

    /// Bytes that are missing to what is to be free.
    fn short(&self) -> u64 {
        self.make_room
            .map_or(0, |mark| mark.saturating_sub(self.room.free().bytes))
    }

    fn remove(&self, job: &Removable, why: Why) -> Result<(), StageError> {
        let begun = self.store.removal_begins(&job.id, why.text()).wait()?;
        // Somebody wants something of it again.
        if !begun {
            return Ok(());
        }
        self.finish(&job.id, &job.stream)?;
        METRICS.jobs_removed.one();
        tracing::info!(job.id = %job.id, why = why.text(), "the files of a job removed");
        Ok(())
    }

    /// Removes the files, makes that last, and says so. May be cut off and repeated. Links are removed, not followed.
    fn finish(&self, id: &JobId, stream: &AeTitle) -> Result<(), StageError> {
        for place in [Place::Job(stream, id), Place::Set(stream, id)] {
            let path = self.layout.path(place);
            files::remove_directory(&path).map_err(io("remove the files of a job"))?;
            if let Some(above) = path.parent().filter(|above| above.is_dir()) {
                files::sync_directory(above).map_err(io("make last that the files of a job are removed"))?;
            }
        }
        Ok(self.store.removal_ends(id, Timestamp::now()).wait()?)
    }
}

#[cfg(test)]
mod tests;
