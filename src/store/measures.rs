//! Rows of measures.

use std::collections::HashMap;

use rusqlite::{Connection, Row, params};

use super::jobs::job_id;
use super::{Result, Store};
use crate::model::{JobId, Measure};

impl Store {
    /// The measures of some jobs, as they were read; a job without any has no entry. One query, however many jobs.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn measures(&self, jobs: &[JobId]) -> Result<HashMap<JobId, Vec<Measure>>> {
        let ids: Vec<_> = jobs.iter().map(JobId::as_str).collect();
        let ids = serde_json::Value::from(ids).to_string();
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT jobs.id, measures.file, source, name, measures.value, unit FROM json_each(?1) AS wanted \
                 CROSS JOIN jobs ON jobs.id = wanted.value CROSS JOIN measures ON measures.job = jobs.seq \
                 ORDER BY measures.job, measures.rowid",
            )?;
            let mut rows = statement.query([ids])?;
            let mut found: HashMap<_, Vec<_>> = HashMap::new();
            while let Some(row) = rows.next()? {
                let job = job_id(&row.get::<_, String>(0)?)?;
                found.entry(job).or_default().push(read(row)?);
            }
            Ok(found)
        })
    }
}

fn read(row: &Row<'_>) -> Result<Measure> {
    let value: String = row.get(4)?;
    Ok(Measure {
        file: row.get(1)?,
        source: row.get(2)?,
        name: row.get(3)?,
        value: serde_json::from_str(&value).unwrap_or_default(),
        unit: row.get(5)?,
    })
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
