//! Jobs that were taken over from another installation.
//!
//! Each is an Import (PS3.15 §A.5.3.5): it was not under this node's control before, and came over no association, so that no
//! two application entities transferred it. One event for each job and study, in the transaction that makes the job, however
//! many there are: each is found by its study later, as all that happens to it afterwards, and of those that a kill leaves
//! out none is told.

use rusqlite::Connection;

use super::super::{FinishedJob, Result};
use super::append;
use super::receipts::is_of;
use crate::model::{AuditAction, AuditEvent, AuditKind, AuditParticipant, AuditRole, AuditStudy, AuditThing};

/// A job was taken over.
pub(in crate::store) fn taken_over(db: &Connection, seq: i64, job: &FinishedJob) -> Result<()> {
    let us = AuditParticipant::node(Some(AuditRole::Destination)).asking();
    let from = AuditParticipant::medium("another installation", &job.from, AuditRole::SourceMedia);
    let event = AuditEvent::new(AuditKind::Imported, AuditAction::Create, vec![us, from])
        .about(AuditThing::Job, job.id.as_str())
        .about(AuditThing::Bucket, job.stream.as_str())
        .saying("magickbox adopt");
    if job.studies.is_empty() {
        // It kept nothing that would say whose it is.
        return append(db, &event.of_study(AuditStudy::default()));
    }
    for study in &job.studies {
        is_of(db, seq, &study.uid, &study.patient_id)?;
        append(db, &event.clone().of_study(study.clone()))?;
    }
    Ok(())
}
