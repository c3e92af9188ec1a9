//! What happened to a job, one row per step: the page, the log and the tests read it.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Pending, Result, Store};
use crate::model::{JobId, Timestamp};

/// One step of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// When.
    pub at: Timestamp,
    /// One word: `receiving`, `complete`, `started`, `ended`, …
    pub kind: String,
    /// For people. Never a patient's attribute.
    pub text: String,
}

impl Store {
    /// Notes a step of a job that changes nothing else.
    pub fn note(&self, job: &JobId, kind: &'static str, text: String) -> Pending<()> {
        let job = job.clone();
        self.write(move |db| record(db, &job, kind, &text))
    }

    /// The steps of a job, oldest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn events(&self, job: &JobId) -> Result<Vec<EventRow>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT at, kind, text FROM events WHERE job = (SELECT seq FROM jobs WHERE id = ?1) ORDER BY id",
            )?;
            let rows = statement.query_map([job.as_str()], |row| {
                Ok(EventRow { at: Timestamp(row.get(0)?), kind: row.get(1)?, text: row.get(2)? })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

/// Steps of a job that are kept from its beginning, and as many from its end.
const KEPT: u32 = 500;

/// The kind of the row that stands for those in between.
const SHORTENED: &str = "shortened";

/// Writes one step within a request of the writer. A history is bounded: of a long one the first and the last steps are
/// kept, and a row between them says how many are missing.
pub(super) fn record(db: &Connection, job: &JobId, kind: &str, text: &str) -> Result<()> {
    let job: i64 = db
        .prepare_cached(
            "INSERT INTO events (job, at, kind, text) VALUES ((SELECT seq FROM jobs WHERE id = ?1), ?2, ?3, ?4) \
             RETURNING job",
        )?
        .query_row(params![job.as_str(), Timestamp::now().0, kind, text], |row| {
            row.get(0)
        })?;
    // As long as the history is short, this looks at no more than its entries in the index.
    if step(db, job, 2 * KEPT)?.is_some() {
        shorten(db, job)?;
    }
    Ok(())
}

/// Writes one step, unless the job has the same already; answers whether it is new.
pub(super) fn record_once(db: &Connection, job: &JobId, kind: &str, text: &str) -> Result<bool> {
    let known: bool = db
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM events WHERE job = (SELECT seq FROM jobs WHERE id = ?1) AND text = ?2)",
        )?
        .query_row(params![job.as_str(), text], |row| row.get(0))?;
    if !known {
        record(db, job, kind, text)?;
    }
    Ok(!known)
}

/// Makes room for a step that was just written.
fn shorten(db: &Connection, job: i64) -> Result<()> {
    let Some((middle, kind)) = step(db, job, KEPT)? else {
        return Ok(());
    };
    if kind != SHORTENED {
        db.prepare_cached("UPDATE events SET kind = ?2, text = '1 step is not kept' WHERE id = ?1")?
            .execute(params![middle, SHORTENED])?;
    } else if let Some((oldest, _)) = step(db, job, KEPT + 1)? {
        db.prepare_cached("DELETE FROM events WHERE id = ?1")?
            .execute([oldest])?;
        // The cast reads the number that the text begins with.
        db.prepare_cached(
            "UPDATE events SET text = (CAST(text AS INTEGER) + 1) || ' steps are not kept' WHERE id = ?1",
        )?
        .execute([middle])?;
    }
    Ok(())
}

/// The step with that many before it: its id and kind.
fn step(db: &Connection, job: i64, before: u32) -> Result<Option<(i64, String)>> {
    Ok(db
        .prepare_cached("SELECT id, kind FROM events WHERE job = ?1 ORDER BY id LIMIT 1 OFFSET ?2")?
        .query_row([job, before.into()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn of_a_long_history_the_first_and_last_five_hundred_steps_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("s.sqlite")).unwrap();
        let [job, other] = [0, 1].map(|_| JobId::generate(Timestamp::now()));
        let ids = [job.clone(), other.clone()];
        let make = move |db: &Connection| {
            for id in &ids {
                db.execute(
                    "INSERT INTO jobs (id, stream, state, group_key, calling_ae_title, caller_address, \
                     study_instance_uid, received_at, last_object_at) VALUES (?1, 'A', 'done', ?1, '', '', '', 0, 0)",
                    [id.as_str()],
                )?;
            }
            Ok(())
        };
        store.write(make).wait().unwrap();
        let steps = |job: &JobId, steps: std::ops::Range<u32>| {
            let job = job.clone();
            store
                .write(move |db| {
                    for step in steps {
                        record(db, &job, "step", &step.to_string())?;
                    }
                    Ok(())
                })
                .wait()
                .unwrap();
        };
        let kept =
            |job: &JobId| -> Vec<_> { store.events(job).unwrap().into_iter().map(|e| e.text).collect() };
        let numbers = |range: std::ops::Range<u32>| range.map(|n| n.to_string()).collect::<Vec<_>>();
        steps(&other, 0..3);
        steps(&job, 0..1000);
        assert_eq!(kept(&job), numbers(0..1000));
        for (end, missing) in [(1001, "1 step is not kept"), (3456, "2456 steps are not kept")] {
            let begin = if end == 1001 { 1000 } else { 1001 };
            steps(&job, begin..end);
            let mut expected = numbers(0..500);
            expected.push(missing.to_owned());
            expected.extend(numbers(end - 500..end));
            assert_eq!(kept(&job), expected);
        }
        assert_eq!(kept(&other), numbers(0..3));
    }
}
