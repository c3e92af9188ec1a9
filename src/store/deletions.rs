//! Jobs that somebody wants gone: what still happens to one ends now, its files go afterwards.

use rusqlite::{Connection, OptionalExtension, params};

use super::actions::{cancel, cancel_deliveries};
use super::events::record;
use super::jobs::state_of;
use super::writer::When;
use super::{Pending, Result, Store, StoreError, audit};
use crate::model::{JobId, Timestamp};

/// Objects of a set that was cancelled while it was open may be on their way to another one for so long: until then their
/// files stay where they are.
const SETTLED_MS: i64 = 300_000;

/// What became of a wish to have a job gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// Its files go now.
    Begun {
        /// It was under way: whoever drives it has to hear that it was cancelled.
        cancelled: bool,
    },
    /// They went, or are going.
    Already,
}

impl Store {
    /// Marks a job for removal, whatever it is at; what is not over ends as cancelled, and what is not delivered will not
    /// be. Its row stays as its history. May be repeated.
    ///
    /// Fails with [`StoreError::State`] where storage commitment was promised for objects of it, or more may arrive.
    pub fn delete(&self, id: &JobId, by: String, at: Timestamp) -> Pending<Deletion> {
        let (id, act, destinations) = (id.clone(), self.act.clone(), self.destinations.clone());
        // Told here, not with every answer: what goes already is not deleted once more.
        self.writer.submit(When::Synced, move |db| {
            let deleted = delete(db, &id, &by, at)?;
            if deleted != Deletion::Already {
                audit::sent_and_cancelled(db, Some(&id), &destinations)?;
                act.map_or(Ok(()), |act| act.tell(db))?;
            }
            Ok(deleted)
        })
    }
}

fn delete(db: &Connection, id: &JobId, by: &str, at: Timestamp) -> Result<Deletion> {
    let (gone, promised, arriving): (bool, bool, bool) = db
        .prepare_cached(
            "SELECT removed_at IS NOT NULL OR removed_why IS NOT NULL, committed_at IS NOT NULL, \
             queued_at IS NULL AND coalesce(ended_at, ?2) > ?2 - ?3 FROM jobs WHERE id = ?1",
        )?
        .query_row(params![id.as_str(), at.0, SETTLED_MS], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?
        .ok_or_else(|| StoreError::State(format!("there is no job {id}")))?;
    if gone {
        return Ok(Deletion::Already);
    }
    if promised {
        let why = format!("job {id} stays: storage commitment was promised for objects of it");
        return Err(StoreError::State(why));
    }
    if arriving {
        let why = format!("objects of job {id} may still arrive: delete it once it is complete");
        return Err(StoreError::State(why));
    }
    let reason = format!("deleted by {by}");
    let under_way = !state_of(db, id)?.is_final();
    if under_way {
        cancel(db, id, &reason, at)?;
    } else {
        let cancelled = cancel_deliveries(db, id)?;
        if cancelled > 0 {
            record(db, id, "cancelled", &format!("{cancelled} deliveries, {reason}"))?;
        }
    }
    db.prepare_cached("UPDATE jobs SET removed_why = ?2, ended_at = coalesce(ended_at, ?3) WHERE id = ?1")?
        .execute(params![id.as_str(), reason, at.0])?;
    record(db, id, "deleted", &reason)?;
    Ok(Deletion::Begun { cancelled: under_way })
}
