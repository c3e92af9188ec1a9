//! Changes outside the store: what began has an event, whatever happens before it is over.

use rusqlite::Connection;

use super::super::writer::When;
use super::super::{Pending, Result, Store, StoreError};
use super::append;
use super::listing::event;
use crate::model::{AuditEvent, AuditOutcome};

impl Store {
    /// Notes, before something is changed, the event that tells of it. Answers the note's number.
    pub fn audit_begin(&self, event: &AuditEvent) -> Pending<i64> {
        let json = serde_json::to_string(event);
        self.writer.submit(When::Synced, move |db| {
            let json = json
                .map_err(|error| StoreError::State(format!("write an event of the audit trail: {error}")))?;
            Ok(db
                .prepare_cached("INSERT INTO audit_begun (event) VALUES (?1) RETURNING id")?
                .query_row([json], |row| row.get(0))?)
        })
    }

    /// Writes the event of what is over; its note goes in the same step.
    pub fn audit_end(&self, begun: i64, event: AuditEvent) -> Pending<()> {
        self.writer.submit(When::Synced, move |db| {
            db.prepare_cached("DELETE FROM audit_begun WHERE id = ?1")?
                .execute([begun])?;
            append(db, &event)
        })
    }
}

/// Tells, at a start, what an earlier run began and did not come to tell.
pub(super) fn cut_off(db: &Connection) -> Result<()> {
    let mut statement = db.prepare("SELECT event FROM audit_begun ORDER BY id")?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    for json in rows.collect::<rusqlite::Result<Vec<_>>>()? {
        let begun = event(&json)?.ended(AuditOutcome::SeriousFailure);
        let text =
            "the node stopped, or could not write, before this was told: whether it was done is not known";
        append(db, &begun.saying(text))?;
    }
    db.execute("DELETE FROM audit_begun", [])?;
    Ok(())
}
