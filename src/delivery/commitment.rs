//! Asks destinations to say that they keep what they took (PS3.4 Annex J): after the last object of a delivery, with a new
//! Transaction UID each time. The answer comes over the same association, or over one that the destination opens to us.
//!
//! What is asked and what is answered are rows: an answer that comes after days, or after a crash, finds its delivery.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc};

use super::destinations::{Destinations, Wire};
use crate::config::DeliveryConfig;
use crate::dicom::commitment::{Answer, Patience, Reference, Request, ask};
use crate::dicom::scu::{ScuError, ScuTimeouts};
use crate::dicom::status::Status;
use crate::dicom::upper_layer::Error;
use crate::model::{AeTitle, Delivery, DeliveryEvent, Remote, RunTime, Uid};
use crate::store::{Asks, CommitmentHeard, Store, StoreError};
use crate::telemetry::field;

/// Deliveries are looked at this often even if nobody said that one is to be committed.
const AT_LEAST: Duration = Duration::from_secs(60);

/// After a look, so many times as long as it took: it grows with what is to be committed, and each delivery that is sent asks
/// for one.
const REST: u32 = 4;

/// Before a store in trouble is asked again.
const AGAIN: Duration = Duration::from_secs(2);

/// How long the association that asked is kept open for the answer.
const SAME_ASSOCIATION: Duration = Duration::from_secs(10);

/// … of a destination that said nothing there the last time: it answers over one of its own, perhaps hours later, and others
/// are to be asked about meanwhile.
const SILENT: Duration = Duration::from_secs(1);

/// Deliveries that are read in one look; after more of them it looks again.
const MOST_READ: usize = 500;

/// Asks for storage commitment.
#[derive(Clone)]
pub struct Committer {
    /// `[delivery]`
    pub config: DeliveryConfig,
    /// Every destination of the configuration.
    pub destinations: Arc<Destinations>,
    /// The job store.
    pub store: Store,
    /// Told when a delivery is to be committed.
    pub due: Arc<Notify>,
}

/// What is to be done about a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Next {
    Ask,
    Wait(RunTime),
    GiveUp(String),
}

/// A delivery as it was sent last: sent again, everything is asked anew.
type Sent = (i64, u32);

/// What is known of deliveries to be committed: there may be ten thousands, and each is read when something is due.
#[derive(Default)]
struct Turns {
    /// Where each goes, and until when nothing is to be done about it.
    known: HashMap<Sent, (Wire, RunTime)>,
    /// Destinations that are being asked.
    busy: HashSet<Wire>,
    /// Destinations that said nothing over the association that asked them last.
    silent: HashSet<Wire>,
}

/// A question that is over.
#[derive(Clone)]
struct Done {
    wire: Wire,
    sent: Sent,
    /// Whether the destination answered over the association that asked it; `None`: it was not asked, or did not take it.
    answered: Option<bool>,
}

impl Turns {
    fn end(&mut self, done: Done) {
        self.busy.remove(&done.wire);
        self.known.remove(&done.sent);
        match done.answered {
            Some(true) => _ = self.silent.remove(&done.wire),
            Some(false) => _ = self.silent.insert(done.wire),
            None => {}
        }
    }

    /// How long the association that asks a destination is kept open for the answer.
    fn patience(&self, wire: &Wire) -> Duration {
        if self.silent.contains(wire) {
            SILENT
        } else {
            SAME_ASSOCIATION
        }
    }
}

/// Tells that a question is over, however that was.
struct Over(mpsc::UnboundedSender<Done>, Done);

impl Drop for Over {
    fn drop(&mut self) {
        // The committer outlives its questions.
        let _ = self.0.send(self.1.clone());
    }
}

impl Committer {
    /// What happens to a delivery to that destination instead of `event`: one that took every object may have to say that
    /// it keeps them.
    pub(super) fn instead_of(event: DeliveryEvent, remote: &Remote) -> DeliveryEvent {
        // Folders and DICOMweb servers know no storage commitment.
        match (event, remote) {
            (DeliveryEvent::Accepted, Remote::Dicom(remote)) if remote.commit => DeliveryEvent::ToBeCommitted,
            (event, _) => event,
        }
    }

    /// A delivery may have come to be committed.
    pub(super) fn wake(&self) {
        self.due.notify_one();
    }

    /// Asks what is to be asked; never ends.
    pub async fn run(self) {
        let mut turns = Turns::default();
        let (over, mut ended) = mpsc::unbounded_channel();
        loop {
            let begun = Instant::now();
            let wait = self.pass(&mut turns, &over).unwrap_or_else(|error| {
                tracing::error!(%error, "look at the deliveries to be committed");
                AGAIN
            });
            tokio::time::sleep(begun.elapsed().saturating_mul(REST)).await;
            tokio::select! {
                Some(done) = ended.recv() => turns.end(done),
                () = self.due.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
            while let Ok(done) = ended.try_recv() {
                turns.end(done);
            }
        }
    }

    /// Begins to ask what is due; answers how long nothing else is.
    fn pass(&self, turns: &mut Turns, over: &mpsc::UnboundedSender<Done>) -> Result<Duration, StoreError> {
        let now = self.store.moment().ran;
        let (mut wait, mut read) = (AT_LEAST, 0);
        let committing = self.store.deliveries_committing()?;
        let still: HashSet<Sent> = committing.iter().copied().collect();
        turns.known.retain(|sent, _| still.contains(sent));
        for sent in committing {
            let due = match turns.known.get(&sent) {
                Some((_, until)) if *until > now => {
                    wait = wait.min(until.since(now));
                    false
                }
                Some((wire, _)) => !turns.busy.contains(wire),
                None => true,
            };
            if !due {
                continue;
            }
            if read == MOST_READ {
                return Ok(Duration::ZERO);
            }
            read += 1;
            let Some((delivery, asks)) = self.store.delivery_committing(sent)? else {
                continue;
            };
            let wire = self.destinations.wire(&delivery);
            match next(&self.config, &asks, now) {
                Next::Wait(until) => {
                    wait = wait.min(until.since(now));
                    turns.known.insert(sent, (wire, until));
                }
                next => {
                    turns.known.insert(sent, (wire.clone(), now));
                    if turns.busy.insert(wire.clone()) {
                        self.begin(
                            delivery,
                            next,
                            turns.patience(&wire),
                            Over(
                                over.clone(),
                                Done {
                                    wire,
                                    sent,
                                    answered: None,
                                },
                            ),
                        );
                    }
                }
            }
        }
        Ok(wait)
    }

    fn begin(&self, delivery: Delivery, next: Next, patience: Duration, mut over: Over) {
        let this = self.clone();
        tokio::task::spawn_blocking(move || {
            let done = match next {
                Next::GiveUp(error) => this.give_up(&delivery, error).map(|()| None),
                _ => this.ask(&delivery, patience),
            };
            match done {
                Ok(answered) => over.1.answered = answered,
                Err(error) => {
                    tracing::error!({ field::DELIVERY } = delivery.id, %error, "keep what became of a storage commitment");
                    std::thread::sleep(AGAIN);
                }
            }
            drop(over);
        });
    }

    /// Why stands with the delivery. It may have the words of the destination, which may name the patient: not in the log.
    fn give_up(&self, delivery: &Delivery, error: String) -> Result<(), StoreError> {
        tracing::warn!({ field::DELIVERY } = delivery.id, { field::JOB } = %delivery.job, to = %delivery.destination, "not committed: `magickbox job show` says why");
        self.store.commitment_given_up(delivery.id, error).wait()
    }

    /// Asks once; answers whether the destination said something over that association, where it took the question.
    fn ask(&self, delivery: &Delivery, patience: Duration) -> Result<Option<bool>, StoreError> {
        let Some(remote) = self.destinations.to_be_asked(delivery) else {
            let error = "it is no [[remote_ae]] of the configuration any more".to_owned();
            return self.give_up(delivery, error).map(|()| None);
        };
        let references = self.references(delivery)?;
        if references.is_empty() {
            // Nothing was sent that could be kept, or everything is.
            return self
                .store
                .commitment_given_up(delivery.id, "nothing is left to be committed".to_owned())
                .wait()
                .map(|()| None);
        }
        let Ok(transaction_uid) = Uid::parse(format!("2.25.{}", uuid::Uuid::new_v4().as_u128()).as_bytes())
        else {
            return Ok(None);
        };
        let request = Request {
            transaction_uid: transaction_uid.clone(),
            references,
        };
        self.store
            .commitment_asked(delivery.id, &transaction_uid, self.store.moment())
            .wait()?;
        crate::failpoint::reach("commitment-asked");
        let timeouts = ScuTimeouts {
            connect: self.config.connect,
            response: self.config.response,
        };
        // Heard another way, others are asked: a destination is asked about one delivery at a time.
        let patience = Patience {
            most: patience,
            is_over: || {
                self.store
                    .commitment_is_answered(&transaction_uid)
                    .unwrap_or(false)
            },
        };
        let asked = ask(remote, &request, timeouts, patience, |answer| {
            self.hear(&remote.ae_title, answer)
        });
        match asked {
            Ok(asked) if asked.status == Status::SUCCESS => {
                tracing::info!({ field::DELIVERY } = delivery.id, to = %delivery.destination, answered = asked.answered, "asked for storage commitment");
                self.store.commitment_taken(&transaction_uid).wait()?;
                Ok(Some(asked.answered))
            }
            // Of the moment: asked again.
            Ok(asked) if asked.status.is_of_the_moment() => {
                tracing::warn!({ field::DELIVERY } = delivery.id, to = %delivery.destination, status = %asked.status, "storage commitment not taken; asking again");
                Ok(None)
            }
            Ok(asked) => {
                let comment = asked.comment.map(|c| format!(" ({c})")).unwrap_or_default();
                self.give_up(
                    delivery,
                    format!("the request got status {}{comment}", asked.status),
                )
                .map(|()| None)
            }
            Err(error) if is_permanent(&error) => self.give_up(delivery, error.to_string()).map(|()| None),
            Err(error) => {
                tracing::warn!({ field::DELIVERY } = delivery.id, to = %delivery.destination, %error, "ask for storage commitment; trying again");
                Ok(None)
            }
        }
    }

    /// What the destination took and has not said to keep.
    fn references(&self, delivery: &Delivery) -> Result<Vec<Reference>, StoreError> {
        let uid = |text: &str| Uid::parse(text.as_bytes()).ok();
        let instances = self.store.delivery_instances(delivery.id)?;
        let sent = instances
            .iter()
            .filter(|i| i.state.is_there() && i.commitment != Some(0));
        let reference = |i: &crate::model::DeliveryInstance| {
            Some(Reference {
                sop_class_uid: uid(&i.sop_class_uid)?,
                sop_instance_uid: uid(&i.sop_instance_uid)?,
            })
        };
        Ok(sent.filter_map(reference).collect())
    }

    fn hear(&self, from: &AeTitle, answer: &Answer) -> Status {
        match self
            .store
            .commitment_heard(&answer.transaction_uid, from, answer.objects())
            .wait()
        {
            Ok(CommitmentHeard::Kept) => Status::SUCCESS,
            Ok(CommitmentHeard::Unknown) => Status::PROCESSING_FAILURE,
            Err(error) => {
                tracing::error!(%error, "keep an answer about storage commitment");
                Status::PROCESSING_FAILURE
            }
        }
    }
}

/// Whether the peer will say the same again until somebody changes something.
const fn is_permanent(error: &ScuError) -> bool {
    error.is_permanent()
        || matches!(
            error,
            ScuError::Association {
                source: Error::Local(_),
                ..
            }
        )
}

/// What is to be done, by what was asked so far and how long the node has run since.
fn next(config: &DeliveryConfig, asks: &Asks, now: RunTime) -> Next {
    let (Some(first), Some(last)) = (asks.first, asks.last) else {
        return Next::Ask;
    };
    let wait = if asks.last_taken {
        config.commit_timeout
    } else {
        let factor = 2_u32.saturating_pow(asks.lost.saturating_sub(1).min(20));
        config
            .first_retry
            .saturating_mul(factor)
            .min(config.longest_retry)
    };
    if last.plus(wait) <= now {
        if asks.last_taken && asks.taken >= config.commit_tries {
            let timeout = humantime::format_duration(config.commit_timeout);
            return Next::GiveUp(format!(
                "asked {} times, it never said within {timeout} that it keeps the objects",
                asks.taken
            ));
        }
        if !asks.last_taken && now.since(first) >= config.give_up {
            let time = humantime::format_duration(config.give_up);
            return Next::GiveUp(format!("it could not be asked for {time}"));
        }
        return Next::Ask;
    }
    Next::Wait(last.plus(wait))
}

#[cfg(test)]
mod tests;
