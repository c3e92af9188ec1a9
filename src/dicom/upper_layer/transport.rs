//! What carries an association: a TCP connection, bare or under TLS.

use std::fmt::Debug;
use std::io::{Read, Write};
use std::net::TcpStream;

/// A blocking stream of bytes over a TCP connection.
///
/// Reading blocks at most as long as the connection's read timeout says; `WouldBlock` and `TimedOut` then mean that
/// nothing came, not that anything is wrong.
pub trait Transport: Read + Write + Send + Debug {
    /// The connection below: its options, its addresses.
    fn socket(&self) -> &TcpStream;
}

impl Transport for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}
