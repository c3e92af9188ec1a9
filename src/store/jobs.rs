//! Rows of jobs and their way through the states.

use std::sync::Arc;

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::buckets::BucketRow;
use super::events::record;
use super::{Result, Store, StoreError};
use crate::model::{AeTitle, Ended, Job, JobEvent, JobId, JobState, Outcome, Priority, Timestamp, Verdict};

/// What is known when the first object of a set arrives.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// The stream it arrives through.
    pub stream: AeTitle,
    /// What its objects have in common: a study, series or patient.
    pub group_key: String,
    /// The calling AE title.
    pub calling_ae_title: String,
    /// The peer's address.
    pub caller_address: String,
    /// Study Instance UID.
    pub study_instance_uid: String,
    /// How soon its stream wants it.
    pub priority: Priority,
}

/// Which jobs to list.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// Of this stream only.
    pub stream: Option<AeTitle>,
    /// In this state only.
    pub state: Option<JobState>,
    /// Older than this one only: where an earlier page ended.
    pub before: Option<JobId>,
    /// At most so many, newest first.
    pub limit: u32,
}

/// Objects that enter a set between its sync and its freeze.
pub struct Latecomers {
    /// The newest row when the sync began; none for a set without objects.
    pub after: Option<i64>,
    /// Makes everything last that was written so far. Called by the writer, so it must not wait for the store.
    pub sync: Box<dyn FnOnce() -> std::io::Result<()> + Send>,
}

/// What a stream has waiting and running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// Jobs in state queued.
    pub waiting: u64,
    /// Jobs in state running or harvesting.
    pub running: u64,
}

const COLUMNS: &str = "id, stream, group_key, state, outcome, reason, calling_ae_title, caller_address, study_instance_uid, \
     instances, bytes, received_at, last_object_at, queued_at, started_at, run_ended_at, ended_at, attempt, image, exit_status, \
     oom_killed, timed_out, peak_memory, arguments, priority, superseded_by, made_from, stopped_why, removed_at, removed_why";

impl Store {
    /// Freezes a set and queues it.
    pub fn complete(
        &self,
        id: &JobId,
        why: String,
        at: Timestamp,
        latecomers: Option<Latecomers>,
    ) -> super::Pending<()> {
        let id = id.clone();
        self.write(move |db| {
            make_last(db, &id, latecomers)?;
            freeze(db, &id, &why, at)
        })
    }

    /// The newest row among the objects of a set: what was there when it was synced.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn newest_instance(&self, set: &JobId) -> Result<Option<i64>> {
        self.read(|db| newest_instance(db, set))
    }

    /// Begins an attempt; answers its number. What the bucket is now is kept with it: an install meanwhile changes
    /// nothing of this attempt.
    pub fn start(&self, id: &JobId, bucket: BucketRow, at: Timestamp) -> super::Pending<u32> {
        let id = id.clone();
        self.write(move |db| {
            advance(db, &id, JobEvent::Started)?;
            let attempt = db.query_row(
                "UPDATE jobs SET attempt = attempt + 1, image = ?2, started_at = ?3, bucket = ?4 WHERE id = ?1 \
                 RETURNING attempt",
                params![id.as_str(), bucket.digest, at.0, bucket.to_json().to_string()],
                |row| row.get(0),
            )?;
            record(db, &id, "started", &format!("attempt {attempt} with image {}", bucket.digest))?;
            Ok(attempt)
        })
    }

    /// Puts a job whose container vanished back into the queue, at its old place.
    pub fn lost(&self, id: &JobId, why: String) -> super::Pending<()> {
        let id = id.clone();
        self.write(move |db| {
            advance(db, &id, JobEvent::Lost)?;
            record(db, &id, "lost", &why)
        })
    }

    /// Keeps how the container ended.
    pub fn ended(
        &self,
        id: &JobId,
        ended: Ended,
        peak_memory: Option<u64>,
        at: Timestamp,
    ) -> super::Pending<()> {
        let id = id.clone();
        self.write(move |db| {
            advance(db, &id, JobEvent::Ended)?;
            db.execute(
                "UPDATE jobs SET exit_status = ?2, oom_killed = ?3, timed_out = ?4, peak_memory = ?5, \
                 run_ended_at = ?6, stopped_why = ?7 WHERE id = ?1",
                params![
                    id.as_str(),
                    ended.exit_status,
                    ended.oom_killed,
                    ended.timed_out.is_some(),
                    peak_memory.and_then(|b| i64::try_from(b).ok()),
                    at.0,
                    ended.stopped
                ],
            )?;
            let status = ended.exit_status.map_or("unknown".to_owned(), |s| s.to_string());
            record(db, &id, "ended", &format!("exit status {status}"))
        })
    }

    /// Gives a job up that this node cannot run.
    pub fn fail(&self, id: &JobId, reason: String, at: Timestamp) -> super::Pending<()> {
        let id = id.clone();
        self.write(move |db| {
            advance(db, &id, JobEvent::Broke)?;
            db.execute(
                "UPDATE jobs SET outcome = ?2, reason = ?3, ended_at = ?4 WHERE id = ?1",
                params![id.as_str(), Outcome::Failed.word(), reason, at.0],
            )?;
            record(db, &id, "failed", &reason)
        })
    }

    /// Ends a job of which nothing is for its bucket.
    pub fn not_accepted(&self, id: &JobId, verdict: Verdict, at: Timestamp) -> super::Pending<()> {
        let id = id.clone();
        self.write(move |db| {
            advance(db, &id, JobEvent::NothingAccepted)?;
            set_verdict(db, &id, &verdict, Some(at))?;
            record(
                db,
                &id,
                "not accepted",
                verdict.reason.as_deref().unwrap_or_default(),
            )
        })
    }

    /// One job.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn job(&self, id: &JobId) -> Result<Option<Job>> {
        self.read(|db| {
            let sql = format!("SELECT {COLUMNS} FROM jobs WHERE id = ?1");
            db.prepare_cached(&sql)?
                .query_row([id.as_str()], |row| Ok(read_job(row)))
                .optional()?
                .transpose()
        })
    }

    /// The bucket as it was when the job's last attempt began.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn attempt_bucket(&self, id: &JobId) -> Result<Option<BucketRow>> {
        self.read(|db| {
            let found: Option<(String, Option<String>)> = db
                .prepare_cached("SELECT stream, bucket FROM jobs WHERE id = ?1")?
                .query_row([id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let Some((stream, Some(json))) = found else {
                return Ok(None);
            };
            BucketRow::from_json(ae_title(&stream)?, &json).map(Some)
        })
    }

    /// Jobs, newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn jobs(&self, filter: &JobFilter) -> Result<Vec<Job>> {
        let mut sql = format!("SELECT {COLUMNS} FROM jobs WHERE 1");
        let mut values: Vec<Sql> = Vec::new();
        if let Some(stream) = &filter.stream {
            sql.push_str(" AND stream = ?");
            values.push(Sql::Text(stream.to_string()));
        }
        if let Some(state) = filter.state {
            sql.push_str(" AND state = ?");
            values.push(Sql::Text(state.name().into()));
        }
        if let Some(before) = &filter.before {
            sql.push_str(" AND seq < (SELECT seq FROM jobs WHERE id = ?)");
            values.push(Sql::Text(before.to_string()));
        }
        sql.push_str(" ORDER BY seq DESC LIMIT ?");
        values.push(Sql::Integer(filter.limit.into()));
        self.read(|db| query_jobs(db, &sql, rusqlite::params_from_iter(values)))
    }

    /// Jobs in a state, in the order in which they were queued.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn in_state(&self, state: JobState) -> Result<Vec<Job>> {
        let sql = format!("SELECT {COLUMNS} FROM jobs WHERE state = ?1 ORDER BY queued_at, seq");
        self.read(|db| query_jobs(db, &sql, [state.name()]))
    }

    /// When a job of a stream was last started.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn last_start(&self, stream: &AeTitle) -> Result<Option<Timestamp>> {
        self.read(|db| {
            let at: Option<i64> = db
                .prepare_cached("SELECT max(started_at) FROM jobs WHERE stream = ?1")?
                .query_row([stream.as_str()], |row| row.get(0))?;
            Ok(at.map(Timestamp))
        })
    }

    /// Queued jobs of a stream: the oldest `limit` of each priority.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn queued(&self, stream: &AeTitle, limit: u32) -> Result<Vec<Job>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM jobs WHERE stream = ?1 AND priority = ?2 AND state = 'queued' \
             ORDER BY queued_at, seq LIMIT ?3"
        );
        self.read(|db| {
            let mut found = Vec::new();
            for priority in Priority::ALL {
                found.extend(query_jobs(
                    db,
                    &sql,
                    params![stream.as_str(), priority.word(), limit],
                )?);
            }
            Ok(found)
        })
    }

    /// What a stream has waiting and running.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn occupancy(&self, stream: &AeTitle) -> Result<Occupancy> {
        self.read(|db| {
            let count = |states: &str| -> Result<u64> {
                let sql = format!("SELECT count(*) FROM jobs WHERE stream = ?1 AND state IN ({states})");
                Ok(db
                    .prepare_cached(&sql)?
                    .query_row([stream.as_str()], |row| row.get(0))?)
            };
            Ok(Occupancy {
                waiting: count("'queued'")?,
                running: count("'running','harvesting'")?,
            })
        })
    }
}

/// Syncs what entered a set since it was synced. While the writer is here nothing enters it, so that afterwards all of it
/// is on the disk; it is short, for nearly all of it was before.
pub(super) fn make_last(db: &Connection, set: &JobId, latecomers: Option<Latecomers>) -> Result<()> {
    match latecomers {
        Some(late) if newest_instance(db, set)? != late.after => {
            (late.sync)().map_err(|error| StoreError::Sync(Arc::new(error)))
        }
        _ => Ok(()),
    }
}

fn newest_instance(db: &Connection, set: &JobId) -> Result<Option<i64>> {
    Ok(db
        .prepare_cached("SELECT max(id) FROM instances WHERE job = (SELECT seq FROM jobs WHERE id = ?1)")?
        .query_row([set.as_str()], |row| row.get(0))?)
}

/// Receiving → Queued.
pub(super) fn freeze(db: &Connection, id: &JobId, why: &str, at: Timestamp) -> Result<()> {
    advance(db, id, JobEvent::Completed)?;
    db.execute(
        "UPDATE jobs SET queued_at = ?2 WHERE id = ?1",
        params![id.as_str(), at.0],
    )?;
    record(db, id, "complete", why)
}

/// Keeps outcome, reason and end of a job that is over or on its way out.
pub(super) fn set_verdict(
    db: &Connection,
    id: &JobId,
    verdict: &Verdict,
    ended: Option<Timestamp>,
) -> Result<()> {
    db.execute(
        "UPDATE jobs SET outcome = ?2, reason = ?3, ended_at = ?4 WHERE id = ?1",
        params![
            id.as_str(),
            verdict.outcome.word(),
            verdict.reason,
            ended.map(|t| t.0)
        ],
    )?;
    Ok(())
}

/// Where a job stands.
pub(super) fn state_of(db: &Connection, id: &JobId) -> Result<JobState> {
    let name: String = db
        .prepare_cached("SELECT state FROM jobs WHERE id = ?1")?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()?
        .ok_or_else(|| StoreError::State(format!("there is no job {id}")))?;
    state(&name)
}

/// Moves a job along the table of `JobState::next`; refuses what the table does not have.
pub(super) fn advance(db: &Connection, id: &JobId, event: JobEvent) -> Result<JobState> {
    let state = state_of(db, id)?;
    let next = state.next(event).ok_or_else(|| {
        let name = state.name();
        StoreError::State(format!("job {id} is {name}: {event:?} cannot happen now"))
    })?;
    db.prepare_cached("UPDATE jobs SET state = ?2 WHERE id = ?1")?
        .execute([id.as_str(), next.name()])?;
    Ok(next)
}

fn query_jobs(db: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<Vec<Job>> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut jobs = Vec::new();
    while let Some(row) = rows.next()? {
        jobs.push(read_job(row)?);
    }
    Ok(jobs)
}

fn read_job(row: &Row<'_>) -> Result<Job> {
    let time =
        |column| -> Result<Option<Timestamp>> { Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp)) };
    Ok(Job {
        id: job_id(&row.get::<_, String>("id")?)?,
        stream: ae_title(&row.get::<_, String>("stream")?)?,
        group_key: row.get("group_key")?,
        state: state(&row.get::<_, String>("state")?)?,
        outcome: row
            .get::<_, Option<String>>("outcome")?
            .map(|word| Outcome::from_word(&word)),
        reason: row.get("reason")?,
        calling_ae_title: row.get("calling_ae_title")?,
        caller_address: row.get("caller_address")?,
        study_instance_uid: row.get("study_instance_uid")?,
        instances: row.get("instances")?,
        bytes: row.get("bytes")?,
        received_at: Timestamp(row.get("received_at")?),
        last_object_at: Timestamp(row.get("last_object_at")?),
        queued_at: time("queued_at")?,
        started_at: time("started_at")?,
        run_ended_at: time("run_ended_at")?,
        ended_at: time("ended_at")?,
        attempt: row.get("attempt")?,
        image: row.get("image")?,
        exit_status: row.get("exit_status")?,
        oom_killed: row.get("oom_killed")?,
        timed_out: row.get("timed_out")?,
        peak_memory: row.get("peak_memory")?,
        arguments: row.get("arguments")?,
        priority: row
            .get::<_, String>("priority")
            .map(|word| Priority::from_word(&word).unwrap_or_default())?,
        superseded_by: row.get("superseded_by")?,
        made_from: row.get("made_from")?,
        stopped_why: row.get("stopped_why")?,
        removed_at: time("removed_at")?,
        removed_why: row.get("removed_why")?,
    })
}

pub(super) fn job_id(text: &str) -> Result<JobId> {
    JobId::parse(text).map_err(|error| StoreError::State(format!("job {text:?}: {error}")))
}

pub(super) fn ae_title(text: &str) -> Result<AeTitle> {
    AeTitle::parse(text).map_err(|error| StoreError::State(format!("AE title {text:?}: {error}")))
}

fn state(name: &str) -> Result<JobState> {
    JobState::from_name(name).ok_or_else(|| StoreError::State(format!("{name:?} is no state of a job")))
}
