//! Sends what is due: so many associations to a destination at a time as it is to have, destinations side by side, so that
//! one that is sick delays no other.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use crate::config::DeliveryConfig;
use crate::dicom::scu::ScuTimeouts;
use crate::dicom::upper_layer::Stop;
use crate::model::{Delivery, DeliveryEvent, DeliveryState, Direction, InstanceState, Layout, Moment, Place};
use crate::store::{AttemptEnd, DueBy, Store, StoreError};
use crate::telemetry::field;
use crate::telemetry::metrics::METRICS;

use super::commitment::Committer;
use super::destinations::{Destinations, Wire, advice};
use super::gate::{Gate, GateError, Passage};
use super::lanes::Lanes;
use super::records::{Ending, RecordError, Records};
use super::sender::{self, Attempt};
use super::shelves::Shelves;

/// Deliveries are looked at this often even if nobody said that one is due.
const AT_LEAST: Duration = Duration::from_secs(60);

/// Tells what time it is. A test has days pass in a moment.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;

/// Sends results to their destinations.
#[derive(Clone)]
pub struct Worker {
    /// `[delivery]`
    pub config: DeliveryConfig,
    /// Every destination of the configuration.
    pub destinations: Arc<Destinations>,
    /// The job store.
    pub store: Store,
    /// The data directory.
    pub layout: Layout,
    /// Told when a delivery was created.
    pub due: Arc<Notify>,
    /// Raised when the node stops.
    pub stop: Stop,
    /// Asks destinations to say that they keep what they took.
    pub committer: Committer,
    /// Who sends at this moment.
    pub shelves: Arc<Shelves>,
    /// The records of jobs.
    pub records: Records,
    /// By which deliveries are due, and given up.
    pub clock: Clock,
}

/// Before a delivery that met trouble of the store is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// Tells that a delivery is not under way any more, however it ended.
struct Over(mpsc::UnboundedSender<(Wire, i64)>, (Wire, i64));

impl Drop for Over {
    fn drop(&mut self) {
        // The worker outlives its deliveries.
        let _ = self.0.send(self.1.clone());
    }
}

impl Worker {
    /// Sends what is due until the node stops, then waits for the objects under way.
    pub async fn run(self) {
        let mut lanes = Lanes::default();
        let (over, mut ended) = mpsc::unbounded_channel();
        while !self.stop.is_raised() {
            let wait = match self.begin_due(&mut lanes, &over) {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::error!(%error, "look at the deliveries");
                    Duration::from_secs(2)
                }
            };
            tokio::select! {
                Some((wire, delivery)) = ended.recv() => lanes.end(&wire, delivery),
                () = self.due.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        while !lanes.is_empty()
            && let Some((wire, delivery)) = ended.recv().await
        {
            lanes.end(&wire, delivery);
        }
    }

    /// Begins the oldest due deliveries of every destination that has room; answers how long nothing else is due.
    pub(super) fn begin_due(
        &self,
        lanes: &mut Lanes,
        over: &mpsc::UnboundedSender<(Wire, i64)>,
    ) -> Result<Duration, StoreError> {
        let now = (self.clock)().at;
        let by = DueBy {
            now,
            latest: now.plus(self.config.longest_retry),
        };
        let mut wait = AT_LEAST;
        for (wire, addresses) in self.destinations.wires(self.store.destinations_open()?) {
            let most = self.limit_of(&wire, &addresses);
            if !lanes.has_room(&wire, most) {
                continue;
            }
            // Those under way are among them.
            let due = self.store.deliveries_due(wire.name(), &addresses, by, most)?;
            let next = due.next_at.map(|at| at.since(now));
            wait = next.map_or(wait, |next| wait.min(next));
            for delivery in due.first {
                if lanes.begin(&wire, delivery.id, most) {
                    self.begin(delivery, wire.clone(), over);
                }
            }
        }
        Ok(wait)
    }

    /// How many associations a destination has at once: by any of the addresses that it has in rows.
    fn limit_of(&self, wire: &Wire, addresses: &[Option<String>]) -> usize {
        let address = addresses.first().and_then(Option::as_deref);
        self.destinations.limits(wire.name(), address).associations
    }

    fn begin(&self, delivery: Delivery, wire: Wire, over: &mpsc::UnboundedSender<(Wire, i64)>) {
        let worker = self.clone();
        let over = Over(over.clone(), (wire, delivery.id));
        tokio::task::spawn_blocking(move || {
            if let Err(error) = worker.attempt(&delivery) {
                tracing::error!({ field::DELIVERY } = delivery.id, %error, "keep what became of a delivery; trying again");
                std::thread::sleep(AGAIN);
            }
            drop(over);
        });
    }

    /// One attempt at one delivery; one that breaks down is put off as any other that fails, or it would begin again at once,
    /// for ever.
    fn attempt(&self, delivery: &Delivery) -> Result<(), StoreError> {
        // What is locked meanwhile is unlocked whatever it was for; everything else is in the store.
        let attempt = panic::catch_unwind(AssertUnwindSafe(|| self.deliver(delivery)));
        attempt.unwrap_or_else(|_| {
            let why = "the attempt broke down in this node: a fault of the program, its log says where";
            self.put_off(delivery, why.to_owned())
        })
    }

    /// One attempt at one delivery.
    fn deliver(&self, delivery: &Delivery) -> Result<(), StoreError> {
        let Some(target) = self.destinations.of(delivery) else {
            let error = advice(&delivery.destination);
            return self.settle(delivery, AttemptEnd::last(DeliveryEvent::GaveUp, Some(error)));
        };
        if !self
            .store
            .delivery_begins(delivery.id, (self.clock)().ran)
            .wait()?
        {
            return Ok(());
        }
        crate::failpoint::reach("delivery-begun");
        let instances = self.store.delivery_instances(delivery.id)?;
        let gate = Gate {
            store: &self.store,
            layout: &self.layout,
            stop: &self.stop,
            delivery,
        };
        // As long as it is held, nobody removes the copies.
        let user = self.shelves.enter(&delivery.job);
        let passage = {
            let _one_at_a_time = user.at_the_gate();
            gate.pass(&instances)
        };
        let copies = match passage {
            Ok(Passage::Open(copies)) => copies,
            Ok(Passage::Held(why)) => {
                tracing::warn!({ field::DELIVERY } = delivery.id, { field::JOB } = %delivery.job, "held at the gate");
                return self.settle(delivery, AttemptEnd::last(DeliveryEvent::GaveUp, Some(why)));
            }
            // After the start it goes on.
            Err(GateError::Stopping) => return Ok(()),
            Err(GateError::Store(error)) => return Err(error),
            Err(error) => {
                return self.put_off(delivery, format!("hold results against their input: {error}"));
            }
        };
        // The look may have taken long: what was cancelled or held meanwhile stays here.
        if !self.store.delivery_is_under_way(delivery.id)? {
            return Ok(());
        }
        let place = match delivery.direction {
            Direction::Output => Place::Output(&delivery.stream, &delivery.job),
            Direction::Input => Place::Input(&delivery.stream, &delivery.job),
            Direction::Report => Place::Report(&delivery.stream, &delivery.job),
        };
        let timeouts = ScuTimeouts {
            connect: self.config.connect,
            response: self.config.response,
        };
        let mut pending = Vec::new();
        let attempt = sender::attempt(
            &target,
            &self.layout.path(place),
            &copies,
            &instances,
            timeouts,
            &self.stop,
            |answer| {
                crate::failpoint::reach("object-taken");
                // Submitted at once, awaited at the end: a crash in mid-send sends only the rest.
                pending.push(self.store.instances_answered(delivery.id, vec![answer]));
            },
        );
        for answer in pending {
            answer.wait()?;
            crate::failpoint::reach("object-sent");
        }
        crate::failpoint::reach("delivery-before-settle");
        if self.stop.is_raised() && attempt.broken {
            // Not the destination's doing: after the start it goes on where it stopped.
            return Ok(());
        }
        let earlier_refused = instances.iter().any(|i| i.state == InstanceState::Refused);
        let is_broken = attempt.broken;
        let mut end = sender::next(&self.config, delivery, attempt, earlier_refused, (self.clock)());
        end.event = Committer::instead_of(end.event, &target.remote);
        let event = end.event;
        // What the destination wrote about an object may name the patient: it is kept, not logged.
        let network = end.error.as_deref().filter(|_| is_broken).unwrap_or_default();
        if matches!(event, DeliveryEvent::Refused | DeliveryEvent::GaveUp) {
            tracing::warn!(
                { field::DELIVERY } = delivery.id,
                { field::JOB } = %delivery.job,
                to = %delivery.destination,
                ?event,
                network,
                "a result does not arrive: `magickbox job show` says why, `magickbox job retry` sends it again"
            );
        } else {
            tracing::info!(
                { field::DELIVERY } = delivery.id,
                { field::JOB } = %delivery.job,
                to = %delivery.destination,
                ?event,
                network,
                "attempt at a delivery"
            );
        }
        let settled = self.settle(delivery, end);
        self.committer.wake();
        settled
    }

    /// Nothing was sent, or not all, for trouble that may pass.
    fn put_off(&self, delivery: &Delivery, why: String) -> Result<(), StoreError> {
        tracing::error!({ field::DELIVERY } = delivery.id, { field::JOB } = %delivery.job, why, "put off a delivery");
        let end = sender::next(
            &self.config,
            delivery,
            Attempt::broken(why),
            false,
            (self.clock)(),
        );
        self.settle(delivery, end)
    }

    fn settle(&self, delivery: &Delivery, end: AttemptEnd) -> Result<(), StoreError> {
        match end.event {
            DeliveryEvent::Accepted => METRICS.deliveries_sent.one(),
            DeliveryEvent::Refused => METRICS.deliveries_refused.one(),
            DeliveryEvent::GaveUp => METRICS.deliveries_held.one(),
            _ => {}
        }
        let _one_at_a_time = self.records.lock();
        // The record first: who sees the job done finds it complete. After a crash in between, the delivery is taken up
        // again, has nothing left to send, and both are written once more.
        // As it is in the store by now, or `sending`: where an operator cancelled it the store says so.
        let state = DeliveryState::Sending.next(end.event);
        let ending = state.filter(|s| s.is_settled()).map(|state| Ending {
            delivery: delivery.id,
            state,
            error: end.error.as_deref(),
        });
        if ending.is_some() {
            match self.records.write(&delivery.stream, &delivery.job, ending) {
                Ok(()) => {}
                Err(problem @ RecordError::NoRecord(_)) => {
                    self.records.tell_no_record(&delivery.job, &problem)?;
                }
                Err(problem) => {
                    tracing::warn!(job.id = %delivery.job, error = %problem, "add deliveries to record.json; it is done later");
                    self.store.record_behind(&delivery.job).wait()?;
                }
            }
        }
        crate::failpoint::reach("record-completed");
        self.store
            .delivery_ends(delivery, end, (self.clock)().at)
            .wait()
            .inspect(|()| crate::failpoint::reach("settled"))
    }
}

#[cfg(test)]
mod tests;
