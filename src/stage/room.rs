//! Whether the disk has room, with two marks: receiving stops below the lower one and goes on above the higher one, so
//! that a disk at its limit does not take every second study.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Errno;

use crate::config::{StorageConfig, quarter_above};
use crate::model::{Layout, Place};
use crate::telemetry::metrics::METRICS;

/// What a disk can still take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Free {
    /// Bytes, without what only the superuser may have.
    pub bytes: u64,
    /// Files; endless where a file system does not count them.
    pub files: u64,
}

impl Free {
    /// What both have at least: a full disk is full, whichever it is.
    fn least(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.min(other.bytes),
            files: self.files.min(other.files),
        }
    }
}

/// Where receiving stops and where it goes on.
#[derive(Clone, Copy, Debug)]
struct Marks {
    stop: Free,
    resume: Free,
}

impl Marks {
    /// A second mark below the first would make receiving flutter: the first is the least it can be.
    fn new(config: &StorageConfig) -> Self {
        Self {
            stop: Free {
                bytes: config.reserve,
                files: config.reserve_files,
            },
            resume: Free {
                bytes: config.resume.max(config.reserve),
                files: quarter_above(config.reserve_files),
            },
        }
    }

    /// Whether receiving stands still from now on.
    const fn stands(&self, stood: bool, free: Free) -> bool {
        let mark = if stood { &self.resume } else { &self.stop };
        free.bytes < mark.bytes || free.files < mark.files
    }
}

/// The disks of a node: that of the data directory, that of its streams and that of the job store; mostly one.
#[derive(Clone)]
pub(super) struct Room {
    marks: Marks,
    places: Arc<[PathBuf]>,
    stands: Arc<Mutex<bool>>,
}

impl Room {
    pub fn new(layout: &Layout, config: &StorageConfig) -> Self {
        let store = layout.path(Place::Store);
        let places = [
            Some(layout.root().to_owned()),
            Some(layout.root().join("streams")),
            store.parent().map(Path::to_owned),
        ];
        Self {
            marks: Marks::new(config),
            places: places.into_iter().flatten().collect(),
            stands: Arc::default(),
        }
    }

    /// Asks the disks; says in the log when receiving stops or goes on.
    pub fn is_there(&self) -> bool {
        let free = self.free();
        METRICS
            .disk_free_bytes
            .set(i64::try_from(free.bytes).unwrap_or(i64::MAX));
        let mut stands = self.stands.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.marks.stands(*stands, free);
        let Marks { stop, resume } = self.marks;
        match (*stands, now) {
            (false, true) => tracing::error!(
                free_bytes = free.bytes,
                free_files = free.files,
                reserve = stop.bytes,
                reserve_files = stop.files,
                "receiving stopped: the disk is down to its reserve"
            ),
            (true, false) => tracing::warn!(
                free_bytes = free.bytes,
                free_files = free.files,
                resume = resume.bytes,
                resume_files = resume.files,
                "receiving goes on: the disk has room again"
            ),
            _ => {}
        }
        *stands = now;
        METRICS.receiving_stopped.set(now.into());
        !now
    }

    /// What the fullest of the disks has above the higher mark, in bytes.
    pub fn spare_bytes(&self) -> u64 {
        self.free().bytes.saturating_sub(self.marks.resume.bytes)
    }

    /// What the fullest of the disks can take. One that does not answer has no room.
    pub fn free(&self) -> Free {
        let none = Free { bytes: 0, files: 0 };
        let all = Free {
            bytes: u64::MAX,
            files: u64::MAX,
        };
        self.places.iter().fold(all, |least, place| {
            let free = ask(place).unwrap_or_else(|error| {
                tracing::error!(%error, "ask the disk how much room it has");
                Some(none)
            });
            free.map_or(least, |free| least.least(free))
        })
    }
}

/// `None` where there is no such directory yet: it will be on the disk of the one above it.
fn ask(place: &Path) -> Result<Option<Free>, Errno> {
    match rustix::fs::statvfs(place) {
        Ok(disk) => Ok(Some(Free {
            bytes: disk.f_bavail.saturating_mul(disk.f_frsize),
            files: if disk.f_files == 0 {
                u64::MAX
            } else {
                disk.f_favail
            },
        })),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn free(bytes: u64, files: u64) -> Free {
        Free { bytes, files }
    }

    const MARKS: Marks = Marks {
        stop: Free {
            bytes: 100,
            files: 10,
        },
        resume: Free {
            bytes: 125,
            files: 12,
        },
    };

    #[test]
    fn receiving_stops_below_one_mark_and_goes_on_at_the_other() {
        for (stood, has, stands) in [
            (false, free(100, 10), false),
            (false, free(99, 10), true),
            (false, free(100, 9), true),
            (true, free(124, 1000), true),
            (true, free(125, 11), true),
            (true, free(125, 12), false),
        ] {
            assert_eq!(MARKS.stands(stood, has), stands, "{stood} {has:?}");
        }
    }

    #[test]
    fn a_disk_that_is_not_there_has_no_room() {
        let dir = tempfile::tempdir().unwrap();
        assert!(ask(dir.path()).unwrap().unwrap().bytes > 0);
        assert_eq!(ask(&dir.path().join("streams")).unwrap(), None);
        assert!(ask(&dir.path().join("x\0y")).is_err());
    }

    proptest! {
        /// Between the marks nothing changes; less room never lets receiving go on.
        #[test]
        fn a_disk_at_its_limit_does_not_flutter(bytes in 100_u64..125, files in 12_u64..100, stood: bool) {
            prop_assert_eq!(MARKS.stands(stood, free(bytes, files)), stood);
        }

        #[test]
        fn less_room_is_never_better(bytes: u64, files: u64, less in 0_u64..1000, stood: bool) {
            let there = MARKS.stands(stood, free(bytes, files));
            let fewer = MARKS.stands(stood, free(bytes.saturating_sub(less), files));
            prop_assert!(fewer || !there);
        }
    }
}
