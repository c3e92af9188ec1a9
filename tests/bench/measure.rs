//! What a process has used, from proc(5).

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::support::wait::wait_until;

/// proc(5) counts in these on every Linux we run on (USER_HZ).
const TICK: Duration = Duration::from_millis(10);

/// A process that has used nothing for this many looks in a row has done its work.
const QUIET_LOOKS: u32 = 4;

/// CPU time of a process: user and system, with the children it has waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Cpu(u64);

impl Cpu {
    /// Of this process.
    pub fn of_self() -> Self {
        Self(stat("self").map_or(0, |s| s.ticks))
    }

    /// Of a process and its children, those it has not waited for (`--fork`) included.
    pub fn of_family(process: u32) -> Self {
        Self(family(process).iter().map(|s| s.ticks).sum())
    }

    /// The same once the process rests: what it puts off until after its last answer counts as well.
    pub fn of_family_at_rest(process: u32) -> Self {
        let (mut last, mut quiet) = (Self::of_family(process), 0);
        let _ = wait_until(Duration::from_secs(5), "rest", || {
            let now = Self::of_family(process);
            quiet = if now == last { quiet + 1 } else { 0 };
            last = now;
            (quiet == QUIET_LOOKS).then_some(())
        });
        last
    }

    /// What was used since then.
    pub fn since(self, before: Self) -> Duration {
        TICK * u32::try_from(self.0.saturating_sub(before.0)).unwrap_or(u32::MAX)
    }
}

/// The most memory that a process has had resident, in bytes (VmHWM).
pub fn peak_memory(process: u32) -> u64 {
    status(process, "VmHWM:")
}

/// Watches the memory of a process with children, ten times a second.
pub struct FamilyMemory {
    stop: Arc<AtomicBool>,
    watch: JoinHandle<u64>,
}

impl FamilyMemory {
    /// Begins.
    pub fn watch(process: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let watch = thread::spawn(move || {
            let mut peak = 0;
            while !stopped.load(Ordering::Relaxed) {
                // Program and libraries are shared and count once; what a child copied on write may count twice.
                let anonymous: u64 = family(process)
                    .iter()
                    .map(|s| status(s.process, "RssAnon:"))
                    .sum();
                peak = peak.max(anonymous + status(process, "RssFile:"));
                thread::park_timeout(Duration::from_millis(100));
            }
            peak
        });
        Self { stop, watch }
    }

    /// Ends; the largest sum of all processes at one time, in bytes.
    pub fn peak(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.watch.thread().unpark();
        self.watch.join().unwrap_or_default()
    }
}

struct Stat {
    process: u32,
    ticks: u64,
}

/// A process and its children; one that has ended and was not waited for is still there.
fn family(process: u32) -> Vec<Stat> {
    let threads = fs::read_dir(format!("/proc/{process}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let children: String = threads
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .collect();
    let itself = stat(&process.to_string());
    children
        .split_ascii_whitespace()
        .filter_map(stat)
        .chain(itself)
        .collect()
}

fn stat(process: &str) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of the program may hold blanks and brackets; what follows does not.
    let (before, after) = (text.split_once(' ')?.0, text.rsplit_once(')')?.1);
    let fields: Vec<_> = after.split_ascii_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        process: before.parse().ok()?,
        // utime, stime, cutime, cstime
        ticks: number(14)? + number(15)? + number(16)? + number(17)?,
    })
}

fn status(process: u32, key: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix(key)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) << 10
}
