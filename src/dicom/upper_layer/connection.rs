//! The socket of an association: one buffer, one deadline at a time, PDU headers.
//!
//! The socket blocks, but never longer than [`TICK`]: then deadlines and the stop signal are looked at. So a read
//! costs one system call and no deadline is later than a tick.

use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::deadline::Deadline;
use super::error::Error;
use super::framing::PDV_HEADER;
use super::pdu::AbortReason;
use super::transport::Transport;

/// The longest a read blocks before deadlines are looked at.
const TICK: Duration = Duration::from_millis(250);

/// The longest a write may make no progress.
const WRITE: Duration = Duration::from_secs(30);

/// The buffer of a connection before it is an association, in bytes: most requests fit.
const FIRST_BUFFER: usize = 16 * 1024;

/// The longest read for a header, in bytes: what follows it has a better place to go than this buffer.
const HEADERS: usize = 4 * 1024;

/// The signal that the node is stopping: raised once, it gives open associations some time to end.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    raised: Arc<AtomicBool>,
}

impl Stop {
    /// Tells every association that the time is over.
    pub fn raise(&self) {
        self.raised.store(true, Ordering::Release);
    }

    /// Whether the time is over.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Acquire)
    }
}

/// A connected socket with its receive buffer.
#[derive(Debug)]
pub struct Connection {
    transport: Box<dyn Transport>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    stop: Stop,
}

/// A PDU's header (PS3.8 §9.3.1).
#[derive(Clone, Copy, Debug)]
pub(super) struct PduHeader {
    pub pdu_type: u8,
    pub length: u32,
}

/// Bytes of a [`PduHeader`].
pub(super) const PDU_HEADER: usize = 6;

impl Connection {
    /// Takes a connected socket over.
    ///
    /// # Errors
    /// What setting its options says.
    pub fn new(transport: Box<dyn Transport>, stop: Stop) -> Result<Self, Error> {
        let socket = transport.socket();
        socket.set_nonblocking(false)?;
        // Without it Nagle's algorithm and delayed ACK together cost 40 ms a message (spec folder, receiving.md).
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(TICK))?;
        socket.set_write_timeout(Some(WRITE))?;
        Ok(Self {
            transport,
            buffer: vec![0; FIRST_BUFFER],
            start: 0,
            end: 0,
            stop,
        })
    }

    /// The peer's address.
    ///
    /// # Errors
    /// When the socket is not connected any more.
    pub fn peer(&self) -> Result<SocketAddr, Error> {
        Ok(self.transport.socket().peer_addr()?)
    }

    /// Whether the node is stopping.
    pub(super) fn is_stopping(&self) -> bool {
        self.stop.is_raised()
    }

    /// Makes the buffer at least that large, in bytes.
    pub(super) fn reserve(&mut self, bytes: usize) {
        if self.buffer.len() < bytes {
            // Fresh zeroed memory costs nothing until it is used; growing in place would touch all of it.
            let mut larger = vec![0; bytes];
            let held = self.end - self.start;
            if let Some(front) = larger.get_mut(..held) {
                front.copy_from_slice(self.buffered());
            }
            self.buffer = larger;
            (self.start, self.end) = (0, held);
        }
    }

    pub(super) fn buffered(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    pub(super) fn consume(&mut self, bytes: usize) {
        self.start = self.end.min(self.start + bytes);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Reads once, at least a byte, into free room behind what is buffered; makes room if there is little.
    pub(super) fn fill(&mut self, deadline: &Deadline) -> Result<(), Error> {
        self.fill_at_most(usize::MAX, deadline)
    }

    fn fill_at_most(&mut self, most: usize, deadline: &Deadline) -> Result<(), Error> {
        if self.start > 0 && self.buffer.len() - self.end < self.buffer.len() / 2 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == self.buffer.len() {
            self.reserve(self.buffer.len() * 2);
        }
        let end = self.buffer.len().min(self.end.saturating_add(most));
        let room = self.buffer.get_mut(self.end..end).unwrap_or_default();
        self.end += read(
            &mut *self.transport,
            &mut [IoSliceMut::new(room)],
            deadline,
            &self.stop,
        )?;
        Ok(())
    }

    /// Reads once into `room` while nothing is buffered; the headers that follow a whole payload come along. Answers the
    /// bytes in `room`.
    pub(super) fn fill_into(&mut self, room: &mut [u8], deadline: &Deadline) -> Result<usize, Error> {
        let fits = room.len();
        let beyond = self.buffer.get_mut(..PDU_HEADER + PDV_HEADER).unwrap_or_default();
        let mut slices = [IoSliceMut::new(room), IoSliceMut::new(beyond)];
        let read = read(&mut *self.transport, &mut slices, deadline, &self.stop)?;
        (self.start, self.end) = (0, read.saturating_sub(fits));
        Ok(read.min(fits))
    }

    /// Makes at least `bytes` buffered, all of them before the deadline: a byte a second does not help.
    ///
    /// The buffer grows as bytes arrive, never by what a peer announces.
    pub(super) fn need(&mut self, bytes: usize, deadline: &Deadline) -> Result<(), Error> {
        while self.buffered().len() < bytes {
            deadline.check()?;
            let missing = bytes - self.buffered().len();
            self.fill_at_most(missing.max(HEADERS), deadline)?;
        }
        Ok(())
    }

    /// Asks the kernel to acknowledge what comes at once. Worth a system call only where a peer with Nagle's
    /// algorithm on holds its last small segment back: before the end of a message.
    pub(super) fn acknowledge_quickly(&self) {
        // Best effort: an association works without it, only slower.
        let _ = rustix::net::sockopt::set_tcp_quickack(self.transport.socket(), true);
    }

    /// The next PDU's header; the PDU itself is not consumed.
    pub(super) fn pdu_header(&mut self, deadline: &Deadline) -> Result<PduHeader, Error> {
        self.need(PDU_HEADER, deadline)?;
        let header: [u8; PDU_HEADER] = self
            .buffered()
            .first_chunk()
            .copied()
            .ok_or_else(|| Error::protocol(AbortReason::NotSpecified, "no header"))?;
        let [pdu_type, _, length @ ..] = header;
        Ok(PduHeader {
            pdu_type,
            length: u32::from_be_bytes(length),
        })
    }

    /// A whole PDU of at most `longest` bytes of body; consumed by the caller with [`Connection::consume`].
    pub(super) fn whole_pdu(
        &mut self,
        header: PduHeader,
        longest: u32,
        deadline: &Deadline,
    ) -> Result<&[u8], Error> {
        if header.length > longest {
            let detail = format!(
                "a PDU of type {:02X} with {} bytes",
                header.pdu_type, header.length
            );
            return Err(Error::protocol(AbortReason::InvalidParameter, detail));
        }
        let end = PDU_HEADER + header.length as usize;
        self.need(end, deadline)?;
        Ok(self.buffered().get(PDU_HEADER..end).unwrap_or_default())
    }

    /// Sends everything, within the socket's write timeout per write.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.transport
            .write_all(bytes)
            .and_then(|()| self.transport.flush())
            .map_err(write_error)
    }

    /// Sends slices one behind another without copying them together.
    pub(super) fn send_slices(&mut self, mut slices: &mut [IoSlice<'_>]) -> Result<(), Error> {
        // What is empty has nothing to be written.
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            match self.transport.write_vectored(slices) {
                Ok(0) => return Err(Error::Closed),
                Ok(written) => IoSlice::advance_slices(&mut slices, written),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(write_error(error)),
            }
        }
        self.transport.flush().map_err(write_error)
    }

    /// Drops `bytes` that are still to come.
    pub(super) fn skip(&mut self, mut bytes: usize, deadline: &Deadline) -> Result<(), Error> {
        loop {
            let now = self.buffered().len().min(bytes);
            self.consume(now);
            bytes -= now;
            if bytes == 0 {
                return Ok(());
            }
            deadline.check()?;
            self.fill(deadline)?;
        }
    }
}

/// Reads once, at least a byte.
fn read(
    transport: &mut dyn Transport,
    slices: &mut [IoSliceMut<'_>],
    deadline: &Deadline,
    stop: &Stop,
) -> Result<usize, Error> {
    loop {
        match transport.read_vectored(slices) {
            Ok(0) => return Err(Error::Closed),
            Ok(read) => return Ok(read),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if is_reset(&error) => return Err(Error::Closed),
            Err(error) => return Err(error.into()),
        }
        deadline.check()?;
        if stop.is_raised() {
            return Err(Error::Stopping);
        }
    }
}

fn is_reset(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionReset
            | ErrorKind::BrokenPipe
            | ErrorKind::ConnectionAborted
            | ErrorKind::UnexpectedEof
    )
}

fn write_error(error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Error::TimedOut {
            expected: "take what was sent",
            limit: WRITE,
        },
        _ if is_reset(&error) => Error::Closed,
        _ => Error::Io(error),
    }
}
