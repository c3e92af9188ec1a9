//! Storage commitment (PS3.4 Annex J) as acceptor: requests of peers, and answers to our own.
//!
//! A request is a row before it is answered with Success. Whatever it lists is then looked at aside, by the [`Keeper`]: an
//! association is not held up by disks. The answer goes over the association the request came over if that is still
//! there, else over one of our own, as often as it takes.
//!
//! ```text
//! action.rs  N-ACTION: what a peer asks for
//! event.rs   N-EVENT-REPORT: what a destination answers
//! desk.rs    answers that wait for the association they were asked over
//! keeper.rs  looks at the objects, and answers over associations of our own
//! look.rs    what can be promised for a request, and is
//! ```

mod action;
mod desk;
mod event;
mod keeper;
mod look;

use std::sync::Arc;

use tokio::sync::Notify;

use crate::model::RemoteAe;
use crate::store::Store;

pub use keeper::Keeper;

pub(super) use action::n_action;
pub(super) use desk::Outstanding;
pub(super) use event::n_event_report;

use desk::Desk;

/// What all associations share about storage commitment.
#[derive(Clone)]
pub struct Commitments {
    store: Store,
    desk: Desk,
    /// Told when a request came, or its association is over.
    changed: Arc<Notify>,
    /// `[[remote_ae]]`: whom an answer can be brought to.
    remote_aes: Arc<Vec<RemoteAe>>,
}

impl Commitments {
    /// Nothing outstanding.
    #[must_use]
    pub fn new(store: Store, remote_aes: Arc<Vec<RemoteAe>>) -> Self {
        Self {
            store,
            desk: Desk::default(),
            changed: Arc::default(),
            remote_aes,
        }
    }

    /// Peers that answer what we asked them, on associations of their own.
    pub(super) fn asked(&self) -> impl Iterator<Item = &RemoteAe> {
        self.remote_aes.iter().filter(|remote| remote.commit)
    }
}
