//! Which deliveries go next. Ten thousands may wait for a destination that is away: what is read of them is what can go now,
//! not all of them.

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::json;

use super::delivery_rows::query;
use super::jobs::ae_title;
use super::{Result, Store};
use crate::model::{AeTitle, Delivery, Timestamp};

/// Deliveries that are not settled; as the indexes of them say it.
const OPEN: &str = "state IN ('waiting', 'sending', 'retrying')";

/// What a delivery has to be due: sent for the first time, cut off, or put off until now. One that is put off to later than
/// any could be is so by a clock that was set back since.
const DUE: &str = "(d.next_at IS NULL OR d.next_at <= ?3 OR d.next_at > ?4)";

/// What can go to one destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The oldest that are due and have none of the same study before them.
    pub first: Vec<Delivery>,
    /// When the next one is due that is put off.
    pub next_at: Option<Timestamp>,
}

/// The time that due deliveries are looked for by.
#[derive(Clone, Copy, Debug)]
pub struct DueBy {
    /// Now.
    pub now: Timestamp,
    /// The latest that a delivery can have been put off to.
    pub latest: Timestamp,
}

impl Store {
    /// Where deliveries are to go that are not settled: the name and, where a rule gave it, the address.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn destinations_open(&self) -> Result<Vec<(AeTitle, Option<String>)>> {
        self.read(|db| {
            let mut found: Vec<(AeTitle, Option<String>)> = Vec::new();
            let mut after: Option<(String, Option<String>)> = None;
            // From one to the next in the index: there are few, of many deliveries.
            while let Some((name, address)) = behind(db, after.as_ref())? {
                found.push((ae_title(&name)?, address.clone()));
                after = Some((name, address));
            }
            Ok(found)
        })
    }

    /// What can go to one destination, which is of that name and at these addresses, or where the configuration says: the
    /// first `most`, oldest first. One that is `sending` while nobody sends it was cut off: by a crash, or by trouble of the
    /// store.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn deliveries_due(
        &self,
        name: &AeTitle,
        addresses: &[Option<String>],
        by: DueBy,
        most: usize,
    ) -> Result<Due> {
        let all: Vec<_> = addresses
            .iter()
            .map(|a| a.as_deref().unwrap_or_default())
            .collect();
        let all = json!(all).to_string();
        self.read(|db| {
            let mut ids = Vec::new();
            let mut due = Due::default();
            for address in addresses {
                let next = next_at(db, name, address.as_deref(), by)?;
                due.next_at = [due.next_at, next].into_iter().flatten().min();
                if is_any_due(db, name, address.as_deref(), by)? {
                    ids.extend(first(db, name, address.as_deref(), by, &all, most)?);
                }
            }
            ids.sort_unstable();
            for id in ids.into_iter().take(most) {
                due.first.extend(query(db, "d.id = ?1", [id])?);
            }
            Ok(due)
        })
    }
}

/// The next destination of the index.
fn behind(
    db: &Connection,
    after: Option<&(String, Option<String>)>,
) -> Result<Option<(String, Option<String>)>> {
    let one = |more: &str, values: &[&dyn rusqlite::ToSql]| -> Result<Option<(String, Option<String>)>> {
        let sql = format!(
            "SELECT destination, address FROM deliveries INDEXED BY deliveries_open WHERE {OPEN} AND {more} \
             ORDER BY destination, address LIMIT 1"
        );
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        Ok(db.prepare_cached(&sql)?.query_row(values, read).optional()?)
    };
    let Some((name, address)) = after else {
        return one("TRUE", &[]);
    };
    // NULL comes before every text.
    let same = match address {
        None => one("destination = ?1 AND address IS NOT NULL", &[name])?,
        Some(address) => one("destination = ?1 AND address > ?2", &[name, address])?,
    };
    match same {
        None => one("destination > ?1", &[name]),
        found => Ok(found),
    }
}

fn is_any_due(db: &Connection, name: &AeTitle, address: Option<&str>, by: DueBy) -> Result<bool> {
    let of = format!(
        "SELECT 1 FROM deliveries INDEXED BY deliveries_due WHERE {OPEN} AND destination = ?1 AND address IS ?2"
    );
    let sql = format!(
        "SELECT EXISTS ({of} AND next_at IS NULL) OR EXISTS ({of} AND next_at <= ?3) OR EXISTS ({of} AND next_at > ?4)"
    );
    let values = params![name.as_str(), address, by.now.0, by.latest.0];
    Ok(db.prepare_cached(&sql)?.query_row(values, |row| row.get(0))?)
}

fn next_at(db: &Connection, name: &AeTitle, address: Option<&str>, by: DueBy) -> Result<Option<Timestamp>> {
    let sql = format!(
        "SELECT next_at FROM deliveries INDEXED BY deliveries_due WHERE {OPEN} AND destination = ?1 AND address IS ?2 \
         AND next_at > ?3 AND next_at <= ?4 ORDER BY next_at LIMIT 1"
    );
    let values = params![name.as_str(), address, by.now.0, by.latest.0];
    let next: Option<i64> = db
        .prepare_cached(&sql)?
        .query_row(values, |row| row.get(0))
        .optional()?;
    Ok(next.map(Timestamp))
}

/// Of one address; `all` are those of the destination, as JSON.
fn first(
    db: &Connection,
    name: &AeTitle,
    address: Option<&str>,
    by: DueBy,
    all: &str,
    most: usize,
) -> Result<Vec<i64>> {
    // The one before it is looked for among the few jobs of its study.
    let sql = format!(
        "SELECT d.id FROM deliveries d INDEXED BY deliveries_open WHERE d.{OPEN} AND d.destination = ?1 \
         AND d.address IS ?2 AND {DUE} \
         AND EXISTS (SELECT 1 FROM jobs j WHERE j.seq = d.job AND j.state = 'delivering') \
         AND NOT EXISTS (SELECT 1 FROM jobs n INDEXED BY jobs_delivering CROSS JOIN deliveries e \
         WHERE n.state = 'delivering' AND n.study_instance_uid = (SELECT study_instance_uid FROM jobs WHERE seq = d.job) \
         AND e.job = n.seq AND e.id < d.id AND e.{OPEN} AND e.destination = ?1 \
         AND ifnull(e.address, '') IN (SELECT value FROM json_each(?5))) \
         ORDER BY d.id LIMIT ?6"
    );
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut statement = db.prepare_cached(&sql)?;
    let values = params![name.as_str(), address, by.now.0, by.latest.0, all, most];
    let rows = statement.query_map(values, |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
