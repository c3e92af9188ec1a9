//! What happened to a job, one row per step: the page, the log and the tests read it.

use rusqlite::{Connection, params};

use super::{Pending, Result, Store};
use crate::model::{JobId, Timestamp};

/// One step of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// When.
    pub at: Timestamp,
    /// One word: `receiving`, `complete`, `started`, `ended`, …
    pub kind: String,
    /// For people. Never a patient's attribute.
    pub text: String,
}

impl Store {
    /// Notes a step of a job that changes nothing else.
    pub fn note(&self, job: &JobId, kind: &'static str, text: String) -> Pending<()> {
        let job = job.clone();
        self.write(move |db| record(db, &job, kind, &text))
    }

    /// The steps of a job, oldest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn events(&self, job: &JobId) -> Result<Vec<EventRow>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT at, kind, text FROM events WHERE job = (SELECT seq FROM jobs WHERE id = ?1) ORDER BY id",
            )?;
            let rows = statement.query_map([job.as_str()], |row| {
                Ok(EventRow { at: Timestamp(row.get(0)?), kind: row.get(1)?, text: row.get(2)? })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

/// Writes one step within a request of the writer.
pub(super) fn record(db: &Connection, job: &JobId, kind: &str, text: &str) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO events (job, at, kind, text) VALUES ((SELECT seq FROM jobs WHERE id = ?1), ?2, ?3, ?4)",
    )?
    .execute(params![job.as_str(), Timestamp::now().0, kind, text])?;
    Ok(())
}
