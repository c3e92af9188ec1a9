//! Copies of the store: taken while a node runs, looked at before a node runs on one.

use std::path::Path;

use rusqlite::{Connection, params};

use super::connection::{self, KNOWN};
use super::events::record;
use super::{NewJob, Result, StoreError, audit};
use crate::model::{
    AuditAction, AuditEvent, AuditKind, AuditParticipant, AuditThing, JobId, JobState, Timestamp,
};

/// What a copy is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// Version of its schema.
    pub schema: i64,
    /// Jobs in it.
    pub jobs: u64,
    /// Objects in it.
    pub instances: u64,
}

/// Writes the store as it is at this moment into a new file, whoever writes to it meanwhile; the file is not synced.
///
/// # Errors
/// [`StoreError::Newer`] for a store of a newer version; anything SQLite says, as that `to` exists.
pub fn copy(store: &Path, to: &Path) -> Result<Copy> {
    let db = connection::open_read_only(store)?;
    connection::schema(&db, store)?;
    db.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
    inspect(to)
}

/// Looks whether a copy is whole, and one that this version can read.
///
/// # Errors
/// [`StoreError::Newer`] for one of a newer version, [`StoreError::State`] for one that is damaged.
pub fn inspect(copy: &Path) -> Result<Copy> {
    let db = connection::open_read_only(copy)?;
    let schema = connection::schema(&db, copy)?;
    let check: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if check != "ok" || schema == 0 {
        let path = copy.display();
        return Err(StoreError::State(format!(
            "{path} is damaged, or no job store: {check}"
        )));
    }
    Ok(Copy {
        schema,
        jobs: db.query_row("SELECT count(*) FROM jobs", [], |row| row.get(0))?,
        instances: db.query_row("SELECT count(*) FROM instances", [], |row| row.get(0))?,
    })
}

/// Brings a copy to the schema of this version, in one file; nobody else may have it open.
///
/// # Errors
/// As [`inspect`].
pub fn migrate(copy: &Path) -> Result<()> {
    let mut db = connection::open(copy)?;
    connection::migrate(&mut db, copy)?;
    db.pragma_update(None, "journal_mode", "DELETE")?;
    Ok(())
}

/// Says in the audit trail of a copy that it takes the place of a store: what was written after it was taken is not in the
/// trail any more. A collector that has it hears so, and gets events with its numbers anew.
///
/// # Errors
/// What SQLite says.
pub fn restored(copy: &Path, made_at: &str) -> Result<()> {
    let mut db = Connection::open(copy)?;
    let transaction = db.transaction()?;
    let us = AuditParticipant::node(None).asking();
    let event = AuditEvent::new(AuditKind::Restored, AuditAction::Execute, vec![us])
        .about(AuditThing::Trail, "/api/v1/audit")
        .saying(format!(
            "the store is a backup of {made_at}: events between then and now are not in the node's trail any more"
        ));
    audit::append(&transaction, &event)?;
    Ok(transaction.commit()?)
}

/// Whether a copy knows a job.
///
/// # Errors
/// What SQLite says.
pub fn knows(copy: &Path, job: &JobId) -> Result<bool> {
    let db = connection::open_read_only(copy)?;
    let found: u32 = db.query_row("SELECT count(*) FROM jobs WHERE id = ?1", [job.as_str()], |row| {
        row.get(0)
    })?;
    Ok(found > 0)
}

/// Notes a set in a copy whose objects came after it was taken: the next start of a node takes them in.
///
/// # Errors
/// What SQLite says.
pub fn adopt(copy: &Path, job: &JobId, set: &NewJob, at: Timestamp) -> Result<()> {
    let db = Connection::open(copy)?;
    db.execute(
        "INSERT INTO jobs (id, stream, state, group_key, calling_ae_title, caller_address, study_instance_uid, \
         received_at, last_object_at) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?8)",
        params![
            job.as_str(),
            set.stream.as_str(),
            JobState::Receiving.name(),
            set.group_key,
            set.calling_ae_title,
            set.caller_address,
            set.study_instance_uid,
            at.0
        ],
    )?;
    record(
        &db,
        job,
        "restored",
        "its objects came after the backup that this store is from",
    )
}

/// The newest schema that this version reads and writes.
#[must_use]
pub const fn known_schema() -> i64 {
    KNOWN
}
