//! An open association (PS3.8 §9.2, Sta6): fragments of messages in, messages out.

use std::time::Duration;

use super::Limits;
use super::connection::{Connection, PDU_HEADER, PduHeader};
use super::deadline::Deadline;
use super::error::Error;
use super::framing::{Framer, FramingError, Next, PDV_HEADER};
use super::pdu::AbortReason;
use super::state::{Action, Evt, Machine};

/// An accepted presentation context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// Its id.
    pub id: u8,
    /// Its abstract syntax.
    pub abstract_syntax: String,
    /// Its transfer syntax.
    pub transfer_syntax: String,
}

/// A piece of a message. A message's command set and data set each end with a piece that `ends`.
#[derive(Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// The presentation context's id; always an accepted one.
    pub context: u8,
    /// Of the command set, otherwise of the data set.
    pub command: bool,
    /// Nothing more of this command set or data set follows.
    pub ends: bool,
    /// The bytes, straight from the socket's buffer; may be empty.
    pub data: &'a [u8],
}

/// What the peer did.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Sent a piece of a message.
    Fragment(Fragment<'a>),
    /// Asked for release.
    ReleaseRequested,
}

/// Bytes of a data set that are worth passing on while more of the same value is to come.
const WORTH_PASSING_ON: usize = 64 * 1024;

/// Room in the buffer beyond a PDU of the largest size, in bytes: the start of the next one.
const BEYOND_A_PDU: usize = 64 * 1024;

/// The longest P-DATA-TF that we send, in bytes, whatever the peer would take.
const LONGEST_PDU_SENT: u32 = 128 * 1024;

/// An open association, on either side.
#[derive(Debug)]
pub struct Association {
    pub(super) connection: Connection,
    pub(super) limits: Limits,
    pub(super) machine: Machine,
    contexts: Vec<Context>,
    peer_maximum: u32,
    pub(super) framer: Framer,
    /// Bytes handed out with the last event.
    lent: usize,
    /// The end of the time for the message that is being received.
    message: Option<Deadline>,
}

impl Association {
    pub(super) fn new(
        mut connection: Connection,
        limits: Limits,
        machine: Machine,
        contexts: Vec<Context>,
        peer_maximum: u32,
    ) -> Self {
        if !contexts.is_empty() {
            connection.reserve(limits.maximum_pdu as usize + BEYOND_A_PDU);
        }
        Self {
            connection,
            limits,
            machine,
            contexts,
            peer_maximum,
            framer: Framer::new(limits.maximum_pdu),
            lent: 0,
            message: None,
        }
    }

    /// The peer accepted these contexts and takes PDUs of that size.
    pub(super) fn opened(mut self, contexts: Vec<Context>, peer_maximum: u32) -> Self {
        self.connection
            .reserve(self.limits.maximum_pdu as usize + BEYOND_A_PDU);
        (self.contexts, self.peer_maximum) = (contexts, peer_maximum);
        self
    }

    /// The accepted presentation contexts.
    #[must_use]
    pub fn contexts(&self) -> &[Context] {
        &self.contexts
    }

    /// The accepted context of that id.
    #[must_use]
    pub fn context(&self, id: u8) -> Option<&Context> {
        self.contexts.iter().find(|c| c.id == id)
    }

    /// The message at hand is over: the time for the next one begins with its first byte.
    pub const fn message_over(&mut self) {
        self.message = None;
    }

    /// Waits for what the peer does next.
    ///
    /// # Errors
    /// The association is over; the caller sends what the error asks for with [`Association::abort`].
    pub fn next_event(&mut self) -> Result<Event<'_>, Error> {
        self.give_back();
        loop {
            match self.framer.next() {
                Next::Payload { left, last } => return self.fragment(left, last).map(Event::Fragment),
                Next::Pdv => self.begin_pdv()?,
                Next::Pdu => {
                    if self.begin_pdu()? {
                        return Ok(Event::ReleaseRequested);
                    }
                }
            }
        }
    }

    /// Waits at most so long for the peer to say anything between two messages; answers whether it did. What it was is
    /// the next event.
    ///
    /// # Errors
    /// The association is over.
    pub fn hears_within(&mut self, limit: Duration) -> Result<bool, Error> {
        self.give_back();
        if !matches!(self.framer.next(), Next::Pdu) || !self.connection.buffered().is_empty() {
            return Ok(true);
        }
        match self.connection.fill(&Deadline::after(limit, "send anything")) {
            Ok(()) => Ok(true),
            Err(Error::TimedOut { .. }) if self.connection.is_stopping() => Err(Error::Stopping),
            Err(Error::TimedOut { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) fn give_back(&mut self) {
        self.connection.consume(std::mem::take(&mut self.lent));
    }

    /// The end of a wait for the next bytes: idle time, within the time for the message.
    pub(super) fn deadline(&self, expected: &'static str) -> Deadline {
        Deadline::after(self.limits.idle, expected).or(self.message)
    }

    /// Passes on what is there of the value at hand.
    fn fragment(&mut self, left: usize, last: bool) -> Result<Fragment<'_>, Error> {
        while self.connection.buffered().len() < left.min(WORTH_PASSING_ON) {
            if last {
                self.connection.acknowledge_quickly();
            }
            let deadline = self.deadline("send the rest of a message");
            deadline.check()?;
            self.connection.fill(&deadline)?;
        }
        let now = self.connection.buffered().len().min(left);
        let piece = self
            .framer
            .take(now)
            .ok_or_else(|| Error::protocol(AbortReason::NotSpecified, "no value"))?;
        self.lent = now;
        let data = self.connection.buffered().get(..now).unwrap_or_default();
        Ok(Fragment {
            context: piece.context,
            command: piece.command,
            ends: piece.ends,
            data,
        })
    }

    pub(super) fn begin_pdv(&mut self) -> Result<(), Error> {
        let invalid = |error: FramingError| Error::protocol(AbortReason::InvalidParameter, error.to_string());
        self.framer.pdv_fits().map_err(invalid)?;
        let deadline = self.deadline("send the rest of a message");
        self.connection.need(PDV_HEADER, &deadline)?;
        let header = self
            .connection
            .buffered()
            .first_chunk()
            .copied()
            .unwrap_or_default();
        let context = self.framer.pdv(header).map_err(invalid)?;
        if self.context(context).is_none() {
            let detail = format!("presentation context {context} was not accepted");
            return Err(Error::protocol(AbortReason::InvalidParameter, detail));
        }
        self.connection.consume(PDV_HEADER);
        if self.message.is_none() {
            self.message = Some(Deadline::after(self.limits.object, "send a whole message"));
        }
        Ok(())
    }

    /// Reads a PDU's header; `true` when it is a release request.
    pub(super) fn begin_pdu(&mut self) -> Result<bool, Error> {
        if self.connection.buffered().is_empty() {
            self.connection.acknowledge_quickly();
        }
        let deadline = self.deadline("send anything");
        let header = self.connection.pdu_header(&deadline)?;
        let event = Evt::of_pdu(header.pdu_type);
        match self.machine.would(event) {
            Some(Action::Dt2) => {
                self.framer
                    .pdu(header.length)
                    .map_err(|e| Error::protocol(AbortReason::InvalidParameter, e.to_string()))?;
                self.connection.consume(PDU_HEADER);
                self.machine.on(event);
                Ok(false)
            }
            Some(Action::Ar2) => {
                self.connection.whole_pdu(header, 4, &deadline)?;
                self.connection.consume(PDU_HEADER + header.length as usize);
                self.machine.on(event);
                Ok(true)
            }
            Some(Action::Aa3) => Err(self.aborted(header, &deadline)?),
            _ => Err(unexpected(header.pdu_type, "within an association")),
        }
    }

    /// AA-3: reads the peer's A-ABORT.
    pub(super) fn aborted(&mut self, header: PduHeader, deadline: &Deadline) -> Result<Error, Error> {
        let body = self.connection.whole_pdu(header, 4, deadline)?;
        let at = |i: usize| body.get(i).copied().unwrap_or(0);
        let error = Error::Aborted {
            source_of_abort: at(2),
            reason: at(3),
        };
        self.machine.on(Evt::Evt16);
        Ok(error)
    }

    /// Bytes of a message that fit in one PDU for this peer; 0 announced means no limit, which nobody needs.
    pub(super) fn largest_fragment(&self) -> usize {
        const HEADER: u32 = PDV_HEADER as u32;
        let maximum = match self.peer_maximum {
            0 => LONGEST_PDU_SENT,
            limited => limited.clamp(HEADER + 2, LONGEST_PDU_SENT),
        };
        // The maximum counts what follows the PDU's own header (PS3.8 §D.1); fragments are even.
        ((maximum - HEADER) & !1) as usize
    }
}

/// A PDU where it is not due (AA-1, AA-8): known ones and unknown ones have reasons of their own.
pub(super) fn unexpected(kind: u8, place: &str) -> Error {
    match Evt::of_pdu(kind) {
        Evt::Evt19 => {
            let detail = format!("a PDU of the unknown type {kind:02X} {place}");
            Error::protocol(AbortReason::UnrecognizedPdu, detail)
        }
        _ => {
            let detail = format!("a PDU of type {kind:02X} {place}");
            Error::protocol(AbortReason::UnexpectedPdu, detail)
        }
    }
}
