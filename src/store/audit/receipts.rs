//! What came: one event for each association and study, never one for each object.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, params};

use super::super::instances::NewInstance;
use super::super::jobs::NewJob;
use super::super::pushes::NewPush;
use super::super::writer::When;
use super::super::{Pending, Result, Store, StoreError};
use super::append;
use super::jobs::{of_studies, studies};
use super::sending::sent_and_cancelled;
use crate::model::{
    AuditAction, AuditEvent, AuditKind, AuditParticipant, AuditRole, AuditStudy, AuditThing, JobId, Origin,
};

/// Goes with the first object of a study that an association brings into a job.
#[derive(Clone, Debug)]
pub struct ReceiptMark {
    /// The association.
    pub association: u64,
    /// Study Instance UID.
    pub study: String,
    /// Patient ID.
    pub patient_id: String,
}

/// What an association brought of a study into a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Objects that were not there, by SOP class.
    pub new: BTreeMap<String, u64>,
    /// Objects that were there already.
    pub again: BTreeMap<String, u64>,
}

/// Notes, beside the row of an object, what is to be told when its association is over.
pub(in crate::store) fn mark(db: &Connection, job: i64, mark: &ReceiptMark) -> Result<()> {
    is_of(db, job, &mark.study, &mark.patient_id)?;
    db.prepare_cached("INSERT OR IGNORE INTO audit_receiving (association, job) VALUES (?1, ?2)")?
        .execute(params![mark.association, job])?;
    Ok(())
}

/// Remembers whose a study of a job is.
pub(super) fn is_of(db: &Connection, job: i64, study: &str, patient_id: &str) -> Result<()> {
    db.prepare_cached("INSERT OR IGNORE INTO audit_studies (job, study, patient_id) VALUES (?1, ?2, ?3)")?
        .execute(params![job, study, patient_id])?;
    Ok(())
}

/// What an association brought, by job and study.
type Receipts = Vec<((JobId, String), Receipt)>;

/// Associations whose events are on their way to the store, or were refused by it.
#[derive(Clone, Default)]
pub(in crate::store) struct Unheard(Arc<Mutex<Vec<OnItsWay>>>);

struct OnItsWay {
    answer: Pending<()>,
    origin: Origin,
    receipts: Receipts,
}

/// More are not remembered: the next start tells of them.
const UNHEARD: usize = 1000;

impl Store {
    /// Tells what an association brought, now that it is over: by job and study. Nobody has to wait for it: until it is
    /// written, the rows say that it is to be told. What the store refuses is told with a later association.
    pub fn tell_received(&self, origin: &Origin, receipts: Receipts) {
        let mut unheard = self.unheard.0.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier: Vec<_> = std::mem::take(&mut *unheard);
        for on_its_way in earlier {
            let OnItsWay {
                answer,
                origin,
                receipts,
            } = on_its_way;
            let answer = match answer.now() {
                Ok(Ok(())) | Ok(Err(StoreError::Closed)) => continue,
                Ok(Err(error)) => {
                    tracing::error!(%error, "tell the audit trail what an association brought; trying again");
                    self.received(&origin, receipts.clone(), true)
                }
                Err(answer) => answer,
            };
            unheard.push(OnItsWay {
                answer,
                origin,
                receipts,
            });
        }
        let answer = self.received(origin, receipts.clone(), false);
        if unheard.len() < UNHEARD {
            let origin = origin.clone();
            unheard.push(OnItsWay {
                answer,
                origin,
                receipts,
            });
        }
    }

    fn received(&self, origin: &Origin, receipts: Receipts, again: bool) -> Pending<()> {
        let origin = origin.clone();
        self.writer.submit(When::Unsynced, move |db| {
            // A commit that was said to have failed may be there all the same.
            let to_be_told = "SELECT EXISTS (SELECT 1 FROM audit_receiving WHERE association = ?1)";
            if again && !db.query_row(to_be_told, [origin.association], |row| row.get::<_, bool>(0))? {
                return Ok(());
            }
            for ((job, study), receipt) in receipts {
                let mut known = studies(db, job.as_str())?;
                known.retain(|s| s.uid == study);
                let of = known.pop().unwrap_or(AuditStudy {
                    uid: study,
                    ..AuditStudy::default()
                });
                let sides = [
                    (AuditAction::Create, receipt.new),
                    (AuditAction::Read, receipt.again),
                ];
                for (action, sop_classes) in sides.into_iter().filter(|(_, classes)| !classes.is_empty()) {
                    let of = AuditStudy {
                        sop_classes,
                        ..of.clone()
                    };
                    let (calling, called) = (origin.calling.0.as_str(), origin.called.0.as_str());
                    let event = transferred(action, calling, called, &origin.address.to_string());
                    append(db, &event.of_study(of).about(AuditThing::Job, job.as_str()))?;
                }
            }
            db.prepare_cached("DELETE FROM audit_receiving WHERE association = ?1")?
                .execute([origin.association])?;
            Ok(())
        })
    }

    /// Tells, at a start, what an earlier run received and did not come to tell: objects of jobs that were receiving, more
    /// than events tell of; what it sent of deliveries that were cancelled, and what callers began to change. Answers of how many jobs it received.
    pub fn tell_what_was_received(&self) -> Pending<usize> {
        let destinations = self.destinations.clone();
        self.write(move |db| {
            let mut statement = db.prepare(
                "SELECT seq, id, stream, calling_ae_title, caller_address FROM jobs \
                 WHERE state = 'receiving' OR seq IN (SELECT job FROM audit_receiving) ORDER BY seq",
            )?;
            let rows = statement.query_map([], |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    [row.get::<_, String>(1)?, row.get(2)?, row.get(3)?, row.get(4)?],
                ))
            })?;
            let mut told = 0;
            for (seq, [id, stream, calling, address]) in rows.collect::<rusqlite::Result<Vec<_>>>()? {
                let sop_classes = untold(db, seq, &id)?;
                if sop_classes.is_empty() {
                    continue;
                }
                let event = transferred(AuditAction::Create, &calling, &stream, &address);
                let text = "counted at the start after the node had stopped within the association";
                let event = event.saying(text).about(AuditThing::Job, id.as_str());
                of_studies(db, &event, studies(db, &id)?, sop_classes)?;
                told += 1;
            }
            db.execute("DELETE FROM audit_receiving", [])?;
            sent_and_cancelled(db, None, &destinations)?;
            super::begun::cut_off(db)?;
            Ok(told)
        })
    }
}

/// The objects of a job that no event tells of, by SOP class; without those that it has from an earlier job, which are rows
/// with the same moment there too.
fn untold(db: &Connection, seq: i64, id: &str) -> Result<BTreeMap<String, u64>> {
    let mut statement = db.prepare_cached(
        "SELECT sop_class_uid, count(*) FROM instances i WHERE job = ?1 AND NOT EXISTS \
         (SELECT 1 FROM instances e JOIN jobs f ON f.seq = e.job JOIN jobs j ON j.made_from = f.id \
          WHERE j.seq = ?1 AND e.sop_instance_uid = i.sop_instance_uid AND e.hash = i.hash \
          AND e.received_at = i.received_at) GROUP BY sop_class_uid",
    )?;
    let rows = statement.query_map([seq], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut left: BTreeMap<String, u64> = rows.collect::<rusqlite::Result<_>>()?;
    let mut told = db.prepare_cached("SELECT event FROM audit WHERE job = ?1 AND +kind = 'transferred'")?;
    let mut rows = told.query([id])?;
    while let Some(row) = rows.next()? {
        let event: AuditEvent = super::listing::event(&row.get::<_, String>(0)?)?;
        // What was there already, and what was sent on, is Read.
        if event.action == AuditAction::Create {
            for (class, objects) in event.study.iter().flat_map(|study| &study.sop_classes) {
                if let Some(left) = left.get_mut(class) {
                    *left = left.saturating_sub(*objects);
                }
            }
        }
    }
    left.retain(|_, objects| *objects > 0);
    Ok(left)
}

/// Objects came over an association, or were to come.
pub(super) fn transferred(action: AuditAction, calling: &str, called: &str, address: &str) -> AuditEvent {
    let sender = AuditParticipant::ae(calling, Some(address), AuditRole::Source).asking();
    let us = AuditParticipant::ae(called, None, AuditRole::Destination);
    AuditEvent::new(AuditKind::Transferred, action, vec![sender, us])
}

/// A study was pushed, in the transaction that makes its job.
pub(in crate::store) fn pushed(
    db: &Connection,
    seq: i64,
    job: &JobId,
    row: &NewJob,
    push: &NewPush,
    instances: &[NewInstance],
) -> Result<()> {
    is_of(db, seq, &row.study_instance_uid, &push.patient_id)?;
    let mut sop_classes = BTreeMap::new();
    for instance in instances {
        *sop_classes.entry(instance.sop_class_uid.to_string()).or_insert(0) += 1;
    }
    let of = AuditStudy {
        uid: row.study_instance_uid.clone(),
        patient_id: push.patient_id.clone(),
        sop_classes,
    };
    let who = AuditParticipant {
        role: Some(AuditRole::Destination),
        ..AuditParticipant::caller(&push.by, &row.caller_address)
    };
    let from = AuditParticipant::medium("HTTP push", &row.caller_address, AuditRole::SourceMedia);
    let event = AuditEvent::new(AuditKind::Imported, AuditAction::Create, vec![who, from]);
    let event = event.of_study(of).about(AuditThing::Job, job.as_str());
    append(db, &event.about(AuditThing::Bucket, row.stream.as_str()))
}
