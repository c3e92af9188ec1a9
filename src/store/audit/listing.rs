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
    /// Behind this one, by its number: the next page.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

/// The query of a filter. A condition that is absent is left out, so that what is there finds its index; `EXPLAIN` in the
/// tests says which.
fn sql(filter: &AuditFilter) -> String {
    // The few of a study or a job are looked through for their kind and time, never the many of those for theirs.
    let (kind, at) = match (&filter.study, &filter.job) {
        (None, None) => ("kind", "at"),
        _ => ("+kind", "+at"),
    };
    let mut sql = format!("SELECT id, event FROM audit WHERE {at} >= ?2 AND {at} < ?3");
    for (condition, number, wanted) in [
        // Behind the last one of the page before; nothing when it is pruned meanwhile, and with it all before it.
        (
            format!("({at}, id) < ((SELECT at FROM audit WHERE id = ?1), ?1)"),
            1,
            filter.before.is_some(),
        ),
        (format!("{kind} = ?4"), 4, filter.kind.is_some()),
        ("study = ?5".to_owned(), 5, filter.study.is_some()),
        ("job = ?6".to_owned(), 6, filter.job.is_some()),
    ] {
        if wanted {
            sql.push_str(&format!(" AND {condition}"));
        } else {
            sql.push_str(&format!(" AND ?{number} IS NULL"));
        }
    }
    sql.push_str(&format!(" ORDER BY {at} DESC, id DESC LIMIT ?7"));
    sql
}

impl Store {
    /// Events, newest first: by when they happened, and of one moment by their numbers.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn audit_events(&self, filter: &AuditFilter) -> Result<Vec<AuditRow>> {
        let sql = sql(filter);
        self.read(|db| {
            let mut statement = db.prepare_cached(&sql)?;
            let mut rows = statement.query(params![
                filter.before,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_finds_its_index() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("s.sqlite")).unwrap();
        let none = AuditFilter::default;
        for (asked, index) in [
            (none(), "audit_by_time"),
            (
                AuditFilter {
                    since: Some(Timestamp(1)),
                    before: Some(7),
                    ..none()
                },
                "audit_by_time",
            ),
            (
                AuditFilter {
                    kind: Some(AuditKind::Deleted),
                    ..none()
                },
                "audit_by_kind_and_time",
            ),
            (
                AuditFilter {
                    study: Some(String::new()),
                    kind: Some(AuditKind::Deleted),
                    ..none()
                },
                "audit_by_study",
            ),
            (
                AuditFilter {
                    job: Some(String::new()),
                    before: Some(7),
                    ..none()
                },
                "audit_by_job",
            ),
        ] {
            let plan = store.read(|db| {
                let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {}", sql(&asked)))?;
                let none: Option<i64> = None;
                let rows = statement.query_map(params![asked.before, 1, 2, none, none, none, 9], |row| {
                    row.get::<_, String>(3)
                })?;
                Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
            });
            let plan = plan.unwrap();
            assert!(
                plan[0].contains(&format!("USING INDEX {index} (")),
                "{asked:?}: {plan:?}"
            );
            let sorts = plan.iter().any(|step| step.contains("TEMP B-TREE"));
            assert_eq!(
                sorts,
                asked.study.is_some() || asked.job.is_some(),
                "{asked:?}: {plan:?}"
            );
        }
    }
}
