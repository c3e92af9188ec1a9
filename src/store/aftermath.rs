//! What is left to do for a job once something happened to its deliveries: copies that nobody sends from any more go, and
//! record.json is brought up to date. Both are kept in the job's row, so that a crash puts neither off for ever.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::events::record_once;
use super::jobs::{ae_title, job_id};
use super::{Pending, Result, Store};
use crate::model::{AeTitle, COPIES_BY, JobId};

/// A job whose record.json is behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateRecord {
    /// Its name.
    pub job: JobId,
    /// Its stream.
    pub stream: AeTitle,
    /// Changes that the record does not have.
    pub changes: i64,
}

/// A job none of whose deliveries is to be sent before somebody says so.
const NOTHING_TO_SEND: &str = "NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.job = jobs.seq \
                               AND d.state IN ('waiting', 'sending', 'retrying', 'standby'))";

impl Store {
    /// Jobs that may have copies in `outgoing/` and send nothing any more.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn outgoing_idle(&self) -> Result<Vec<(JobId, AeTitle)>> {
        let sql =
            format!("SELECT id, stream FROM jobs WHERE outgoing = 1 AND {NOTHING_TO_SEND} ORDER BY seq");
        self.read(|db| {
            let mut statement = db.prepare_cached(&sql)?;
            let mut rows = statement.query([])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(named(row)?);
            }
            Ok(found)
        })
    }

    /// Whether a job still sends nothing.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn is_outgoing_idle(&self, job: &JobId) -> Result<bool> {
        let sql = format!("SELECT 1 FROM jobs WHERE id = ?1 AND {NOTHING_TO_SEND}");
        self.read(|db| Ok(db.prepare_cached(&sql)?.exists([job.as_str()])?))
    }

    /// The copies of a job are gone. Where something is to be sent again by now, some may be made.
    pub fn outgoing_removed(&self, job: &JobId) -> Pending<()> {
        let job = job.clone();
        self.write(move |db| {
            let sql = format!("UPDATE jobs SET outgoing = 0 WHERE id = ?1 AND {NOTHING_TO_SEND}");
            db.prepare_cached(&sql)?.execute([job.as_str()])?;
            Ok(())
        })
    }

    /// The program that made the first copies of a job's results: later ones name it too, or they would be other objects.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn copies_by(&self, job: &JobId) -> Result<Option<String>> {
        self.read(|db| {
            let mut statement = db.prepare_cached("SELECT copies_by FROM jobs WHERE id = ?1")?;
            let found: Option<Option<String>> =
                statement.query_row([job.as_str()], |row| row.get(0)).optional()?;
            Ok(found.flatten())
        })
    }

    /// Jobs whose record.json does not have yet what became of their deliveries.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn records_late(&self) -> Result<Vec<LateRecord>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT id, stream, record_late FROM jobs WHERE record_late > 0 ORDER BY seq",
            )?;
            let mut rows = statement.query([])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let (job, stream) = named(row)?;
                let changes = row.get(2)?;
                found.push(LateRecord { job, stream, changes });
            }
            Ok(found)
        })
    }

    /// A record could not be written: it is later.
    pub fn record_behind(&self, job: &JobId) -> Pending<()> {
        let job = job.clone();
        self.write(move |db| record_is_late(db, &job))
    }

    /// Keeps as a step of the job why it has no record that could be written; answers whether that is new.
    pub fn record_is_none(&self, job: &JobId, why: String) -> Pending<bool> {
        let job = job.clone();
        self.write(move |db| record_once(db, &job, "record", &why))
    }

    /// A record was written, or never will be. What changed since it was read is left to do.
    pub fn record_written(&self, record: &LateRecord) -> Pending<()> {
        let record = record.clone();
        self.write(move |db| {
            db.prepare_cached("UPDATE jobs SET record_late = record_late - ?2 WHERE id = ?1")?
                .execute(params![record.job.as_str(), record.changes])?;
            Ok(())
        })
    }
}

fn named(row: &Row<'_>) -> Result<(JobId, AeTitle)> {
    Ok((
        job_id(&row.get::<_, String>(0)?)?,
        ae_title(&row.get::<_, String>(1)?)?,
    ))
}

/// A delivery is taken in hand whose results may be sent by copies, made by this program unless there were some before.
pub(super) fn may_copy(db: &Connection, delivery: i64) -> Result<()> {
    db.prepare_cached(
        "UPDATE jobs SET outgoing = 1, copies_by = coalesce(copies_by, ?2) WHERE seq = \
         (SELECT job FROM deliveries WHERE id = ?1 AND direction = 'output' AND gate <> 'off')",
    )?
    .execute(params![delivery, COPIES_BY])?;
    Ok(())
}

/// Something happened to deliveries of a job that record.json does not have yet.
pub(super) fn record_is_late(db: &Connection, job: &JobId) -> Result<()> {
    db.prepare_cached("UPDATE jobs SET record_late = record_late + 1 WHERE id = ?1")?
        .execute([job.as_str()])?;
    Ok(())
}
