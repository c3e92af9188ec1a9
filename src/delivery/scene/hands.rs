//! A clock whose hands a test turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::mpsc;

use super::PATIENCE;
use crate::delivery::Worker;
use crate::delivery::lanes::Lanes;
use crate::model::{Moment, RunTime, Timestamp};

/// The hands of a clock that stands still until they are turned, while the node runs; they may be set, too.
#[derive(Clone)]
pub(in crate::delivery) struct Hands {
    at: Arc<AtomicI64>,
    ran: Arc<AtomicI64>,
}

impl Hands {
    pub fn at(begin: Timestamp) -> Self {
        Self {
            at: Arc::new(AtomicI64::new(begin.0)),
            ran: Arc::default(),
        }
    }

    pub fn now(&self) -> Timestamp {
        self.moment().at
    }

    pub fn moment(&self) -> Moment {
        let read = |hand: &AtomicI64| hand.load(Ordering::SeqCst);
        Moment {
            at: Timestamp(read(&self.at)),
            ran: RunTime(read(&self.ran)),
        }
    }

    /// The time passes, and the node runs.
    fn turn_to(&self, time: Timestamp) {
        self.ran.fetch_add(time.0 - self.now().0, Ordering::SeqCst);
        self.set(time);
    }

    /// Somebody sets the clock; or the node did not run until then.
    pub fn set(&self, time: Timestamp) {
        self.at.store(time.0, Ordering::SeqCst);
    }

    /// Has what is due go, and the time pass until something else is; until then.
    pub fn turn(&self, worker: &Worker, until: Timestamp) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        runtime.unwrap().block_on(self.turning(worker, until));
    }

    async fn turning(&self, worker: &Worker, until: Timestamp) {
        let mut lanes = Lanes::default();
        let (over, mut ended) = mpsc::unbounded_channel();
        loop {
            let wait = worker.begin_due(&mut lanes, &over).unwrap();
            if lanes.is_empty() {
                let next = self.now().plus(wait);
                if next >= until {
                    return self.turn_to(until);
                }
                self.turn_to(next);
            } else {
                let over = tokio::time::timeout(PATIENCE, ended.recv());
                let (wire, delivery) = over.await.unwrap().unwrap();
                lanes.end(&wire, delivery);
            }
        }
    }
}
