//! Services we offer as acceptor: Verification, Storage and Storage Commitment.
//!
//! An association is a thread: it reads from a blocking socket and writes to a file, and its work is 98 % kernel time
//! (spec folder, receiving.md). The runtime only accepts connections.
//!
//! ```text
//! places.rs    how many there may be, in all and from one address
//! access.rs    who may call: the decision
//! listener.rs  connections in, associations out; listener/admission.rs: whether one is to be
//! secure.rs    the port for TLS: its certificate is watched
//! session.rs   the messages of an association
//! storage.rs   C-STORE
//! commitment/  N-ACTION, N-EVENT-REPORT
//! event.rs     what is told of an association that did not end well
//! failures.rs  what it was to bring and did not, by study
//! log_limit.rs lines of the log that peers cause, so many a minute
//! ```

mod access;
mod commitment;
mod event;
mod failures;
mod listener;
mod log_limit;
mod places;
mod secure;
mod session;
mod storage;

pub use commitment::{Commitments, Keeper};
pub use listener::{Listener, Scp};
pub use secure::SecurePort;
