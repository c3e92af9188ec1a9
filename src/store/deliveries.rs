//! Rows of deliveries and of the objects in them.

use rusqlite::{Connection, params};

use super::aftermath::{may_copy, record_is_late};
use super::delivery_rows::query;
use super::events::record;
use super::jobs::{advance, set_verdict, state_of};
use super::run_time::kept;
use super::{Pending, Result, Store, StoreError, audit, measures};
use crate::model::{
    Delivery, DeliveryEvent, DeliveryInstance, DeliveryState, Direction, GateMode, InstanceState, JobEvent,
    JobId, JobState, Measure, Peer, RunTime, Timestamp, Verdict,
};

/// A delivery that a harvest decided on.
#[derive(Clone, Debug)]
pub struct NewDelivery {
    /// Who takes it.
    pub peer: Peer,
    /// The route that caused it.
    pub route: String,
    /// Which directory its files are in.
    pub direction: Direction,
    /// The delivery, by its place among those of its harvest, that has to fail before this one goes.
    pub after: Option<usize>,
    /// How its objects are held against their input before they leave.
    pub gate: GateMode,
    /// What is to be sent; at least one.
    pub instances: Vec<DeliveryInstance>,
}

/// What became of one object in an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceAnswer {
    /// The file, relative to the directory that is sent.
    pub file: String,
    /// Where it stands now.
    pub state: InstanceState,
    /// The status the destination answered, if it did.
    pub status: Option<u16>,
    /// Why it is refused or waits, for people.
    pub reason: Option<String>,
}

/// How an attempt at a delivery ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptEnd {
    /// What happens to the delivery.
    pub event: DeliveryEvent,
    /// When it is tried again.
    pub next_at: Option<Timestamp>,
    /// What went wrong, for people.
    pub error: Option<String>,
    /// Attempts in a row, up to this one, that ended by an answer to something else than was sent.
    pub faults: u32,
}

impl AttemptEnd {
    /// One after which it is not tried again, by itself at least.
    #[must_use]
    pub const fn last(event: DeliveryEvent, error: Option<String>) -> Self {
        Self {
            event,
            next_at: None,
            error,
            faults: 0,
        }
    }
}

impl Store {
    /// Keeps everything a harvest found in one step: measures, verdict, deliveries, the next state.
    pub fn harvested(
        &self,
        id: &JobId,
        verdict: Verdict,
        found: Vec<Measure>,
        deliveries: Vec<NewDelivery>,
        at: Timestamp,
    ) -> Pending<()> {
        let id = id.clone();
        self.write(move |db| {
            let due = !deliveries.is_empty();
            advance(db, &id, JobEvent::Harvested { deliveries: due })?;
            measures::replace(db, &id, &found)?;
            let mut numbers = Vec::new();
            for delivery in &deliveries {
                let after = delivery.after.and_then(|place| numbers.get(place).copied());
                numbers.push(insert(db, &id, delivery, after, at)?);
            }
            set_verdict(db, &id, &verdict, (!due).then_some(at))?;
            let text = format!(
                "{}: {} measures, {} deliveries",
                verdict.outcome,
                found.len(),
                deliveries.len()
            );
            record(db, &id, "harvested", &text)?;
            if due {
                Ok(())
            } else {
                record(db, &id, "done", verdict.outcome.word())
            }
        })
    }

    /// Takes a delivery in hand: state sending, one more attempt. Answers whether it is to be sent at all: an operator may
    /// have cancelled or held it meanwhile.
    pub fn delivery_begins(&self, id: i64, ran: RunTime) -> Pending<bool> {
        let destinations = self.destinations.clone();
        self.write(move |db| {
            let job: String = db.query_row(
                "SELECT j.state FROM deliveries d JOIN jobs j ON j.seq = d.job WHERE d.id = ?1",
                [id],
                |row| row.get(0),
            )?;
            if job != JobState::Delivering.name() || advance_delivery(db, id, DeliveryEvent::Begun)?.is_none()
            {
                return Ok(false);
            }
            db.execute(
                "UPDATE deliveries SET state = 'sending', attempts = attempts + 1, next_at = NULL, \
                 tried = coalesce(tried, ?2) WHERE id = ?1",
                params![id, ran.0],
            )?;
            kept(db, ran)?;
            may_copy(db, id)?;
            audit::begun(db, id, &destinations)?;
            Ok(true)
        })
    }

    /// Whether a delivery that was taken in hand is still to be sent.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn delivery_is_under_way(&self, id: i64) -> Result<bool> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT 1 FROM deliveries d JOIN jobs j ON j.seq = d.job \
                 WHERE d.id = ?1 AND d.state = 'sending' AND j.state = 'delivering'",
            )?;
            Ok(statement.exists([id])?)
        })
    }

    /// Keeps what the destination answered for some objects of a delivery.
    pub fn instances_answered(&self, id: i64, answered: Vec<InstanceAnswer>) -> Pending<()> {
        self.write(move |db| {
            let mut update = db.prepare_cached(
                "UPDATE delivery_instances SET state = ?3, status = ?4, reason = ?5 WHERE delivery = ?1 AND file = ?2",
            )?;
            for a in &answered {
                update.execute(params![id, a.file, a.state.name(), a.status, a.reason])?;
            }
            Ok(())
        })
    }

    /// Ends an attempt; settles the job with its last delivery.
    pub fn delivery_ends(&self, delivery: &Delivery, end: AttemptEnd, at: Timestamp) -> Pending<()> {
        let AttemptEnd {
            event,
            next_at,
            error,
            faults,
        } = end;
        let (id, job, destination) = (delivery.id, delivery.job.clone(), delivery.destination.clone());
        let destinations = self.destinations.clone();
        self.write(move |db| {
            let Some(state) = advance_delivery(db, id, event)? else {
                // An operator cancelled it meanwhile: what was sent was sent. The record may say that all of it was.
                record_is_late(db, &job)?;
                audit::sent_and_cancelled(db, Some(&job), &destinations)?;
                return record(
                    db,
                    &job,
                    "delivery",
                    &format!("to {destination}: ended after it was cancelled"),
                );
            };
            db.execute(
                "UPDATE deliveries SET state = ?2, next_at = ?3, error = ?4, faults = ?5 WHERE id = ?1",
                params![id, state.name(), next_at.map(|t| t.0), error, faults],
            )?;
            let why = error.as_deref().map(|e| format!(": {e}")).unwrap_or_default();
            record(
                db,
                &job,
                "delivery",
                &format!("to {destination}: {}{why}", state.name()),
            )?;
            audit::settled(db, id, state, &destinations)?;
            follow(db, &job, id, state)?;
            if state.is_settled() {
                settle(db, &job, at)
            } else {
                Ok(())
            }
        })
    }

    /// Deliveries that are not settled, oldest first.
    #[cfg(test)]
    pub fn deliveries_open(&self) -> Result<Vec<Delivery>> {
        self.read(|db| {
            query(
                db,
                "d.state IN ('waiting', 'sending', 'retrying') AND j.state = 'delivering' ORDER BY d.id",
                [],
            )
        })
    }

    /// The deliveries of a job.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn deliveries(&self, job: &JobId) -> Result<Vec<Delivery>> {
        self.read(|db| query(db, "j.id = ?1 ORDER BY d.id", [job.as_str()]))
    }

    /// The objects of a delivery.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn delivery_instances(&self, delivery: i64) -> Result<Vec<DeliveryInstance>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT file, sop_class_uid, sop_instance_uid, transfer_syntax_uid, state, status, reason, commitment \
                 FROM delivery_instances WHERE delivery = ?1 ORDER BY rowid",
            )?;
            let rows = statement.query_map([delivery], |row| {
                let state: String = row.get(4)?;
                Ok(DeliveryInstance {
                    file: row.get(0)?,
                    sop_class_uid: row.get(1)?,
                    sop_instance_uid: row.get(2)?,
                    transfer_syntax_uid: row.get(3)?,
                    state: InstanceState::from_name(&state).unwrap_or(InstanceState::Waiting),
                    status: row.get(5)?,
                    reason: row.get(6)?,
                    commitment: row.get(7)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

/// Moves what stands by for a delivery that came to this state, and what stands by for that.
fn follow(db: &Connection, job: &JobId, id: i64, state: DeliveryState) -> Result<()> {
    let Some(event) = state.for_standby() else {
        return Ok(());
    };
    let mut statement =
        db.prepare_cached("SELECT id, state, destination FROM deliveries WHERE after = ?1 ORDER BY id")?;
    let rows = statement.query_map([id], |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, String>(1)?,
            row.get::<_, String>(2)?,
        ))
    })?;
    let rows: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
    for (next, name, destination) in rows {
        let Some(to) = DeliveryState::from_name(&name).and_then(|s| s.next(event)) else {
            continue;
        };
        db.execute(
            "UPDATE deliveries SET state = ?2 WHERE id = ?1",
            params![next, to.name()],
        )?;
        let why = match event {
            DeliveryEvent::Needed => "goes, for the one before it failed",
            _ => "not needed, for the one before it did not fail",
        };
        record(db, job, "delivery", &format!("to {destination}: {why}"))?;
        // A delivery stands by for an earlier one only: there is no circle.
        follow(db, job, next, to)?;
    }
    Ok(())
}

fn insert(db: &Connection, job: &JobId, new: &NewDelivery, after: Option<i64>, at: Timestamp) -> Result<i64> {
    let state = match after {
        Some(_) => DeliveryState::Standby,
        None => DeliveryState::Waiting,
    };
    let given = match &new.peer {
        Peer::Given(remote) => Some(remote),
        Peer::Named(_) => None,
    };
    let id: i64 = db.query_row(
        "INSERT INTO deliveries (job, destination, route, direction, state, created_at, address, calling, after, gate) \
         VALUES ((SELECT seq FROM jobs WHERE id = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) RETURNING id",
        params![
            job.as_str(),
            new.peer.ae_title().as_str(),
            new.route,
            new.direction.name(),
            state.name(),
            at.0,
            given.map(|remote| &remote.address),
            given.map(|remote| remote.calling.as_str()),
            after,
            new.gate.word(),
        ],
        |row| row.get(0),
    )?;
    let mut insert = db.prepare_cached(
        "INSERT INTO delivery_instances (delivery, file, sop_class_uid, sop_instance_uid, transfer_syntax_uid, \
         state) VALUES (?1,?2,?3,?4,?5,?6)",
    )?;
    for i in &new.instances {
        insert.execute(params![
            id,
            i.file,
            i.sop_class_uid,
            i.sop_instance_uid,
            i.transfer_syntax_uid,
            i.state.name()
        ])?;
    }
    Ok(id)
}

/// Moves a delivery along its table; `None` where the event cannot happen to it any more.
pub(super) fn advance_delivery(
    db: &Connection,
    id: i64,
    event: DeliveryEvent,
) -> Result<Option<DeliveryState>> {
    let name: String = db
        .prepare_cached("SELECT state FROM deliveries WHERE id = ?1")?
        .query_row([id], |row| row.get(0))?;
    let state = DeliveryState::from_name(&name)
        .ok_or_else(|| StoreError::State(format!("{name:?} is no state of a delivery")))?;
    Ok(state.next(event))
}

/// Ends a job whose deliveries are all settled, unless it is held.
pub(super) fn settle(db: &Connection, job: &JobId, at: Timestamp) -> Result<()> {
    let open: u32 = db.query_row(
        "SELECT count(*) FROM deliveries WHERE job = (SELECT seq FROM jobs WHERE id = ?1) \
         AND state NOT IN ('sent', 'committing', 'committed', 'uncommitted', 'refused', 'held', 'cancelled', 'not-needed')",
        [job.as_str()],
        |row| row.get(0),
    )?;
    if open > 0 || state_of(db, job)? != JobState::Delivering {
        return Ok(());
    }
    advance(db, job, JobEvent::Settled)?;
    db.execute(
        "UPDATE jobs SET ended_at = ?2 WHERE id = ?1",
        params![job.as_str(), at.0],
    )?;
    record(db, job, "done", "every delivery is settled")
}
