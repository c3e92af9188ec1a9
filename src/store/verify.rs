//! The store as somebody reads it who only wants to know what has to be on the disk: beside a running node, or without.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::jobs::{ae_title, job_id};
use super::{Result, StoreError, connection};
use crate::model::{AeTitle, JobId, JobState};

/// A store that is only read.
pub struct StoreReader(Connection);

/// A job, as far as its files go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptJob {
    /// Its name.
    pub id: JobId,
    /// Its stream.
    pub stream: AeTitle,
    /// Where it stands.
    pub state: JobState,
    /// Runs begun.
    pub attempt: u32,
    /// Its files are gone, or going.
    pub removed: bool,
    /// Where it stands in the store.
    pub seq: i64,
    /// Files of it that are no objects.
    pub others: u64,
}

/// A stored object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptObject {
    /// SOP Instance UID.
    pub sop_instance_uid: String,
    /// Name of its file in the directory of its set.
    pub file: String,
    /// Bytes of its data set.
    pub bytes: u64,
    /// XXH3-128 of its data set.
    pub hash: Vec<u8>,
    /// Whether it is the current object of its SOP Instance UID.
    pub current: bool,
}

const COLUMNS: &str = "id, stream, state, attempt, removed_at IS NOT NULL OR removed_why IS NOT NULL, seq, \
     coalesce((SELECT others FROM pushes WHERE pushes.job = jobs.seq), 0)";

impl StoreReader {
    /// Opens a store of this version.
    ///
    /// # Errors
    /// [`StoreError::Newer`], [`StoreError::State`] for one of an earlier version, and what SQLite says.
    pub fn open(path: &Path) -> Result<Self> {
        let connection = connection::open_read_only(path)?;
        connection::check(&connection, path)?;
        Ok(Self(connection))
    }

    pub(super) const fn connection(&self) -> &Connection {
        &self.0
    }

    /// How many jobs there are.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn count(&self) -> Result<u64> {
        Ok(self
            .0
            .query_row("SELECT count(*) FROM jobs", [], |row| row.get(0))?)
    }

    /// The next jobs behind a place in the store, oldest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn jobs_after(&self, seq: i64, limit: u32) -> Result<Vec<KeptJob>> {
        let sql = format!("SELECT {COLUMNS} FROM jobs WHERE seq > ?1 ORDER BY seq LIMIT ?2");
        let mut statement = self.0.prepare_cached(&sql)?;
        let mut rows = statement.query(params![seq, limit])?;
        let mut jobs = Vec::new();
        while let Some(row) = rows.next()? {
            jobs.push(read(row)?);
        }
        Ok(jobs)
    }

    /// One job, as it stands now.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn job(&self, id: &JobId) -> Result<Option<KeptJob>> {
        let sql = format!("SELECT {COLUMNS} FROM jobs WHERE id = ?1");
        self.0
            .prepare_cached(&sql)?
            .query_row([id.as_str()], |row| Ok(read(row)))
            .optional()?
            .transpose()
    }

    /// The objects of a job, oldest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn objects(&self, job: &KeptJob) -> Result<Vec<KeptObject>> {
        let mut statement = self.0.prepare_cached(
            "SELECT sop_instance_uid, file, bytes, hash, current FROM instances WHERE job = ?1 ORDER BY id",
        )?;
        let rows = statement.query_map([job.seq], |row| {
            Ok(KeptObject {
                sop_instance_uid: row.get(0)?,
                file: row.get(1)?,
                bytes: row.get(2)?,
                hash: row.get(3)?,
                current: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

fn read(row: &Row<'_>) -> Result<KeptJob> {
    let state: String = row.get(2)?;
    let unknown = || StoreError::State(format!("{state:?} is no state of a job"));
    Ok(KeptJob {
        id: job_id(&row.get::<_, String>(0)?)?,
        stream: ae_title(&row.get::<_, String>(1)?)?,
        state: JobState::from_name(&state).ok_or_else(unknown)?,
        attempt: row.get(3)?,
        removed: row.get(4)?,
        seq: row.get(5)?,
        others: row.get(6)?,
    })
}
