//! How an association ends (PS3.8 §9.2, Sta7 to Sta13): by release, by abort, by rejection; and the wait for the peer
//! to close.
//!
//! It is the peer's part to close (Sta13): a connection that ends right behind our answer makes some peers (pynetdicom)
//! miss the answer.

use super::association::{Association, unexpected};
use super::connection::PDU_HEADER;
use super::deadline::Deadline;
use super::error::Error;
use super::pdu::{AbortReason, RELEASE_RP, RELEASE_RQ, Rejection, abort};
use super::state::{Action, Evt, Sta};

impl Association {
    /// Answers a release request: the association is over.
    pub fn answer_release(mut self) -> Closing {
        self.give_back();
        // AR-4.
        self.machine.on(Evt::Evt14);
        if self.connection.send(&RELEASE_RP).is_err() {
            // A peer that does not wait for the answer.
            self.machine.on(Evt::Evt17);
        }
        Closing {
            association: self,
            in_step: true,
        }
    }

    /// Refuses the request that was read.
    pub(super) fn reject(mut self, rejection: Rejection) -> Result<Closing, Error> {
        // AE-8.
        self.machine.on(Evt::Evt8);
        self.connection.send(&rejection.encode())?;
        Ok(Closing {
            association: self,
            in_step: true,
        })
    }

    /// Asks for release and waits for the answer.
    ///
    /// # Errors
    /// When the peer does not release in an orderly way; everything sent before was answered all the same.
    pub fn release(mut self) -> Result<(), Error> {
        self.give_back();
        // AR-1.
        self.machine.on(Evt::Evt11);
        self.connection.send(&RELEASE_RQ)?;
        let deadline = Deadline::after(self.limits.artim, "answer a release request");
        match self.await_release(&deadline) {
            Err(error) => {
                self.abort(&error).wait();
                Err(error)
            }
            released => released,
        }
    }

    fn await_release(&mut self, deadline: &Deadline) -> Result<(), Error> {
        loop {
            let header = self.connection.pdu_header(deadline)?;
            let event = Evt::of_pdu(header.pdu_type);
            match self.machine.would(event) {
                Some(Action::Ar3) => {
                    self.machine.on(event);
                    return Ok(());
                }
                // Release collision: both asked at once. Answer; the peer's own answer is still to come.
                Some(Action::Ar8) => {
                    self.machine.on(event);
                    self.machine.on(Evt::Evt14);
                    self.connection.send(&RELEASE_RP)?;
                }
                Some(Action::Ar6) => {
                    self.machine.on(event);
                }
                Some(Action::Aa3) => return Err(self.aborted(header, deadline)?),
                _ => return Err(unexpected(header.pdu_type, "where A-RELEASE-RP was due")),
            }
            let whole = PDU_HEADER.saturating_add(header.length as usize);
            self.connection.skip(whole, deadline)?;
        }
    }

    /// Ends the association as `why` asks for: A-ABORT where the peer is still there, nothing where it is gone.
    pub fn abort(mut self, why: &Error) -> Closing {
        let event = match why {
            Error::Protocol { .. } => Evt::Evt19,
            // In Sta2 it is ARTIM that has expired: AA-2, nothing is sent.
            Error::TimedOut { .. } | Error::Stopping if self.machine.would(Evt::Evt18).is_some() => {
                Evt::Evt18
            }
            Error::TimedOut { .. } | Error::Stopping | Error::Local(_) | Error::Encode(_) => Evt::Evt15,
            Error::Io(_) if self.connection.peer().is_ok() => Evt::Evt15,
            _ => Evt::Evt17,
        };
        let pdu = match (self.machine.on(event), why) {
            (Some(Action::Aa1), _) => Some(abort(None)),
            (Some(Action::Aa8), Error::Protocol { reason, .. }) => Some(abort(Some(*reason))),
            _ => None,
        };
        if let Some(pdu) = pdu
            && self.connection.send(&pdu).is_err()
        {
            // The peer is gone; there is nobody else to tell.
            self.machine.on(Evt::Evt17);
        }
        Closing {
            association: self,
            in_step: false,
        }
    }
}

/// Sta13: an association that is over, and a peer that has not closed yet.
#[must_use = "the peer has to be given time to close"]
#[derive(Debug)]
pub struct Closing {
    association: Association,
    /// What comes next is a PDU. Behind an abort it may be the middle of one.
    in_step: bool,
}

impl Closing {
    /// Waits for the peer to close, as long as ARTIM runs. What it still sends is ignored (AA-6); a new request or
    /// garbage where a PDU is due is answered by A-ABORT (AA-7), once.
    pub fn wait(self) {
        let Self {
            mut association,
            in_step,
        } = self;
        if association.machine.state() != Sta::Sta13 {
            return;
        }
        association.give_back();
        let artim = Deadline::after(association.limits.artim, "close the connection");
        if in_step && association.ignore_pdus(&artim).is_err() {
            return;
        }
        // The end of the connection, an error or ARTIM ends it.
        let _ = association.connection.skip(usize::MAX, &artim);
    }
}

impl Association {
    /// `Ok` when nothing is in step any more.
    fn ignore_pdus(&mut self, artim: &Deadline) -> Result<(), Error> {
        loop {
            let header = self.connection.pdu_header(artim)?;
            match self.machine.on(Evt::of_pdu(header.pdu_type)) {
                Some(Action::Aa6) => {}
                Some(Action::Aa7) => {
                    return self.connection.send(&abort(Some(AbortReason::UnexpectedPdu)));
                }
                // AA-2: aborted while we wait.
                _ => return Err(Error::Closed),
            }
            let whole = PDU_HEADER.saturating_add(header.length as usize);
            self.connection.skip(whole, artim)?;
        }
    }
}
