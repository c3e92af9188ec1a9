//! What destinations were asked to commit, and what they answered (PS3.4 Annex J).

use rusqlite::{Connection, OptionalExtension, params};

use super::aftermath::record_is_late;
use super::deliveries::advance_delivery;
use super::delivery_rows::query;
use super::events::{record, record_once};
use super::run_time::kept;
use super::{Pending, Result, Store};
use crate::model::{AeTitle, Delivery, DeliveryEvent, FailureReason, Moment, RunTime, Timestamp, Uid};

/// What was asked so far for a delivery, since it was last sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    /// When first, by how long the node had run.
    pub first: Option<RunTime>,
    /// When last.
    pub last: Option<RunTime>,
    /// Whether the destination took the last one.
    pub last_taken: bool,
    /// How many it took.
    pub taken: u32,
    /// How many it did not take.
    pub lost: u32,
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitmentHeard {
    /// It is kept, whatever it said.
    Kept,
    /// Nobody asked for it, or somebody else was asked.
    Unknown,
}

/// SOP Instance UIDs that are committed, and those that are not with the Failure Reason.
pub type Answered = (Vec<Uid>, Vec<(Uid, u16)>);

impl Store {
    /// Deliveries whose destination has still to say that it keeps what it took, oldest first: their numbers, with the
    /// attempts that each took to be sent.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn deliveries_committing(&self) -> Result<Vec<(i64, u32)>> {
        self.read(|db| {
            // None is put off: by the index that is the order of their numbers.
            let mut statement = db.prepare_cached(
                "SELECT id, attempts FROM deliveries WHERE state = 'committing' ORDER BY next_at, id",
            )?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// One of them, with what its destination was asked; `None`: it is none any more.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn delivery_committing(&self, (id, attempts): (i64, u32)) -> Result<Option<(Delivery, Asks)>> {
        self.read(|db| {
            let is_it = "d.id = ?1 AND d.attempts = ?2 AND d.state = 'committing'";
            let found = query(db, is_it, params![id, attempts])?.pop();
            let with_asks = |delivery: Delivery| Ok((delivery, asks(db, id)?));
            found.map(with_asks).transpose()
        })
    }

    /// A destination is about to be asked: from here on its answer is known.
    pub fn commitment_asked(&self, delivery: i64, transaction_uid: &Uid, now: Moment) -> Pending<()> {
        let transaction_uid = transaction_uid.clone();
        self.write(move |db| {
            db.execute(
                "INSERT INTO commitment_asks (transaction_uid, delivery, asked_at, asked) VALUES (?1, ?2, ?3, ?4)",
                params![transaction_uid.as_str(), delivery, now.at.0, now.ran.0],
            )?;
            kept(db, now.ran)
        })
    }

    /// Whether the destination has answered that.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn commitment_is_answered(&self, transaction_uid: &Uid) -> Result<bool> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT 1 FROM commitment_asks WHERE transaction_uid = ?1 AND answered_at IS NOT NULL",
            )?;
            Ok(statement.exists([transaction_uid.as_str()])?)
        })
    }

    /// The destination said that it would answer.
    pub fn commitment_taken(&self, transaction_uid: &Uid) -> Pending<()> {
        let transaction_uid = transaction_uid.clone();
        self.write(move |db| {
            db.execute(
                "UPDATE commitment_asks SET taken = 1 WHERE transaction_uid = ?1",
                [transaction_uid.as_str()],
            )?;
            Ok(())
        })
    }

    /// Keeps an answer of that peer, and moves the delivery once all of its objects are answered.
    pub fn commitment_heard(
        &self,
        transaction_uid: &Uid,
        calling: &AeTitle,
        answered: Answered,
    ) -> Pending<CommitmentHeard> {
        let (transaction_uid, calling) = (transaction_uid.clone(), calling.clone());
        self.write(move |db| {
            let asked: Option<i64> = db
                .query_row(
                    "SELECT a.delivery FROM commitment_asks a JOIN deliveries d ON d.id = a.delivery \
                     WHERE a.transaction_uid = ?1 AND d.destination = ?2",
                    params![transaction_uid.as_str(), calling.as_str()],
                    |row| row.get(0),
                )
                .optional()?;
            let Some(delivery) = asked else {
                return Ok(CommitmentHeard::Unknown);
            };
            db.execute(
                "UPDATE commitment_asks SET answered_at = ?2, taken = 1 WHERE transaction_uid = ?1",
                params![transaction_uid.as_str(), Timestamp::now().0],
            )?;
            let Some(delivery) = query(db, "d.id = ?1", [delivery])?.pop() else {
                return Ok(CommitmentHeard::Unknown);
            };
            if delivery.state.next(DeliveryEvent::Committed).is_some() {
                keep(db, delivery.id, &answered)?;
                record_is_late(db, &delivery.job)?;
                conclude(db, delivery.id)?;
            } else {
                contradict(db, &delivery, &answered)?;
            }
            Ok(CommitmentHeard::Kept)
        })
    }

    /// A destination will not say that it keeps what it took.
    pub fn commitment_given_up(&self, delivery: i64, error: String) -> Pending<()> {
        self.write(move |db| conclude_with(db, delivery, DeliveryEvent::NotCommitted, Some(&error)))
    }
}

/// In the order in which it was asked.
fn asks(db: &Connection, delivery: i64) -> Result<Asks> {
    let mut statement = db.prepare_cached(
        "SELECT asked, taken FROM commitment_asks WHERE delivery = ?1 AND asked IS NOT NULL ORDER BY rowid",
    )?;
    let mut rows = statement.query([delivery])?;
    let mut asks = Asks::default();
    while let Some(row) = rows.next()? {
        let at = RunTime(row.get(0)?);
        asks.first = asks.first.or(Some(at));
        asks.last = Some(at);
        asks.last_taken = row.get(1)?;
        if asks.last_taken {
            asks.taken += 1;
        } else {
            asks.lost += 1;
        }
    }
    Ok(asks)
}

fn keep(db: &Connection, delivery: i64, (committed, failed): &Answered) -> Result<()> {
    // The index of its rows is by file: of a large delivery each row would be looked for among all.
    let mut uids = db.prepare_cached(
        "SELECT rowid, sop_instance_uid FROM delivery_instances WHERE delivery = ?1 AND state IN ('sent', 'sent-with-warning', 'duplicate')",
    )?;
    let mut rows = uids.query([delivery])?;
    let said: std::collections::HashMap<&str, u16> = committed
        .iter()
        .map(|uid| (uid.as_str(), 0))
        // Where an answer says both, it is the worse.
        .chain(
            failed
                .iter()
                .map(|(uid, reason)| (uid.as_str(), (*reason).max(1))),
        )
        .collect();
    let mut update = db.prepare_cached("UPDATE delivery_instances SET commitment = ?2 WHERE rowid = ?1")?;
    while let Some(row) = rows.next()? {
        let (id, uid): (i64, String) = (row.get(0)?, row.get(1)?);
        if let Some(reason) = said.get(uid.as_str()) {
            update.execute(params![id, reason])?;
        }
    }
    Ok(())
}

/// A delivery that is settled stays as it is; that the destination says otherwise by now is for people to see.
fn contradict(db: &Connection, delivery: &Delivery, (_, failed): &Answered) -> Result<()> {
    let Some((uid, reason)) = failed.first() else {
        return Ok(());
    };
    let (to, state, lost) = (&delivery.destination, delivery.state.name(), failed.len());
    let text = format!(
        "to {to}: {state}, and it says now that it does not keep {lost} objects; {uid}: failure reason {reason:04X}"
    );
    // Said again, it is known.
    record_once(db, &delivery.job, "delivery", &text)?;
    Ok(())
}

/// Moves a delivery all of whose objects are answered; one with an object that is not kept at once.
fn conclude(db: &Connection, delivery: i64) -> Result<()> {
    let (open, failed): (u32, u32) = db.query_row(
        "SELECT count(*) FILTER (WHERE commitment IS NULL), count(*) FILTER (WHERE commitment <> 0) \
         FROM delivery_instances WHERE delivery = ?1 AND state IN ('sent', 'sent-with-warning', 'duplicate')",
        [delivery],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    if failed > 0 {
        let (uid, reason): (String, u16) = db.query_row(
            "SELECT sop_instance_uid, commitment FROM delivery_instances WHERE delivery = ?1 AND commitment <> 0 \
             ORDER BY rowid LIMIT 1",
            [delivery],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let error = format!(
            "{failed} objects are not committed; {uid}: failure reason {reason:04X}, {}",
            FailureReason(reason).text()
        );
        return conclude_with(db, delivery, DeliveryEvent::NotCommitted, Some(&error));
    }
    if open == 0 {
        return conclude_with(db, delivery, DeliveryEvent::Committed, None);
    }
    Ok(())
}

fn conclude_with(db: &Connection, id: i64, event: DeliveryEvent, error: Option<&str>) -> Result<()> {
    let Some(state) = advance_delivery(db, id, event)? else {
        return Ok(());
    };
    db.execute(
        "UPDATE deliveries SET state = ?2, error = ?3 WHERE id = ?1",
        params![id, state.name(), error],
    )?;
    let Some(delivery) = query(db, "d.id = ?1", [id])?.pop() else {
        return Ok(());
    };
    record_is_late(db, &delivery.job)?;
    let why = error.map(|e| format!(": {e}")).unwrap_or_default();
    let text = format!("to {}: {}{why}", delivery.destination, state.name());
    record(db, &delivery.job, "delivery", &text)
}
