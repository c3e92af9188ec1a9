//! The DICOM upper layer (PS3.8 §9) over a blocking socket.
//!
//! `dicom-ul` encodes and decodes the PDUs of association control. What runs on the socket is ours: deadlines,
//! limits, and P-DATA that goes from the socket's buffer to its destination without being collected.
//!
//! ```text
//! pdu.rs          PDU types, abort and reject reasons, as numbers of the standard
//! associate_rq.rs A-ASSOCIATE-RQ, read the tolerant way the standard asks for
//! connection.rs   the socket: buffer, deadlines, PDU and PDV framing, sending
//! acceptor.rs     a connection becomes an association, or is refused
//! requestor.rs    an association is asked for
//! association.rs  an open association: fragments in, messages out, release, abort
//! ```

mod acceptor;
mod associate_rq;
mod association;
mod connection;
mod error;
mod pdu;
mod requestor;

pub use acceptor::{Acceptance, accept};
pub use associate_rq::{AssociateRq, ProposedContext};
pub use association::{Association, Context, Event, Fragment};
pub use connection::{Connection, Stop, Timeouts};
pub use error::Error;
pub use pdu::{AbortReason, ContextResult, Rejection};
pub use requestor::{Proposal, request};

/// The DICOM application context (PS3.7 §A.2.1).
pub const APPLICATION_CONTEXT: &str = "1.2.840.10008.3.1.1.1";

/// The maximum PDU length we offer, in bytes: larger gains nothing, smaller costs system calls.
pub const MAXIMUM_PDU_OFFERED: u32 = 128 * 1024;

#[cfg(test)]
mod tests;
