//! Whose studies an answer gives out that is of many jobs.

use std::collections::BTreeSet;

use rusqlite::{Connection, Params, Row};

use super::super::measures::MeasuresFilter;
use super::super::writer::When;
use super::super::{Pending, Result, Store};
use super::append;
use super::jobs::studies;
use crate::model::{AeTitle, AuditEvent, AuditStudy, JobId};

/// Studies of one answer that are named.
const NAMED: usize = 100;

/// What an answer gives out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenOut {
    /// The studies of the newest jobs, each with the first of them that has it; at most 100.
    pub named: Vec<(String, AuditStudy)>,
    /// How many studies there are in all.
    pub studies: u64,
}

impl Store {
    /// Whose studies the measures of a bucket are of.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn studies_measured(&self, filter: &MeasuresFilter) -> Result<GivenOut> {
        self.read(|db| {
            given(
                db,
                "jobs WHERE stream = ?1 AND received_at >= ?2 AND received_at < ?3 \
                 AND EXISTS (SELECT 1 FROM measures WHERE measures.job = jobs.seq)",
                (
                    filter.stream.as_str(),
                    filter.from.map_or(i64::MIN, |at| at.0),
                    filter.to.map_or(i64::MAX, |at| at.0),
                ),
            )
        })
    }

    /// Whose studies a bucket has run on, so that it may have kept something of them.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn studies_run(&self, stream: &AeTitle) -> Result<GivenOut> {
        self.read(|db| given(db, "jobs WHERE stream = ?1 AND attempt > 0", [stream.as_str()]))
    }

    /// Whose studies a list of these jobs gives results of.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn studies_listed(&self, jobs: &[JobId]) -> Result<GivenOut> {
        let ids: Vec<_> = jobs.iter().map(JobId::as_str).collect();
        let ids = serde_json::Value::from(ids).to_string();
        self.read(|db| {
            given(
                db,
                "jobs WHERE id IN (SELECT value FROM json_each(?1)) \
                 AND EXISTS (SELECT 1 FROM measures WHERE measures.job = jobs.seq)",
                [ids.as_str()],
            )
        })
    }

    /// Whose studies a list of all jobs that have their files gives results of: the newest, whatever the number of the rest.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn newest_studies_measured(&self) -> Result<GivenOut> {
        self.read(|db| {
            given(
                db,
                "jobs WHERE seq IN (SELECT DISTINCT job FROM measures ORDER BY job DESC LIMIT ?1) \
                 AND removed_at IS NULL",
                [NAMED],
            )
        })
    }

    /// Writes several events at once.
    pub fn audit_all(&self, events: Vec<AuditEvent>) -> Pending<()> {
        self.writer.submit(When::Synced, move |db| {
            events.iter().try_for_each(|event| append(db, event))
        })
    }
}

fn given(db: &Connection, of: &str, params: impl Params + Copy) -> Result<GivenOut> {
    let all = format!("SELECT count(DISTINCT study_instance_uid) FROM {of}");
    let all: u64 = db
        .prepare_cached(&all)?
        .query_row(params, |row: &Row<'_>| row.get(0))?;
    let mut newest = db.prepare_cached(&format!("SELECT id FROM {of} ORDER BY seq DESC"))?;
    let mut rows = newest.query(params)?;
    let (mut known, mut named) = (BTreeSet::new(), Vec::new());
    // A study may have many jobs, and a job several studies.
    while named.len() < NAMED
        && let Some(row) = rows.next()?
    {
        let job: String = row.get(0)?;
        for study in studies(db, &job)? {
            if named.len() < NAMED && known.insert(study.uid.clone()) {
                named.push((job.clone(), study));
            }
        }
    }
    let studies = all.max(u64::try_from(named.len()).unwrap_or(u64::MAX));
    Ok(GivenOut { named, studies })
}
