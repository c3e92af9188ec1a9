//! Held jobs: since when, and the end of those that nobody released in time.

use rusqlite::{Connection, params};

use super::actions::cancel;
use super::jobs::{job_id, state_of};
use super::{Pending, Result, Store};
use crate::model::{JobId, JobState, Timestamp};

impl Store {
    /// The held jobs, with when each was held.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn held(&self) -> Result<Vec<(JobId, Timestamp)>> {
        self.read(|db| {
            let mut statement = db.prepare_cached("SELECT id FROM jobs WHERE state = ?1")?;
            let ids = statement.query_map([JobState::Held.name()], |row| row.get::<_, String>(0))?;
            ids.map(|id| {
                let id = job_id(&id?)?;
                let since = held_since(db, &id)?;
                Ok((id, since))
            })
            .collect()
        })
    }

    /// When a job was held last.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn held_since(&self, id: &JobId) -> Result<Timestamp> {
        self.read(|db| held_since(db, id))
    }

    /// Cancels a job that is held since then. Answers `false`, and changes nothing, if an operator was faster.
    pub fn end_hold(&self, id: &JobId, since: Timestamp, why: String, at: Timestamp) -> Pending<bool> {
        let id = id.clone();
        self.write(move |db| {
            let still = state_of(db, &id)? == JobState::Held && held_since(db, &id)? == since;
            if still {
                cancel(db, &id, &why, at)?;
            }
            Ok(still)
        })
    }
}

/// The step says when. Should a long history have lost it, the last step that is there counts: later, never earlier.
fn held_since(db: &Connection, id: &JobId) -> Result<Timestamp> {
    let at: Option<i64> = db
        .prepare_cached(
            "SELECT coalesce(max(CASE kind WHEN 'held' THEN at END), max(at)) FROM events \
             WHERE job = (SELECT seq FROM jobs WHERE id = ?1)",
        )?
        .query_row(params![id.as_str()], |row| row.get(0))?;
    Ok(Timestamp(at.unwrap_or(i64::MAX)))
}
