//! What callers do goes to the audit trail: in the transaction that does it where the store is changed, else before the
//! answer is given.
//!
//! ```text
//! told    which requests are told, and as what
//! looked  who looked at what shortly before
//! given   what is given out of many jobs, by study
//! list    the trail, read
//! ```

mod given;
mod list;
mod looked;
mod told;

use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::http::uri::PathAndQuery;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::model::{
    AuditAction, AuditEvent, AuditKind, AuditOutcome, AuditParticipant, AuditRole, AuditThing, Timestamp,
};
use crate::store::{Act, GivenOut, Store, StoreError};

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
    /// Studies that callers got with many others.
    got: Looked,
}

/// A page that asks each second is one look.
const LOOK: Duration = Duration::from_secs(600);

/// Studies times callers: beyond, each is told each time.
const GOT: usize = 1 << 16;

/// A program that fetches all measures each minute is told each time; the studies are named once in this time.
const NAMED: Duration = Duration::from_secs(24 * 3600);

impl Trail {
    pub(super) fn new(store: Store) -> Self {
        Self {
            store,
            looked: Looked::within(LOOK),
            got: Looked::within(NAMED).remembering(GOT),
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
    // Of what is given out of many jobs the query says which; elsewhere callers write what they like in it.
    let said = match (told.kind, &told.bucket) {
        (AuditKind::Exported, Some(_)) => request.uri().path_and_query().map_or("", PathAndQuery::as_str),
        _ => request.uri().path(),
    };
    let what = format!("{} {said}", request.method());
    let act = Act::new(event(&told, &name, &address, &what));
    request.extensions_mut().insert(act.clone());
    let asked = Asked {
        told,
        who: format!("{name} at {address}"),
        name,
        what,
        act,
        begun: None,
    };
    served(trail, asked, next.run(request)).await
}

/// A request that is told.
struct Asked {
    told: Told,
    name: String,
    /// Who asks, and from where: a token that is used elsewhere is somebody else.
    who: String,
    what: String,
    act: Act,
    /// Its note, where it changes something outside the store.
    begun: Option<i64>,
}

/// Serves a request to its end. One that changes something has a task of its own: a caller that hangs up stops neither what
/// was begun nor its event.
async fn served(
    trail: Trail,
    mut asked: Asked,
    serving: impl Future<Output = Response> + Send + 'static,
) -> Response {
    if asked.told.action == AuditAction::Read {
        let response = serving.await;
        return trail.answer(&asked, response).await;
    }
    let whole = tokio::spawn(async move {
        // No transaction of the store changes these: what is begun is noted first.
        if matches!(
            asked.told.kind,
            AuditKind::NetworkChanged | AuditKind::SoftwareChanged
        ) {
            match trail.store.audit_begin(asked.act.event()).await {
                Ok(begun) => asked.begun = Some(begun),
                Err(error) => return ours(&error).into_response(),
            }
        }
        let response = serving.await;
        trail.answer(&asked, response).await
    });
    whole
        .await
        .unwrap_or_else(|error| ours(&StoreError::State(format!("serve a request: {error}"))).into_response())
}

impl Trail {
    /// Tells of a request that was served; what of the answer the caller gets.
    async fn answer(&self, asked: &Asked, response: Response) -> Response {
        let Asked {
            told,
            name,
            who,
            what,
            act,
            begun,
        } = asked;
        let outcome = outcome(response.status());
        let given = response.extensions().get::<GivenOut>();
        let given = given.filter(|_| told.kind == AuditKind::Exported || told.by == By::Answer);
        if told.by == By::Answer && (outcome != AuditOutcome::Success || given.is_none()) {
            return response;
        }
        // A page that asks each second for what is gone is one look too.
        let look = match outcome {
            AuditOutcome::Success => what.clone(),
            _ => format!("{what}: {}", response.status()),
        };
        let again = told.action == AuditAction::Read
            && told.kind == AuditKind::Accessed
            && told.by != By::Answer
            && self.looked.again(who, &look);
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
        let written = match (begun, given) {
            (Some(begun), _) => self.store.audit_end(*begun, event),
            (None, Some(given)) => {
                let mut events = self.naming(&event, who, given);
                if events.is_empty() {
                    if told.by == By::Answer {
                        return response;
                    }
                    events.push(Self::naming_newest(&event, given));
                }
                self.store.audit_all(events)
            }
            (None, None) => self.store.audit(event),
        };
        match written.await {
            Ok(()) => response,
            // What was done is done; what was only to be shown is not shown without a trace.
            Err(error) if told.action != AuditAction::Read => {
                let kind = told.kind.word();
                tracing::error!(%error, caller = name, kind, "what a caller did is not in the audit trail");
                response
            }
            Err(error) => {
                self.looked.forget(who, &look);
                for (_, study) in given.iter().flat_map(|given| &given.named) {
                    self.got.forget(who, &given::got(act.event(), study));
                }
                ours(&error).into_response()
            }
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
            // PS3.15 §A.5.3.4: a medium never asks; who fetches is a remote user.
            let who = AuditParticipant {
                role: Some(AuditRole::Destination),
                ..who
            };
            let medium = AuditParticipant::medium("HTTP", address, AuditRole::DestinationMedia);
            vec![who, AuditParticipant::node(Some(AuditRole::Source)), medium]
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Notify;

    use super::*;
    use crate::store::AuditFilter;

    pub(super) fn asked(method: &str, path: &str) -> Asked {
        let told = told::told(&method.parse().unwrap(), path, "").unwrap();
        let what = format!("{method} {path}");
        let act = Act::new(event(&told, "anna", "192.0.2.1", &what));
        Asked {
            told,
            name: "anna".into(),
            who: "anna at 192.0.2.1".into(),
            what,
            act,
            begun: None,
        }
    }

    fn all(store: &Store) -> Vec<AuditEvent> {
        let filter = AuditFilter {
            limit: 100,
            ..AuditFilter::default()
        };
        let rows = store.audit_events(&filter).unwrap();
        rows.into_iter().map(|row| row.event).collect()
    }

    #[tokio::test]
    async fn a_caller_that_hangs_up_has_changed_it_all_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("s.sqlite")).unwrap();
        let (begun, goes_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let serving = {
            let (begun, goes_on) = (begun.clone(), goes_on.clone());
            async move {
                begun.notify_one();
                goes_on.notified().await;
                StatusCode::OK.into_response()
            }
        };
        tokio::select! {
            _ = served(Trail::new(store.clone()), asked("PUT", "/api/v1/routes"), serving) => unreachable!(),
            () = begun.notified() => {}
        }
        goes_on.notify_one();
        let told = async {
            while all(&store).is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), told).await.unwrap();
        assert_eq!(all(&store)[0].kind, AuditKind::NetworkChanged);
    }

    #[tokio::test]
    async fn a_page_that_asks_each_second_for_what_is_gone_is_one_look() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("s.sqlite")).unwrap();
        let trail = Trail::new(store.clone());
        let statuses = [StatusCode::NOT_FOUND, StatusCode::NOT_FOUND, StatusCode::OK];
        for status in statuses {
            let serving = async move { status.into_response() };
            let answer = served(trail.clone(), asked("GET", "/api/v1/jobs/j1"), serving).await;
            assert_eq!(answer.status(), status);
        }
        let outcomes: Vec<_> = all(&store).iter().map(|event| event.outcome).collect();
        assert_eq!(outcomes, [AuditOutcome::Success, AuditOutcome::MinorFailure]);
    }

    #[tokio::test]
    async fn a_token_that_is_used_elsewhere_looks_for_itself() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("s.sqlite")).unwrap();
        let trail = Trail::new(store.clone());
        for from in ["192.0.2.1", "192.0.2.2", "192.0.2.1"] {
            let asked = Asked {
                who: format!("anna at {from}"),
                ..asked("GET", "/api/v1/jobs/j1")
            };
            served(trail.clone(), asked, async { StatusCode::OK.into_response() }).await;
        }
        assert_eq!(all(&store).len(), 2);
    }

    #[test]
    fn who_fetches_results_asks_and_the_medium_does_not() {
        let event = asked("GET", "/code/php/getOutputZip.php").act.event().clone();
        let shown: Vec<_> = event.participants.iter().map(|p| (p.requestor, p.role)).collect();
        assert_eq!(
            shown,
            [
                (true, Some(AuditRole::Destination)),
                (false, Some(AuditRole::Source)),
                (false, Some(AuditRole::DestinationMedia)),
            ]
        );
    }
}
