//! Services we offer as acceptor: Verification and Storage.
//!
//! An association is a thread: it reads from a blocking socket and writes to a file, and its work is 98 % kernel time
//! (spec folder, receiving.md). The runtime only accepts connections.

mod listener;
mod secure;
mod session;
mod storage;

pub use listener::{Listener, Scp};
pub use secure::SecurePort;
