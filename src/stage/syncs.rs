//! One sync for everything that was written so far, shared by those who ask for it at the same time.
//!
//! `durability = "association"`: an association syncs once, before its release is answered, and a set before it is frozen.
//! Syncing the file system takes along whatever else is waiting there, but is one wait instead of one for each file: who
//! comes while a sync is under way shares the next one. A write that the disk refused after the program had been told it
//! was taken is told to one sync only, so a failure counts for everybody who wrote before it.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// How everything that was written is synced.
type Sync = dyn Fn() -> io::Result<()> + Send + std::marker::Sync;

/// Syncs what is below some directories; shared by all associations.
#[derive(Clone)]
pub(super) struct Syncs {
    sync: Arc<Sync>,
    state: Arc<Mutex<State>>,
    ended: Arc<Condvar>,
}

#[derive(Default)]
struct State {
    running: bool,
    /// Syncs that were begun.
    begun: u64,
    /// The last that ended.
    done: u64,
    /// Those that failed.
    failed: u64,
    /// Who waits while one is under way.
    waiting: usize,
}

/// What had failed before somebody began to write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark(u64);

impl Syncs {
    /// Of the file systems that these directories are on.
    pub fn of(directories: &[&Path]) -> io::Result<Self> {
        let mut disks: Vec<(u64, File)> = Vec::new();
        for directory in directories {
            crate::files::make_directory(directory)?;
            let file = File::open(directory)?;
            let device = file.metadata()?.dev();
            if disks.iter().all(|(known, _)| *known != device) {
                disks.push((device, file));
            }
        }
        Ok(Self::by(move || {
            disks
                .iter()
                .try_for_each(|(_, disk)| rustix::fs::syncfs(disk).map_err(io::Error::from))
        }))
    }

    /// By that way of syncing.
    pub fn by(sync: impl Fn() -> io::Result<()> + Send + std::marker::Sync + 'static) -> Self {
        Self {
            sync: Arc::new(sync),
            state: Arc::default(),
            ended: Arc::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be taken before the first write.
    pub fn mark(&self) -> Mark {
        Mark(self.state().failed)
    }

    /// Waits until everything that was written before this call is on the disk.
    ///
    /// # Errors
    /// When a sync failed since the mark: what was written since may not be on the disk.
    pub fn sync(&self, since: Mark) -> io::Result<()> {
        let mut state = self.state();
        // One that is under way may have passed what was just written.
        let wanted = state.begun + 1;
        while state.done < wanted {
            if state.running {
                state.waiting += 1;
                state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.waiting -= 1;
                continue;
            }
            state.running = true;
            state.begun += 1;
            let number = state.begun;
            drop(state);
            let said = (self.sync)();
            state = self.state();
            state.running = false;
            state.done = number;
            if let Err(error) = said {
                state.failed += 1;
                tracing::error!(%error, "sync the data directory");
            }
            self.ended.notify_all();
        }
        if state.failed == since.0 {
            return Ok(());
        }
        Err(io::Error::other("a sync of the data directory failed"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::mpsc;
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn those_who_ask_while_a_sync_runs_share_the_next_one() {
        let (begun, begins) = mpsc::channel();
        let (go, gate) = mpsc::channel::<()>();
        let (gate, count) = (Mutex::new(gate), Arc::new(AtomicU64::new(0)));
        let counted = count.clone();
        let syncs = Syncs::by(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            begun.send(()).unwrap();
            gate.lock().unwrap().recv().unwrap();
            Ok(())
        });
        let ask = || {
            let syncs = syncs.clone();
            thread::spawn(move || syncs.sync(syncs.mark()).unwrap())
        };
        let first = ask();
        begins.recv().unwrap();
        let others: Vec<_> = (0..8).map(|_| ask()).collect();
        let end = Instant::now() + Duration::from_secs(60);
        while syncs.state().waiting < others.len() {
            assert!(Instant::now() < end, "{:?} wait", syncs.state().waiting);
            thread::yield_now();
        }
        go.send(()).unwrap();
        first.join().unwrap();
        go.send(()).unwrap();
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_failure_counts_for_all_who_wrote_before_it_and_for_nobody_after() {
        let count = AtomicU64::new(0);
        let syncs = Syncs::by(move || match count.fetch_add(1, Ordering::SeqCst) {
            0 => Err(io::Error::other("the disk")),
            _ => Ok(()),
        });
        let (one, other) = (syncs.mark(), syncs.mark());
        assert!(syncs.sync(one).is_err());
        assert!(syncs.sync(other).is_err(), "told to one only");
        assert!(syncs.sync(syncs.mark()).is_ok());
    }
}
