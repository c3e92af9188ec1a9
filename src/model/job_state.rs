//! The states of a job and what moves it.
//!
//! ```text
//!               Completed          Started            Ended              Harvested(deliveries)
//!  Receiving ─────────────▶ Queued ───────▶ Running ───────▶ Harvesting ──────────────▶ Delivering
//!                           ▲ ▲ │              │                  │                       │ ▲ │
//!                  Released │ └─┼─── Lost ─────┘                  │ Harvested(none)       │ │ │ Settled
//!                           │   │ Held                            ▼                       │ │ │
//!                         Held ◀┘                                Done ◀───────────────────┼─┼─┘
//!                         ▲   │ Released                          │ Retried               │ │
//!                    Held │   └───────────────────────────────────┴──────────────────────▶│ │
//!                         └────────────────────────────────────────────────────────────────┘
//!  Queued ──NothingAccepted──▶ Done
//!  Queued, Running, Harvesting ──Broke──▶ Failed ──Retried──▶ Queued
//!  Receiving, Queued, Running, Harvesting, Delivering, Held ──Cancelled──▶ Cancelled
//! ```
//!
//! `Done` has an outcome, given by the bucket or by what stopped it, or `not accepted`. `Failed` means that the node itself could
//! not do its part; the input is still there. A job that is over can begin again as a new one, from its input.
//!
//! | state | owner | deadline | ways out |
//! | --- | --- | --- | --- |
//! | Receiving | `stage::Completion` | the bucket's `cap` | complete now, cancel |
//! | Queued | `engine::scheduler` | each `AGEING` it waits moves it up a class; nobody overtakes the first in line | hold, cancel |
//! | Running | `engine::driver` | the bucket's `timeout`, then 10 s, then SIGKILL | cancel |
//! | Harvesting | `engine::harvest` | the plugin's time; 15 tries of what may pass | cancel |
//! | Delivering | `delivery::worker` | `[delivery] give_up`, then its deliveries are held | hold, cancel |
//! | Held | an operator; `engine::holds` | `[engine] hold`, then Cancelled: nothing is run or sent unseen | release, cancel |
//! | Done, Failed, Cancelled | `stage::retention` | `[storage] keep` | retry, restart |

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobState {
    /// Objects are arriving.
    Receiving,
    /// The set is complete and frozen; it waits for its turn.
    Queued,
    /// Its container exists or is about to.
    Running,
    /// The container has ended; measures and results are being read.
    Harvesting,
    /// Results are on their way to their destinations.
    Delivering,
    /// An operator stopped it before it ran, or before its results were sent; it goes on when released.
    Held,
    /// Ended, with an outcome.
    Done,
    /// An operator ended it, or a later job took its place before it ran.
    Cancelled,
    /// The node could not run it; the reason says why.
    Failed,
}

/// What happens to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobEvent {
    /// The set of objects is complete.
    Completed,
    /// The scheduler gave it its resources.
    Started,
    /// Its container vanished without a trace of its end; it has to run again.
    Lost,
    /// Its container ended, one way or another.
    Ended,
    /// Results are in the store, with or without deliveries to make.
    Harvested {
        /// Whether at least one delivery is due.
        deliveries: bool,
    },
    /// None of its series is what its bucket accepts.
    NothingAccepted,
    /// No delivery is open any more.
    Settled,
    /// The node itself cannot go on with it.
    Broke,
    /// An operator wants it to wait.
    Held,
    /// An operator lets it go on, from where it was held.
    Released {
        /// Whether it had been run by then.
        delivering: bool,
    },
    /// An operator ended it, or another job took its place.
    Cancelled,
    /// An operator wants what did not work to be tried again: the run of a failed job, the deliveries of another.
    Retried,
}

impl JobState {
    /// All states, in the order of a job's life.
    pub const ALL: [Self; 9] = [
        Self::Receiving,
        Self::Queued,
        Self::Running,
        Self::Harvesting,
        Self::Delivering,
        Self::Held,
        Self::Done,
        Self::Cancelled,
        Self::Failed,
    ];

    /// The state's name in the store and in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receiving => "receiving",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Harvesting => "harvesting",
            Self::Delivering => "delivering",
            Self::Held => "held",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }

    /// Where `event` leads; `None` when it cannot happen here.
    #[must_use]
    pub const fn next(self, event: JobEvent) -> Option<Self> {
        use JobEvent as E;
        Some(match (self, event) {
            (Self::Receiving, E::Completed)
            | (Self::Running, E::Lost)
            | (Self::Held, E::Released { delivering: false })
            | (Self::Failed, E::Retried) => Self::Queued,
            (Self::Queued, E::Started) => Self::Running,
            (Self::Running, E::Ended) => Self::Harvesting,
            (Self::Harvesting, E::Harvested { deliveries: true })
            | (Self::Held, E::Released { delivering: true })
            | (Self::Delivering | Self::Done, E::Retried) => Self::Delivering,
            (Self::Queued, E::NothingAccepted)
            | (Self::Harvesting, E::Harvested { deliveries: false })
            | (Self::Delivering, E::Settled) => Self::Done,
            (Self::Queued | Self::Running | Self::Harvesting, E::Broke) => Self::Failed,
            (Self::Queued | Self::Delivering, E::Held) => Self::Held,
            (
                Self::Receiving
                | Self::Queued
                | Self::Running
                | Self::Harvesting
                | Self::Delivering
                | Self::Held,
                E::Cancelled,
            ) => Self::Cancelled,
            _ => return None,
        })
    }

    /// Whether the job is over.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Cancelled | Self::Failed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVENTS: [JobEvent; 14] = [
        JobEvent::Completed,
        JobEvent::Started,
        JobEvent::Lost,
        JobEvent::Ended,
        JobEvent::Harvested { deliveries: true },
        JobEvent::Harvested { deliveries: false },
        JobEvent::Settled,
        JobEvent::Broke,
        JobEvent::Held,
        JobEvent::Released { delivering: false },
        JobEvent::Released { delivering: true },
        JobEvent::Cancelled,
        JobEvent::Retried,
        JobEvent::NothingAccepted,
    ];

    /// The table as drawn: a row per state, a column per event; R Q U H D held(L) done(O) cancelled(C) failed(F).
    const DRAWN: [(&str, JobState); 9] = [
        ("Q..........C..", JobState::Receiving),
        (".U.....FL..C.O", JobState::Queued),
        ("..QH...F...C..", JobState::Running),
        ("....DO.F...C..", JobState::Harvesting),
        ("......O.L..CD.", JobState::Delivering),
        (".........QDC..", JobState::Held),
        ("............D.", JobState::Done),
        ("..............", JobState::Cancelled),
        ("............Q.", JobState::Failed),
    ];

    fn letter(state: Option<JobState>) -> char {
        state.map_or('.', |s| {
            let index = JobState::ALL.iter().position(|a| *a == s).unwrap();
            "RQUHDLOCF".chars().nth(index).unwrap()
        })
    }

    #[test]
    fn every_cell_of_the_table_is_as_drawn() {
        assert_eq!(DRAWN.map(|(_, state)| state), JobState::ALL);
        for (row, state) in DRAWN {
            let found: String = EVENTS.iter().map(|e| letter(state.next(*e))).collect();
            assert_eq!(found, row, "{state:?}");
        }
    }

    #[test]
    fn every_state_that_is_not_final_has_a_way_to_a_final_one() {
        for state in JobState::ALL {
            let mut reached = vec![state];
            let mut i = 0;
            while i < reached.len() {
                for event in EVENTS {
                    if let Some(next) = reached[i].next(event)
                        && !reached.contains(&next)
                    {
                        reached.push(next);
                    }
                }
                i += 1;
            }
            assert!(reached.iter().any(|s| s.is_final()), "{state:?} is a trap");
        }
    }

    #[test]
    fn names_read_back() {
        for state in JobState::ALL {
            assert_eq!(JobState::from_name(state.name()), Some(state));
        }
    }

    proptest! {
        #[test]
        fn whatever_happens_a_job_that_is_not_over_can_be_cancelled_and_one_that_is_stays_over_but_for_a_retry(
            events in proptest::collection::vec(0..EVENTS.len(), 0..40)
        ) {
            let mut state = JobState::Receiving;
            for event in events.into_iter().map(|i| EVENTS[i]) {
                let Some(next) = state.next(event) else { continue };
                prop_assert!(!state.is_final() || event == JobEvent::Retried);
                // What was run is not queued again but by its own loss or a retry, and never while results are sent.
                prop_assert!(state != JobState::Delivering || next != JobState::Queued);
                state = next;
                prop_assert_eq!(state.next(JobEvent::Cancelled).is_some(), !state.is_final());
            }
        }
    }
}
