//! Answers that wait for the association they were asked over: as long as it is there, they are its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::dicom::command::Command;
use crate::dicom::commitment::{Answer, send_report};
use crate::dicom::status::Status;
use crate::dicom::upper_layer::{Association, Error};

use super::Commitments;
use super::look::answer_of;

/// How long an association keeps an answer to itself where the peer can be called too.
const KEPT: Duration = Duration::from_secs(10);

/// And where it cannot: as long as an association may be silent.
const KEPT_ALONE: Duration = Duration::from_secs(600);

/// How long the response to an N-EVENT-REPORT may take before another way is tried.
const RESPONSE: Duration = Duration::from_secs(30);

/// How often an association with an answer outstanding looks whether it is there.
const TICK: Duration = Duration::from_millis(50);

/// Requests by their number in the store; `true` once it is known what to answer.
#[derive(Clone, Default)]
pub(super) struct Desk(Arc<Mutex<HashMap<i64, bool>>>);

impl Desk {
    fn lock(&self) -> MutexGuard<'_, HashMap<i64, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(&self, id: i64) {
        self.lock().insert(id, false);
    }

    /// It is known what to answer: offers it to the association that holds the request; whether there is one.
    pub(super) fn offer(&self, id: i64) -> bool {
        self.lock().get_mut(&id).map(|ready| *ready = true).is_some()
    }

    /// Whether an association answers it.
    pub(super) fn holds(&self, id: i64) -> bool {
        self.lock().contains_key(&id)
    }

    fn let_go(&self, id: i64) {
        self.lock().remove(&id);
    }
}

/// The requests that one association waits to answer.
pub(in crate::scp) struct Outstanding {
    commitments: Commitments,
    waiting: Vec<Waiting>,
    message_id: u16,
}

struct Waiting {
    id: i64,
    /// The presentation context it came in.
    context: u8,
    /// When it is left to an association of our own.
    until: Instant,
    /// Message ID of the N-EVENT-REPORT, and until when it may be answered.
    sent: Option<(u16, Instant)>,
}

impl Outstanding {
    /// None yet.
    pub(in crate::scp) const fn new(commitments: Commitments) -> Self {
        Self {
            commitments,
            waiting: Vec::new(),
            message_id: 0,
        }
    }

    /// One more, which came in that context.
    pub(super) fn add(&mut self, id: i64, context: u8, can_be_called: bool) {
        self.commitments.desk.hold(id);
        self.waiting.push(Waiting {
            id,
            context,
            until: Instant::now() + if can_be_called { KEPT } else { KEPT_ALONE },
            sent: None,
        });
    }

    /// Waits for the peer's next message, and sends what there is to answer meanwhile; ends at once where there is nothing.
    ///
    /// # Errors
    /// The association is over.
    pub(in crate::scp) fn until_the_peer_speaks(
        &mut self,
        association: &mut Association,
    ) -> Result<(), Error> {
        while !self.waiting.is_empty() {
            self.send_what_is_ready(association)?;
            self.leave_what_took_too_long();
            if association.hears_within(TICK)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Takes the response to an N-EVENT-REPORT; whether it was one of ours.
    pub(in crate::scp) fn responded(&mut self, response: &Command) -> bool {
        let of = |w: &Waiting| w.sent.is_some_and(|(id, _)| id == response.message_id);
        let Some(at) = self.waiting.iter().position(of) else {
            return false;
        };
        let Waiting { id, .. } = self.waiting.swap_remove(at);
        let store = &self.commitments.store;
        let status = response.status.unwrap_or(Status::PROCESSING_FAILURE);
        if status.is_of_the_moment() {
            // It cannot keep the answer now: the keeper says it again over an association of our own.
            self.commitments.desk.let_go(id);
            self.commitments.changed.notify_one();
            return true;
        }
        let refused = format!("the peer answered the N-EVENT-REPORT with status {status}");
        let error = (status != Status::SUCCESS).then_some(refused);
        let ended = store.commitment_ends(id, error, crate::model::Timestamp::now());
        if let Err(error) = ended.wait() {
            tracing::error!(%error, "keep that a storage commitment was answered; it is answered again");
        }
        self.commitments.desk.let_go(id);
        self.commitments.changed.notify_one();
        true
    }

    fn send_what_is_ready(&mut self, association: &mut Association) -> Result<(), Error> {
        for waiting in self.waiting.iter_mut().filter(|w| w.sent.is_none()) {
            let ready = self.commitments.desk.lock().get(&waiting.id) == Some(&true);
            let Some(context) = association.context(waiting.context).filter(|_| ready).cloned() else {
                continue;
            };
            let answer: Answer = match answer_of(&self.commitments.store, waiting.id) {
                Ok(Some(answer)) => answer,
                // Asked anew over another association, which answers it.
                Ok(None) => {
                    waiting.until = Instant::now();
                    continue;
                }
                Err(error) => {
                    tracing::error!(%error, "read what a storage commitment is to be answered with");
                    waiting.until = Instant::now();
                    continue;
                }
            };
            self.message_id = self.message_id.wrapping_add(1);
            send_report(association, &context, self.message_id, &answer)?;
            waiting.sent = Some((self.message_id, Instant::now() + RESPONSE));
        }
        Ok(())
    }

    /// The keeper answers it then; a response that comes late changes nothing.
    fn leave_what_took_too_long(&mut self) {
        let now = Instant::now();
        let commitments = &self.commitments;
        self.waiting.retain(|waiting| {
            let over = match waiting.sent {
                Some((_, until)) => until <= now,
                None => waiting.until <= now,
            };
            if over {
                commitments.desk.let_go(waiting.id);
                commitments.changed.notify_one();
            }
            !over
        });
    }
}

impl Drop for Outstanding {
    fn drop(&mut self) {
        for waiting in &self.waiting {
            self.commitments.desk.let_go(waiting.id);
        }
        if !self.waiting.is_empty() {
            self.commitments.changed.notify_one();
        }
    }
}
