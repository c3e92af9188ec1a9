//! How long the node has run: what was kept of its earlier runs, and this one.
//!
//! It is kept once a minute, and with every row that has a reading: none is ever ahead of it. A kill -9 takes a minute of it at
//! most.

use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use super::{Pending, Result, Store};
use crate::model::{Moment, RunTime, Timestamp};

/// It is kept this often.
const KEEP: Duration = Duration::from_secs(60);

/// By so much the machine's clock may be moved without a word: it is kept right by small steps.
const STEP: Duration = Duration::from_secs(30);

/// The reading at the start of this run, and when that was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meter {
    before: RunTime,
    start: Instant,
}

impl Meter {
    /// Goes on from what is in the store.
    pub(super) fn open(db: &Connection) -> Result<Self> {
        let before = db.query_row("SELECT ran FROM run_time", [], |row| row.get(0))?;
        Ok(Self {
            before: RunTime(before),
            start: Instant::now(),
        })
    }
}

impl Store {
    /// This moment.
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment {
            at: Timestamp::now(),
            ran: self.meter.before.plus(self.meter.start.elapsed()),
        }
    }

    /// Keeps how long the node has run.
    pub fn keep_run_time(&self) -> Pending<()> {
        let ran = self.moment().ran;
        self.write(move |db| kept(db, ran))
    }

    /// Keeps it as long as the node runs, and tells when the machine's clock went another way; never ends.
    pub async fn keep_running(self) {
        let mut last = self.moment();
        loop {
            tokio::time::sleep(KEEP).await;
            if let Err(error) = self.keep_run_time().await {
                tracing::error!(%error, "keep how long the node has run; trying again");
            }
            let now = self.moment();
            if let Some(jump) = jump(last, now) {
                tracing::warn!(
                    "the clock of this machine {jump}: what has its time, as a delivery, has it by how long the node runs"
                );
            }
            last = now;
        }
    }
}

/// How the machine's clock went, where that is not how the time passed.
fn jump(last: Moment, now: Moment) -> Option<String> {
    let expected = last.at.plus(now.ran.since(last.ran));
    let (ahead, behind) = (now.at.since(expected), expected.since(now.at));
    let text = |by: Duration| humantime::format_duration(Duration::from_secs(by.as_secs())).to_string();
    if ahead > STEP {
        return Some(format!(
            "went forward by {}: it was set, or the machine slept",
            text(ahead)
        ));
    }
    (behind > STEP).then(|| format!("was set back by {}", text(behind)))
}

/// Keeps a reading, where it is the latest.
pub(super) fn kept(db: &Connection, ran: RunTime) -> Result<()> {
    db.prepare_cached("UPDATE run_time SET ran = ?1 WHERE ran < ?1")?
        .execute(params![ran.0])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_goes_on_in_the_next_run() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.sqlite");
        let store = Store::open(&path).unwrap();
        assert!(store.moment().ran < RunTime(3_600_000));
        let later = RunTime(7_200_000);
        store.write(move |db| kept(db, later)).wait().unwrap();
        // What is behind it changes nothing.
        store.keep_run_time().wait().unwrap();
        store.close();
        let ran = Store::open(&path).unwrap().moment().ran;
        assert!(ran >= later && ran < RunTime(10_800_000), "{ran:?}");
    }

    #[test]
    fn a_clock_that_goes_another_way_than_the_time_is_told() {
        let moment = |at: i64, ran: i64| Moment {
            at: Timestamp(at * 1000),
            ran: RunTime(ran * 1000),
        };
        for (now, told) in [
            (moment(1060, 60), None),
            (moment(1070, 60), None),
            (moment(1050, 60), None),
            (
                moment(4660, 60),
                Some("went forward by 1h: it was set, or the machine slept"),
            ),
            (moment(460, 60), Some("was set back by 10m")),
        ] {
            assert_eq!(jump(moment(1000, 0), now).as_deref(), told);
        }
    }
}
