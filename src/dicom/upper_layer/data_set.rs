//! A data set on its way from the socket to where it goes, with as little copying as its sender's PDUs allow.

use super::association::{Association, unexpected};
use super::error::Error;
use super::framing::Next;
use super::pdu::{AbortReason, pdu_type};

/// A payload from here on is read from the socket into the sink's own memory; a smaller one comes with others in one
/// read and is copied.
const DIRECT: usize = 32 * 1024;

/// Where the bytes of a data set go.
pub trait Sink {
    /// Room for the next bytes, at most `most` of them. None: they are handed over by [`Sink::take`].
    fn room(&mut self, most: usize) -> &mut [u8];

    /// So many bytes of the room were filled.
    fn filled(&mut self, bytes: usize);

    /// The next bytes, to be copied.
    fn take(&mut self, bytes: &[u8]);
}

/// A data set that nobody wants is read all the same: the message behind it is still to be understood.
#[derive(Debug)]
pub struct Nowhere;

impl Sink for Nowhere {
    fn room(&mut self, _most: usize) -> &mut [u8] {
        &mut []
    }

    fn filled(&mut self, _bytes: usize) {}

    fn take(&mut self, _bytes: &[u8]) {}
}

impl Association {
    /// Reads the data set that a command on this presentation context has announced.
    ///
    /// # Errors
    /// The association is over; anything but the data set is an error of the peer.
    pub fn read_data_set(&mut self, context: u8, sink: &mut impl Sink) -> Result<(), Error> {
        self.give_back();
        loop {
            match self.framer.next() {
                Next::Pdu => {
                    if self.begin_pdu()? {
                        return Err(unexpected(pdu_type::RELEASE_RQ, "within a data set"));
                    }
                }
                Next::Pdv => {
                    self.begin_pdv()?;
                    if self.framer.value() != Some((context, false)) {
                        let detail = "a message begins within the data set of another";
                        return Err(Error::protocol(AbortReason::NotSpecified, detail));
                    }
                }
                // A value may begin in the PDU of the command.
                Next::Payload { .. } if self.framer.value() != Some((context, false)) => {
                    let detail = "another value where the data set of a message was due";
                    return Err(Error::protocol(AbortReason::NotSpecified, detail));
                }
                Next::Payload { left, last } => {
                    let now = self.pour(left, last, sink)?;
                    if self.framer.take(now).is_some_and(|piece| piece.ends) {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Passes on some bytes of the value at hand; answers how many.
    fn pour(&mut self, left: usize, last: bool, sink: &mut impl Sink) -> Result<usize, Error> {
        let buffered = self.connection.buffered();
        let now = buffered.len().min(left);
        if now > 0 || left == 0 {
            sink.take(buffered.get(..now).unwrap_or_default());
            self.connection.consume(now);
            return Ok(now);
        }
        if last {
            self.connection.acknowledge_quickly();
        }
        let deadline = self.deadline("send the rest of a message");
        deadline.check()?;
        if left >= DIRECT {
            let room = sink.room(left);
            if !room.is_empty() {
                let read = self.connection.fill_into(room, &deadline)?;
                sink.filled(read);
                return Ok(read);
            }
        }
        self.connection.fill(&deadline)?;
        Ok(0)
    }
}
