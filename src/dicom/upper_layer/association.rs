//! An open association (PS3.8 §9.2, Sta6): fragments of messages in, messages out, and its end.

use std::io::Read;
use std::time::Instant;

use super::MAXIMUM_PDU_OFFERED;
use super::connection::{Connection, Timeouts};
use super::error::Error;
use super::pdu::{AbortReason, RELEASE_RP, RELEASE_RQ, abort, pdu_type};

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

/// A presentation data value that is being received.
#[derive(Debug)]
struct Pdv {
    context: u8,
    command: bool,
    last: bool,
    left: usize,
}

/// Bytes of a data set that are worth passing on while more of the same PDV is to come.
const WORTH_PASSING_ON: usize = 64 * 1024;

/// Header of a P-DATA-TF PDU with one PDV.
const PDATA_HEADER: u32 = 12;

/// An open association, on either side.
#[derive(Debug)]
pub struct Association {
    connection: Connection,
    timeouts: Timeouts,
    contexts: Vec<Context>,
    peer_maximum: u32,
    pdu_left: usize,
    pdv: Option<Pdv>,
    /// Bytes handed out with the last event.
    lent: usize,
}

impl Association {
    pub(super) const fn new(
        connection: Connection,
        timeouts: Timeouts,
        contexts: Vec<Context>,
        peer_maximum: u32,
    ) -> Self {
        Self {
            connection,
            timeouts,
            contexts,
            peer_maximum,
            pdu_left: 0,
            pdv: None,
            lent: 0,
        }
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

    /// Waits for what the peer does next.
    ///
    /// # Errors
    /// The association is over; the caller sends what the error asks for with [`Association::abort`].
    pub fn next_event(&mut self) -> Result<Event<'_>, Error> {
        self.connection.consume(std::mem::take(&mut self.lent));
        while self.pdv.is_none() {
            if self.pdu_left > 0 {
                self.begin_pdv()?;
            } else if self.begin_pdu()? {
                return Ok(Event::ReleaseRequested);
            }
        }
        self.fragment().map(Event::Fragment)
    }

    /// Passes on what is there of the PDV at hand.
    fn fragment(&mut self) -> Result<Fragment<'_>, Error> {
        let pdv = self
            .pdv
            .as_mut()
            .ok_or_else(|| Error::protocol(AbortReason::NotSpecified, "no PDV"))?;
        while self.connection.buffered().len() < pdv.left.min(WORTH_PASSING_ON) {
            if pdv.last {
                self.connection.acknowledge_quickly();
            }
            self.connection
                .fill(Instant::now(), self.timeouts.idle, "send the rest of a message")?;
        }
        let now = self.connection.buffered().len().min(pdv.left);
        pdv.left -= now;
        let (context, command, ends) = (pdv.context, pdv.command, pdv.last && pdv.left == 0);
        if pdv.left == 0 {
            self.pdv = None;
        }
        self.lent = now;
        let data = self.connection.buffered().get(..now).unwrap_or_default();
        Ok(Fragment {
            context,
            command,
            ends,
            data,
        })
    }

    /// Reads a PDV's header (PS3.8 §9.3.5.1, Annex E.2).
    fn begin_pdv(&mut self) -> Result<(), Error> {
        let invalid = |detail: String| Error::protocol(AbortReason::InvalidParameter, detail);
        if self.pdu_left < 6 {
            return Err(invalid(
                "a P-DATA-TF PDU ends within the header of a value".to_owned(),
            ));
        }
        self.connection.need(
            6,
            Instant::now(),
            self.timeouts.idle,
            "send the rest of a message",
        )?;
        let header: [u8; 6] = self
            .connection
            .buffered()
            .first_chunk()
            .copied()
            .unwrap_or_default();
        let [l0, l1, l2, l3, context, control] = header;
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        if length < 2 || length > self.pdu_left - 4 {
            return Err(invalid(format!(
                "a presentation data value of {length} bytes in {} left",
                self.pdu_left
            )));
        }
        if self.context(context).is_none() {
            return Err(invalid(format!(
                "presentation context {context} was not accepted"
            )));
        }
        self.connection.consume(6);
        self.pdu_left -= 4 + length;
        self.pdv = Some(Pdv {
            context,
            command: control & 1 != 0,
            last: control & 2 != 0,
            left: length - 2,
        });
        Ok(())
    }

    /// Reads a PDU's header; `true` when it is a release request.
    fn begin_pdu(&mut self) -> Result<bool, Error> {
        if self.connection.buffered().is_empty() {
            self.connection.acknowledge_quickly();
        }
        let (since, limit, expected) = (Instant::now(), self.timeouts.idle, "send anything");
        let header = self.connection.pdu_header(since, limit, expected)?;
        match header.pdu_type {
            pdu_type::P_DATA_TF if header.length <= MAXIMUM_PDU_OFFERED => {
                self.connection.consume(6);
                self.pdu_left = header.length as usize;
                Ok(false)
            }
            pdu_type::P_DATA_TF => {
                let detail = format!(
                    "a P-DATA-TF of {} bytes, {MAXIMUM_PDU_OFFERED} were offered",
                    header.length
                );
                Err(Error::protocol(AbortReason::InvalidParameter, detail))
            }
            pdu_type::RELEASE_RQ => {
                self.connection.whole_pdu(header, 4, since, limit, expected)?;
                self.connection.consume(6 + header.length as usize);
                Ok(true)
            }
            pdu_type::ABORT => {
                let body = self.connection.whole_pdu(header, 4, since, limit, expected)?;
                let at = |i: usize| body.get(i).copied().unwrap_or(0);
                Err(Error::Aborted {
                    source_of_abort: at(2),
                    reason: at(3),
                })
            }
            known @ (pdu_type::ASSOCIATE_RQ
            | pdu_type::ASSOCIATE_AC
            | pdu_type::ASSOCIATE_RJ
            | pdu_type::RELEASE_RP) => {
                let detail = format!("a PDU of type {known:02X} within an association");
                Err(Error::protocol(AbortReason::UnexpectedPdu, detail))
            }
            unknown => {
                let detail = format!("a PDU of the unknown type {unknown:02X}");
                Err(Error::protocol(AbortReason::UnrecognizedPdu, detail))
            }
        }
    }

    /// Sends a command set without a data set.
    ///
    /// # Errors
    /// The association is over.
    pub fn send_command(&mut self, context: u8, command: &[u8]) -> Result<(), Error> {
        self.send_fragment(context, 0b11, command)
    }

    /// Sends a data set of `length` bytes from `source`, in PDUs of the size the peer takes.
    ///
    /// # Errors
    /// The association is over; a source that ends early too, since a data set cannot be taken back.
    pub fn send_data_set(
        &mut self,
        context: u8,
        source: &mut impl Read,
        mut length: u64,
    ) -> Result<(), Error> {
        let mut buffer = vec![0; self.largest_fragment()];
        loop {
            let now = usize::try_from(length).unwrap_or(usize::MAX).min(buffer.len());
            let piece = buffer.get_mut(..now).unwrap_or_default();
            source.read_exact(piece)?;
            length -= now as u64;
            self.send_fragment(context, if length == 0 { 0b10 } else { 0 }, piece)?;
            if length == 0 {
                return Ok(());
            }
        }
    }

    /// Bytes of a message that fit in one PDU for this peer; 0 announced means no limit, which nobody needs.
    fn largest_fragment(&self) -> usize {
        let maximum = match self.peer_maximum {
            0 => MAXIMUM_PDU_OFFERED,
            limited => limited.clamp(PDATA_HEADER + 2, MAXIMUM_PDU_OFFERED),
        };
        // The maximum counts what follows the PDU's own 6 bytes of header (PS3.8 §D.1); fragments are even.
        ((maximum - 6) & !1) as usize
    }

    fn send_fragment(&mut self, context: u8, control: u8, data: &[u8]) -> Result<(), Error> {
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let mut head = [0; PDATA_HEADER as usize];
        let [pdu_length, pdv_length] = [length + 6, length + 2].map(u32::to_be_bytes);
        let fields = [
            &[pdu_type::P_DATA_TF, 0][..],
            &pdu_length[..],
            &pdv_length[..],
            &[context, control][..],
        ]
        .concat();
        head.copy_from_slice(&fields);
        self.connection.send_two(&head, data)
    }

    /// Answers a release request and waits for the peer to close.
    ///
    /// # Errors
    /// When the answer cannot be sent.
    pub fn answer_release(mut self) -> Result<(), Error> {
        self.connection.consume(std::mem::take(&mut self.lent));
        self.connection.send(&RELEASE_RP)?;
        self.connection.await_close(self.timeouts.artim);
        Ok(())
    }

    /// Asks for release and waits for the answer.
    ///
    /// # Errors
    /// When the peer does not release in an orderly way; everything sent before was answered all the same.
    pub fn release(mut self) -> Result<(), Error> {
        self.connection.consume(std::mem::take(&mut self.lent));
        self.connection.send(&RELEASE_RQ)?;
        let (since, limit, expected) = (Instant::now(), self.timeouts.artim, "answer a release request");
        let header = self.connection.pdu_header(since, limit, expected)?;
        match header.pdu_type {
            pdu_type::RELEASE_RP => Ok(()),
            // Release collision (PS3.8 §9.2, AR-8): both asked at once; answer, then the peer's answer does not matter.
            pdu_type::RELEASE_RQ => self.connection.send(&RELEASE_RP),
            other => {
                let detail = format!("a PDU of type {other:02X} where A-RELEASE-RP was due");
                self.connection.send(&abort(Some(AbortReason::UnexpectedPdu)))?;
                Err(Error::protocol(AbortReason::UnexpectedPdu, detail))
            }
        }
    }

    /// Ends the association as `why` asks for: A-ABORT where the peer is still there, nothing where it is gone.
    pub fn abort(mut self, why: &Error) {
        let pdu = match why {
            Error::Protocol { reason, .. } => abort(Some(*reason)),
            Error::TimedOut { .. } | Error::Stopping | Error::Encode(_) => abort(None),
            Error::Io(_) if self.connection.peer().is_ok() => abort(None),
            _ => return,
        };
        // The peer may be gone meanwhile; there is nobody else to tell.
        if self.connection.send(&pdu).is_ok() {
            self.connection.await_close(self.timeouts.artim);
        }
    }
}
