//! What the node itself tells the audit trail.

use std::collections::HashMap;

use crate::model::{AuditAction, AuditEvent, AuditKind, AuditParticipant, AuditRole, Remote};
use crate::store::AuditDestination;

/// The node starts, or stops.
pub(super) fn event(kind: AuditKind) -> AuditEvent {
    let us = AuditParticipant::node(Some(AuditRole::Application));
    let version = format!("magickbox {}", env!("CARGO_PKG_VERSION"));
    AuditEvent::new(kind, AuditAction::Execute, vec![us]).saying(version)
}

/// How destinations are reached, as events of deliveries tell it.
pub(super) fn destinations(remotes: &[Remote]) -> HashMap<String, AuditDestination> {
    let reached = |remote: &Remote| match remote {
        Remote::Dicom(ae) => AuditDestination::Ae {
            address: ae.address.clone(),
            calling: ae.calling.to_string(),
        },
        Remote::Folder(folder) => AuditDestination::Uri(format!("file://{}", folder.path.display())),
        Remote::Web(web) => AuditDestination::Uri(web.url.clone()),
    };
    let named = remotes
        .iter()
        .map(|remote| (remote.name().to_string(), reached(remote)));
    named.collect()
}
