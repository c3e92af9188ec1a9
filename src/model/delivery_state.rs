//! States of a delivery.
//!
//! ```text
//!            Begun          Accepted
//!  Waiting ────────▶ Sending ──────▶ Sent
//!   ▲ ▲                │ │ │Refused
//!   │ │  Begun         │ │ └───────▶ Refused   the destination will not have it: no sense in trying again
//!   │ └────┐  ┌────────┘ └─────────▶ Held      tried for `give_up`, or contradicts its input: for a person to decide
//!   │    Retrying        GaveUp       │
//!   │  Postponed (from Sending)       │
//!   └──────── Retried ────────────────┴─ (Held, Refused, Retrying)
//!  Waiting, Sending, Retrying, Held, Refused, Standby ──Cancelled──▶ Cancelled
//!
//!           Committed
//!  Committing ────────▶ Committed          the destination has every object, and keeps them
//!     │                   ▲ Committed      it says so late
//!     └────────────▶ Uncommitted           it does not keep all of them, or never said so: for a person to decide
//!       NotCommitted      └── Retried: Waiting; only what is not kept is sent again
//!
//!           Needed                        an attempt at the delivery before it failed
//!  Standby ────────▶ Waiting
//!     └────────────▶ NotNeeded            the delivery before it was sent, or not needed itself
//!         Spared
//! ```
//!
//! From Sending, `ToBeCommitted` leads to Committing where the destination is asked for storage commitment: for the job and
//! for what stands by it is as good as Sent, for retention it is not. Committing and Uncommitted can be cancelled.
//!
//! A delivery stands by where a rule names its destination for the case that one before it fails. It is the earlier
//! delivery that owns it: what becomes of that one and what follows for this one is one transaction. The first attempt
//! that fails is enough, for a study that a PACS does not take has to be somewhere soon; the earlier one is tried on all
//! the same.
//!
//! The worker owns Waiting, Sending and Retrying: each attempt has the deadlines of `[delivery]`, all of them end at
//! `give_up`. Held and Refused are an operator's, who retries or cancels them. They need no deadline: their job is over, and
//! retention leaves its files alone until somebody has decided. `Sending` may begin again: a crash cut it off.

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// Not tried yet.
    Waiting,
    /// An association is open for it. After a crash: as `Waiting`, only what is not sent yet goes.
    Sending,
    /// Tried without success; again at `next_at`.
    Retrying,
    /// Every instance was accepted.
    Sent,
    /// Every instance was accepted; the destination has still to say that it keeps them.
    Committing,
    /// The destination keeps every instance, it says.
    Committed,
    /// The destination does not keep all of them, or did not say so.
    Uncommitted,
    /// At least one instance was refused for good.
    Refused,
    /// Given up for now, nothing dropped.
    Held,
    /// An operator does not want it any more.
    Cancelled,
    /// For the case that another delivery fails.
    Standby,
    /// That one did not fail.
    NotNeeded,
}

/// What happens to a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryEvent {
    /// An attempt begins.
    Begun,
    /// Every object was accepted.
    Accepted,
    /// Every object was accepted, and the destination is to say that it keeps them.
    ToBeCommitted,
    /// The destination says that it keeps every object.
    Committed,
    /// The destination says that it does not, or says nothing.
    NotCommitted,
    /// An object, or the association itself, was refused for good.
    Refused,
    /// The attempt did not succeed; there will be another.
    Postponed,
    /// Tried for `give_up`, to a destination that is not there any more, or held at the gate.
    GaveUp,
    /// An operator wants it to be tried again, now.
    Retried,
    /// An operator does not want it any more.
    Cancelled,
    /// An attempt at the delivery before it failed.
    Needed,
    /// The delivery before it did not fail.
    Spared,
}

impl DeliveryState {
    /// All states.
    pub const ALL: [Self; 12] = [
        Self::Waiting,
        Self::Sending,
        Self::Retrying,
        Self::Sent,
        Self::Committing,
        Self::Committed,
        Self::Uncommitted,
        Self::Refused,
        Self::Held,
        Self::Cancelled,
        Self::Standby,
        Self::NotNeeded,
    ];

    /// The state's name in the store and in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sending => "sending",
            Self::Retrying => "retrying",
            Self::Sent => "sent",
            Self::Committing => "committing",
            Self::Committed => "committed",
            Self::Uncommitted => "uncommitted",
            Self::Refused => "refused",
            Self::Held => "held",
            Self::Cancelled => "cancelled",
            Self::Standby => "standby",
            Self::NotNeeded => "not-needed",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }

    /// Whether the worker has nothing more to do with it.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(
            self,
            Self::Sent
                | Self::Committing
                | Self::Committed
                | Self::Uncommitted
                | Self::Refused
                | Self::Held
                | Self::Cancelled
                | Self::NotNeeded
        )
    }

    /// Whether it goes as soon as its time and its turn have come.
    #[must_use]
    pub const fn is_due(self) -> bool {
        matches!(self, Self::Waiting | Self::Retrying)
    }

    /// What this state of a delivery means for one that stands by for it; `None`: nothing yet.
    #[must_use]
    pub const fn for_standby(self) -> Option<DeliveryEvent> {
        match self {
            // It has every object: what is committed of them says nothing about another destination.
            Self::Sent | Self::Committing | Self::Committed | Self::Uncommitted | Self::NotNeeded => {
                Some(DeliveryEvent::Spared)
            }
            Self::Retrying | Self::Refused | Self::Held => Some(DeliveryEvent::Needed),
            // One that is cancelled is so with its job.
            Self::Waiting | Self::Sending | Self::Standby | Self::Cancelled => None,
        }
    }

    /// Where `event` leads; `None` when it cannot happen here.
    #[must_use]
    pub const fn next(self, event: DeliveryEvent) -> Option<Self> {
        use DeliveryEvent as E;
        Some(match (self, event) {
            (Self::Waiting | Self::Retrying | Self::Sending, E::Begun) => Self::Sending,
            (Self::Sending, E::Accepted) => Self::Sent,
            (Self::Sending, E::ToBeCommitted) => Self::Committing,
            (Self::Committing | Self::Uncommitted, E::Committed) => Self::Committed,
            (Self::Committing, E::NotCommitted) => Self::Uncommitted,
            (Self::Sending, E::Refused) => Self::Refused,
            (Self::Sending, E::Postponed) => Self::Retrying,
            (Self::Waiting | Self::Retrying | Self::Sending, E::GaveUp) => Self::Held,
            (Self::Retrying | Self::Refused | Self::Held | Self::Uncommitted, E::Retried) => Self::Waiting,
            (Self::Standby, E::Needed) => Self::Waiting,
            (Self::Standby, E::Spared) => Self::NotNeeded,
            (
                Self::Waiting
                | Self::Sending
                | Self::Retrying
                | Self::Committing
                | Self::Uncommitted
                | Self::Refused
                | Self::Held
                | Self::Standby,
                E::Cancelled,
            ) => Self::Cancelled,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVENTS: [DeliveryEvent; 12] = [
        DeliveryEvent::Begun,
        DeliveryEvent::Accepted,
        DeliveryEvent::ToBeCommitted,
        DeliveryEvent::Committed,
        DeliveryEvent::NotCommitted,
        DeliveryEvent::Refused,
        DeliveryEvent::Postponed,
        DeliveryEvent::GaveUp,
        DeliveryEvent::Retried,
        DeliveryEvent::Cancelled,
        DeliveryEvent::Needed,
        DeliveryEvent::Spared,
    ];

    #[test]
    fn every_cell_of_the_table_is_as_drawn() {
        use DeliveryEvent as E;
        use DeliveryState::*;
        let left_to_a_person = [(E::Retried, Waiting), (E::Cancelled, Cancelled)];
        let drawn: [(DeliveryState, &[(DeliveryEvent, DeliveryState)]); 12] = [
            (
                Waiting,
                &[(E::Begun, Sending), (E::GaveUp, Held), (E::Cancelled, Cancelled)],
            ),
            (
                Sending,
                &[
                    (E::Begun, Sending),
                    (E::Accepted, Sent),
                    (E::ToBeCommitted, Committing),
                    (E::Refused, Refused),
                    (E::Postponed, Retrying),
                    (E::GaveUp, Held),
                    (E::Cancelled, Cancelled),
                ],
            ),
            (
                Retrying,
                &[
                    (E::Begun, Sending),
                    (E::GaveUp, Held),
                    (E::Retried, Waiting),
                    (E::Cancelled, Cancelled),
                ],
            ),
            (Sent, &[]),
            (
                Committing,
                &[
                    (E::Committed, Committed),
                    (E::NotCommitted, Uncommitted),
                    (E::Cancelled, Cancelled),
                ],
            ),
            (Committed, &[]),
            (
                Uncommitted,
                &[
                    (E::Committed, Committed),
                    (E::Retried, Waiting),
                    (E::Cancelled, Cancelled),
                ],
            ),
            (Refused, &left_to_a_person),
            (Held, &left_to_a_person),
            (Cancelled, &[]),
            (
                Standby,
                &[
                    (E::Cancelled, Cancelled),
                    (E::Needed, Waiting),
                    (E::Spared, NotNeeded),
                ],
            ),
            (NotNeeded, &[]),
        ];
        assert_eq!(drawn.map(|(state, _)| state), DeliveryState::ALL);
        for (state, row) in drawn {
            for event in EVENTS {
                let expected = row.iter().find(|(e, _)| *e == event).map(|(_, to)| *to);
                assert_eq!(state.next(event), expected, "{state:?}, {event:?}");
            }
        }
    }

    #[test]
    fn what_stands_by_goes_when_the_one_before_fails_and_only_then() {
        use DeliveryState::*;
        let needed = [Retrying, Refused, Held];
        let spared = [Sent, Committing, Committed, Uncommitted, NotNeeded];
        for state in DeliveryState::ALL {
            let event = match state {
                _ if needed.contains(&state) => Some(DeliveryEvent::Needed),
                _ if spared.contains(&state) => Some(DeliveryEvent::Spared),
                _ => None,
            };
            assert_eq!(state.for_standby(), event, "{state:?}");
            // Nothing stands by for ever: whatever is settled decides, but for a job that is cancelled whole.
            assert!(!state.is_settled() || event.is_some() || state == Cancelled);
        }
    }

    #[test]
    fn names_read_back() {
        for state in DeliveryState::ALL {
            assert_eq!(DeliveryState::from_name(state.name()), Some(state));
        }
    }

    proptest! {
        #[test]
        fn whatever_happens_what_was_sent_stays_sent_and_all_else_can_be_cancelled(
            events in proptest::collection::vec(0..EVENTS.len(), 0..40)
        ) {
            let mut state = DeliveryState::Standby;
            for event in events.into_iter().map(|i| EVENTS[i]) {
                state = state.next(event).unwrap_or(state);
                let over = matches!(
                    state,
                    DeliveryState::Sent
                        | DeliveryState::Committed
                        | DeliveryState::Cancelled
                        | DeliveryState::NotNeeded
                );
                prop_assert_eq!(state.next(DeliveryEvent::Cancelled).is_none(), over);
                prop_assert!(!over || EVENTS.iter().all(|e| state.next(*e).is_none()));
            }
        }
    }
}
