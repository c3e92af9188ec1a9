//! Rows that the store did not take although their objects were answered with Success: a store in trouble.
//!
//! One thread owns them while there are any. It tries again, at longer and longer intervals, until the store takes them;
//! their sets do not complete meanwhile. If the node ends first, the next start takes the files in.
//!
//! Nobody waits for it. While [`MOST`] wait, no association takes another object: it is answered A700. What was answered
//! before is taken over all the same, which each association bounds by the rows it may have on their way.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::model::{JobId, Origin, Stream};
use crate::store::StoreError;

use super::receiver::Unsettled;
use super::{Stage, StageError};

/// Rows that may wait while objects are still taken.
const MOST: usize = 4096;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// No association has this number: what is tried again is carried by nobody.
pub(super) const NOBODY: u64 = u64::MAX;

/// The queue; shared by all associations.
#[derive(Clone)]
pub(super) struct RefusedRows {
    queue: Arc<Mutex<Queue>>,
    most: usize,
}

#[derive(Default)]
struct Queue {
    rows: VecDeque<RefusedRow>,
    /// One is being tried.
    in_hand: bool,
    running: bool,
}

/// An object on the disk that has no row.
pub(super) struct RefusedRow {
    pub object: Unsettled,
    pub job: JobId,
    pub stream: Stream,
    pub origin: Origin,
}

impl Default for RefusedRows {
    fn default() -> Self {
        Self::of_at_most(MOST)
    }
}

impl RefusedRows {
    /// With another bound.
    pub fn of_at_most(most: usize) -> Self {
        Self {
            queue: Arc::default(),
            most,
        }
    }

    /// Whether so many wait that no object may be taken.
    pub fn is_full(&self) -> bool {
        let queue = self.lock();
        queue.rows.len() + usize::from(queue.in_hand) >= self.most
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a row over. Its set is kept from completing first.
    pub fn add(&self, stage: &Stage, row: RefusedRow) {
        stage.completion.owe(&row.job);
        let mut queue = self.lock();
        queue.rows.push_back(row);
        self.start(stage, &mut queue);
    }

    /// Starts the thread, if none runs.
    fn start(&self, stage: &Stage, queue: &mut Queue) {
        if queue.running {
            return;
        }
        let (rows, stage) = (self.clone(), stage.clone());
        let spawned = thread::Builder::new()
            .name("refused-rows".into())
            .spawn(move || rows.work(&stage));
        queue.running = spawned.is_ok();
        if let Err(error) = spawned {
            tracing::error!(%error, "start a thread for rows the store refused; the next one tries again");
        }
    }

    /// Until there are none.
    fn work(&self, stage: &Stage) {
        let mut pause = FIRST_PAUSE;
        loop {
            let mut queue = self.lock();
            let Some(mut row) = queue.rows.pop_front() else {
                queue.running = false;
                return;
            };
            queue.in_hand = true;
            drop(queue);
            match again(stage, &mut row) {
                Ok(()) => pause = FIRST_PAUSE,
                // It has no bucket, or the node is stopping.
                Err(error @ (StageError::NoBucket | StageError::Store(StoreError::Closed))) => {
                    tracing::warn!(%error, job.id = %row.job, "an object that was answered gets no row");
                }
                Err(error) if !row.object.file.path().exists() => {
                    tracing::error!(%error, job.id = %row.job, "an object that was answered is not on the disk any more");
                }
                Err(error) => {
                    tracing::error!(%error, job.id = %row.job, ms = pause.as_millis(), "an object that was answered has no row; trying again");
                    let mut queue = self.lock();
                    queue.rows.push_front(row);
                    queue.in_hand = false;
                    drop(queue);
                    thread::sleep(pause);
                    pause = LONGEST_PAUSE.min(pause * 2);
                    continue;
                }
            }
            stage.completion.paid(&row.job);
            self.lock().in_hand = false;
        }
    }
}

fn again(stage: &Stage, row: &mut RefusedRow) -> Result<(), StageError> {
    let origin = Origin {
        association: NOBODY,
        ..row.origin.clone()
    };
    let mut receiver = stage.receiver(row.stream.clone(), origin);
    let placed = receiver.place_now(&mut row.object, row.job.clone());
    drop(receiver);
    stage.completion.association_closed(NOBODY);
    placed.map(|_| ())
}
