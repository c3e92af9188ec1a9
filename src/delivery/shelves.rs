//! Who sends from the copies of a job's results: they are made by one delivery at a time, and go when nobody sends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::JobId;

/// The jobs of which something is being sent.
#[derive(Debug, Default)]
pub struct Shelves(Mutex<HashMap<JobId, Shelf>>);

#[derive(Debug, Default)]
struct Shelf {
    users: usize,
    /// Held while copies are looked for, made or removed.
    gate: Arc<Mutex<()>>,
}

/// A delivery that sends, or is about to; the copies of its job stay as long as this is held.
#[derive(Debug)]
pub(super) struct User<'s> {
    shelves: &'s Shelves,
    job: JobId,
    gate: Arc<Mutex<()>>,
}

impl Shelves {
    /// A delivery of that job begins.
    pub(super) fn enter(&self, job: &JobId) -> User<'_> {
        let mut all = lock(&self.0);
        let shelf = all.entry(job.clone()).or_default();
        shelf.users += 1;
        User {
            shelves: self,
            job: job.clone(),
            gate: shelf.gate.clone(),
        }
    }

    /// Does something while nothing of that job is sent: who begins meanwhile waits at the gate. `None` where something is.
    pub(super) fn alone<T>(&self, job: &JobId, act: impl FnOnce() -> T) -> Option<T> {
        let user = self.enter(job);
        let _gate = user.at_the_gate();
        let is_alone = lock(&self.0).get(job).is_some_and(|shelf| shelf.users == 1);
        is_alone.then(act)
    }
}

impl User<'_> {
    /// From here until this is dropped no other delivery of the job is at the gate.
    pub(super) fn at_the_gate(&self) -> MutexGuard<'_, ()> {
        lock(&self.gate)
    }
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        let mut all = lock(&self.shelves.0);
        if let Some(shelf) = all.get_mut(&self.job) {
            shelf.users = shelf.users.saturating_sub(1);
            if shelf.users == 0 {
                all.remove(&self.job);
            }
        }
    }
}

/// What a panic leaves behind counts: users are counted down as they go.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn nothing_is_removed_from_under_who_sends_and_who_comes_waits_until_it_is_removed() {
        let shelves = Shelves::default();
        let [job, other] = [0, 1].map(|_| JobId::generate(Timestamp::now()));
        let user = shelves.enter(&job);
        assert_eq!(shelves.alone(&job, || ()), None);
        assert_eq!(shelves.alone(&other, || ()), Some(()));
        drop(user);
        let gone = Mutex::new(false);
        std::thread::scope(|scope| {
            shelves.alone(&job, || {
                let (shelves, job, gone) = (&shelves, &job, &gone);
                let (entered, hears) = std::sync::mpsc::channel();
                scope.spawn(move || {
                    let user = shelves.enter(job);
                    entered.send(()).unwrap();
                    let _gate = user.at_the_gate();
                    assert!(*lock(gone), "looked before it was removed");
                });
                hears.recv().unwrap();
                *lock(gone) = true;
            })
        })
        .unwrap();
        assert!(lock(&shelves.0).is_empty());
    }
}
