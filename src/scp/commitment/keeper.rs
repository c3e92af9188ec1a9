//! Looks at what requests list, and answers over associations of our own, again and again until it is heard or was tried for
//! `give_up`. Each peer has one look and one answer of its own at a time, beside those of others: one that asks for much, is
//! away or slow delays nobody else.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::config::DeliveryConfig;
use crate::dicom::commitment::report;
use crate::dicom::scu::ScuTimeouts;
use crate::dicom::status::Status;
use crate::model::{AeTitle, CommitmentState, Keep, Layout, RemoteAe, Timestamp};
use crate::stage::Completion;
use crate::store::{CommitmentRow, StoreError};

use super::Commitments;
use super::look::{answer_of, look};

/// Requests are looked at this often even if nobody said that there is one.
const AT_LEAST: Duration = Duration::from_secs(60);

/// Looks at a time: each reads whole files.
const MOST_LOOKS: usize = 4;

/// Answers at a time: each is a thread that may wait for its peer.
const MOST_ANSWERS: usize = 64;

/// Before a store in trouble is asked again.
const AGAIN: Duration = Duration::from_secs(2);

/// Keeps what peers asked for.
#[derive(Clone)]
pub struct Keeper {
    /// What associations have taken.
    pub commitments: Commitments,
    /// The data directory.
    pub layout: Layout,
    /// Completes sets that a request proves to be.
    pub completion: Completion,
    /// `[storage] commit_for`
    pub promise: Keep,
    /// `[storage] commit_completes`
    pub completes: bool,
    /// `[delivery]`: how often, how long, with which patience.
    pub config: DeliveryConfig,
}

/// What is done for a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Work {
    Look,
    Answer,
}

/// What is under way, and whose turn it is.
#[derive(Debug, Default)]
struct Busy {
    under_way: HashSet<(Work, AeTitle)>,
    /// Peers that something was done for, the latest last.
    served: Vec<AeTitle>,
}

impl Busy {
    /// Puts those first for whom nothing was done yet, or not for the longest time; each one's own stay in their order.
    fn take_turns(&mut self, open: &mut [CommitmentRow]) {
        self.served
            .retain(|peer| open.iter().any(|row| row.calling == *peer));
        let turn = |row: &CommitmentRow| self.served.iter().rposition(|peer| *peer == row.calling);
        open.sort_by_cached_key(turn);
    }

    fn begin(&mut self, work: Work, peer: &AeTitle) {
        self.served.retain(|other| other != peer);
        self.served.push(peer.clone());
        self.under_way.insert((work, peer.clone()));
    }

    /// Whether that may begin for that peer.
    fn has_room(&self, work: Work, peer: &AeTitle) -> bool {
        let most = match work {
            Work::Look => MOST_LOOKS,
            Work::Answer => MOST_ANSWERS,
        };
        let under_way = self.under_way.iter().filter(|(other, _)| *other == work).count();
        under_way < most && !self.under_way.contains(&(work, peer.clone()))
    }
}

/// Tells that something is not under way any more, however it ended.
struct Over(mpsc::UnboundedSender<(Work, AeTitle)>, (Work, AeTitle));

impl Drop for Over {
    fn drop(&mut self) {
        // The keeper outlives what it begins.
        let _ = self.0.send(self.1.clone());
    }
}

impl Keeper {
    /// Looks and answers; never ends.
    pub async fn run(self) {
        let this = Arc::new(self);
        let mut busy = Busy::default();
        let (over, mut ended) = mpsc::unbounded_channel();
        loop {
            let wait = match this.pass(&mut busy, &over).await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::error!(%error, "look at requests for storage commitment; trying again");
                    AGAIN
                }
            };
            tokio::select! {
                Some(done) = ended.recv() => { busy.under_way.remove(&done); }
                () = this.commitments.changed.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Begins to look at what came and to answer what is due; answers how long nothing else is.
    async fn pass(
        self: &Arc<Self>,
        busy: &mut Busy,
        over: &mpsc::UnboundedSender<(Work, AeTitle)>,
    ) -> Result<Duration, StoreError> {
        let this = self.clone();
        let open = move || this.commitments.store.commitments_open();
        let mut wait = AT_LEAST;
        let mut open = off_the_runtime(open).await?;
        busy.take_turns(&mut open);
        for request in open {
            let work = match request.state {
                CommitmentState::Received => Work::Look,
                // Its association answers it as long as it has it.
                _ if self.commitments.desk.offer(request.id) => continue,
                _ => Work::Answer,
            };
            if !busy.has_room(work, &request.calling) {
                continue;
            }
            let now = Timestamp::now();
            let latest = now.plus(self.config.longest_retry);
            let due = request.next_at.filter(|at| *at <= latest).unwrap_or(now);
            if work == Work::Answer && due > now {
                wait = wait.min(due.since(now));
                continue;
            }
            busy.begin(work, &request.calling);
            let over = Over(over.clone(), (work, request.calling.clone()));
            let this = self.clone();
            tokio::spawn(async move {
                let done = match work {
                    Work::Look => this.look(&request).await,
                    Work::Answer => {
                        let keeper = this.clone();
                        off_the_runtime(move || keeper.answer(&request)).await
                    }
                };
                if let Err(error) = done {
                    tracing::error!(%error, "look at a request for storage commitment, or answer it; trying again");
                    tokio::time::sleep(AGAIN).await;
                }
                drop(over);
            });
        }
        Ok(wait)
    }

    async fn look(self: &Arc<Self>, request: &CommitmentRow) -> Result<(), StoreError> {
        let (this, row) = (self.clone(), request.clone());
        off_the_runtime(move || look(&this.commitments.store, &this.layout, this.promise, &row)).await?;
        crate::failpoint::reach("commitment-checked");
        self.commitments.desk.offer(request.id);
        let (this, id) = (self.clone(), request.id);
        let Some(row) = off_the_runtime(move || this.commitments.store.commitment(id)).await? else {
            return Ok(());
        };
        tracing::info!(
            ae.calling = %row.calling, ae.called = %row.stream, objects = row.objects, failed = row.failed,
            "storage commitment looked at"
        );
        // A list with anything in it that is not here is no proof that all of it is.
        if self.completes && row.failed == Some(0) {
            self.complete(row).await?;
        }
        Ok(())
    }

    /// A request that lists every object of a set says that there are no more: its job starts at once.
    async fn complete(self: &Arc<Self>, row: CommitmentRow) -> Result<(), StoreError> {
        let (this, (id, stream)) = (self.clone(), (row.id, row.stream.clone()));
        let listed = move || this.commitments.store.sets_listed(id, &stream);
        for (job, objects) in off_the_runtime(listed).await? {
            let why = format!(
                "a storage commitment request of {} lists all {objects} objects",
                row.calling
            );
            if let Err(error) = self.completion.complete_proven(&job, row.association, why).await {
                // Its time comes all the same.
                tracing::warn!(job.id = %job, %error, "complete a set that a storage commitment request lists");
            }
        }
        Ok(())
    }

    /// One attempt to answer over an association of our own.
    fn answer(&self, request: &CommitmentRow) -> Result<(), StoreError> {
        let store = &self.commitments.store;
        // An association may have begun to answer it, or the peer asked anew, since it was read.
        if self.commitments.desk.holds(request.id) {
            return Ok(());
        }
        let Some(answer) = answer_of(store, request.id)? else {
            return Ok(());
        };
        let mut known = self.commitments.remote_aes.iter();
        let Some(peer) = known.find(|r| r.ae_title == request.calling) else {
            let error = format!(
                "{} is gone, and no [[remote_ae]] says where it could be answered",
                request.calling
            );
            tracing::warn!(ae.calling = %request.calling, error, "storage commitment not answered");
            return store
                .commitment_ends(request.id, Some(error), Timestamp::now())
                .wait();
        };
        // It asked this AE title, and expects to hear from it.
        let peer = RemoteAe {
            calling: request.stream.clone(),
            ..peer.clone()
        };
        let timeouts = ScuTimeouts {
            connect: self.config.connect,
            response: self.config.response,
        };
        let now = Timestamp::now();
        let error = match report(&peer, &answer, timeouts) {
            Ok(Status::SUCCESS) => {
                tracing::info!(ae.calling = %request.calling, "storage commitment answered");
                return store.commitment_ends(request.id, None, now).wait();
            }
            Ok(status) => {
                let error = format!("the peer answered the N-EVENT-REPORT with status {status}");
                // It heard the answer and has no use for it: saying it again changes nothing.
                if !status.is_of_the_moment() {
                    return store.commitment_ends(request.id, Some(error), now).wait();
                }
                error
            }
            Err(error) => error.to_string(),
        };
        tracing::warn!(ae.calling = %request.calling, error, "storage commitment not answered yet");
        if store.moment().ran.since(request.received) >= self.config.give_up {
            return store.commitment_ends(request.id, Some(error), now).wait();
        }
        let factor = 2_u32.saturating_pow(request.attempts.min(20));
        let wait = self.config.first_retry.saturating_mul(factor);
        let next_at = now.plus(wait.min(self.config.longest_retry));
        store.commitment_put_off(request.id, next_at, error).wait()
    }
}

/// Disks and the store are waited for elsewhere.
async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(StoreError::State(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RunTime;

    fn row(id: i64, calling: &str) -> CommitmentRow {
        CommitmentRow {
            id,
            transaction_uid: "1.2".to_owned(),
            calling: AeTitle::parse(calling).unwrap(),
            stream: AeTitle::parse("PROC").unwrap(),
            address: "::1".to_owned(),
            received_at: Timestamp(0),
            received: RunTime(0),
            association: 1,
            state: CommitmentState::Received,
            objects: 1,
            failed: None,
            kept_until: None,
            attempts: 0,
            next_at: None,
            ended_at: None,
            error: None,
        }
    }

    #[test]
    fn each_peer_has_its_turn_however_much_others_asked_before() {
        let peers = ["A", "B", "C", "D", "E", "F"];
        let mut open: Vec<_> = (0..600)
            .map(|id| row(id, peers[usize::try_from(id).unwrap() / 100]))
            .collect();
        let mut busy = Busy::default();
        let mut begun = Vec::new();
        for _ in 0..12 {
            busy.take_turns(&mut open);
            let free = |row: &&CommitmentRow| busy.has_room(Work::Look, &row.calling);
            let Some(next) = open.iter().find(free).cloned() else {
                // The oldest look ends.
                let done = (Work::Look, busy.served[busy.served.len() - MOST_LOOKS].clone());
                assert!(busy.under_way.remove(&done));
                continue;
            };
            busy.begin(Work::Look, &next.calling);
            open.retain(|row| row.id != next.id);
            begun.push((next.calling.to_string(), next.id));
        }
        let expected = [
            ("A", 0),
            ("B", 100),
            ("C", 200),
            ("D", 300),
            ("E", 400),
            ("F", 500),
            ("A", 1),
            ("B", 101),
        ];
        let begun: Vec<_> = begun.iter().map(|(peer, id)| (peer.as_str(), *id)).collect();
        assert_eq!(begun, expected);
        let other = AeTitle::parse("G").unwrap();
        assert!(!busy.has_room(Work::Look, &other) && busy.has_room(Work::Answer, &other));
    }
}
