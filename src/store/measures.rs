//! Rows of measures.

use rusqlite::{Connection, params};

use super::{Result, Store};
use crate::model::{JobId, Measure};

impl Store {
    /// The measures of a job, as they were read.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn measures(&self, job: &JobId) -> Result<Vec<Measure>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT file, source, name, value, unit FROM measures \
                 WHERE job = (SELECT seq FROM jobs WHERE id = ?1) ORDER BY rowid",
            )?;
            let rows = statement.query_map([job.as_str()], |row| {
                let value: String = row.get(3)?;
                Ok(Measure {
                    file: row.get(0)?,
                    source: row.get(1)?,
                    name: row.get(2)?,
                    value: serde_json::from_str(&value).unwrap_or_default(),
                    unit: row.get(4)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

/// Replaces the measures of a job: a harvest that is done again leaves no double.
pub(super) fn replace(db: &Connection, job: &JobId, measures: &[Measure]) -> Result<()> {
    db.execute(
        "DELETE FROM measures WHERE job = (SELECT seq FROM jobs WHERE id = ?1)",
        [job.as_str()],
    )?;
    let mut insert = db.prepare_cached(
        "INSERT INTO measures (job, file, source, name, value, unit) \
         VALUES ((SELECT seq FROM jobs WHERE id = ?1), ?2, ?3, ?4, ?5, ?6)",
    )?;
    for m in measures {
        insert.execute(params![
            job.as_str(),
            m.file,
            m.source,
            m.name,
            m.value.to_string(),
            m.unit
        ])?;
    }
    Ok(())
}
