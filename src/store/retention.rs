//! Which jobs may lose their files, and that they did.
//!
//! A job is removed in three steps, so that a crash between any two loses nothing but time: `removed_why` says that it
//! is being removed, its files go, `removed_at` says that they are gone. A row with the first and without the last is
//! finished by the next pass. The row itself stays: it is the history.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::events::record;
use super::jobs::{ae_title, job_id};
use super::{Pending, Result, Store, StoreError, audit};
use crate::model::{AeTitle, JobId, Timestamp};

/// A job that is over and may lose its files: nothing of it is to be delivered, nobody else needs them, and no
/// storage commitment holds for any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removable {
    /// Its name.
    pub id: JobId,
    /// Its stream.
    pub stream: AeTitle,
    /// When it was over.
    pub ended_at: Timestamp,
    /// Bytes of the data sets it received; what it made comes on top.
    pub bytes: u64,
    /// Where it stands in the store, for the next page.
    seq: i64,
}

/// States that a job does not leave by itself.
const OVER: &str = "('done', 'failed', 'cancelled')";

/// What may be removed at `now` by either clock, two parameters, whatever the policy; the `+` leaves the order by end to its index. What a destination refused is not
/// delivered either: a person decides, as with `held`. What is committed stays as long as was promised. A set of the same study that is not over may still be made from what an earlier job has.
fn may_be_removed([at, ran]: [&str; 2]) -> String {
    format!(
        "jobs.removed_at IS NULL AND jobs.removed_why IS NULL AND jobs.ended_at IS NOT NULL \
         AND +jobs.state IN {OVER} AND (jobs.committed_at IS NULL OR (jobs.committed_until <= {at} AND coalesce(jobs.committed_run, 0) <= {ran})) \
         AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.job = jobs.seq \
                         AND d.state NOT IN ('sent', 'committed', 'cancelled', 'not-needed')) \
         AND NOT EXISTS (SELECT 1 FROM jobs n WHERE n.stream = jobs.stream AND n.group_key = jobs.group_key \
                         AND n.state NOT IN {OVER}) \
         AND jobs.id NOT IN (SELECT n.made_from FROM jobs n WHERE n.made_from IS NOT NULL AND n.state IN \
                         ('receiving', 'queued', 'running', 'harvesting', 'delivering', 'held'))"
    )
}

impl Store {
    /// Jobs that may be removed, oldest end first, from behind `after`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn removable(&self, after: Option<&Removable>, limit: u32) -> Result<Vec<Removable>> {
        let now = self.moment();
        let sql = format!(
            "SELECT id, stream, ended_at, bytes, seq FROM jobs WHERE {} AND (ended_at, seq) > (?1, ?2) \
             ORDER BY ended_at, seq LIMIT ?3",
            may_be_removed(["?4", "?5"])
        );
        let (ended_at, seq) = after.map_or((i64::MIN, i64::MIN), |a| (a.ended_at.0, a.seq));
        self.read(|db| {
            let mut statement = db.prepare_cached(&sql)?;
            let mut rows = statement.query(params![ended_at, seq, limit, now.at.0, now.ran.0])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(read(row)?);
            }
            Ok(found)
        })
    }

    /// Says that a job is being removed, unless something happened that forbids it; answers whether it is.
    pub fn removal_begins(&self, id: &JobId, why: String) -> Pending<bool> {
        let (id, now) = (id.clone(), self.moment());
        self.write(move |db| {
            let sql = format!(
                "UPDATE jobs SET removed_why = ?2 WHERE id = ?1 AND {}",
                may_be_removed(["?3", "?4"])
            );
            let begun = db
                .prepare_cached(&sql)?
                .execute(params![id.as_str(), why, now.at.0, now.ran.0])?
                > 0;
            if begun {
                audit::deleted(db, &id, &why)?;
            }
            Ok(begun)
        })
    }

    /// Jobs whose removal was begun and not finished.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn removals_begun(&self) -> Result<Vec<(JobId, AeTitle)>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT id, stream FROM jobs WHERE removed_at IS NULL AND ended_at IS NOT NULL \
                 AND removed_why IS NOT NULL ORDER BY ended_at",
            )?;
            let mut rows = statement.query([])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push((
                    job_id(&row.get::<_, String>(0)?)?,
                    ae_title(&row.get::<_, String>(1)?)?,
                ));
            }
            Ok(found)
        })
    }

    /// Says that the files of a job are gone.
    pub fn removal_ends(&self, id: &JobId, at: Timestamp) -> Pending<()> {
        let id = id.clone();
        self.write(move |db| {
            let why: Option<String> = db
                .query_row(
                    "UPDATE jobs SET removed_at = ?2 WHERE id = ?1 AND removed_at IS NULL RETURNING removed_why",
                    params![id.as_str(), at.0],
                    |row| row.get(0),
                )
                .optional()?
                .flatten();
            super::gate::forget_values(db, &id)?;
            why.map_or(Ok(()), |why| record(db, &id, "removed", &why))
        })
    }
}

/// Refuses what needs the files of a job that are gone, or going.
pub(super) fn has_files(db: &Connection, id: &JobId) -> Result<()> {
    let gone: Option<i64> = db
        .prepare_cached(
            "SELECT 1 FROM jobs WHERE id = ?1 AND (removed_at IS NOT NULL OR removed_why IS NOT NULL)",
        )?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()?;
    match gone {
        None => Ok(()),
        Some(_) => Err(StoreError::State(format!(
            "the files of job {id} were removed: send the study again"
        ))),
    }
}

/// All jobs of a bucket lost their files with it.
pub(super) fn removed_with_bucket(db: &Connection, stream: &AeTitle, at: Timestamp) -> Result<()> {
    audit::all_of_bucket(db, stream)?;
    db.execute(
        "UPDATE jobs SET removed_at = ?2, removed_why = 'its bucket was removed' \
         WHERE stream = ?1 AND removed_at IS NULL",
        params![stream.as_str(), at.0],
    )?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Removable> {
    Ok(Removable {
        id: job_id(&row.get::<_, String>(0)?)?,
        stream: ae_title(&row.get::<_, String>(1)?)?,
        ended_at: Timestamp(row.get(2)?),
        bytes: row.get(3)?,
        seq: row.get(4)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store with one job per row: name, state, end, other columns as SQL assignments.
    fn store(rows: &[(&str, &str, Option<i64>, &str)]) -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("s.sqlite")).unwrap();
        for (name, state, ended, more) in rows {
            let more = if more.is_empty() {
                String::new()
            } else {
                format!("UPDATE jobs SET {more} WHERE id = '{name}';")
            };
            let ended = ended.map_or("NULL".to_owned(), |e| e.to_string());
            let sql = format!(
                "INSERT INTO jobs (id, stream, state, group_key, calling_ae_title, caller_address, \
                 study_instance_uid, received_at, last_object_at, ended_at, bytes) \
                 VALUES ('{name}', 'A', '{state}', '{name}', 'S', '::1', '1.2', 0, 0, {ended}, 7); {more}"
            );
            store.write(move |db| Ok(db.execute_batch(&sql)?)).wait().unwrap();
        }
        (dir, store)
    }

    fn names(found: &[Removable]) -> Vec<&str> {
        found.iter().map(|r| r.id.as_str()).collect()
    }

    #[test]
    fn only_what_is_over_and_nobody_needs_may_be_removed_oldest_end_first() {
        let (_dir, store) = store(&[
            ("late", "done", Some(50), ""),
            ("early", "failed", Some(10), ""),
            ("cancelled", "cancelled", Some(20), ""),
            ("receiving", "receiving", None, ""),
            ("queued", "queued", None, ""),
            ("running", "running", None, ""),
            ("delivering", "delivering", None, ""),
            ("held", "held", Some(5), ""),
            // A retried job keeps its earlier end.
            ("retried", "running", Some(5), ""),
            ("promised", "done", Some(5), "committed_at = 6"),
            (
                "promised-for-long",
                "done",
                Some(5),
                "committed_at = 6, committed_until = 99999999999999",
            ),
            (
                "kept-its-promise",
                "done",
                Some(5),
                "committed_at = 6, committed_until = 7",
            ),
            (
                // Its time is over by a clock that was set, and the node has not run so long.
                "set",
                "done",
                Some(5),
                "committed_at = 6, committed_until = 7, committed_run = 3600000",
            ),
            ("gone", "done", Some(5), "removed_at = 6, removed_why = 'age'"),
            ("going", "done", Some(5), "removed_why = 'age'"),
            ("source", "done", Some(5), ""),
            ("remade", "queued", None, "made_from = 'source'"),
            ("again", "done", Some(5), "group_key = 'study'"),
            ("open", "receiving", None, "group_key = 'study'"),
            ("source-of-one-over", "done", Some(60), ""),
            (
                "remade-and-over",
                "done",
                Some(70),
                "made_from = 'source-of-one-over'",
            ),
        ]);
        let found = store.removable(None, 100).unwrap();
        let expected = [
            "kept-its-promise",
            "early",
            "cancelled",
            "late",
            "source-of-one-over",
            "remade-and-over",
        ];
        assert_eq!(names(&found), expected);
        let second = store.removable(found.get(2), 1).unwrap();
        assert_eq!(names(&second), ["late"]);
        let going: Vec<_> = store.removals_begun().unwrap();
        assert_eq!(going.len(), 1);
        assert_eq!(going[0].0.as_str(), "going");
    }

    #[test]
    fn what_is_not_delivered_stays() {
        for (state, stays) in [
            ("waiting", true),
            ("sending", true),
            ("retrying", true),
            ("held", true),
            ("sent", false),
            ("committing", true),
            ("committed", false),
            ("uncommitted", true),
            ("refused", true),
            ("cancelled", false),
        ] {
            let (_dir, store) = store(&[("a", "done", Some(1), "")]);
            let sql = format!(
                "INSERT INTO deliveries (job, destination, route, direction, state, created_at) \
                 VALUES (1, 'PACS', 'r', 'output', '{state}', 0), (1, 'OTHER', 'r', 'output', 'sent', 0)"
            );
            store.write(move |db| Ok(db.execute_batch(&sql)?)).wait().unwrap();
            let found = store.removable(None, 10).unwrap();
            assert_eq!(found.is_empty(), stays, "{state}");
            let job = JobId::parse("a").unwrap();
            let begun = store.removal_begins(&job, "age".into()).wait().unwrap();
            assert_eq!(begun, !stays, "{state}: asked again when it is begun");
        }
    }

    #[test]
    fn a_removal_that_was_cut_off_is_found_again_until_it_is_finished() {
        let (_dir, store) = store(&[("a", "done", Some(1), "")]);
        let job = JobId::parse("a").unwrap();
        assert!(store.removal_begins(&job, "30 days old".into()).wait().unwrap());
        assert!(!store.removal_begins(&job, "again".into()).wait().unwrap());
        assert_eq!(store.removable(None, 10).unwrap(), []);
        assert_eq!(store.removals_begun().unwrap().len(), 1);
        store.removal_ends(&job, Timestamp(9)).wait().unwrap();
        store.removal_ends(&job, Timestamp(10)).wait().unwrap();
        assert_eq!(store.removals_begun().unwrap(), []);
        let row = store.job(&job).unwrap().unwrap();
        let removal = (row.removed_at, row.removed_why.as_deref());
        assert_eq!(removal, (Some(Timestamp(9)), Some("30 days old")));
        let events = store.events(&job).unwrap();
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!(events[0].text, "30 days old");
        let refused = store.retry(&job, Timestamp(11)).wait().unwrap_err().to_string();
        assert!(refused.contains("the files of job a were removed"), "{refused}");
    }
}
