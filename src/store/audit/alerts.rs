//! Who was turned away for who it is.

use crate::model::{
    AssociationEnd, AuditAction, AuditEvent, AuditKind, AuditOutcome, AuditParticipant, AuditRole, AuditThing,
};

/// The event of an association that was refused for who called.
pub(in crate::store) fn refused(end: &AssociationEnd) -> AuditEvent {
    let address = end.address.to_string();
    let calling = end.calling.as_deref().unwrap_or(&address);
    let caller = AuditParticipant {
        ae_title: end.calling.clone(),
        ..AuditParticipant::medium(calling, &address, AuditRole::Source)
    };
    // PS3.15 §A.5.3.12: who reports it is the requestor.
    let us = AuditParticipant::node(None).asking();
    let event = AuditEvent {
        at: end.at,
        ..AuditEvent::new(AuditKind::NodeRefused, AuditAction::Execute, vec![caller, us])
    };
    let event = event
        .ended(AuditOutcome::MinorFailure)
        .saying(end.reason.as_str())
        .about(AuditThing::Node, address.as_str());
    match &end.called {
        Some(called) => event.about(AuditThing::Called, called.as_str()),
        None => event,
    }
}
