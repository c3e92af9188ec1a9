//! The states of a job and what moves it.
//!
//! ```text
//!               Completed          Started            Ended              Harvested(deliveries)
//!  Receiving ─────────────▶ Queued ───────▶ Running ───────▶ Harvesting ──────────────▶ Delivering
//!                             ▲                │                  │                         │
//!                             └────────────────┘                  │ Harvested(none)         │ Settled
//!                                   Lost                          ▼                         ▼
//!  Queued, Running, Harvesting ──Broke──▶ Failed                 Done ◀─────────────────────┘
//! ```
//!
//! `Done` has an outcome, given by the bucket or by what stopped it. `Failed` means that the node itself could
//! not do its part; the input is still there.

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
    /// Ended, with an outcome.
    Done,
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
    /// No delivery is open any more.
    Settled,
    /// The node itself cannot go on with it.
    Broke,
}

impl JobState {
    /// All states, in the order of a job's life.
    pub const ALL: [Self; 7] = [
        Self::Receiving,
        Self::Queued,
        Self::Running,
        Self::Harvesting,
        Self::Delivering,
        Self::Done,
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
            Self::Done => "done",
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
            (Self::Receiving, E::Completed) | (Self::Running, E::Lost) => Self::Queued,
            (Self::Queued, E::Started) => Self::Running,
            (Self::Running, E::Ended) => Self::Harvesting,
            (Self::Harvesting, E::Harvested { deliveries: true }) => Self::Delivering,
            (Self::Harvesting, E::Harvested { deliveries: false }) | (Self::Delivering, E::Settled) => {
                Self::Done
            }
            (Self::Queued | Self::Running | Self::Harvesting, E::Broke) => Self::Failed,
            _ => return None,
        })
    }

    /// Whether the job is over.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [JobEvent; 8] = [
        JobEvent::Completed,
        JobEvent::Started,
        JobEvent::Lost,
        JobEvent::Ended,
        JobEvent::Harvested { deliveries: true },
        JobEvent::Harvested { deliveries: false },
        JobEvent::Settled,
        JobEvent::Broke,
    ];

    #[test]
    fn every_cell_of_the_table_is_as_drawn() {
        use JobState::*;
        let drawn: [[Option<JobState>; 8]; 7] = [
            [Some(Queued), None, None, None, None, None, None, None],
            [None, Some(Running), None, None, None, None, None, Some(Failed)],
            [
                None,
                None,
                Some(Queued),
                Some(Harvesting),
                None,
                None,
                None,
                Some(Failed),
            ],
            [
                None,
                None,
                None,
                None,
                Some(Delivering),
                Some(Done),
                None,
                Some(Failed),
            ],
            [None, None, None, None, None, None, Some(Done), None],
            [None; 8],
            [None; 8],
        ];
        for (state, row) in JobState::ALL.into_iter().zip(drawn) {
            for (event, expected) in EVENTS.into_iter().zip(row) {
                assert_eq!(state.next(event), expected, "{state:?} on {event:?}");
            }
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
}
