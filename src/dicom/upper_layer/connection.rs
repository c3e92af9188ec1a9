//! The socket of an association: one buffer, one deadline at a time, framing of PDUs and PDVs.
//!
//! The socket blocks, but never longer than [`TICK`]: then deadlines and the stop signal are looked at. So a read
//! costs one system call and no deadline is later than a tick.

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::error::Error;
use super::pdu::AbortReason;

/// The longest a read blocks before deadlines are looked at.
const TICK: Duration = Duration::from_millis(250);

/// The buffer of a connection, in bytes: room for a PDU of the size we offer and the start of the next.
const BUFFER: usize = super::MAXIMUM_PDU_OFFERED as usize + 64 * 1024;

/// How long an association waits for what.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// ARTIM: the whole first PDU; the peer's close at the end.
    pub artim: Duration,
    /// A byte from the peer while the association is open.
    pub idle: Duration,
}

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
    socket: TcpStream,
    buffer: Box<[u8]>,
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

impl Connection {
    /// Takes a connected socket over.
    ///
    /// # Errors
    /// What setting its options says.
    pub fn new(socket: TcpStream, stop: Stop) -> Result<Self, Error> {
        socket.set_nonblocking(false)?;
        // Without it Nagle's algorithm and delayed ACK together cost 40 ms a message (spec folder, receiving.md).
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(TICK))?;
        socket.set_write_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self {
            socket,
            buffer: vec![0; BUFFER].into_boxed_slice(),
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
        Ok(self.socket.peer_addr()?)
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

    /// Reads once, at least a byte, into free room behind what is buffered.
    pub(super) fn fill(
        &mut self,
        since: Instant,
        limit: Duration,
        expected: &'static str,
    ) -> Result<(), Error> {
        if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        loop {
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.socket.read(room) {
                Ok(0) => return Err(Error::Closed),
                Ok(read) => {
                    self.end += read;
                    return Ok(());
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_reset(&error) => return Err(Error::Closed),
                Err(error) => return Err(error.into()),
            }
            if since.elapsed() >= limit {
                return Err(Error::TimedOut { expected, limit });
            }
            if self.stop.is_raised() {
                return Err(Error::Stopping);
            }
        }
    }

    /// Makes at least `bytes` buffered, all of them within `limit` of `since`: a byte a second does not help.
    pub(super) fn need(
        &mut self,
        bytes: usize,
        since: Instant,
        limit: Duration,
        expected: &'static str,
    ) -> Result<(), Error> {
        while self.buffered().len() < bytes {
            if since.elapsed() >= limit {
                return Err(Error::TimedOut { expected, limit });
            }
            self.fill(since, limit, expected)?;
        }
        Ok(())
    }

    /// Asks the kernel to acknowledge what comes at once. Worth a system call only where a peer with Nagle's
    /// algorithm on holds its last small segment back: before the end of a message.
    pub(super) fn acknowledge_quickly(&self) {
        // Best effort: an association works without it, only slower.
        let _ = rustix::net::sockopt::set_tcp_quickack(&self.socket, true);
    }

    /// The next PDU's header; the PDU itself is not consumed.
    pub(super) fn pdu_header(
        &mut self,
        since: Instant,
        limit: Duration,
        expected: &'static str,
    ) -> Result<PduHeader, Error> {
        self.need(6, since, limit, expected)?;
        let header: [u8; 6] = self
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
        since: Instant,
        limit: Duration,
        expected: &'static str,
    ) -> Result<&[u8], Error> {
        if header.length > longest {
            let detail = format!(
                "a PDU of type {:02X} with {} bytes",
                header.pdu_type, header.length
            );
            return Err(Error::protocol(AbortReason::InvalidParameter, detail));
        }
        let end = 6 + header.length as usize;
        self.need(end, since, limit, expected)?;
        Ok(self.buffered().get(6..end).unwrap_or_default())
    }

    /// Sends everything, within the socket's write timeout per write.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.socket.write_all(bytes).map_err(write_error)
    }

    /// Sends a header and its body without copying them together.
    pub(super) fn send_two(&mut self, head: &[u8], body: &[u8]) -> Result<(), Error> {
        let mut slices = [IoSlice::new(head), IoSlice::new(body)];
        let mut rest = &mut slices[..];
        while !rest.is_empty() {
            match self.socket.write_vectored(rest) {
                Ok(0) => return Err(Error::Closed),
                Ok(written) => IoSlice::advance_slices(&mut rest, written),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(write_error(error)),
            }
        }
        Ok(())
    }

    /// Waits for the peer to close, at most `limit` (Sta13); whatever it still sends is dropped.
    ///
    /// It is the peer's part to close: a connection that ends right behind our answer makes some peers (pynetdicom) miss
    /// the answer.
    pub(super) fn await_close(&mut self, limit: Duration) {
        let since = Instant::now();
        loop {
            let buffered = self.buffered().len();
            self.consume(buffered);
            if self.fill(since, limit, "close the connection").is_err() || since.elapsed() >= limit {
                return;
            }
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
            limit: Duration::from_secs(30),
        },
        _ if is_reset(&error) => Error::Closed,
        _ => Error::Io(error),
    }
}
