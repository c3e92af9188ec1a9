//! Rows of measures.

use std::collections::HashMap;

use rusqlite::{Connection, Row, params};

use super::jobs::job_id;
use super::{Result, Store};
use crate::model::{AeTitle, JobId, Measure, Timestamp};

/// Series of a job that are named with each of its measures.
const SERIES: u32 = 20;

/// A measure with what is to be known of its job; nothing in it names a patient.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasuredRow {
    /// Where the next page begins.
    pub place: MeasuresPlace,
    /// The job.
    pub job: JobId,
    /// When its first object came.
    pub received_at: Timestamp,
    /// `success`, `partial`, `failed` or what the bucket said.
    pub outcome: Option<String>,
    /// The version in the info.json of its bucket as it was run, as JSON.
    pub version: Option<String>,
    /// The image of that bucket, `sha256:…`.
    pub image: Option<String>,
    /// Study Instance UID of its first object.
    pub study_instance_uid: String,
    /// Series Instance UIDs of its objects, the first 20, with spaces between.
    pub series_instance_uids: String,
    /// What was measured.
    pub measure: Measure,
}

/// A place in the measures of a bucket: behind this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeasuresPlace {
    received_at: Timestamp,
    job: i64,
    measure: i64,
}

/// Which measures are wanted.
#[derive(Clone, Debug)]
pub struct MeasuresFilter {
    /// Of the jobs of this bucket's stream.
    pub stream: AeTitle,
    /// Whose first object came at this moment or later.
    pub from: Option<Timestamp>,
    /// And before this one.
    pub to: Option<Timestamp>,
    /// Of one answer at most.
    pub limit: u32,
}

impl Store {
    /// Whether a stream ever had a job.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn has_jobs(&self, stream: &AeTitle) -> Result<bool> {
        self.read(|db| {
            let mut statement = db.prepare_cached("SELECT EXISTS (SELECT 1 FROM jobs WHERE stream = ?1)")?;
            Ok(statement.query_row([stream.as_str()], |row| row.get(0))?)
        })
    }

    /// A page of the measures of a bucket, in the order in which the jobs came; behind `after`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn measures_page(
        &self,
        filter: &MeasuresFilter,
        after: Option<MeasuresPlace>,
    ) -> Result<Vec<MeasuredRow>> {
        let from = filter.from.map_or(i64::MIN, |t| t.0);
        let after = after.unwrap_or(MeasuresPlace {
            received_at: Timestamp(from),
            job: i64::MIN,
            measure: i64::MIN,
        });
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT jobs.received_at, jobs.seq, measures.rowid, jobs.id, outcome, \
                 jobs.bucket -> '$.info.version', image, study_instance_uid, \
                 measures.file, source, name, measures.value, unit, declared, problem \
                 FROM jobs CROSS JOIN measures ON measures.job = jobs.seq \
                 WHERE stream = ?1 AND received_at >= ?2 AND received_at < ?3 \
                 AND (received_at > ?2 OR jobs.seq > ?4 OR (jobs.seq = ?4 AND measures.rowid > ?5)) \
                 ORDER BY received_at, jobs.seq, measures.rowid LIMIT ?6",
            )?;
            let mut rows = statement.query(params![
                filter.stream.as_str(),
                after.received_at.0,
                filter.to.map_or(i64::MAX, |t| t.0),
                after.job,
                after.measure,
                filter.limit,
            ])?;
            let mut found = Vec::new();
            let mut series = None;
            while let Some(row) = rows.next()? {
                let job = row.get(1)?;
                // The rows of a job stand together.
                let of_job = match series.take() {
                    Some((known, of_job)) if known == job => of_job,
                    _ => series_of(db, job)?,
                };
                found.push(measured(row, &of_job)?);
                series = Some((job, of_job));
            }
            Ok(found)
        })
    }

    /// The measures of some jobs, as they were read; a job without any has no entry. One query, however many jobs.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn measures(&self, jobs: &[JobId]) -> Result<HashMap<JobId, Vec<Measure>>> {
        let ids: Vec<_> = jobs.iter().map(JobId::as_str).collect();
        let ids = serde_json::Value::from(ids).to_string();
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT jobs.id, measures.file, source, name, measures.value, unit, declared, problem FROM json_each(?1) AS wanted \
                 CROSS JOIN jobs ON jobs.id = wanted.value CROSS JOIN measures ON measures.job = jobs.seq \
                 ORDER BY measures.job, measures.rowid",
            )?;
            let mut rows = statement.query([ids])?;
            let mut found: HashMap<_, Vec<_>> = HashMap::new();
            while let Some(row) = rows.next()? {
                let job = job_id(&row.get::<_, String>(0)?)?;
                found.entry(job).or_default().push(read(row, 1)?);
            }
            Ok(found)
        })
    }
}

fn series_of(db: &Connection, job: i64) -> Result<String> {
    let mut statement = db.prepare_cached(
        "SELECT DISTINCT series_instance_uid FROM instances WHERE job = ?1 AND current ORDER BY 1 LIMIT ?2",
    )?;
    let uids: Vec<String> = statement
        .query_map(params![job, SERIES], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(uids.join(" "))
}

fn measured(row: &Row<'_>, series: &str) -> Result<MeasuredRow> {
    let received_at = Timestamp(row.get(0)?);
    Ok(MeasuredRow {
        place: MeasuresPlace {
            received_at,
            job: row.get(1)?,
            measure: row.get(2)?,
        },
        job: job_id(&row.get::<_, String>(3)?)?,
        received_at,
        outcome: row.get(4)?,
        version: row.get(5)?,
        image: row.get(6)?,
        study_instance_uid: row.get(7)?,
        series_instance_uids: series.to_owned(),
        measure: read(row, 8)?,
    })
}

/// Reads a measure that begins at a column.
fn read(row: &Row<'_>, from: usize) -> Result<Measure> {
    let value: String = row.get(from + 3)?;
    Ok(Measure {
        file: row.get(from)?,
        source: row.get(from + 1)?,
        name: row.get(from + 2)?,
        value: serde_json::from_str(&value).unwrap_or_default(),
        unit: row.get(from + 4)?,
        declared: row.get(from + 5)?,
        problem: row.get(from + 6)?,
    })
}

/// Replaces the measures of a job: a harvest that is done again leaves no double.
pub(super) fn replace(db: &Connection, job: &JobId, measures: &[Measure]) -> Result<()> {
    db.execute(
        "DELETE FROM measures WHERE job = (SELECT seq FROM jobs WHERE id = ?1)",
        [job.as_str()],
    )?;
    let mut insert = db.prepare_cached(
        "INSERT INTO measures (job, file, source, name, value, unit, declared, problem) \
         VALUES ((SELECT seq FROM jobs WHERE id = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for m in measures {
        insert.execute(params![
            job.as_str(),
            m.file,
            m.source,
            m.name,
            m.value.to_string(),
            m.unit,
            m.declared,
            m.problem
        ])?;
    }
    Ok(())
}
