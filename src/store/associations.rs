//! Rows of associations that did not end well.

use rusqlite::{Connection, params};

use super::{Result, Store};
use crate::model::{AssociationEnd, Timestamp};

/// Rows that are kept.
const KEPT: i64 = 10_000;

/// The longest reason that is kept, in characters.
const LONGEST_REASON: usize = 300;

/// The event of an association as it stands in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssociationRow {
    /// When it ended.
    pub at: Timestamp,
    /// Its number in that run of the node.
    pub association: u64,
    /// The peer's address.
    pub address: String,
    /// The calling AE title as given.
    pub calling: Option<String>,
    /// The called AE title as given.
    pub called: Option<String>,
    /// Whether it ran over TLS.
    pub tls: bool,
    /// How it ended: [`AssociationOutcome::word`](crate::model::AssociationOutcome::word).
    pub outcome: String,
    /// Why.
    pub reason: String,
    /// Objects stored.
    pub stored: u64,
    /// Objects refused.
    pub refused: u64,
    /// Status and reason of the last refusal.
    pub last_refusal: Option<(u16, String)>,
    /// Bytes of the data sets stored.
    pub bytes: u64,
    /// How many associations ended likewise shortly before and came too fast to be written.
    pub unrecorded: u64,
}

impl Store {
    /// Hands the event of an association over to be written soon. Never waits: when too many wait already it is counted,
    /// and the next row written carries the count.
    pub fn note_association(&self, end: AssociationEnd) {
        self.associations.submit(end);
    }

    /// The latest events of associations, newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn associations(&self, limit: u32) -> Result<Vec<AssociationRow>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT at, number, address, calling_ae_title, called_ae_title, tls, outcome, reason, stored, refused, \
                 refusal_status, refusal_reason, bytes, unrecorded FROM associations ORDER BY id DESC LIMIT ?1",
            )?;
            let rows = statement.query_map([limit], |row| {
                let (status, reason): (Option<u16>, Option<String>) = (row.get(10)?, row.get(11)?);
                Ok(AssociationRow {
                    at: Timestamp(row.get(0)?),
                    association: row.get(1)?,
                    address: row.get(2)?,
                    calling: row.get(3)?,
                    called: row.get(4)?,
                    tls: row.get(5)?,
                    outcome: row.get(6)?,
                    reason: row.get(7)?,
                    stored: row.get(8)?,
                    refused: row.get(9)?,
                    last_refusal: status.zip(reason),
                    bytes: row.get(12)?,
                    unrecorded: row.get(13)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

/// Writes rows, the first of them with the count of those that are missing, and removes what is too old.
pub(super) fn write(db: &Connection, ends: &[AssociationEnd], mut missing: u64) -> Result<()> {
    let mut insert = db.prepare_cached(
        "INSERT INTO associations (at, number, address, calling_ae_title, called_ae_title, tls, outcome, reason, \
         stored, refused, refusal_status, refusal_reason, bytes, unrecorded) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?;
    for end in ends {
        let refusal = end.last_refusal.as_ref();
        insert.execute(params![
            end.at.0,
            end.association,
            end.address.to_string(),
            end.calling,
            end.called,
            end.tls,
            end.outcome.word(),
            shortened(&end.reason),
            end.stored,
            end.refused,
            refusal.map(|(status, _)| status),
            refusal.map(|(_, reason)| shortened(reason)),
            end.bytes,
            std::mem::take(&mut missing),
        ])?;
    }
    db.prepare_cached("DELETE FROM associations WHERE id <= (SELECT max(id) FROM associations) - ?1")?
        .execute([KEPT])?;
    Ok(())
}

fn shortened(text: &str) -> String {
    text.chars().take(LONGEST_REASON).collect()
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::mpsc::channel;

    use super::super::journal::{BATCH, QUEUE};
    use super::*;
    use crate::model::AssociationOutcome;

    fn end(association: u64) -> AssociationEnd {
        AssociationEnd {
            at: Timestamp(7),
            association,
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            calling: Some("SCANNER".into()),
            called: None,
            tls: false,
            stranger: false,
            outcome: AssociationOutcome::ObjectsRefused,
            reason: "x".repeat(1000),
            stored: 1,
            refused: 2,
            last_refusal: Some((0xA900, "the data set is another".into())),
            bytes: 3,
            failed: Vec::new(),
        }
    }

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("s.sqlite")).unwrap();
        (dir, store)
    }

    #[test]
    fn a_row_is_read_as_it_was_noted_and_outlives_a_stop() {
        let (dir, store) = store();
        store.note_association(end(1));
        store.note_association(end(2));
        store.close();
        let rows = Store::open(&dir.path().join("s.sqlite"))
            .unwrap()
            .associations(10)
            .unwrap();
        let newest = &rows[0];
        assert_eq!(rows.iter().map(|r| r.association).collect::<Vec<_>>(), [2, 1]);
        assert_eq!((newest.stored, newest.refused, newest.bytes), (1, 2, 3));
        assert_eq!(
            newest.last_refusal,
            Some((0xA900, "the data set is another".into()))
        );
        assert_eq!(
            (newest.calling.as_deref(), newest.called.as_deref()),
            (Some("SCANNER"), None)
        );
        assert_eq!(
            (newest.address.as_str(), newest.outcome.as_str()),
            ("127.0.0.1", "objects_refused")
        );
        assert_eq!(newest.reason.len(), LONGEST_REASON);
    }

    #[test]
    fn a_store_of_the_first_version_learns_of_associations() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.sqlite");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(include_str!("migrations/0001_first.sql"))
            .unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        drop(old);
        let store = Store::open(&path).unwrap();
        store.note_association(end(1));
        store.close();
        assert_eq!(Store::open(&path).unwrap().associations(10).unwrap().len(), 1);
    }

    #[test]
    fn the_newest_are_kept() {
        let (_dir, store) = store();
        let ends: Vec<_> = (0..500).map(end).collect();
        for _ in 0..21 {
            let ends = ends.clone();
            store.write(move |db| write(db, &ends, 0)).wait().unwrap();
        }
        let rows = store.associations(u32::MAX).unwrap();
        assert_eq!(rows.len(), usize::try_from(KEPT).unwrap());
        assert_eq!(rows[0].association, 499);
    }

    #[test]
    fn nobody_waits_for_a_busy_store_and_what_is_not_written_is_counted() {
        let (dir, store) = store();
        let (release, held) = channel();
        let blocked = store.write(move |_| {
            held.recv().unwrap();
            Ok(())
        });
        for i in 0..3000 {
            store.note_association(end(i));
        }
        release.send(()).unwrap();
        blocked.wait().unwrap();
        store.close();
        let rows = Store::open(&dir.path().join("s.sqlite"))
            .unwrap()
            .associations(u32::MAX)
            .unwrap();
        let missing: u64 = rows.iter().map(|r| r.unrecorded).sum();
        assert!(
            rows.len() >= QUEUE && rows.len() <= QUEUE + BATCH,
            "{}",
            rows.len()
        );
        assert_eq!(rows.len() as u64 + missing, 3000);
    }
}
