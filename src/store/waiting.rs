//! How much of a stream waits, as far as its bound needs to know.

use rusqlite::params;

use super::{Result, Store};
use crate::model::AeTitle;

/// What counts as waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Jobs in the queue.
    Queued,
    /// And sets that are open and will be.
    QueuedOrOpen,
}

impl Store {
    /// The length of a stream's queue, counted to `most` at most.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn queue_length(&self, stream: &AeTitle, what: Waiting, most: u64) -> Result<u64> {
        let states = match what {
            Waiting::Queued => "'queued'",
            Waiting::QueuedOrOpen => "'queued', 'receiving'",
        };
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 FROM jobs WHERE stream = ?1 AND state IN ({states}) LIMIT ?2)"
        );
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.read(|db| {
            let mut count = db.prepare_cached(&sql)?;
            Ok(count.query_row(params![stream.as_str(), most], |row| row.get(0))?)
        })
    }
}
