//! What a process has used, from proc(5).

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::support::wait::wait_until;

/// proc(5) counts in these on every Linux we run on (USER_HZ).
const TICK: Duration = Duration::from_millis(10);

/// A process that uses less between two looks is at rest: what a timer does counts, but is waited for by nobody.
const NOTHING: Duration = Duration::from_millis(1);

/// How long a process is looked at until it is believed to rest.
pub const REST: Duration = Duration::from_millis(100);

/// CPU time of a process: user and system, with the children it has waited for.
#[derive(Clone, Copy)]
pub struct Cpu(Duration);

impl Cpu {
    /// Of this process.
    pub fn of_self() -> Self {
        Self(stat("self").map_or(Duration::ZERO, |s| s.used))
    }

    /// Of a process and its children, those it has not waited for (`--fork`) included.
    pub fn of_family(process: u32) -> Self {
        Self(family(process).iter().map(|s| s.used).sum())
    }

    /// The same once the process has rested for so long: what it puts off until after its last answer counts as well.
    pub fn of_family_at_rest(process: u32, rest: Duration) -> Self {
        let (mut last, mut busy) = (Self::of_family(process), Instant::now());
        let _ = wait_until(Duration::from_secs(5), "rest", || {
            let now = Self::of_family(process);
            if now.since(last) >= NOTHING {
                busy = Instant::now();
            }
            last = now;
            (busy.elapsed() >= rest).then_some(())
        });
        last
    }

    /// What was used since then.
    pub fn since(self, before: Self) -> Duration {
        self.0.saturating_sub(before.0)
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
    used: Duration,
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
    let ticks = |field: usize| Some(TICK * fields.get(field - 3)?.parse::<u32>().ok()?);
    // utime and stime count threads that have ended, the scheduler counts finer.
    let own = (ticks(14)? + ticks(15)?).max(threads(process));
    Some(Stat {
        process: before.parse().ok()?,
        // cutime, cstime
        used: own + ticks(16)? + ticks(17)?,
    })
}

/// What the threads of a process have used that live, to the nanosecond; nothing where the kernel does not count it.
fn threads(process: &str) -> Duration {
    let threads = fs::read_dir(format!("/proc/{process}/task"));
    let used = |thread: fs::DirEntry| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    Duration::from_nanos(threads.into_iter().flatten().flatten().filter_map(used).sum())
}

fn status(process: u32, key: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix(key)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) << 10
}
