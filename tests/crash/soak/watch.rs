//! What the node's process has, time after time, and the line that says how it goes.

use std::fs;
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::site::{Live, Site};
use crate::support::wait::wait_until;

/// Between two samples.
const PERIOD: Duration = Duration::from_millis(250);

/// What a process had at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub at: Instant,
    pub life: u64,
    /// Resident memory in KiB (VmRSS of proc(5)).
    pub memory: u64,
    /// That of it which is no file's: program and libraries come in as they are used (RssAnon).
    pub own: u64,
    /// Open file descriptors.
    pub descriptors: u64,
}

impl Sample {
    /// Of the node as it is; `None` when it is gone.
    pub fn of(live: &Live) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{}/status", live.pid)).ok()?;
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().trim_end_matches(" kB").parse().ok()
        };
        Some(Self {
            at: Instant::now(),
            life: live.life,
            memory: of("VmRSS:")?,
            own: of("RssAnon:")?,
            descriptors: fs::read_dir(format!("/proc/{}/fd", live.pid)).ok()?.count() as u64,
        })
    }
}

/// Samples until all is over, and says how it goes: in a terminal in one line, elsewhere a line now and then.
pub fn watch(site: &Site, samples: &Mutex<Vec<Sample>>) {
    let begin = Instant::now();
    let in_place = std::io::stdout().is_terminal();
    let pause = if in_place { 1 } else { 10 };
    let (mut sampled, mut said): (Option<Instant>, Option<Instant>) = (None, None);
    let _ = wait_until(Duration::from_secs(24 * 3600), "the end", || {
        let is_due = |last: Option<Instant>, period| last.is_none_or(|at| at.elapsed() >= period);
        let sample = site
            .live()
            .filter(|_| is_due(sampled, PERIOD))
            .and_then(|live| Sample::of(&live));
        if let Some(sample) = sample {
            sampled = Some(sample.at);
            samples.lock().unwrap().push(sample);
            if is_due(said, Duration::from_secs(pause)) {
                said = Some(sample.at);
                let line = line(site, begin.elapsed(), &sample);
                if in_place {
                    print!("\r\x1b[2K{line}");
                    let _ = std::io::stdout().flush();
                } else {
                    println!("{line}");
                }
            }
        }
        site.is_over().then_some(())
    });
    if in_place {
        println!();
    }
}

/// Under 80 columns: it is written over itself.
fn line(site: &Site, elapsed: Duration, sample: &Sample) -> String {
    format!(
        "{:>4} s  sent {:>5}  acknowledged {:>5}  ended {:>4}  crashes {:>2}  {:>5.1} MiB  {:>2} fds",
        elapsed.as_secs(),
        site.sent.load(Ordering::SeqCst),
        site.acknowledged.lock().unwrap().len(),
        site.jobs.lock().unwrap().1,
        sample.life,
        sample.memory as f64 / 1024.0,
        sample.descriptors
    )
}

/// The slope of the least squares' line through these: how much one of them grows in a second.
pub fn slope(samples: &[Sample], of: impl Fn(&Sample) -> u64) -> f64 {
    let Some(first) = samples.first() else { return 0.0 };
    let points = samples
        .iter()
        .map(|s| ((s.at - first.at).as_secs_f64(), of(s) as f64));
    let count = samples.len() as f64;
    let (sum_x, sum_y) = points.clone().fold((0.0, 0.0), |(x, y), p| (x + p.0, y + p.1));
    let (mean_x, mean_y) = (sum_x / count, sum_y / count);
    let (above, below) = points.fold((0.0, 0.0), |(above, below), (x, y)| {
        (above + (x - mean_x) * (y - mean_y), below + (x - mean_x).powi(2))
    });
    if below == 0.0 { 0.0 } else { above / below }
}

#[test]
fn a_line_that_grows_has_its_slope_and_a_level_one_has_none() {
    let at = Instant::now();
    let sample = |i: u64| Sample {
        at: at + Duration::from_secs(i),
        life: 0,
        memory: 1000,
        own: 1000 + 3 * i,
        descriptors: 20,
    };
    let samples: Vec<_> = (0..10).map(sample).collect();
    assert!((slope(&samples, |s| s.own) - 3.0).abs() < 1e-9);
    assert!(slope(&samples, |s| s.descriptors).abs() < 1e-9);
}
