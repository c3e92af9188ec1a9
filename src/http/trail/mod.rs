//! What callers do goes to the audit trail: in the transaction that does it where the store is changed, else before the
//! answer is given.

mod list;
mod looked;
mod told;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::model::{
    AuditAction, AuditEvent, AuditKind, AuditOutcome, AuditParticipant, AuditRole, AuditThing, Timestamp,
};
use crate::store::{Act, Store};

use super::auth::Caller;
use super::door::Peer;
use super::problem::ours;
use looked::Looked;
use told::{By, Told};

pub(super) use list::list;

/// Characters of an address that are kept.
const LONGEST: usize = 200;

/// Where callers' events go.
#[derive(Clone)]
pub(super) struct Trail {
    store: Store,
    looked: Looked,
}

impl Trail {
    pub(super) fn new(store: Store) -> Self {
        Self {
            store,
            looked: Looked::default(),
        }
    }
}

/// Serves a request and tells of it.
pub(super) async fn tell(
    State(trail): State<Trail>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let uri = request.uri();
    let told = told::told(request.method(), uri.path(), uri.query().unwrap_or_default());
    let Some(told) = told else {
        return next.run(request).await;
    };
    let address = peer.ip().to_canonical().to_string();
    let caller = request.extensions().get::<Caller>();
    let name = caller.map_or_else(|| address.clone(), |Caller(name)| name.clone());
    let what = format!("{} {}", request.method(), uri.path());
    let act = Act::new(event(&told, &name, &address, &what));
    request.extensions_mut().insert(act.clone());
    let response = next.run(request).await;
    let outcome = outcome(response.status());
    let again = outcome == AuditOutcome::Success
        && told.action == AuditAction::Read
        && told.kind == AuditKind::Accessed
        && trail.looked.again(&name, &what);
    if again || act.is_told() || (outcome == AuditOutcome::Success && told.by == By::Store) {
        return response;
    }
    let event = AuditEvent {
        at: Timestamp::now(),
        ..act.event().clone()
    };
    let event = match outcome {
        AuditOutcome::Success => event,
        outcome => event
            .ended(outcome)
            .saying(format!("answered {}", response.status())),
    };
    match trail.store.audit(event).await {
        Ok(()) => response,
        // What was done is done; what was only to be shown is not shown without a trace.
        Err(error) if told.action != AuditAction::Read => {
            tracing::error!(%error, caller = name, what, "what a caller did is not in the audit trail");
            response
        }
        Err(error) => {
            trail.looked.forget(&name, &what);
            ours(&error).into_response()
        }
    }
}

fn outcome(status: StatusCode) -> AuditOutcome {
    if status.is_server_error() {
        AuditOutcome::SeriousFailure
    } else if status.is_client_error() {
        AuditOutcome::MinorFailure
    } else {
        AuditOutcome::Success
    }
}

fn event(told: &Told, name: &str, address: &str, what: &str) -> AuditEvent {
    let who = AuditParticipant::caller(name, address);
    let participants = match told.kind {
        AuditKind::Exported => {
            let medium = AuditParticipant::medium(name, address, AuditRole::DestinationMedia).asking();
            vec![AuditParticipant::node(Some(AuditRole::Source)), medium]
        }
        AuditKind::Imported => {
            let medium = AuditParticipant::medium("HTTP push", address, AuditRole::SourceMedia);
            let who = AuditParticipant {
                role: Some(AuditRole::Destination),
                ..who
            };
            vec![who, medium]
        }
        _ => vec![who, AuditParticipant::node(None)],
    };
    let mut event = AuditEvent::new(told.kind, told.action, participants);
    if told.kind == AuditKind::TrailRead {
        return event.about(AuditThing::Trail, "/api/v1/audit");
    }
    if let Some(job) = &told.job {
        event = event.about(AuditThing::Job, job.as_str());
    }
    if let Some(bucket) = &told.bucket {
        event = event.about(AuditThing::Bucket, shortened(bucket));
    }
    event.about(AuditThing::Request, shortened(what))
}

/// A request that was refused, for who asked or for what.
pub(super) fn refused(name: &str, address: &str, what: &str, why: &str) -> AuditEvent {
    let caller = AuditParticipant {
        requestor: false,
        ..AuditParticipant::caller(name, address)
    };
    let us = AuditParticipant::node(None).asking();
    let event = AuditEvent::new(AuditKind::RequestRefused, AuditAction::Execute, vec![caller, us]);
    let event = event.ended(AuditOutcome::MinorFailure).saying(why);
    event.about(AuditThing::Request, shortened(what))
}

fn shortened(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}
