//! What somebody may have changed with an editor: the trail has a word of how it was when it was looked at last.

use rusqlite::{OptionalExtension, params};

use super::super::writer::When;
use super::super::{Pending, Store};
use super::append;
use crate::model::AuditEvent;

impl Store {
    /// Remembers how something is now, and writes the event where it was otherwise when it was looked at last. Without an
    /// event it is only remembered: somebody else told of the change.
    pub fn audit_if_changed(
        &self,
        what: &'static str,
        now: String,
        event: Option<AuditEvent>,
    ) -> Pending<()> {
        self.writer.submit(When::Synced, move |db| {
            let key = format!("audit_seen_{what}");
            let before: Option<String> = db
                .prepare_cached("SELECT value FROM node WHERE key = ?1")?
                .query_row([&key], |row| row.get(0))
                .optional()?;
            if before.as_ref() == Some(&now) {
                return Ok(());
            }
            db.prepare_cached(
                "INSERT INTO node (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            )?
            .execute(params![key, now])?;
            told(event, before, &now).map_or(Ok(()), |event| append(db, &event))
        })
    }
}

/// Nothing at the first look: there is nothing that it would differ from.
fn told(event: Option<AuditEvent>, before: Option<String>, now: &str) -> Option<AuditEvent> {
    let (event, before) = (event?, before?);
    let said = event.text.clone().unwrap_or_default();
    Some(event.saying(format!("{said}: {before} before, {now} now")))
}
