//! The upper layer's state machine (PS3.8 §9.2) as data: which event in which state means which action.
//!
//! ```text
//!                     Sta1 idle
//!      acceptor  AE-5 │        │ AE-1, AE-2  requestor
//!                     ▼        ▼
//!   A-ASSOCIATE-RQ  Sta2      Sta5  A-ASSOCIATE-AC or -RJ
//!             AE-6    ▼        │
//!                   Sta3       │ AE-3
//!             AE-7    ▼        ▼
//!                     Sta6 open: DT-1, DT-2
//!         peer asks │ AR-2        AR-1 │ we ask
//!                   ▼                  ▼
//!                  Sta8              Sta7 (collision: Sta9 to Sta12)
//!              AR-4 ▼                  │ AR-3
//!   refused, released, aborted: Sta13 ─┴─▶ Sta1 when the peer closes or ARTIM expires
//! ```
//!
//! [`transition`] is Table 9-10. What an action does to the socket stands in `acceptor`, `requestor`, `association`.

use super::pdu::pdu_type;

/// A state (PS3.8 §9.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the standard's own numbers; each row below says what it is")]
#[rustfmt::skip]
pub enum Sta {
    Sta1 = 1, // idle
    Sta2,     // transport connection open, awaiting A-ASSOCIATE-RQ
    Sta3,     // awaiting the local A-ASSOCIATE response
    Sta4,     // awaiting the transport connection
    Sta5,     // awaiting A-ASSOCIATE-AC or A-ASSOCIATE-RJ
    Sta6,     // association established
    Sta7,     // awaiting A-RELEASE-RP
    Sta8,     // awaiting the local A-RELEASE response
    Sta9,     // release collision, requestor: awaiting the local A-RELEASE response
    Sta10,    // release collision, acceptor: awaiting A-RELEASE-RP
    Sta11,    // release collision, requestor: awaiting A-RELEASE-RP
    Sta12,    // release collision, acceptor: awaiting the local A-RELEASE response
    Sta13,    // awaiting the close of the transport connection
}

/// An event (PS3.8 Table 9-10, rows).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the standard's own numbers; each row below says what it is")]
#[rustfmt::skip]
pub enum Evt {
    Evt1 = 1, // A-ASSOCIATE request, local
    Evt2,     // transport connection confirmed
    Evt3,     // A-ASSOCIATE-AC received
    Evt4,     // A-ASSOCIATE-RJ received
    Evt5,     // transport connection indicated
    Evt6,     // A-ASSOCIATE-RQ received
    Evt7,     // A-ASSOCIATE response, local: accept
    Evt8,     // A-ASSOCIATE response, local: reject
    Evt9,     // P-DATA request, local
    Evt10,    // P-DATA-TF received
    Evt11,    // A-RELEASE request, local
    Evt12,    // A-RELEASE-RQ received
    Evt13,    // A-RELEASE-RP received
    Evt14,    // A-RELEASE response, local
    Evt15,    // A-ABORT request, local
    Evt16,    // A-ABORT received
    Evt17,    // transport connection closed
    Evt18,    // ARTIM expired
    Evt19,    // unrecognized or invalid PDU received
}

impl Evt {
    /// The event of a received PDU, by its type.
    #[must_use]
    pub const fn of_pdu(pdu_type: u8) -> Self {
        match pdu_type {
            pdu_type::ASSOCIATE_RQ => Self::Evt6,
            pdu_type::ASSOCIATE_AC => Self::Evt3,
            pdu_type::ASSOCIATE_RJ => Self::Evt4,
            pdu_type::P_DATA_TF => Self::Evt10,
            pdu_type::RELEASE_RQ => Self::Evt12,
            pdu_type::RELEASE_RP => Self::Evt13,
            pdu_type::ABORT => Self::Evt16,
            _ => Self::Evt19,
        }
    }
}

/// An action (PS3.8 Tables 9-6 to 9-9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the standard's own names; each row below says what it is")]
#[rustfmt::skip]
pub enum Action {
    Ae1,  // open the transport connection
    Ae2,  // send A-ASSOCIATE-RQ
    Ae3,  // accepted by the peer
    Ae4,  // rejected by the peer: close
    Ae5,  // connection taken; start ARTIM
    Ae6,  // stop ARTIM; judge the request, or reject it and start ARTIM
    Ae7,  // send A-ASSOCIATE-AC
    Ae8,  // send A-ASSOCIATE-RJ, start ARTIM
    Dt1,  // send P-DATA-TF
    Dt2,  // data arrived
    Ar1,  // send A-RELEASE-RQ
    Ar2,  // the peer asks for release
    Ar3,  // released: close
    Ar4,  // send A-RELEASE-RP, start ARTIM
    Ar5,  // stop ARTIM
    Ar6,  // data arrived while we wait for release
    Ar7,  // send P-DATA-TF before we answer a release
    Ar8,  // release collision
    Ar9,  // send A-RELEASE-RP (collision, requestor)
    Ar10, // the peer released (collision, acceptor)
    Aa1,  // send A-ABORT (service user), start ARTIM
    Aa2,  // stop ARTIM, close
    Aa3,  // aborted by the peer: close
    Aa4,  // the connection is gone
    Aa5,  // stop ARTIM: the connection is gone
    Aa6,  // ignore the PDU
    Aa7,  // send A-ABORT
    Aa8,  // send A-ABORT (service provider), start ARTIM
}

/// Who opened the association; of meaning in a release collision (AR-8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The other did.
    Acceptor,
    /// We did.
    Requestor,
}

/// The action of an event in a state; `None` where the table has no entry: nothing that can happen there.
#[must_use]
pub const fn transition(state: Sta, event: Evt) -> Option<Action> {
    use Action::*;
    use Evt::*;
    use Sta::*;
    Some(match (event, state) {
        (Evt1, Sta1) => Ae1,
        (Evt2, Sta4) => Ae2,
        (Evt5, Sta1) => Ae5,
        (Evt7, Sta3) => Ae7,
        (Evt8, Sta3) => Ae8,
        (Evt9, Sta6) => Dt1,
        (Evt9, Sta8) => Ar7,
        (Evt11, Sta6) => Ar1,
        (Evt14, Sta8 | Sta12) => Ar4,
        (Evt14, Sta9) => Ar9,
        (Evt15, Sta4) => Aa2,
        (Evt15, Sta3 | Sta5 | Sta6 | Sta7 | Sta8 | Sta9 | Sta10 | Sta11 | Sta12) => Aa1,
        (Evt18, Sta2 | Sta13) => Aa2,
        // The connection is gone.
        (Evt17, Sta2) => Aa5,
        (Evt17, Sta13) => Ar5,
        (Evt17, Sta1) => return None,
        (Evt17, _) => Aa4,
        // Nothing was sent yet that a PDU could answer.
        (Evt3 | Evt4 | Evt6 | Evt10 | Evt12 | Evt13 | Evt16 | Evt19, Sta1 | Sta4) => return None,
        // Where a PDU is due.
        (Evt3, Sta5) => Ae3,
        (Evt4, Sta5) => Ae4,
        (Evt6, Sta2) => Ae6,
        (Evt10, Sta6) => Dt2,
        (Evt10, Sta7) => Ar6,
        (Evt12, Sta6) => Ar2,
        (Evt12, Sta7) => Ar8,
        (Evt13, Sta7 | Sta11) => Ar3,
        (Evt13, Sta10) => Ar10,
        (Evt16, Sta2 | Sta13) => Aa2,
        (Evt16, _) => Aa3,
        // Where it is not.
        (Evt6 | Evt19, Sta13) => Aa7,
        (Evt3 | Evt4 | Evt10 | Evt12 | Evt13, Sta13) => Aa6,
        (Evt3 | Evt4 | Evt10 | Evt12 | Evt13 | Evt19, Sta2) => Aa1,
        (Evt3 | Evt4 | Evt6 | Evt10 | Evt12 | Evt13 | Evt19, _) => Aa8,
        _ => return None,
    })
}

/// The state after an action. AE-6 goes on to Sta3: a refusal by the provider takes the same way as the user's
/// (AE-8), with the same A-ASSOCIATE-RJ and the same Sta13.
#[must_use]
pub const fn next(action: Action, side: Side) -> Sta {
    use Action::*;
    use Sta::*;
    match action {
        Ae1 => Sta4,
        Ae2 => Sta5,
        Ae5 => Sta2,
        Ae6 => Sta3,
        Ae3 | Ae7 | Dt1 | Dt2 => Sta6,
        Ar1 | Ar6 => Sta7,
        Ar2 | Ar7 => Sta8,
        Ar8 => match side {
            Side::Requestor => Sta9,
            Side::Acceptor => Sta10,
        },
        Ar9 => Sta11,
        Ar10 => Sta12,
        Ae8 | Ar4 | Aa1 | Aa6 | Aa7 | Aa8 => Sta13,
        Ae4 | Ar3 | Ar5 | Aa2 | Aa3 | Aa4 | Aa5 => Sta1,
    }
}

/// The state of one association.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    state: Sta,
    side: Side,
}

impl Machine {
    /// A transport connection that a peer opened (AE-5), or one that we opened for a request (AE-1, AE-2).
    #[must_use]
    pub const fn connected(side: Side) -> Self {
        let state = match side {
            Side::Acceptor => next(Action::Ae5, side),
            Side::Requestor => next(Action::Ae2, side),
        };
        Self { state, side }
    }

    /// Where it is.
    #[must_use]
    pub const fn state(self) -> Sta {
        self.state
    }

    /// What an event would mean here.
    #[must_use]
    pub const fn would(self, event: Evt) -> Option<Action> {
        transition(self.state, event)
    }

    /// Takes an event; answers what to do. `None`: the event cannot happen here, and nothing changes.
    pub const fn on(&mut self, event: Evt) -> Option<Action> {
        match transition(self.state, event) {
            Some(action) => {
                self.state = next(action, self.side);
                Some(action)
            }
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Action::*;
    use super::Evt::*;
    use super::Sta::*;
    use super::*;

    const STATES: [Sta; 13] = [
        Sta1, Sta2, Sta3, Sta4, Sta5, Sta6, Sta7, Sta8, Sta9, Sta10, Sta11, Sta12, Sta13,
    ];
    const EVENTS: [Evt; 19] = [
        Evt1, Evt2, Evt3, Evt4, Evt5, Evt6, Evt7, Evt8, Evt9, Evt10, Evt11, Evt12, Evt13, Evt14, Evt15,
        Evt16, Evt17, Evt18, Evt19,
    ];

    /// Table 9-10 as it is printed: a row an event, a column a state, with the next state behind the slash.
    const TABLE: &str = "
        Sta1    Sta2    Sta3    Sta4    Sta5    Sta6    Sta7    Sta8    Sta9    Sta10   Sta11   Sta12   Sta13
Evt1    Ae1/4   -       -       -       -       -       -       -       -       -       -       -       -
Evt2    -       -       -       Ae2/5   -       -       -       -       -       -       -       -       -
Evt3    -       Aa1/13  Aa8/13  -       Ae3/6   Aa8/13  Aa8/13  Aa8/13  Aa8/13  Aa8/13  Aa8/13  Aa8/13  Aa6/13
Evt4    -       Aa1/13  Aa8/13  -       Ae4/1   Aa8/13  Aa8/13  Aa8/13  Aa8/13  Aa8/13  Aa8/13  Aa8/13  Aa6/13
Evt5    Ae5/2   -       -       -       -       -       -       -       -       -       -       -       -
Evt6    -       Ae6/3   Aa8/13  -       Aa8/13  Aa8/13  Aa8/13  Aa8/13  Aa8/13  Aa8/13  Aa8/13  Aa8/13  Aa7/13
Evt7    -       -       Ae7/6   -       -       -       -       -       -       -       -       -       -
Evt8    -       -       Ae8/13  -       -       -       -       -       -       -       -       -       -
Evt9    -       -       -       -       -       Dt1/6   -       Ar7/8   -       -       -       -       -
Evt10   -       Aa1/13  Aa8/13  -       Aa8/13  Dt2/6   Ar6/7   Aa8/13  Aa8/13  Aa8/13  Aa8/13  Aa8/13  Aa6/13
Evt11   -       -       -       -       -       Ar1/7   -       -       -       -       -       -       -
Evt12   -       Aa1/13  Aa8/13  -       Aa8/13  Ar2/8   Ar8/9|10 Aa8/13 Aa8/13  Aa8/13  Aa8/13  Aa8/13  Aa6/13
Evt13   -       Aa1/13  Aa8/13  -       Aa8/13  Aa8/13  Ar3/1   Aa8/13  Aa8/13  Ar10/12 Ar3/1   Aa8/13  Aa6/13
Evt14   -       -       -       -       -       -       -       Ar4/13  Ar9/11  -       -       Ar4/13  -
Evt15   -       -       Aa1/13  Aa2/1   Aa1/13  Aa1/13  Aa1/13  Aa1/13  Aa1/13  Aa1/13  Aa1/13  Aa1/13  -
Evt16   -       Aa2/1   Aa3/1   -       Aa3/1   Aa3/1   Aa3/1   Aa3/1   Aa3/1   Aa3/1   Aa3/1   Aa3/1   Aa2/1
Evt17   -       Aa5/1   Aa4/1   Aa4/1   Aa4/1   Aa4/1   Aa4/1   Aa4/1   Aa4/1   Aa4/1   Aa4/1   Aa4/1   Ar5/1
Evt18   -       Aa2/1   -       -       -       -       -       -       -       -       -       -       Aa2/1
Evt19   -       Aa1/13  Aa8/13  -       Aa8/13  Aa8/13  Aa8/13  Aa8/13  Aa8/13  Aa8/13  Aa8/13  Aa8/13  Aa7/13
";

    #[test]
    fn every_cell_of_table_9_10() {
        let rows: Vec<Vec<&str>> = TABLE
            .lines()
            .skip(2)
            .map(|l| l.split_whitespace().skip(1).collect())
            .collect();
        assert_eq!(rows.len(), 19);
        for (event, row) in EVENTS.into_iter().zip(rows) {
            assert_eq!(row.len(), 13, "{event:?}");
            for (state, cell) in STATES.into_iter().zip(row) {
                let action = transition(state, event);
                let shown = action.map_or("-".to_owned(), |action| {
                    let [requestor, acceptor] =
                        [Side::Requestor, Side::Acceptor].map(|side| next(action, side) as u8);
                    if requestor == acceptor {
                        format!("{action:?}/{requestor}")
                    } else {
                        format!("{action:?}/{requestor}|{acceptor}")
                    }
                });
                assert_eq!(shown, cell, "{event:?} in {state:?}");
            }
        }
    }

    #[test]
    fn a_pdu_of_any_type_has_its_event() {
        let expected = [Evt6, Evt3, Evt4, Evt10, Evt12, Evt13, Evt16];
        for pdu_type in 0..=u8::MAX {
            let event = expected.get(usize::from(pdu_type).wrapping_sub(1)).copied();
            assert_eq!(Evt::of_pdu(pdu_type), event.unwrap_or(Evt19), "{pdu_type:02X}");
        }
    }

    #[test]
    fn what_cannot_happen_changes_nothing() {
        let mut machine = Machine::connected(Side::Acceptor);
        assert_eq!(machine.on(Evt7), None);
        assert_eq!(machine.state(), Sta2);
        assert_eq!(
            (machine.on(Evt6), machine.on(Evt7), machine.state()),
            (Some(Ae6), Some(Ae7), Sta6)
        );
    }
}
