//! What the gate before results decided, and which UIDs results have. Values of findings are written and read here and
//! shown by the API; they are in no event, no error and no log.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::aftermath::record_is_late;
use super::events::record;
use super::jobs::{advance, state_of};
use super::{Pending, Result, Store, StoreError};
use crate::model::{
    DeliveryEvent, DeliveryState, GateAction, GateFinding, GateFindings, GateState, JobEvent, JobId,
    JobState, Timestamp,
};

/// Findings of one decision that become events.
const TOLD: usize = 20;

/// A result as the gate lets it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultUid {
    /// Its SOP Instance UID.
    pub sop_instance_uid: String,
    /// Its Series Instance UID.
    pub series_instance_uid: String,
    /// The Study Instance UID it is sent with.
    pub study_instance_uid: String,
    /// XXH3-128 of its data set as the bucket made it.
    pub hash: [u8; 16],
    /// The same of the copy that is sent, once that is made.
    pub copy_hash: Option<[u8; 16]>,
}

/// Whether something else has the UIDs of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UidsTaken {
    /// Another object has its SOP Instance UID.
    pub instance: bool,
    /// Objects of another job have its Series Instance UID.
    pub series: bool,
}

impl Store {
    /// Whether something else has the UIDs of a result of a job: an object that another job received, another job's
    /// result, or another one of this job. The same data set under the same name in the same study is the same object, whoever made it again; in
    /// another study it is another, as soon as what it left out is filled in.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn uids_taken(&self, job: &JobId, result: &ResultUid) -> Result<UidsTaken> {
        self.read(|db| uids_taken(db, job, result))
    }

    /// The gate lets a delivery go. Answers false, and keeps nothing, where a UID was taken since it was asked for.
    pub fn gate_passed(
        &self,
        delivery: i64,
        job: &JobId,
        findings: Vec<GateFindings>,
        results: Vec<ResultUid>,
        copied: Vec<String>,
    ) -> Pending<bool> {
        let job = job.clone();
        self.write(move |db| {
            for result in &results {
                if uids_taken(db, &job, result)? != UidsTaken::default() {
                    return Ok(false);
                }
            }
            let mut claim = db.prepare_cached(
                "INSERT OR REPLACE INTO result_uids (sop_instance_uid, job, series_instance_uid, study_instance_uid, \
                 hash, copy_hash) VALUES (?1, (SELECT seq FROM jobs WHERE id = ?2), ?3, ?4, ?5, ?6)",
            )?;
            for result in &results {
                let (instance, series) = (&result.sop_instance_uid, &result.series_instance_uid);
                let study = &result.study_instance_uid;
                let (hash, copy) = (result.hash, result.copy_hash);
                claim.execute(params![instance, job.as_str(), series, study, hash, copy])?;
            }
            let mut copy = db.prepare_cached(
                "UPDATE delivery_instances SET copied = 1 WHERE delivery = ?1 AND file = ?2",
            )?;
            for file in &copied {
                copy.execute(params![delivery, file])?;
            }
            decided(db, delivery, &job, GateState::Passed, &findings)?;
            Ok(true)
        })
    }

    /// Whether a destination has a result of this job by a copy that was another object.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn is_copied_otherwise(&self, job: &JobId, result: &ResultUid) -> Result<bool> {
        self.read(|db| {
            let differs = "SELECT 1 FROM result_uids r JOIN jobs j ON j.seq = r.job \
                           WHERE r.sop_instance_uid = ?1 AND j.id = ?2 AND r.copy_hash <> ?3";
            let there = "SELECT 1 FROM delivery_instances i JOIN deliveries d ON d.id = i.delivery \
                         JOIN jobs j ON j.seq = d.job WHERE i.sop_instance_uid = ?1 AND j.id = ?2 AND i.copied = 1 \
                         AND i.state IN ('sent', 'sent-with-warning', 'duplicate')";
            let (instance, id) = (&result.sop_instance_uid, job.as_str());
            Ok(db
                .prepare_cached(differs)?
                .exists(params![instance, id, result.copy_hash])?
                && db.prepare_cached(there)?.exists(params![instance, id])?)
        })
    }

    /// The gate holds a delivery; its state is the worker's to change.
    pub fn gate_held(&self, delivery: i64, job: &JobId, findings: Vec<GateFindings>) -> Pending<()> {
        let job = job.clone();
        self.write(move |db| decided(db, delivery, &job, GateState::Held, &findings))
    }

    /// Files of a delivery of which a copy with the gate's repairs is sent.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn gate_copies(&self, delivery: i64) -> Result<HashSet<String>> {
        self.read(|db| {
            let mut statement =
                db.prepare_cached("SELECT file FROM delivery_instances WHERE delivery = ?1 AND copied = 1")?;
            let rows = statement.query_map([delivery], |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// What the gate found of a delivery, with the values: for the API only.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn gate_findings(&self, delivery: i64) -> Result<Vec<GateFindings>> {
        self.read(|db| findings(db, delivery))
    }

    /// What the gate decided on the same results for another destination of the job holds for this one too: the same files,
    /// held against the same input in the same mode. Answers the decision, where there was one; the copies are the same.
    pub fn gate_shared(&self, delivery: i64, job: &JobId) -> Pending<Option<GateState>> {
        let job = job.clone();
        self.write(move |db| {
            let files = |of: &str| format!("SELECT file FROM delivery_instances WHERE delivery = {of}");
            let (own, others) = (files("d.id"), files("o.id"));
            let sql = format!(
                "SELECT o.id, o.gate_state FROM deliveries d JOIN deliveries o ON o.job = d.job AND o.id <> d.id AND o.gate = d.gate \
                 AND o.direction = d.direction AND o.gate_state IN ('passed', 'held') \
                 WHERE d.id = ?1 AND d.gate_state = 'open' AND d.direction = 'output' \
                 AND NOT EXISTS ({own} EXCEPT {others}) AND NOT EXISTS ({others} EXCEPT {own}) ORDER BY o.gate_state DESC, o.id LIMIT 1"
            );
            let mut statement = db.prepare_cached(&sql)?;
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
            let other: Option<(i64, String)> = statement.query_row([delivery], read).optional()?;
            let Some((other, word)) = other else { return Ok(None) };
            let state = GateState::from_word(&word)
                .ok_or_else(|| StoreError::State(format!("{word:?} is no state of a gate")))?;
            db.prepare_cached(
                "UPDATE delivery_instances SET copied = 1 WHERE delivery = ?1 AND file IN \
                 (SELECT file FROM delivery_instances WHERE delivery = ?2 AND copied = 1)",
            )?
            .execute([delivery, other])?;
            let findings = findings(db, other)?;
            decided(db, delivery, &job, state, &findings)?;
            Ok(Some(state))
        })
    }

    /// Lets a delivery go that the gate holds, as the bucket made it: `who` has looked at it. Its job delivers again.
    pub fn gate_release(&self, job: &JobId, delivery: i64, who: String, at: Timestamp) -> Pending<()> {
        let job = job.clone();
        self.write(move |db| {
            super::retention::has_files(db, &job)?;
            let found: Option<(String, String, String)> = db
                .query_row(
                    "SELECT state, gate_state, destination FROM deliveries \
                     WHERE id = ?1 AND job = (SELECT seq FROM jobs WHERE id = ?2)",
                    params![delivery, job.as_str()],
                    |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
                )
                .optional()?;
            let Some((state, gate, destination)) = found else {
                return Err(StoreError::State(format!("job {job} has no delivery {delivery}")));
            };
            let next = DeliveryState::from_name(&state)
                .filter(|state| *state == DeliveryState::Held && gate == GateState::Held.word())
                .and_then(|state| state.next(DeliveryEvent::Retried));
            let Some(next) = next else {
                let why = format!(
                    "delivery {delivery} of job {job} is {state}, and {gate} at the gate: there is nothing to release"
                );
                return Err(StoreError::State(why));
            };
            // Another of its deliveries may be under way.
            if state_of(db, &job)? != JobState::Delivering {
                advance(db, &job, JobEvent::Retried)?;
                db.execute("UPDATE jobs SET ended_at = NULL WHERE id = ?1", [job.as_str()])?;
            }
            db.execute(
                "UPDATE deliveries SET state = ?2, gate_state = ?3, next_at = NULL, error = NULL, created_at = ?4, \
                 tried = NULL, attempts_before = attempts WHERE id = ?1",
                params![delivery, next.name(), GateState::Released.word(), at.0],
            )?;
            record_is_late(db, &job)?;
            let text = format!("to {destination}: released by {who}, goes as the bucket made it");
            record(db, &job, "gate", &text)
        })
    }
}

/// What was found of a delivery.
fn findings(db: &Connection, delivery: i64) -> Result<Vec<GateFindings>> {
    let mut statement = db.prepare_cached(
        "SELECT action, attribute, result, input, why, objects, file FROM gate_findings \
         WHERE delivery = ?1 ORDER BY rowid",
    )?;
    let rows = statement.query_map([delivery], |row| {
        let action: String = row.get(0)?;
        Ok(GateFindings {
            finding: GateFinding {
                action: GateAction::from_word(&action).unwrap_or(GateAction::Held),
                attribute: row.get(1)?,
                result: row.get(2)?,
                input: row.get(3)?,
                why: row.get(4)?,
            },
            objects: row.get(5)?,
            file: row.get::<_, Option<String>>(6)?.unwrap_or_default(),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn uids_taken(db: &Connection, job: &JobId, result: &ResultUid) -> Result<UidsTaken> {
    let (instance, series) = (&result.sop_instance_uid, &result.series_instance_uid);
    let has = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<bool> {
        Ok(db.prepare_cached(sql)?.exists(values)?)
    };
    // What this job let go under that name is what it is the name of, whatever else has it by now.
    let own: Option<bool> = db
        .prepare_cached(
            "SELECT r.hash = ?3 FROM result_uids r JOIN jobs j ON j.seq = r.job \
             WHERE r.sop_instance_uid = ?1 AND j.id = ?2",
        )?
        .query_row(params![instance, job.as_str(), result.hash], |row| row.get(0))
        .optional()?;
    if let Some(is_same) = own {
        // One that this job sent may have come back to this node since.
        return Ok(UidsTaken {
            instance: !is_same,
            series: false,
        });
    }
    // One of another job may be sent again.
    let sent = has(
        "SELECT 1 FROM result_uids r JOIN jobs j ON j.seq = r.job \
         WHERE r.sop_instance_uid = ?1 AND r.hash = ?2 AND r.study_instance_uid = ?3",
        &[instance, &result.hash, &result.study_instance_uid],
    )?;
    if sent {
        return Ok(UidsTaken::default());
    }
    let others_result = has(
        "SELECT 1 FROM result_uids r JOIN jobs j ON j.seq = r.job WHERE r.sop_instance_uid = ?1 AND j.id <> ?2",
        &[instance, &job.as_str()],
    )?;
    // Whichever job received it, this one too: the bucket was perhaps not given it.
    let received = has(
        "SELECT 1 FROM instances WHERE sop_instance_uid = ?1 AND hash <> ?2",
        &[instance, &result.hash],
    )?;
    let series_of_results = has(
        "SELECT 1 FROM result_uids r JOIN jobs j ON j.seq = r.job WHERE r.series_instance_uid = ?1 AND j.id <> ?2",
        &[series, &job.as_str()],
    )?;
    let series_received = has(
        "SELECT 1 FROM instances WHERE series_instance_uid = ?1",
        &[series],
    )?;
    Ok(UidsTaken {
        instance: others_result || received,
        series: series_of_results || series_received,
    })
}

fn decided(
    db: &Connection,
    delivery: i64,
    job: &JobId,
    state: GateState,
    findings: &[GateFindings],
) -> Result<()> {
    let destination: String = db.query_row(
        "UPDATE deliveries SET gate_state = ?2 WHERE id = ?1 RETURNING destination",
        params![delivery, state.word()],
        |row| row.get(0),
    )?;
    db.execute("DELETE FROM gate_findings WHERE delivery = ?1", [delivery])?;
    let mut insert = db.prepare_cached(
        "INSERT INTO gate_findings (delivery, action, attribute, result, input, why, objects, file) \
         VALUES (?1,?2,?3,?4,?5,?6,?7,?8)",
    )?;
    for GateFindings {
        finding,
        objects,
        file,
    } in findings
    {
        insert.execute(params![
            delivery,
            finding.action.word(),
            finding.attribute,
            finding.result,
            finding.input,
            finding.why,
            objects,
            file,
        ])?;
    }
    // Deleted while it was looked at: nobody forgets the values later.
    if removed(db, job)? {
        forget_values(db, job)?;
    }
    // The same deviation with other values is one line here.
    let mut told: Vec<(String, u32)> = Vec::new();
    for GateFindings { finding, objects, .. } in findings {
        let text = format!(
            "{}: {}: {}",
            finding.action.word(),
            finding.attribute,
            finding.why
        );
        match told.iter_mut().find(|(known, _)| *known == text) {
            Some((_, count)) => *count = count.saturating_add(*objects),
            None => told.push((text, *objects)),
        }
    }
    for (text, objects) in told.iter().take(TOLD) {
        record(
            db,
            job,
            "gate",
            &format!("to {destination}: {text}; objects: {objects}"),
        )?;
    }
    match told.len().saturating_sub(TOLD) {
        0 => Ok(()),
        more => record(
            db,
            job,
            "gate",
            &format!("to {destination}: {more} more, see the delivery's findings"),
        ),
    }
}

/// Whether the files of a job are gone.
fn removed(db: &Connection, job: &JobId) -> Result<bool> {
    let sql = "SELECT 1 FROM jobs WHERE id = ?1 AND removed_at IS NOT NULL";
    Ok(db.prepare_cached(sql)?.exists([job.as_str()])?)
}

/// The values of findings go with the files of their job: they are a patient's.
pub(super) fn forget_values(db: &Connection, job: &JobId) -> Result<()> {
    db.execute(
        "UPDATE gate_findings SET result = NULL, input = NULL, file = NULL WHERE delivery IN \
         (SELECT id FROM deliveries WHERE job = (SELECT seq FROM jobs WHERE id = ?1))",
        [job.as_str()],
    )?;
    Ok(())
}
