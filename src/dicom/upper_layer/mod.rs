//! The DICOM upper layer (PS3.8 §9) over a blocking socket.
//!
//! `dicom-ul` encodes the PDUs of association control. What runs on the socket is ours: deadlines, limits, and P-DATA
//! that goes from the socket's buffer to its destination without being collected.
//!
//! ```text
//! pdu              PDU types, abort and reject reasons, as numbers of the standard
//! state            PS3.8 §9.2 as data: states, events, actions
//! framing          P-DATA-TF and its values, a pure machine
//! associate_rq     A-ASSOCIATE-RQ, read the tolerant way the standard asks for
//! user_information what it says of its sender, and our answers
//! transport        TCP, or TLS over it
//! deadline         until when, and what for
//! connection       the socket: buffer, deadlines, PDU headers, sending
//! acceptor         a connection becomes an association, or is refused
//! requestor        an association is asked for
//! association      an open association: fragments in
//! sending          messages out, as many PDUs in one write as there are bytes
//! data_set         a data set from the socket into a sink
//! ending           release, abort, reject, and the wait for the peer to close
//! ```

mod acceptor;
mod associate_rq;
mod association;
mod connection;
mod data_set;
mod deadline;
mod ending;
mod error;
pub mod framing;
mod pdu;
mod requestor;
mod sending;
pub mod state;
mod transport;
mod user_information;

use std::time::Duration;

pub use acceptor::{Acceptance, accept};
pub use associate_rq::{AssociateRq, ProposedContext};
pub use association::{Association, Context, Event, Fragment};
pub use connection::{Connection, Stop};
pub use data_set::{Nowhere, Sink};
pub use deadline::Deadline;
pub use ending::Closing;
pub use error::Error;
pub use pdu::{AbortReason, ContextResult, Rejection};
pub use requestor::{Proposal, request};
pub use transport::Transport;
pub use user_information::{Role, UserInformation};

/// The DICOM application context (PS3.7 §A.2.1).
pub const APPLICATION_CONTEXT: &str = "1.2.840.10008.3.1.1.1";

/// How long an association waits for what, and how much it takes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// ARTIM: the whole first PDU; the peer's close at the end (PS3.8 §9.1.5).
    pub artim: Duration,
    /// A byte from the peer while the association is open.
    pub idle: Duration,
    /// One message, from the first byte of its command to the last of its data set.
    pub object: Duration,
    /// The maximum length we offer, in bytes (PS3.8 §D.1).
    pub maximum_pdu: u32,
    /// The longest A-ASSOCIATE-RQ or -AC that is read, in bytes.
    pub associate_request: u32,
    /// Operations a peer may have outstanding (PS3.7 §D.3.3.3).
    pub asynchronous_operations: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            artim: Duration::from_secs(30),
            idle: Duration::from_secs(600),
            object: Duration::from_secs(3600),
            maximum_pdu: 128 * 1024,
            associate_request: 128 * 1024,
            asynchronous_operations: 16,
        }
    }
}

#[cfg(test)]
mod tests;
