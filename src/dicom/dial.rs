//! A connection to a peer by its name, within one deadline for all: the name, and every address that it has.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// Connects to `HOST:PORT`.
///
/// # Errors
/// What the last address that was tried said; [`ErrorKind::TimedOut`] when the name is not resolved within `limit`, which
/// the system itself does not bound.
pub fn connect(address: &str, limit: Duration) -> io::Result<TcpStream> {
    let end = Instant::now() + limit;
    let left = || end.saturating_duration_since(Instant::now());
    let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
    let addresses = resolve(address, limit)?;
    let mut to_try = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for address in addresses {
        // One address that says nothing does not take the time of the others; nothing left is not "as long as it takes".
        let share = (left() / to_try.max(1)).max(Duration::from_millis(1));
        to_try = to_try.saturating_sub(1);
        match TcpStream::connect_timeout(&address, share) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The addresses of `HOST:PORT`. A resolver that does not answer is left alone: its thread ends when the system gives up.
///
/// # Errors
/// [`ErrorKind::TimedOut`] without an answer within `limit`; what the system says.
pub fn resolve(address: &str, limit: Duration) -> io::Result<Vec<SocketAddr>> {
    if let Ok(literal) = address.parse() {
        return Ok(vec![literal]);
    }
    let (found, told) = mpsc::sync_channel(1);
    let name = address.to_owned();
    thread::Builder::new().name("resolve".to_owned()).spawn(move || {
        let _ = found.send(name.to_socket_addrs().map(Iterator::collect));
    })?;
    match told.recv_timeout(limit) {
        Ok(addresses) => addresses,
        Err(RecvTimeoutError::Timeout) => Err(io::Error::new(
            ErrorKind::TimedOut,
            "its name was not resolved in time",
        )),
        Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("its name was not resolved")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    const LIMIT: Duration = Duration::from_secs(30);

    #[test]
    fn a_name_is_tried_by_all_its_addresses() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["127.0.0.1", "localhost"] {
            let socket = connect(&format!("{host}:{port}"), LIMIT).unwrap();
            assert_eq!(socket.peer_addr().unwrap().port(), port, "{host}");
        }
    }

    #[test]
    fn nobody_and_nonsense_are_told_apart() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let said = |address: &str| connect(address, LIMIT).unwrap_err().kind();
        assert_eq!(said(&free.to_string()), ErrorKind::ConnectionRefused);
        assert_eq!(said("no port"), ErrorKind::InvalidInput);
    }

    #[test]
    fn no_time_is_no_time() {
        // An address of documentation (RFC 5737): nobody answers there.
        let asked = Instant::now();
        assert!(connect("192.0.2.255:104", Duration::ZERO).is_err());
        assert!(asked.elapsed() < LIMIT);
    }
}
