//! Reading the trail, and remembering how far a collector has it.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::super::{Pending, Result, Store, StoreError};
use crate::model::{AuditEvent, AuditKind, Timestamp};

/// Where the place that the collector has come to is kept.
const CURSOR: &str = "audit_collected";

/// An event as it stands in the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number: one more than that of the event before it.
    pub id: i64,
    /// The event.
    pub event: AuditEvent,
}

/// Which events are wanted.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// Of this kind.
    pub kind: Option<AuditKind>,
    /// About this study.
    pub study: Option<String>,
    /// About this job.
    pub job: Option<String>,
    /// With a smaller number: the next page.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

impl Store {
    /// Events, newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn audit_events(&self, filter: &AuditFilter) -> Result<Vec<AuditRow>> {
        // A condition that is absent is left out, so that what is there finds its index.
        let mut sql = String::from("SELECT id, event FROM audit WHERE id < ?1 AND at >= ?2 AND at < ?3");
        // The few of a study or a job are looked through for their kind, never the many of a kind for theirs.
        let kind = match (&filter.study, &filter.job) {
            (None, None) => "kind",
            _ => "+kind",
        };
        for (column, number, wanted) in [
            (kind, 4, filter.kind.is_some()),
            ("study", 5, filter.study.is_some()),
            ("job", 6, filter.job.is_some()),
        ] {
            let condition = if wanted {
                format!(" AND {column} = ?{number}")
            } else {
                format!(" AND ?{number} IS NULL")
            };
            sql.push_str(&condition);
        }
        sql.push_str(" ORDER BY id DESC LIMIT ?7");
        self.read(|db| {
            let mut statement = db.prepare_cached(&sql)?;
            let mut rows = statement.query(params![
                filter.before.unwrap_or(i64::MAX),
                filter.since.map_or(i64::MIN, |at| at.0),
                filter.until.map_or(i64::MAX, |at| at.0),
                filter.kind.map(AuditKind::word),
                filter.study,
                filter.job,
                filter.limit,
            ])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(read(row)?);
            }
            Ok(found)
        })
    }

    /// Events that the collector does not have yet, oldest first, and how many there are in all.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn audit_uncollected(&self, limit: u32) -> Result<(Vec<AuditRow>, u64)> {
        self.read(|db| {
            let from = collected(db)?;
            let mut statement =
                db.prepare_cached("SELECT id, event FROM audit WHERE id > ?1 ORDER BY id LIMIT ?2")?;
            let mut rows = statement.query(params![from, limit])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(read(row)?);
            }
            let last: i64 = db
                .prepare_cached("SELECT coalesce(max(id), ?1) FROM audit")?
                .query_row([from], |row| row.get(0))?;
            Ok((found, u64::try_from(last - from).unwrap_or(0)))
        })
    }

    /// The collector has everything up to that event.
    pub fn audit_collected(&self, upto: i64) -> Pending<()> {
        self.write(move |db| {
            db.prepare_cached(
                "INSERT INTO node (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            )?
            .execute(params![CURSOR, upto.to_string()])?;
            Ok(())
        })
    }
}

pub(super) fn collected(db: &Connection) -> Result<i64> {
    let found: Option<String> = db
        .prepare_cached("SELECT value FROM node WHERE key = ?1")?
        .query_row([CURSOR], |row| row.get(0))
        .optional()?;
    Ok(found.and_then(|text| text.parse().ok()).unwrap_or(0))
}

fn read(row: &Row<'_>) -> Result<AuditRow> {
    Ok(AuditRow {
        id: row.get(0)?,
        event: event(&row.get::<_, String>(1)?)?,
    })
}

pub(super) fn event(json: &str) -> Result<AuditEvent> {
    serde_json::from_str(json)
        .map_err(|error| StoreError::State(format!("an event of the audit trail cannot be read: {error}")))
}
