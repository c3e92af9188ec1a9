//! The one way in which rows of the trail go: by age, oldest first, with an event that says so.
//!
//! The hash that the first row left goes on from is kept, so that the chain can be checked from there. Triggers of the
//! table let nothing else be deleted.

use rusqlite::{OptionalExtension, params};

use super::super::{Pending, Result, Store};
use super::append;
use super::chain::pruned;
use super::listing::collected;
use crate::model::{AuditAction, AuditEvent, AuditKind, AuditParticipant, AuditThing, Timestamp};

/// Rows of one step, so that it holds nobody up for long.
const STEP: i64 = 1000;

/// What the event of a pruning says.
pub(super) fn upto(id: i64) -> String {
    format!("events up to number {id} were old enough to go")
}

impl Store {
    /// Takes out events from before a moment, some at a time: those that the collector has, where `collects` says that there
    /// is one. Answers how many went.
    pub fn audit_prune(&self, before: Timestamp, collects: bool) -> Pending<usize> {
        self.write(move |db| {
            let (from, _) = pruned(db)?;
            let most = if collects { collected(db)? } else { i64::MAX };
            // The first that is young enough ends it: a clock that was set back leaves no gaps.
            let first_kept: Option<i64> = db
                .query_row(
                    "SELECT min(id) FROM audit WHERE id > ?1 AND id <= ?2 AND +at >= ?3",
                    params![from, from + STEP, before.0],
                    |row| row.get(0),
                )
                .optional()?
                .flatten();
            let upto_id = first_kept.map_or(from + STEP, |id| id - 1).min(most);
            let last: Option<(i64, Vec<u8>)> = db
                .query_row(
                    "SELECT id, hash FROM audit WHERE id > ?1 AND id <= ?2 ORDER BY id DESC LIMIT 1",
                    params![from, upto_id],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()?;
            let Some((last, hash)) = last else {
                return Ok(0);
            };
            let us = vec![AuditParticipant::node(None).asking()];
            let event = AuditEvent::new(AuditKind::TrailPruned, AuditAction::Execute, us);
            append(
                db,
                &event.about(AuditThing::Trail, "/api/v1/audit").saying(upto(last)),
            )?;
            db.execute(
                "INSERT INTO audit_pruned (upto, at, hash) VALUES (?1, ?2, ?3)",
                params![last, Timestamp::now().0, hash],
            )?;
            let gone = db.execute("DELETE FROM audit WHERE id <= ?1", [last])?;
            forget_patients(db, before)?;
            Ok(gone)
        })
    }
}

/// Of jobs that went so long ago no event is left that would name the patient again.
fn forget_patients(db: &rusqlite::Connection, before: Timestamp) -> Result<()> {
    db.execute(
        "DELETE FROM audit_studies WHERE job IN (SELECT seq FROM jobs WHERE removed_at < ?1)",
        [before.0],
    )?;
    Ok(())
}
