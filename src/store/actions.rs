//! What an operator does to a job: hold, release, cancel, retry, restart, another priority.

use std::collections::HashSet;

use rusqlite::{Connection, params};

use super::aftermath::record_is_late;
use super::deliveries::settle;
use super::events::record;
use super::inherited::{InheritedRow, insert_inherited};
use super::jobs::{advance, state_of};
use super::{Pending, Result, Store};
use crate::model::{
    DeliveryEvent, DeliveryState, Job, JobEvent, JobId, JobState, Outcome, Priority, Timestamp,
};

impl Store {
    /// A job waits until it is released: one in the queue is not run, results of another are not sent. What is on its way
    /// to a destination at this moment arrives.
    pub fn hold(&self, id: &JobId) -> Pending<()> {
        let id = id.clone();
        self.write(move |db| {
            let from = state_of(db, &id)?;
            advance(db, &id, JobEvent::Held)?;
            db.execute(
                "UPDATE jobs SET held_from = ?2 WHERE id = ?1",
                params![id.as_str(), from.name()],
            )?;
            record(
                db,
                &id,
                "held",
                &format!("by an operator, while it was {}", from.name()),
            )
        })
    }

    /// A held job goes on from where it was held, at its old place in the queue.
    pub fn release(&self, id: &JobId, at: Timestamp) -> Pending<()> {
        let id = id.clone();
        self.write(move |db| {
            let from: Option<String> =
                db.query_row("SELECT held_from FROM jobs WHERE id = ?1", [id.as_str()], |row| {
                    row.get(0)
                })?;
            let delivering = from.as_deref() == Some(JobState::Delivering.name());
            advance(db, &id, JobEvent::Released { delivering })?;
            db.execute("UPDATE jobs SET held_from = NULL WHERE id = ?1", [id.as_str()])?;
            // It was not for the destination that they waited.
            db.execute(
                "UPDATE deliveries SET tried = NULL, attempts_before = attempts WHERE job = (SELECT seq FROM jobs WHERE id = ?1)",
                [id.as_str()],
            )?;
            record(db, &id, "released", "by an operator")?;
            // Its last delivery may have come to an end meanwhile.
            if delivering { settle(db, &id, at) } else { Ok(()) }
        })
    }

    /// Ends a job that is not over. What it received stays; its open deliveries are cancelled too.
    pub fn cancel(&self, id: &JobId, reason: String, at: Timestamp) -> Pending<()> {
        let (id, destinations) = (id.clone(), self.destinations.clone());
        self.write(move |db| {
            cancel(db, &id, &reason, at)?;
            super::audit::sent_and_cancelled(db, Some(&id), &destinations)
        })
    }

    /// Tries again what did not work: a failed job goes back into the queue, refused and held deliveries of another are
    /// sent again. Answers how many deliveries; 0 for a job that runs again.
    pub fn retry(&self, id: &JobId, at: Timestamp) -> Pending<usize> {
        let id = id.clone();
        self.write(move |db| {
            super::retention::has_files(db, &id)?;
            if state_of(db, &id)? == JobState::Failed {
                advance(db, &id, JobEvent::Retried)?;
                db.execute(
                    "UPDATE jobs SET outcome = NULL, reason = NULL, ended_at = NULL, queued_at = ?2 WHERE id = ?1",
                    params![id.as_str(), at.0],
                )?;
                record(db, &id, "retried", "queued again by an operator")?;
                return Ok(0);
            }
            let again = deliveries_where(db, &id, DeliveryEvent::Retried)?;
            if again.is_empty() {
                let why = format!(
                    "job {id} has no delivery that was refused, held, put off or not committed, and it did not fail: there is nothing to \
                     try again"
                );
                return Err(super::StoreError::State(why));
            }
            advance(db, &id, JobEvent::Retried)?;
            db.execute("UPDATE jobs SET ended_at = NULL WHERE id = ?1", [id.as_str()])?;
            for (delivery, next) in &again {
                db.execute(
                    "UPDATE deliveries SET state = ?2, next_at = NULL, error = NULL, created_at = ?3, tried = NULL, faults = 0, \
                     attempts_before = attempts, \
                     gate_state = CASE gate_state WHEN 'held' THEN 'open' ELSE gate_state END \
                     WHERE id = ?1",
                    params![delivery, next.name(), at.0],
                )?;
                db.execute(
                    "UPDATE delivery_instances SET state = 'waiting', status = NULL, reason = NULL, commitment = NULL, told = 0 \
                     WHERE delivery = ?1 AND (state = 'refused' OR commitment <> 0)",
                    [delivery],
                )?;
                // What it was asked before it has the rest of it counts no more.
                db.execute("UPDATE commitment_asks SET asked = NULL WHERE delivery = ?1", [delivery])?;
            }
            record_is_late(db, &id)?;
            record(db, &id, "retried", &format!("{} deliveries, by an operator", again.len()))?;
            Ok(again.len())
        })
    }

    /// Queues a new job that begins with the objects of one that is over, which is marked as superseded.
    pub fn restart(
        &self,
        from: Job,
        to: &JobId,
        rows: Vec<InheritedRow>,
        at: Timestamp,
    ) -> Pending<HashSet<String>> {
        let to = to.clone();
        self.write(move |db| {
            super::retention::has_files(db, &from.id)?;
            if rows.is_empty() {
                let why = format!("job {} has no objects here to begin with: send the study again", from.id);
                return Err(super::StoreError::State(why));
            }
            let old = state_of(db, &from.id)?;
            if !old.is_final() {
                let why = format!("job {} is {}: only one that is over can be restarted", from.id, old.name());
                return Err(super::StoreError::State(why));
            }
            db.execute(
                "INSERT INTO jobs (id, stream, state, group_key, calling_ae_title, caller_address, study_instance_uid, \
                 received_at, last_object_at, queued_at, arguments, priority, made_from) \
                 SELECT ?2, stream, 'queued', group_key, calling_ae_title, caller_address, study_instance_uid, \
                 received_at, last_object_at, ?3, arguments, priority, id FROM jobs WHERE id = ?1",
                params![from.id.as_str(), to.as_str(), at.0],
            )?;
            db.execute(
                "UPDATE jobs SET superseded_by = ?2 WHERE id = ?1",
                params![from.id.as_str(), to.as_str()],
            )?;
            record(db, &from.id, "superseded", &format!("restarted as job {to} by an operator"))?;
            record(db, &to, "restarted", &format!("from the objects of job {} by an operator", from.id))?;
            super::pushes::inherit(db, &from.id, &to)?;
            insert_inherited(db, &to, &rows)
        })
    }

    /// Gives a job another priority.
    pub fn prioritize(&self, id: &JobId, priority: Priority) -> Pending<()> {
        let id = id.clone();
        self.write(move |db| {
            let state = state_of(db, &id)?;
            if !matches!(state, JobState::Receiving | JobState::Queued | JobState::Held) {
                let why = format!("job {id} is {}: its priority counts no more", state.name());
                return Err(super::StoreError::State(why));
            }
            db.execute(
                "UPDATE jobs SET priority = ?2 WHERE id = ?1",
                params![id.as_str(), priority.word()],
            )?;
            record(db, &id, "priority", priority.word())
        })
    }
}

/// Ends a job within a request of the writer.
pub(super) fn cancel(db: &Connection, id: &JobId, reason: &str, at: Timestamp) -> Result<()> {
    advance(db, id, JobEvent::Cancelled)?;
    db.execute(
        "UPDATE jobs SET outcome = ?2, reason = ?3, ended_at = ?4, held_from = NULL WHERE id = ?1",
        params![id.as_str(), Outcome::Failed.word(), reason, at.0],
    )?;
    cancel_deliveries(db, id)?;
    record(db, id, "cancelled", reason)
}

/// Cancels what is not delivered, within a request of the writer; answers how many deliveries.
pub(super) fn cancel_deliveries(db: &Connection, id: &JobId) -> Result<usize> {
    let open = deliveries_where(db, id, DeliveryEvent::Cancelled)?;
    for (delivery, next) in &open {
        db.execute(
            "UPDATE deliveries SET state = ?2, next_at = NULL WHERE id = ?1",
            params![delivery, next.name()],
        )?;
    }
    if !open.is_empty() {
        record_is_late(db, id)?;
    }
    Ok(open.len())
}

/// The deliveries of a job to which an event can happen, with the states it leads to.
fn deliveries_where(db: &Connection, id: &JobId, event: DeliveryEvent) -> Result<Vec<(i64, DeliveryState)>> {
    let mut statement = db.prepare_cached(
        "SELECT id, state FROM deliveries WHERE job = (SELECT seq FROM jobs WHERE id = ?1) ORDER BY id",
    )?;
    let mut rows = statement.query([id.as_str()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let state: String = row.get(1)?;
        if let Some(next) = DeliveryState::from_name(&state).and_then(|s| s.next(event)) {
            found.push((row.get(0)?, next));
        }
    }
    Ok(found)
}
