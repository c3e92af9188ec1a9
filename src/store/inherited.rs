//! Rows that a job has from an earlier one: the same objects, linked and not received again.

use std::collections::HashSet;

use rusqlite::{Connection, params};

use super::{Result, Store};
use crate::model::JobId;

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
