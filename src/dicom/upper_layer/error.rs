//! Why an association ended other than by release; sorted by whose doing it was.

use std::time::Duration;

use super::pdu::{AbortReason, Rejection};

/// The end of a connection that was not asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    // The peer's.
    /// The peer sent what PS3.8 does not allow; it gets an A-ABORT.
    #[error("the peer broke the protocol: {detail}")]
    Protocol {
        /// The reason in our A-ABORT.
        reason: AbortReason,
        /// What it was.
        detail: String,
    },
    /// The peer closed or reset the connection.
    #[error("the peer closed the connection")]
    Closed,
    /// The peer sent A-ABORT.
    #[error("the peer aborted: source {source_of_abort}, reason {reason}")]
    Aborted {
        /// 0 service user, 2 service provider.
        source_of_abort: u8,
        /// PS3.8 §9.3.8.
        reason: u8,
    },
    /// The peer was silent too long.
    #[error("the peer did not {expected} within {} s", limit.as_secs())]
    TimedOut {
        /// What was waited for.
        expected: &'static str,
        /// How long.
        limit: Duration,
    },
    /// The peer refused our association.
    #[error("the association was rejected: {0}")]
    Rejected(Rejection),

    // Ours.
    /// We refused the association; its answer has been sent.
    #[error("refused: {0}")]
    Refused(Rejection),
    /// This node is stopping and the time for open associations is over.
    #[error("this node is stopping")]
    Stopping,
    /// The network failed.
    #[error("the network: {0}")]
    Io(#[from] std::io::Error),
    /// This node could not do its part, so that the association must not end as if it had.
    #[error("this node: {0}")]
    Local(String),
    /// dicom-ul would not encode one of our PDUs.
    #[error("encode a PDU: {0}")]
    Encode(String),
}

impl Error {
    pub(super) fn protocol(reason: AbortReason, detail: impl Into<String>) -> Self {
        Self::Protocol {
            reason,
            detail: detail.into(),
        }
    }
}
