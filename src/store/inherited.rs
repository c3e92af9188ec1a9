//! Rows that a job has from an earlier one: the same objects, linked and not received again.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::actions::cancel;
use super::events::record;
use super::jobs::{Latecomers, freeze, job_id, make_last, state_of};
use super::{Pending, Result, Store};
use crate::model::{JobId, JobState, Timestamp};

/// An object of an earlier job that is to be one of a later job too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InheritedRow {
    /// The earlier job's row.
    id: i64,
    /// SOP Instance UID.
    pub sop_instance_uid: String,
    /// Name of its file in the earlier job's set directory.
    pub from_file: String,
    /// Name of its file in the later job's set directory.
    pub file: String,
    /// Whether it is the current object of its SOP Instance UID, in both jobs.
    pub current: bool,
}

impl Store {
    /// The objects of a job that another can have from it, under the names they get there; oldest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn inheritance(&self, from: &JobId, name: impl Fn(&str) -> String) -> Result<Vec<InheritedRow>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT id, sop_instance_uid, file, current FROM instances \
                 WHERE job = (SELECT seq FROM jobs WHERE id = ?1) ORDER BY id",
            )?;
            let rows = statement.query_map([from.as_str()], |row| {
                let file: String = row.get(2)?;
                Ok(InheritedRow {
                    id: row.get(0)?,
                    sop_instance_uid: row.get(1)?,
                    file: name(&file),
                    from_file: file,
                    current: row.get(3)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The job before, of the same stream and group as an open set, whose objects the set's job is to have too. None if
    /// that one was cancelled by an operator, or its files are gone.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn forerunner(&self, set: &JobId) -> Result<Option<JobId>> {
        self.read(|db| forerunner(db, set))
    }

    /// Freezes a set and queues it, together with objects of the job before; that one is marked as superseded. If it is
    /// not its forerunner any more, the set is queued alone. Answers the files that have a row now.
    pub fn complete_inheriting(
        &self,
        set: &JobId,
        why: String,
        at: Timestamp,
        from: &JobId,
        rows: Vec<InheritedRow>,
        latecomers: Option<Latecomers>,
    ) -> Pending<HashSet<String>> {
        let (set, from) = (set.clone(), from.clone());
        self.write(move |db| {
            make_last(db, &set, latecomers)?;
            let still = forerunner(db, &set)?.is_some_and(|job| job == from);
            freeze(db, &set, &why, at)?;
            if !still {
                return Ok(HashSet::new());
            }
            let inserted = insert_inherited(db, &set, &rows)?;
            supersede(db, &from, &set, inserted.len(), at)?;
            Ok(inserted)
        })
    }
}

fn forerunner(db: &Connection, set: &JobId) -> Result<Option<JobId>> {
    let latest: Option<(String, bool)> = db
        .prepare_cached(
            "SELECT other.id, other.removed_at IS NULL AND other.removed_why IS NULL \
             AND (other.state <> 'cancelled' OR other.superseded_by IS NOT NULL) \
             FROM jobs AS other JOIN jobs AS ours ON ours.id = ?1 \
             WHERE other.stream = ours.stream AND other.group_key = ours.group_key AND other.id <> ours.id \
             ORDER BY other.seq DESC LIMIT 1",
        )?
        .query_row([set.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match latest {
        Some((id, true)) => job_id(&id).map(Some),
        _ => Ok(None),
    }
}

/// Marks a job that a later one takes the place of. One that waits is not run; one that runs goes on.
fn supersede(db: &Connection, from: &JobId, by: &JobId, inherited: usize, at: Timestamp) -> Result<()> {
    db.prepare_cached("UPDATE jobs SET superseded_by = ?2 WHERE id = ?1")?
        .execute([from.as_str(), by.as_str()])?;
    record(
        db,
        from,
        "superseded",
        &format!("job {by} has its objects, and what came later"),
    )?;
    if inherited > 0 {
        db.prepare_cached("UPDATE jobs SET made_from = ?2 WHERE id = ?1")?
            .execute([by.as_str(), from.as_str()])?;
        let text = format!("{inherited} objects of job {from} are in this one too");
        record(db, by, "again", &text)?;
    }
    if state_of(db, from)? == JobState::Queued {
        cancel(db, from, &format!("superseded by job {by} before it ran"), at)?;
    }
    Ok(())
}

/// Gives a job the rows it inherits, within a request of the writer, and counts them. One whose SOP Instance UID the job
/// has received itself is left out. Answers the names of the files that now have a row.
pub(super) fn insert_inherited(
    db: &Connection,
    job: &JobId,
    rows: &[InheritedRow],
) -> Result<HashSet<String>> {
    let seq: i64 = db
        .prepare_cached("SELECT seq FROM jobs WHERE id = ?1")?
        .query_row([job.as_str()], |row| row.get(0))?;
    let received: HashSet<String> = db
        .prepare_cached("SELECT sop_instance_uid FROM instances WHERE job = ?1")?
        .query_map([seq], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut insert = db.prepare_cached(
        "INSERT INTO instances (job, sop_instance_uid, sop_class_uid, transfer_syntax_uid, series_instance_uid, \
         file, bytes, hash, received_at, current) \
         SELECT ?1, sop_instance_uid, sop_class_uid, transfer_syntax_uid, series_instance_uid, \
         ?3, bytes, hash, received_at, ?4 FROM instances WHERE id = ?2",
    )?;
    let mut inserted = HashSet::new();
    for row in rows
        .iter()
        .filter(|row| !received.contains(&row.sop_instance_uid))
    {
        insert.execute(params![seq, row.id, row.file, row.current])?;
        inserted.insert(row.file.clone());
    }
    db.prepare_cached(
        "UPDATE jobs SET (instances, bytes) = (SELECT count(DISTINCT sop_instance_uid), coalesce(sum(bytes), 0) \
         FROM instances WHERE job = ?1) WHERE seq = ?1",
    )?
    .execute([seq])?;
    Ok(inserted)
}
