//! Rows that the store did not take although their objects were answered with Success: a store in trouble.
//!
//! One thread owns them while there are any. It tries again, at longer and longer intervals, until the store takes them;
//! their sets do not complete meanwhile. If the node ends first, the next start takes the files in.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::model::{JobId, Origin, Stream};
use crate::store::StoreError;

use super::receiver::Unsettled;
use super::{Stage, StageError};

/// Rows that may wait; an association that has more to add waits for room.
const MOST: usize = 4096;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// No association has this number: what is tried again is carried by nobody.
const NOBODY: u64 = u64::MAX;

/// The queue; shared by all associations.
#[derive(Clone, Default)]
pub(super) struct RefusedRows(Arc<Shared>);

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    room: Condvar,
}

#[derive(Default)]
struct Queue {
    rows: VecDeque<RefusedRow>,
    running: bool,
}

/// An object on the disk that has no row.
pub(super) struct RefusedRow {
    pub object: Unsettled,
    pub job: JobId,
    pub stream: Stream,
    pub origin: Origin,
}

impl RefusedRows {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a row over. Its set is kept from completing first.
    pub fn add(&self, stage: &Stage, row: RefusedRow) {
        stage.completion.owe(&row.job);
        let mut queue = self.lock();
        // A full queue has an owner too, whatever became of the last one.
        if !queue.rows.is_empty() {
            self.start(stage, &mut queue);
        }
        while queue.rows.len() >= MOST {
            queue = self.0.room.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
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
                    self.lock().rows.push_front(row);
                    thread::sleep(pause);
                    pause = LONGEST_PAUSE.min(pause * 2);
                    continue;
                }
            }
            stage.completion.paid(&row.job);
            self.0.room.notify_all();
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
