//! What an association was to bring and did not: what failed is told apart from what came (PS3.15 §A.5.2), by study.

use crate::model::{
    AssociationEnd, AssociationOutcome, AuditAction, AuditEvent, AuditOutcome, AuditStudy, FailedObjects, Uid,
};

use super::receipts::transferred;

/// The events of an association that did not bring everything; none where it did.
pub(in crate::store) fn failed(end: &AssociationEnd) -> Vec<AuditEvent> {
    end.failed.iter().map(|objects| of_study(end, objects)).collect()
}

fn of_study(end: &AssociationEnd, objects: &FailedObjects) -> AuditEvent {
    let address = end.address.to_string();
    let (calling, called) = (end.calling.as_deref(), end.called.as_deref());
    let numbers = objects
        .sop_classes
        .iter()
        .map(|(class, n)| (class.to_string(), *n));
    let study = AuditStudy {
        uid: objects.study.as_ref().map(Uid::to_string).unwrap_or_default(),
        patient_id: objects.patient_id.clone(),
        sop_classes: numbers.collect(),
    };
    // Nothing of it is held here: it would have been created.
    let event = transferred(
        AuditAction::Create,
        calling.unwrap_or(&address),
        called.unwrap_or_default(),
        &address,
    );
    AuditEvent { at: end.at, ..event }
        .of_study(study)
        .ended(outcome(objects))
        .saying(text(end, objects))
}

/// The sender may send it again unless the answer says that it is the object that is wrong.
fn outcome(objects: &FailedObjects) -> AuditOutcome {
    let of_the_moment = |status: &u16| status >> 8 == 0xA7;
    if objects.statuses.keys().all(of_the_moment) {
        AuditOutcome::MinorFailure
    } else {
        AuditOutcome::SeriousFailure
    }
}

/// Numbers and words of ours; what a peer or the system said stands in the log.
fn text(end: &AssociationEnd, objects: &FailedObjects) -> String {
    let mut parts: Vec<_> = objects
        .statuses
        .iter()
        .map(|(status, n)| format!("{n} answered {status:04X}"))
        .collect();
    if objects.cut_off > 0 {
        parts.push(format!("{} cut off", objects.cut_off));
    }
    if end.outcome != AssociationOutcome::ObjectsRefused {
        parts.push(format!(
            "the association ended otherwise than by a release ({}), with {} stored and {} refused in all: whether more was \
             to come is not known",
            end.outcome.word(),
            end.stored,
            end.refused
        ));
    }
    parts.join(", ")
}
