//! Rows of sets that were pushed whole.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::events::record;
use super::instances::insert_instance;
use super::jobs::job_id;
use super::{NewInstance, NewJob, Pending, Result, Store, audit};
use crate::model::{JobId, JobState, Timestamp};

/// What is known of a push beside its objects.
#[derive(Clone, Debug)]
pub struct NewPush {
    /// Who pushed it: the name of a token, or an address.
    pub by: String,
    /// As the sender calls itself.
    pub sender: String,
    /// What the sender calls it.
    pub name: String,
    /// What the sender says of it.
    pub description: String,
    /// For its bucket; none: what the bucket has by default.
    pub arguments: Option<String>,
    /// Files in it that are no objects.
    pub others: u64,
    /// Patient ID of its first object, for the audit trail.
    pub patient_id: String,
}

/// What became of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// Its job is queued.
    Queued,
    /// No bucket is installed for the stream any more.
    NoBucket,
}

/// A push, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushRow {
    /// As the sender calls itself.
    pub sender: String,
    /// What the sender calls it.
    pub name: String,
    /// What the sender says of it.
    pub description: String,
}

impl Store {
    /// Queues a job with all its objects, in one step.
    pub fn push(
        &self,
        job: &JobId,
        row: NewJob,
        push: NewPush,
        instances: Vec<NewInstance>,
        at: Timestamp,
    ) -> Pending<Pushed> {
        let job = job.clone();
        self.write(move |db| insert(db, &job, &row, &push, &instances, at))
    }

    /// What is known of some jobs that were pushed; the others have no entry.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn pushes(&self, jobs: &[JobId]) -> Result<HashMap<JobId, PushRow>> {
        let ids: Vec<_> = jobs.iter().map(JobId::as_str).collect();
        let ids = serde_json::Value::from(ids).to_string();
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT jobs.id, sender, name, description FROM json_each(?1) AS wanted \
                 CROSS JOIN jobs ON jobs.id = wanted.value CROSS JOIN pushes ON pushes.job = jobs.seq",
            )?;
            let mut rows = statement.query([ids])?;
            let mut found = HashMap::new();
            while let Some(row) = rows.next()? {
                let push = PushRow {
                    sender: row.get(1)?,
                    name: row.get(2)?,
                    description: row.get(3)?,
                };
                found.insert(job_id(&row.get::<_, String>(0)?)?, push);
            }
            Ok(found)
        })
    }

    /// So many files of a job are no objects.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn pushed_others(&self, job: &JobId) -> Result<u64> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT others FROM pushes WHERE job = (SELECT seq FROM jobs WHERE id = ?1)",
            )?;
            let found = statement.query_row([job.as_str()], |row| row.get(0)).optional()?;
            Ok(found.unwrap_or(0))
        })
    }
}

fn insert(
    db: &Connection,
    job: &JobId,
    row: &NewJob,
    push: &NewPush,
    instances: &[NewInstance],
    at: Timestamp,
) -> Result<Pushed> {
    let bucket: Option<i64> = db
        .prepare_cached("SELECT 1 FROM buckets WHERE ae_title = ?1")?
        .query_row([row.stream.as_str()], |row| row.get(0))
        .optional()?;
    if bucket.is_none() {
        return Ok(Pushed::NoBucket);
    }
    db.prepare_cached(
        "INSERT INTO jobs (id, stream, state, group_key, calling_ae_title, caller_address, study_instance_uid, \
         received_at, last_object_at, queued_at, arguments, priority) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?8,?8,?9,?10)",
    )?
    .execute(params![
        job.as_str(),
        row.stream.as_str(),
        JobState::Queued.name(),
        row.group_key,
        row.calling_ae_title,
        row.caller_address,
        row.study_instance_uid,
        at.0,
        push.arguments,
        row.priority.word()
    ])?;
    let seq = db.last_insert_rowid();
    db.prepare_cached(
        "INSERT INTO pushes (job, by, sender, name, description, others) VALUES (?1,?2,?3,?4,?5,?6)",
    )?
    .execute(params![
        seq,
        push.by,
        push.sender,
        push.name,
        push.description,
        i64::try_from(push.others).unwrap_or(i64::MAX)
    ])?;
    let text = format!(
        "over HTTP by {} as {}: {} objects, {} other files",
        push.by,
        row.calling_ae_title,
        instances.len(),
        push.others
    );
    record(db, job, "pushed", &text)?;
    for new in instances {
        insert_instance(db, job, seq, new, at)?;
    }
    audit::pushed(db, seq, job, row, push, instances)?;
    record(db, job, "complete", "it came whole")?;
    Ok(Pushed::Queued)
}

/// A job that is made from another was pushed if that one was.
pub(super) fn inherit(db: &Connection, from: &JobId, to: &JobId) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO pushes (job, by, sender, name, description, others) \
         SELECT (SELECT seq FROM jobs WHERE id = ?2), by, sender, name, description, others FROM pushes \
         WHERE job = (SELECT seq FROM jobs WHERE id = ?1)",
    )?
    .execute([from.as_str(), to.as_str()])?;
    Ok(())
}
