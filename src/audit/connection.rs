//! One batch of messages over one connection.
//!
//! Syslog has no answer to a message (RFC 5425 §4.3): bytes that were written may lie in a buffer of a collector that dies.
//! So a batch has a connection of its own, and counts as taken when the collector, told that nothing more comes, closes its
//! end too: it has read everything before.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use crate::config::{AuditTransport, CollectorConfig};
use crate::dicom::dial;
use crate::dicom::tls::{Connector, TlsError, TlsStream};
use crate::model::audit::framed;

/// Why a batch does not count as taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// The name has no address.
    #[error("look up {0}: it has no address")]
    NoAddress(String),
    /// The network, or the collector.
    #[error("{action} the collector {address}: {source}")]
    Network {
        /// What was done.
        action: &'static str,
        /// Host and port.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of ours.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Its end was closed by somebody else than itself.
    #[error(
        "the collector {0} was cut off before it said that it has everything (TLS close_notify); where it never says so, \
         say confirm = false in [audit]"
    )]
    Gone(String),
    /// It took the bytes and never closed its end.
    #[error(
        "the collector {address} did not close its end within {} s, so nobody knows what it has; where it never does, \
         say confirm = false in [audit]",
        limit.as_secs()
    )]
    Unconfirmed {
        /// Host and port.
        address: String,
        /// How long it had.
        limit: Duration,
    },
}

/// The longest that a read or a write waits before its deadline is looked at.
const TICK: Duration = Duration::from_millis(250);

/// Octets that IPv4 has room for in one datagram.
const LARGEST_DATAGRAM: usize = 65_507;

/// Brings messages to the collector, in their order; `Ok`: it has them all.
pub(super) fn send(config: &CollectorConfig, messages: &[Vec<u8>]) -> Result<(), SendError> {
    match &config.transport {
        AuditTransport::Udp => datagrams(config, messages),
        AuditTransport::Tcp => {
            let mut socket = connect(config)?;
            let limit = config.response;
            let bytes = Bytes::of(messages);
            bytes.write(&mut socket, config)?;
            socket
                .shutdown(Shutdown::Write)
                .map_err(network("tell", config))?;
            wait_for_the_end(&mut socket, config, limit)
        }
        AuditTransport::Tls(tls) => {
            let connector = Connector::open(tls, &config.address)?;
            let mut stream: TlsStream = connector
                .connect(connect(config)?, config.response)
                .map_err(network("begin TLS with", config))?;
            Bytes::of(messages).write(&mut stream, config)?;
            stream.finish().map_err(network("tell", config))?;
            wait_for_the_end(&mut stream, config, config.response)
        }
    }
}

fn network(action: &'static str, config: &CollectorConfig) -> impl FnOnce(std::io::Error) -> SendError {
    let address = config.address.clone();
    move |source| SendError::Network {
        action,
        address,
        source,
    }
}

fn connect(config: &CollectorConfig) -> Result<TcpStream, SendError> {
    let connected = dial::connect(&config.address, config.response).and_then(|socket| {
        socket.set_read_timeout(Some(TICK))?;
        socket.set_write_timeout(Some(config.response))?;
        Ok(socket)
    });
    connected.map_err(network("connect to", config))
}

/// The frames of a batch, one behind the other.
struct Bytes(Vec<u8>);

impl Bytes {
    fn of(messages: &[Vec<u8>]) -> Self {
        Self(messages.iter().flat_map(|message| framed(message)).collect())
    }

    fn write(&self, to: &mut impl Write, config: &CollectorConfig) -> Result<(), SendError> {
        let end = Instant::now() + config.response;
        for piece in self.0.chunks(16 * 1024) {
            if Instant::now() >= end {
                let late = std::io::Error::new(ErrorKind::TimedOut, "it takes a batch too slowly");
                return Err(network("write to", config)(late));
            }
            to.write_all(piece).map_err(network("write to", config))?;
        }
        to.flush().map_err(network("write to", config))
    }
}

/// Reads until the collector has closed its end; what it says meanwhile is of no meaning.
fn wait_for_the_end(
    from: &mut impl Read,
    config: &CollectorConfig,
    limit: Duration,
) -> Result<(), SendError> {
    if !config.confirm {
        return Ok(());
    }
    let end = Instant::now() + limit;
    let mut ignored = [0; 1024];
    while Instant::now() < end {
        match from.read(&mut ignored) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // Without the goodbye of TLS: a process that dies ends like that too.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                return Err(SendError::Gone(config.address.clone()));
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) => {}
            Err(error) => return Err(network("hear from", config)(error)),
        }
    }
    Err(SendError::Unconfirmed {
        address: config.address.clone(),
        limit,
    })
}

fn datagrams(config: &CollectorConfig, messages: &[Vec<u8>]) -> Result<(), SendError> {
    let addresses = dial::resolve(&config.address, config.response).map_err(network("look up", config))?;
    let to = *addresses
        .first()
        .ok_or_else(|| SendError::NoAddress(config.address.clone()))?;
    let own = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(own).map_err(network("connect to", config))?;
    for message in messages {
        // One that no datagram holds would be in the way of all behind it: better its beginning (RFC 5426 §3.2).
        let part = message.get(..LARGEST_DATAGRAM).unwrap_or(message);
        socket.send_to(part, to).map_err(network("write to", config))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_too_large_for_a_datagram_is_in_nobody_s_way() {
        let collector = UdpSocket::bind("127.0.0.1:0").unwrap();
        collector.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let config = CollectorConfig {
            address: collector.local_addr().unwrap().to_string(),
            transport: AuditTransport::Udp,
            confirm: true,
            response: Duration::from_secs(1),
            longest_retry: Duration::from_secs(1),
        };
        send(&config, &[vec![b'a'; 100_000], b"b".to_vec()]).unwrap();
        let mut taken = vec![0; 100_000];
        assert_eq!(collector.recv(&mut taken).unwrap(), LARGEST_DATAGRAM);
        assert_eq!(collector.recv(&mut taken).unwrap(), 1);
    }
}
