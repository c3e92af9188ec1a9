//! Rows of stored objects.

use rusqlite::{Connection, OptionalExtension, params};

use super::events::record;
use super::jobs::{NewJob, job_id};
use super::writer::When;
use super::{Pending, ReceiptMark, Result, Store, audit};
use crate::model::{JobId, JobState, Timestamp, Uid};

/// An object whose file is on disk under its final name.
#[derive(Clone, Debug)]
pub struct NewInstance {
    /// SOP Instance UID.
    pub sop_instance_uid: Uid,
    /// SOP Class UID.
    pub sop_class_uid: Uid,
    /// Transfer Syntax UID, as received.
    pub transfer_syntax_uid: Uid,
    /// Series Instance UID.
    pub series_instance_uid: Uid,
    /// Name of its file in the set's directory.
    pub file: String,
    /// Bytes of the data set.
    pub bytes: u64,
    /// XXH3-128 of the data set.
    pub hash: [u8; 16],
}

/// What became of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placed {
    /// A row of its own.
    Stored,
    /// The same bytes seem to be there already, in the file of that name.
    Duplicate(String),
    /// Another object of this SOP Instance UID was there: both are kept, this one is current.
    Replaced,
    /// The set was frozen meanwhile: the object needs another one.
    Closed,
    /// Another set of that stream and group is open: the object belongs there.
    Elsewhere(JobId),
    /// No bucket is installed for the stream any more.
    NoBucket,
}

/// A stored object as a job needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceRow {
    /// SOP Instance UID.
    pub sop_instance_uid: String,
    /// SOP Class UID.
    pub sop_class_uid: String,
    /// Series Instance UID.
    pub series_instance_uid: String,
    /// Name of its file in the set's directory.
    pub file: String,
    /// Bytes of the data set.
    pub bytes: u64,
    /// Whether it is the current object of its SOP Instance UID.
    pub current: bool,
}

/// A row in the order in which rows came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedRow {
    /// Later rows have greater ones.
    pub id: i64,
    /// The object.
    pub instance: InstanceRow,
    /// Whether an earlier row of its set has its SOP Instance UID.
    pub again: bool,
}

impl Store {
    /// Adds an object to an open set; the set is made by its first object, in the same step.
    ///
    /// A row that is not synced is on the disk with the next one that is; until then its file has to stand in for it.
    pub fn place(
        &self,
        job: &JobId,
        set: NewJob,
        new: NewInstance,
        at: Timestamp,
        when: When,
    ) -> Pending<Placed> {
        self.place_marked(job, set, new, at, when, None)
    }

    /// The same for the first object of a study that an association brings into a set, with a note that it is to be told.
    pub fn place_first(
        &self,
        job: &JobId,
        set: NewJob,
        new: NewInstance,
        at: Timestamp,
        when: When,
        mark: ReceiptMark,
    ) -> Pending<Placed> {
        self.place_marked(job, set, new, at, when, Some(mark))
    }

    fn place_marked(
        &self,
        job: &JobId,
        set: NewJob,
        new: NewInstance,
        at: Timestamp,
        when: When,
        mark: Option<ReceiptMark>,
    ) -> Pending<Placed> {
        let job = job.clone();
        self.writer
            .submit(when, move |db| match open_set(db, &job, &set, at)? {
                Set::Open(seq) => {
                    if let Some(mark) = &mark {
                        audit::mark(db, seq, mark)?;
                    }
                    insert_instance(db, &job, seq, &new, at)
                }
                Set::Other(placed) => Ok(placed),
            })
    }

    /// The objects of a job, oldest first, that came after the row of that number; 0 for all of them.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn instances_after(&self, job: &JobId, after: i64) -> Result<Vec<NumberedRow>> {
        self.read(|db| {
            // All of them through the index of the job's rows; some more through what came since, of whatever job.
            let rows_of = if after > 0 {
                "+job = ?1 AND id > ?2"
            } else {
                "job = ?1 AND +id > ?2"
            };
            let sql = format!(
                "SELECT sop_instance_uid, sop_class_uid, series_instance_uid, file, bytes, current, id, \
                 EXISTS (SELECT 1 FROM instances AS e WHERE e.job = i.job AND \
                 e.sop_instance_uid = i.sop_instance_uid AND e.id < i.id) FROM instances AS i \
                 WHERE {rows_of} ORDER BY id"
            );
            let seq: Option<i64> = db
                .prepare_cached("SELECT seq FROM jobs WHERE id = ?1")?
                .query_row([job.as_str()], |row| row.get(0))
                .optional()?;
            let mut statement = db.prepare_cached(&sql)?;
            let rows = statement.query_map(params![seq, after], |row| {
                Ok(NumberedRow {
                    instance: read_row(row)?,
                    id: row.get(6)?,
                    again: row.get(7)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The objects of a job, oldest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn instances(&self, job: &JobId) -> Result<Vec<InstanceRow>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT sop_instance_uid, sop_class_uid, series_instance_uid, file, bytes, current FROM instances \
                 WHERE job = (SELECT seq FROM jobs WHERE id = ?1) ORDER BY id",
            )?;
            let rows = statement.query_map([job.as_str()], read_row)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

fn read_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<InstanceRow> {
    Ok(InstanceRow {
        sop_instance_uid: row.get(0)?,
        sop_class_uid: row.get(1)?,
        series_instance_uid: row.get(2)?,
        file: row.get(3)?,
        bytes: row.get(4)?,
        current: row.get(5)?,
    })
}

enum Set {
    Open(i64),
    Other(Placed),
}

/// The set of that name if it takes objects; made if there is none of its stream and group.
fn open_set(db: &Connection, job: &JobId, set: &NewJob, at: Timestamp) -> Result<Set> {
    let bucket: Option<i64> = db
        .prepare_cached("SELECT 1 FROM buckets WHERE ae_title = ?1")?
        .query_row([set.stream.as_str()], |row| row.get(0))
        .optional()?;
    if bucket.is_none() {
        return Ok(Set::Other(Placed::NoBucket));
    }
    let open: Option<(i64, String)> = db
        .prepare_cached(
            "SELECT seq, id FROM jobs WHERE stream = ?1 AND group_key = ?2 AND state = 'receiving'",
        )?
        .query_row(params![set.stream.as_str(), set.group_key], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    match open {
        Some((seq, id)) if id == job.as_str() => return Ok(Set::Open(seq)),
        Some((_, id)) => return Ok(Set::Other(Placed::Elsewhere(job_id(&id)?))),
        None => {}
    }
    let frozen: Option<i64> = db
        .prepare_cached("SELECT 1 FROM jobs WHERE id = ?1")?
        .query_row([job.as_str()], |row| row.get(0))
        .optional()?;
    if frozen.is_some() {
        return Ok(Set::Other(Placed::Closed));
    }
    make_set(db, job, set, at).map(Set::Open)
}

fn make_set(db: &Connection, job: &JobId, set: &NewJob, at: Timestamp) -> Result<i64> {
    let earlier: Option<String> = db
        .prepare_cached("SELECT id FROM jobs WHERE stream = ?1 AND group_key = ?2 ORDER BY seq DESC LIMIT 1")?
        .query_row(params![set.stream.as_str(), set.group_key], |row| row.get(0))
        .optional()?;
    db.prepare_cached(
        "INSERT INTO jobs (id, stream, state, group_key, calling_ae_title, caller_address, \
         study_instance_uid, received_at, last_object_at, priority) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?8,?9)",
    )?
    .execute(params![
        job.as_str(),
        set.stream.as_str(),
        JobState::Receiving.name(),
        set.group_key,
        set.calling_ae_title,
        set.caller_address,
        set.study_instance_uid,
        at.0,
        set.priority.word()
    ])?;
    let seq = db.last_insert_rowid();
    record(
        db,
        job,
        "receiving",
        &format!("first object from {}", set.calling_ae_title),
    )?;
    if let Some(earlier) = earlier {
        record(
            db,
            job,
            "again",
            &format!("the same set came before, as job {earlier}"),
        )?;
    }
    Ok(seq)
}

/// Adds the row of an object to a job, within a request of the writer.
pub(super) fn insert_instance(
    db: &Connection,
    job: &JobId,
    seq: i64,
    new: &NewInstance,
    at: Timestamp,
) -> Result<Placed> {
    let uid = new.sop_instance_uid.as_str();
    let others: u32 = db
        .prepare_cached(
            "UPDATE instances SET current = (hash = ?3) WHERE job = ?1 AND sop_instance_uid = ?2",
        )?
        .execute(params![seq, uid, new.hash])?
        .try_into()
        .unwrap_or(u32::MAX);
    let inserted = db
        .prepare_cached(
            "INSERT OR IGNORE INTO instances (job, sop_instance_uid, sop_class_uid, transfer_syntax_uid, \
             series_instance_uid, file, bytes, hash, received_at) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)",
        )?
        .execute(params![
            seq,
            uid,
            new.sop_class_uid.as_str(),
            new.transfer_syntax_uid.as_str(),
            new.series_instance_uid.as_str(),
            new.file,
            i64::try_from(new.bytes).unwrap_or(i64::MAX),
            new.hash,
            at.0
        ])?;
    let placed = match (inserted, others) {
        (0, _) => Placed::Duplicate(
            db.prepare_cached(
                "SELECT file FROM instances WHERE job = ?1 AND sop_instance_uid = ?2 AND hash = ?3",
            )?
            .query_row(params![seq, uid, new.hash], |row| row.get(0))?,
        ),
        (_, 0) => Placed::Stored,
        _ => Placed::Replaced,
    };
    let fresh = u32::from(placed == Placed::Stored);
    let bytes = if inserted == 0 {
        0
    } else {
        i64::try_from(new.bytes).unwrap_or(i64::MAX)
    };
    db.prepare_cached(
        "UPDATE jobs SET last_object_at = ?2, instances = instances + ?3, bytes = bytes + ?4 WHERE seq = ?1",
    )?
    .execute(params![seq, at.0, fresh, bytes])?;
    if placed == Placed::Replaced {
        record(
            db,
            job,
            "replaced",
            &format!("{uid} came again with other bytes: both are kept, the later one is used"),
        )?;
    }
    Ok(placed)
}
