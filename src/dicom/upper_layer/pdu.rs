//! Numbers of PS3.8 §9.3.

use std::fmt;

/// PDU types (PS3.8 §9.3.1).
pub mod pdu_type {
    /// A-ASSOCIATE-RQ
    pub const ASSOCIATE_RQ: u8 = 0x01;
    /// A-ASSOCIATE-AC
    pub const ASSOCIATE_AC: u8 = 0x02;
    /// A-ASSOCIATE-RJ
    pub const ASSOCIATE_RJ: u8 = 0x03;
    /// P-DATA-TF
    pub const P_DATA_TF: u8 = 0x04;
    /// A-RELEASE-RQ
    pub const RELEASE_RQ: u8 = 0x05;
    /// A-RELEASE-RP
    pub const RELEASE_RP: u8 = 0x06;
    /// A-ABORT
    pub const ABORT: u8 = 0x07;
}

/// A-RELEASE-RP, whole.
pub const RELEASE_RP: [u8; 10] = [pdu_type::RELEASE_RP, 0, 0, 0, 0, 4, 0, 0, 0, 0];

/// A-RELEASE-RQ, whole.
pub const RELEASE_RQ: [u8; 10] = [pdu_type::RELEASE_RQ, 0, 0, 0, 0, 4, 0, 0, 0, 0];

/// The reason of an A-ABORT by the service provider (PS3.8 §9.3.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbortReason {
    /// reason-not-specified
    NotSpecified = 0,
    /// unrecognized-PDU
    UnrecognizedPdu = 1,
    /// unexpected-PDU
    UnexpectedPdu = 2,
    /// invalid-PDU-parameter value
    InvalidParameter = 6,
}

/// A-ABORT, whole: by the service provider with a reason, or by the service user without.
pub const fn abort(reason: Option<AbortReason>) -> [u8; 10] {
    let (source, reason) = match reason {
        Some(reason) => (2, reason as u8),
        None => (0, 0),
    };
    [pdu_type::ABORT, 0, 0, 0, 0, 4, 0, 0, source, reason]
}

/// Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 §9.3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// 1 permanent, 2 transient.
    pub result: u8,
    /// 1 service user, 2 provider (ACSE), 3 provider (presentation).
    pub source: u8,
    /// By source.
    pub reason: u8,
}

impl Rejection {
    /// application-context-name-not-supported
    pub const APPLICATION_CONTEXT: Self = Self {
        result: 1,
        source: 1,
        reason: 2,
    };
    /// called-AE-title-not-recognized
    pub const CALLED_AE_TITLE: Self = Self {
        result: 1,
        source: 1,
        reason: 7,
    };
    /// calling-AE-title-not-recognized
    pub const CALLING_AE_TITLE: Self = Self {
        result: 1,
        source: 1,
        reason: 3,
    };
    /// protocol-version-not-supported
    pub const PROTOCOL_VERSION: Self = Self {
        result: 1,
        source: 2,
        reason: 2,
    };
    /// temporary-congestion: the node is stopping or short of something
    pub const CONGESTION: Self = Self {
        result: 2,
        source: 3,
        reason: 1,
    };
    /// local-limit-exceeded: as many associations as may be open
    pub const LOCAL_LIMIT: Self = Self {
        result: 2,
        source: 3,
        reason: 2,
    };

    /// The whole PDU.
    #[must_use]
    pub const fn encode(self) -> [u8; 10] {
        [
            pdu_type::ASSOCIATE_RJ,
            0,
            0,
            0,
            0,
            4,
            0,
            self.result,
            self.source,
            self.reason,
        ]
    }

    /// Whether the same request may be taken later.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        self.result == 2
    }

    /// Whether it is worth asking again: also where a peer calls permanent what passes by its reason, congestion and limits
    /// (PS3.8 §9.3.4, source 3).
    #[must_use]
    pub const fn may_pass(self) -> bool {
        self.is_transient() || matches!((self.source, self.reason), (3, 1 | 2))
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match (self.source, self.reason) {
            (1, 2) => "application context name not supported",
            (1, 3) => "calling AE title not recognized",
            (1, 7) => "called AE title not recognized",
            (2, 2) => "protocol version not supported",
            (3, 1) => "temporary congestion",
            (3, 2) => "local limit exceeded",
            _ => "no reason given",
        };
        write!(f, "{text} ({}/{}/{})", self.result, self.source, self.reason)
    }
}

/// Result of a presentation context in A-ASSOCIATE-AC (PS3.8 §9.3.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContextResult {
    /// acceptance
    Accepted = 0,
    /// user-rejection: none of the roles proposed for it can be met
    UserRejection = 1,
    /// abstract-syntax-not-supported
    AbstractSyntaxNotSupported = 3,
    /// transfer-syntaxes-not-supported
    TransferSyntaxesNotSupported = 4,
}
