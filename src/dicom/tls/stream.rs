//! rustls on a blocking socket, one read at a time.
//!
//! A read asks the socket once. What came may be part of a handshake or of a record: then it ends with `WouldBlock`,
//! and whoever waits looks at the deadline. So the handshake counts against ARTIM, and a record that dribbles in byte
//! by byte is not waited for longer than anything else.

use std::io::{BufRead, BufReader, Error, ErrorKind, IoSlice, Read, Result, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustls::{Connection, InvalidMessage};

use super::certificate::Certificate;
use crate::dicom::upper_layer::Transport;

/// What is read from the socket at once, in bytes: some records. rustls alone would ask for 4 KiB each time.
const WIRE: usize = 64 * 1024;

/// How long a peer has to take our last words.
const GOODBYE: Duration = Duration::from_secs(1);

/// Who is at the other end; known once the handshake is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The version agreed on, as in `TLS 1.3`.
    pub version: &'static str,
    /// Common name of the certificate that the client has shown and we have verified.
    pub common_name: Option<String>,
}

/// Our end of a TLS connection, whoever called.
#[derive(Debug)]
pub struct TlsStream {
    session: Connection,
    wire: BufReader<TcpStream>,
    client: Arc<OnceLock<Client>>,
    /// TLS has failed and the peer has been told: nothing more goes out.
    failed: bool,
}

/// The end of TLS by somebody's fault.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("what came is no TLS: a sender without TLS on the TLS port?")]
    NoTls,
    #[error("TLS: {0}")]
    Tls(rustls::Error),
}

impl TlsStream {
    pub(super) fn new(session: impl Into<Connection>, socket: TcpStream) -> Self {
        Self {
            session: session.into(),
            wire: BufReader::with_capacity(WIRE, socket),
            client: Arc::default(),
            failed: false,
        }
    }

    /// Runs the handshake to its end, for the side that has something to say afterwards.
    pub(super) fn shake_hands(&mut self, end: Instant) -> Result<()> {
        self.send_records()?;
        while self.session.is_handshaking() {
            if Instant::now() >= end {
                return Err(Error::new(ErrorKind::TimedOut, "no TLS handshake in time"));
            }
            match self.wire.fill_buf() {
                Ok([]) => {
                    return Err(Error::new(
                        ErrorKind::UnexpectedEof,
                        "hung up within the TLS handshake",
                    ));
                }
                Ok(_) => self.advance()?,
                Err(error) if is_tick(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The version agreed on, as in `TLS 1.3`.
    #[must_use]
    pub fn version(&self) -> &'static str {
        version(&self.session)
    }

    /// A handle that tells who is at the other end, once that is known.
    #[must_use]
    pub fn client(&self) -> Arc<OnceLock<Client>> {
        self.client.clone()
    }

    /// Takes in what the wire's buffer holds, asking the socket once when it is empty.
    fn advance(&mut self) -> Result<()> {
        self.session.read_tls(&mut self.wire)?;
        if let Err(error) = self.session.process_new_packets() {
            return Err(self.fail(error));
        }
        self.send_records()?;
        if !self.session.is_handshaking() {
            let session = &self.session;
            self.client.get_or_init(|| client(session));
        }
        Ok(())
    }

    fn send_records(&mut self) -> Result<()> {
        while self.session.wants_write() {
            self.session.write_tls(&mut self.wire.get_ref())?;
        }
        Ok(())
    }

    /// Tells the peer by an alert, and the caller.
    fn fail(&mut self, error: rustls::Error) -> Error {
        let _ = self.send_records();
        self.failed = true;
        self.linger();
        let fault = match error {
            rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)
                if self.client.get().is_none() =>
            {
                Fault::NoTls
            }
            error => Fault::Tls(error),
        };
        Error::new(ErrorKind::InvalidData, fault)
    }

    /// Waits a moment for the peer to close: a connection that is closed while bytes of the peer are unread is reset,
    /// and a reset overtakes the alert that says why.
    fn linger(&mut self) {
        let socket = self.wire.get_mut();
        let _ = socket.shutdown(Shutdown::Write);
        let end = Instant::now() + GOODBYE;
        let mut ignored = [0; 4096];
        while Instant::now() < end {
            match socket.read(&mut ignored) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if is_tick(&error) => {}
                Err(_) => return,
            }
        }
    }

    /// Says that nothing more will come from here; what the peer still says can be read.
    ///
    /// # Errors
    /// What the network says.
    pub fn finish(&mut self) -> Result<()> {
        self.check()?;
        self.session.send_close_notify();
        self.send_records()?;
        self.wire.get_ref().shutdown(Shutdown::Write)
    }

    fn check(&self) -> Result<()> {
        if self.failed {
            return Err(ErrorKind::BrokenPipe.into());
        }
        Ok(())
    }
}

fn is_tick(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

fn version(session: &Connection) -> &'static str {
    match session.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
        _ => "TLS 1.2",
    }
}

fn client(session: &Connection) -> Client {
    let shown = session.peer_certificates().and_then(<[_]>::first);
    Client {
        version: version(session),
        common_name: shown
            .and_then(|der| Certificate::parse(der))
            .and_then(|c| c.common_name),
    }
}

impl Read for TlsStream {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut asked = false;
        loop {
            match self.session.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // 0: the peer has said goodbye. UnexpectedEof: it has not, it was cut off.
                end => return end,
            }
            self.check()?;
            if self.wire.buffer().is_empty() {
                if asked {
                    return Err(ErrorKind::WouldBlock.into());
                }
                asked = true;
                self.wire.fill_buf()?;
            }
            self.advance()?;
        }
    }
}

impl Write for TlsStream {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> Result<usize> {
        self.check()?;
        let taken = self.session.writer().write_vectored(parts)?;
        self.send_records()?;
        Ok(taken)
    }

    fn flush(&mut self) -> Result<()> {
        self.check()?;
        self.send_records()
    }
}

impl Transport for TlsStream {
    fn socket(&self) -> &TcpStream {
        self.wire.get_ref()
    }
}

impl Drop for TlsStream {
    /// Says goodbye: without it the peer cannot tell an end from a cut (RFC 8446 §6.1).
    fn drop(&mut self) {
        if self.failed {
            return;
        }
        let _ = self.wire.get_ref().set_write_timeout(Some(GOODBYE));
        self.session.send_close_notify();
        let _ = self.send_records();
    }
}
