//! Jobs as a list of all of them needs them: little of each, and told apart fast.

use std::collections::HashSet;

use super::jobs::{ae_title, job_id};
use super::{Result, Store};
use crate::model::{AeTitle, JobId, Timestamp};

/// A job of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedJob {
    /// Where it stands in the store.
    pub seq: i64,
    /// What changes when anything of it does that a list shows.
    pub mark: (i64, i64),
    /// When it was over.
    pub ended_at: Option<Timestamp>,
}

/// What a list shows of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobDetails {
    /// Where it stands in the store.
    pub seq: i64,
    /// Its name.
    pub id: JobId,
    /// Its stream.
    pub stream: AeTitle,
    /// The calling AE title.
    pub calling_ae_title: String,
    /// The peer's address.
    pub caller_address: String,
    /// First object.
    pub received_at: Timestamp,
    /// When its last attempt started.
    pub started_at: Option<Timestamp>,
}

impl Store {
    /// A number that is another one after every change that was committed; the same number means the same content.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.writer.version()
    }

    /// Every job whose files are there, newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn listed(&self) -> Result<Vec<ListedJob>> {
        self.read(|db| {
            // What a list shows changes when a run starts and when it ends, and measures come with the end of the harvest.
            let mut statement = db.prepare_cached(
                "SELECT seq, attempt, coalesce(run_ended_at, 0), state, ended_at \
                 FROM jobs WHERE removed_at IS NULL AND removed_why IS NULL ORDER BY seq DESC",
            )?;
            let mut rows = statement.query([])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let state = row.get_ref(3)?.as_str().unwrap_or_default().as_bytes();
                let stage = state.iter().fold(0_i64, |n, b| n * 31 + i64::from(*b)) & 0xFFFF_FFFF;
                let attempt: i64 = row.get(1)?;
                found.push(ListedJob {
                    seq: row.get(0)?,
                    mark: (row.get(2)?, attempt.wrapping_mul(1 << 33) ^ stage),
                    ended_at: row.get::<_, Option<i64>>(4)?.map(Timestamp),
                });
            }
            Ok(found)
        })
    }

    /// What a list shows of some jobs.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn details(&self, jobs: &[i64]) -> Result<Vec<JobDetails>> {
        let wanted = serde_json::Value::from(jobs).to_string();
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT seq, jobs.id, stream, calling_ae_title, caller_address, received_at, started_at \
                 FROM json_each(?1) AS wanted CROSS JOIN jobs ON jobs.seq = wanted.value",
            )?;
            let mut rows = statement.query([wanted])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(JobDetails {
                    seq: row.get(0)?,
                    id: job_id(&row.get::<_, String>(1)?)?,
                    stream: ae_title(&row.get::<_, String>(2)?)?,
                    calling_ae_title: row.get(3)?,
                    caller_address: row.get(4)?,
                    received_at: Timestamp(row.get(5)?),
                    started_at: row.get::<_, Option<i64>>(6)?.map(Timestamp),
                });
            }
            Ok(found)
        })
    }

    /// How long the runs of a stream took that ended by themselves, in seconds: the newest thousand.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn run_times(&self, stream: &AeTitle) -> Result<Vec<f64>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT (run_ended_at - started_at) / 1000.0 FROM jobs WHERE stream = ?1 AND state IN ('done', 'delivering') \
                 AND run_ended_at >= started_at ORDER BY seq DESC LIMIT 1000",
            )?;
            let rows = statement.query_map([stream.as_str()], |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// What happened on the way of results to their destinations, newest first: when, and to which job, what.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn routing_steps(&self, limit: u32) -> Result<Vec<(Timestamp, String, String)>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT d.created_at, jobs.id, d.route || ': ' || d.direction || ' to ' || d.destination || ', ' || d.state \
                 FROM deliveries d JOIN jobs ON jobs.seq = d.job ORDER BY d.id DESC LIMIT ?1",
            )?;
            let rows = statement.query_map([limit], |row| {
                Ok((Timestamp(row.get(0)?), row.get(1)?, row.get(2)?))
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Studies whose files are there, with the newest job of each, newest first; or that one study.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn archived(&self, study: Option<&str>, most: usize) -> Result<Vec<(String, JobId, Timestamp)>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT study_instance_uid, id, received_at FROM jobs WHERE removed_at IS NULL AND removed_why IS NULL \
                 AND study_instance_uid <> '' AND (?1 IS NULL OR study_instance_uid = ?1) ORDER BY seq DESC",
            )?;
            let mut rows = statement.query([study])?;
            let (mut seen, mut found) = (HashSet::new(), Vec::new());
            while let Some(row) = rows.next()? {
                let study: String = row.get(0)?;
                if found.len() < most && seen.insert(study.clone()) {
                    found.push((study, job_id(&row.get::<_, String>(1)?)?, Timestamp(row.get(2)?)));
                }
            }
            Ok(found)
        })
    }
}
