//! Requests of peers for storage commitment: rows before they are answered, so that a crash loses none.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::events::record;
use super::jobs::{ae_title, job_id};
use super::run_time::kept;
use super::{Pending, Result, Store, StoreError};
use crate::model::{AeTitle, CommitmentState, JobId, Moment, RunTime, Timestamp, Uid};

/// Requests that may wait for their answer, of all peers and of one: one more is refused. A peer that is away for days leaves
/// room for others.
const MOST_OPEN: i64 = 4000;
const MOST_OPEN_OF_ONE: i64 = 1000;

/// Requests that are over and are kept, for people to look at.
const KEPT: i64 = 10_000;

/// Places of one object that are looked at, newest first.
const PLACES: u32 = 4;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct NewCommitment {
    /// The peer tells its requests apart by it.
    pub transaction_uid: Uid,
    /// Who asked.
    pub calling: AeTitle,
    /// The AE title it called.
    pub stream: AeTitle,
    /// From where.
    pub address: String,
    /// Over which association.
    pub association: u64,
    /// SOP Class UID and SOP Instance UID of each object.
    pub objects: Vec<(Uid, Uid)>,
    /// When it is answered over an association of our own, if it is not on its own before.
    pub next_at: Timestamp,
}

/// A request as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitmentRow {
    /// Its number in the store.
    pub id: i64,
    /// The peer's name for it.
    pub transaction_uid: String,
    /// Who asked.
    pub calling: AeTitle,
    /// The AE title it called.
    pub stream: AeTitle,
    /// From where.
    pub address: String,
    /// When.
    pub received_at: Timestamp,
    /// When, by how long the node had run.
    pub received: RunTime,
    /// Over which association, in that run of the node.
    pub association: u64,
    /// Where it stands.
    pub state: CommitmentState,
    /// How many objects.
    pub objects: u64,
    /// How many of them are not committed, once they were looked at.
    pub failed: Option<u64>,
    /// Until when the others are kept; none: for ever.
    pub kept_until: Option<Timestamp>,
    /// Attempts to answer so far.
    pub attempts: u32,
    /// When it is answered next.
    pub next_at: Option<Timestamp>,
    /// When it was answered, or given up.
    pub ended_at: Option<Timestamp>,
    /// What went wrong last.
    pub error: Option<String>,
}

/// An object of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitmentObject {
    /// SOP Class UID, as the peer says.
    pub sop_class_uid: String,
    /// SOP Instance UID.
    pub sop_instance_uid: String,
    /// 0: committed; else the Failure Reason (PS3.3 §C.14.1.1); none: not looked at yet.
    pub reason: Option<u16>,
}

/// A stored object of a SOP Instance UID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldObject {
    /// Its job.
    pub job: JobId,
    /// The stream of that.
    pub stream: AeTitle,
    /// SOP Class UID.
    pub sop_class_uid: String,
    /// SOP Instance UID.
    pub sop_instance_uid: String,
    /// Name of its file in the set's directory.
    pub file: String,
    /// Bytes of the data set.
    pub bytes: u64,
    /// XXH3-128 of the data set.
    pub hash: Vec<u8>,
    /// Whether it is the current object of its SOP Instance UID.
    pub current: bool,
}

impl Store {
    /// Keeps a request; one of the same name by the same peer is answered anew. `None`: too many wait already.
    pub fn commitment_requested(&self, new: NewCommitment) -> Pending<Option<i64>> {
        let now = self.moment();
        self.write(move |db| insert(db, &new, now))
    }

    /// Requests that are not answered, oldest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn commitments_open(&self) -> Result<Vec<CommitmentRow>> {
        self.read(|db| query(db, "ended_at IS NULL ORDER BY id", []))
    }

    /// The latest requests, newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn commitments(&self, limit: u32) -> Result<Vec<CommitmentRow>> {
        self.read(|db| query(db, "TRUE ORDER BY id DESC LIMIT ?1", [limit]))
    }

    /// The request of that number.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn commitment(&self, id: i64) -> Result<Option<CommitmentRow>> {
        self.read(|db| Ok(query(db, "id = ?1", [id])?.pop()))
    }

    /// The objects of a request, in its order; of one that is over those that were not committed.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn commitment_objects(&self, id: i64) -> Result<Vec<CommitmentObject>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT sop_class_uid, sop_instance_uid, reason FROM commitment_objects WHERE commitment = ?1 ORDER BY place",
            )?;
            let rows = statement.query_map([id], |row| {
                Ok(CommitmentObject {
                    sop_class_uid: row.get(0)?,
                    sop_instance_uid: row.get(1)?,
                    reason: row.get(2)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// What is stored under each of these SOP Instance UIDs and not removed: that stream's own first, then the newest.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn held_objects(&self, stream: &AeTitle, uids: &[String]) -> Result<Vec<Vec<HeldObject>>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT j.id, j.stream, i.sop_class_uid, i.sop_instance_uid, i.file, i.bytes, i.hash, i.current \
                 FROM instances i JOIN jobs j ON j.seq = i.job WHERE i.sop_instance_uid = ?1 \
                 AND j.removed_at IS NULL AND j.removed_why IS NULL \
                 ORDER BY j.stream = ?2 DESC, i.current DESC, i.id DESC LIMIT ?3",
            )?;
            let mut all = Vec::new();
            for uid in uids {
                let mut rows = statement.query(params![uid, stream.as_str(), PLACES])?;
                let mut held = Vec::new();
                while let Some(row) = rows.next()? {
                    held.push(read_held(row)?);
                }
                all.push(held);
            }
            Ok(all)
        })
    }

    /// Keeps retention away from these jobs until then by either clock, or for ever; answers those that still have their
    /// files.
    pub fn promise(&self, jobs: Vec<JobId>, until: Option<Moment>, at: Timestamp) -> Pending<HashSet<JobId>> {
        self.write(move |db| {
            // A promise never becomes shorter.
            let mut update = db.prepare_cached(
                "UPDATE jobs SET committed_at = coalesce(committed_at, ?2), committed_until = \
                 CASE WHEN ?3 IS NULL OR (committed_at IS NOT NULL AND committed_until IS NULL) THEN NULL \
                 ELSE max(coalesce(committed_until, 0), ?3) END, \
                 committed_run = max(coalesce(committed_run, 0), coalesce(?4, 0)) \
                 WHERE id = ?1 AND removed_at IS NULL AND removed_why IS NULL",
            )?;
            let mut kept = HashSet::new();
            for job in jobs {
                if update.execute(params![
                    job.as_str(),
                    at.0,
                    until.map(|t| t.at.0),
                    until.map(|t| t.ran.0)
                ])? > 0
                {
                    kept.insert(job);
                }
            }
            Ok(kept)
        })
    }

    /// Keeps what became of each object of a request, in its order: 0 or the Failure Reason; and a step of each job that
    /// has objects of it.
    pub fn commitment_checked(
        &self,
        id: i64,
        reasons: Vec<u16>,
        kept_until: Option<Timestamp>,
        steps: Vec<(JobId, String)>,
    ) -> Pending<()> {
        self.write(move |db| {
            let mut update = db.prepare_cached(
                "UPDATE commitment_objects SET reason = ?3 WHERE commitment = ?1 AND place = ?2",
            )?;
            for (place, reason) in reasons.iter().enumerate() {
                update.execute(params![id, i64::try_from(place).unwrap_or(i64::MAX), reason])?;
            }
            let failed = reasons.iter().filter(|reason| **reason != 0).count();
            db.execute(
                "UPDATE commitments SET state = ?2, failed = ?3, kept_until = ?4 WHERE id = ?1",
                params![
                    id,
                    CommitmentState::Checked.name(),
                    i64::try_from(failed).unwrap_or(i64::MAX),
                    kept_until.map(|t| t.0)
                ],
            )?;
            steps
                .iter()
                .try_for_each(|(job, text)| record(db, job, "committed", text))
        })
    }

    /// Open sets of a stream all of whose objects a request lists, and how many those are.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn sets_listed(&self, id: i64, stream: &AeTitle) -> Result<Vec<(JobId, u64)>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT j.id, j.instances FROM jobs j WHERE j.state = 'receiving' AND j.stream = ?2 AND j.instances > 0 \
                 AND NOT EXISTS (SELECT 1 FROM instances i WHERE i.job = j.seq AND i.sop_instance_uid NOT IN \
                 (SELECT sop_instance_uid FROM commitment_objects WHERE commitment = ?1))",
            )?;
            let mut rows = statement.query(params![id, stream.as_str()])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push((job_id(&row.get::<_, String>(0)?)?, row.get(1)?));
            }
            Ok(found)
        })
    }

    /// An answer did not arrive; another attempt at `next_at`.
    pub fn commitment_put_off(&self, id: i64, next_at: Timestamp, error: String) -> Pending<()> {
        self.write(move |db| {
            db.execute(
                "UPDATE commitments SET attempts = attempts + 1, next_at = ?2, error = ?3 WHERE id = ?1",
                params![id, next_at.0, error],
            )?;
            Ok(())
        })
    }

    /// A request is over: answered, or given up for what the error says.
    pub fn commitment_ends(&self, id: i64, error: Option<String>, at: Timestamp) -> Pending<()> {
        self.write(move |db| {
            let state = match error {
                None => CommitmentState::Answered,
                Some(_) => CommitmentState::Unanswered,
            };
            db.execute(
                "UPDATE commitments SET state = ?2, attempts = attempts + 1, next_at = NULL, error = ?3, ended_at = ?4 \
                 WHERE id = ?1",
                params![id, state.name(), error, at.0],
            )?;
            db.execute(
                "DELETE FROM commitment_objects WHERE commitment = ?1 AND reason = 0",
                [id],
            )?;
            forget_oldest(db)
        })
    }
}

fn insert(db: &Connection, new: &NewCommitment, now: Moment) -> Result<Option<i64>> {
    let (open, of_one): (i64, i64) = db.query_row(
        "SELECT count(*), count(*) FILTER (WHERE calling_ae_title = ?1) FROM commitments WHERE ended_at IS NULL",
        [new.calling.as_str()],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    if open >= MOST_OPEN || of_one >= MOST_OPEN_OF_ONE {
        return Ok(None);
    }
    let named = params![
        new.transaction_uid.as_str(),
        new.calling.as_str(),
        new.stream.as_str()
    ];
    let before: Option<i64> = db
        .query_row(
            "SELECT id FROM commitments WHERE transaction_uid = ?1 AND calling_ae_title = ?2 AND stream = ?3",
            named,
            |row| row.get(0),
        )
        .optional()?;
    if let Some(before) = before {
        forget(db, before)?;
    }
    let id: i64 = db.query_row(
        "INSERT INTO commitments (transaction_uid, calling_ae_title, stream, caller_address, received_at, association, \
         state, objects, next_at, received) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10) RETURNING id",
        params![
            new.transaction_uid.as_str(),
            new.calling.as_str(),
            new.stream.as_str(),
            new.address,
            now.at.0,
            i64::try_from(new.association).unwrap_or(i64::MAX),
            CommitmentState::Received.name(),
            i64::try_from(new.objects.len()).unwrap_or(i64::MAX),
            new.next_at.0,
            now.ran.0
        ],
        |row| row.get(0),
    )?;
    kept(db, now.ran)?;
    let mut insert = db.prepare_cached(
        "INSERT INTO commitment_objects (commitment, place, sop_class_uid, sop_instance_uid) VALUES (?1,?2,?3,?4)",
    )?;
    for (place, (class, instance)) in (0_i64..).zip(&new.objects) {
        insert.execute(params![id, place, class.as_str(), instance.as_str()])?;
    }
    Ok(Some(id))
}

fn forget(db: &Connection, id: i64) -> Result<()> {
    db.execute("DELETE FROM commitment_objects WHERE commitment = ?1", [id])?;
    db.execute("DELETE FROM commitments WHERE id = ?1", [id])?;
    Ok(())
}

fn forget_oldest(db: &Connection) -> Result<()> {
    let oldest: Option<i64> = db
        .query_row(
            "SELECT id FROM commitments WHERE ended_at IS NOT NULL ORDER BY id DESC LIMIT 1 OFFSET ?1",
            [KEPT],
            |row| row.get(0),
        )
        .optional()?;
    oldest.map_or(Ok(()), |id| forget(db, id))
}

fn query(db: &Connection, condition: &str, values: impl rusqlite::Params) -> Result<Vec<CommitmentRow>> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT id, transaction_uid, calling_ae_title, stream, caller_address, received_at, association, state, objects, \
         failed, kept_until, attempts, next_at, ended_at, error, received FROM commitments WHERE {condition}"
    ))?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

fn read(row: &Row<'_>) -> Result<CommitmentRow> {
    let state: String = row.get(7)?;
    let time = |i: usize| -> Result<Option<Timestamp>> { Ok(row.get::<_, Option<i64>>(i)?.map(Timestamp)) };
    Ok(CommitmentRow {
        id: row.get(0)?,
        transaction_uid: row.get(1)?,
        calling: ae_title(&row.get::<_, String>(2)?)?,
        stream: ae_title(&row.get::<_, String>(3)?)?,
        address: row.get(4)?,
        received_at: Timestamp(row.get(5)?),
        association: row.get(6)?,
        state: CommitmentState::from_name(&state)
            .ok_or_else(|| StoreError::State(format!("{state:?} is no state of a commitment")))?,
        objects: row.get(8)?,
        failed: row.get(9)?,
        kept_until: time(10)?,
        attempts: row.get(11)?,
        next_at: time(12)?,
        ended_at: time(13)?,
        error: row.get(14)?,
        received: RunTime(row.get(15)?),
    })
}

fn read_held(row: &Row<'_>) -> Result<HeldObject> {
    Ok(HeldObject {
        job: job_id(&row.get::<_, String>(0)?)?,
        stream: ae_title(&row.get::<_, String>(1)?)?,
        sop_class_uid: row.get(2)?,
        sop_instance_uid: row.get(3)?,
        file: row.get(4)?,
        bytes: row.get(5)?,
        hash: row.get(6)?,
        current: row.get(7)?,
    })
}
