//! How an association ended that did not end well.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Timestamp, Uid};

/// How an association ended, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssociationOutcome {
    /// It was refused: A-ASSOCIATE-RJ.
    Rejected,
    /// The peer sent A-ABORT.
    Aborted,
    /// The peer closed or reset the connection without a release.
    Closed,
    /// The peer sent what PS3.8 or PS3.7 do not allow, and was sent A-ABORT.
    ProtocolError,
    /// The peer was silent, or slow, too long.
    TimedOut,
    /// TLS did not come about.
    TlsFailed,
    /// It was released in order, but not every object was stored.
    ObjectsRefused,
    /// The network failed.
    NetworkError,
    /// This node was stopping.
    Stopped,
    /// This node failed.
    Failed,
}

impl AssociationOutcome {
    /// Every one.
    pub const ALL: [Self; 10] = [
        Self::Rejected,
        Self::Aborted,
        Self::Closed,
        Self::ProtocolError,
        Self::TimedOut,
        Self::TlsFailed,
        Self::ObjectsRefused,
        Self::NetworkError,
        Self::Stopped,
        Self::Failed,
    ];

    /// The word in the store and in the API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Aborted => "aborted",
            Self::Closed => "closed",
            Self::ProtocolError => "protocol_error",
            Self::TimedOut => "timed_out",
            Self::TlsFailed => "tls_failed",
            Self::ObjectsRefused => "objects_refused",
            Self::NetworkError => "network_error",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }
}

/// Objects of one study that an association was to bring and did not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailedObjects {
    /// Study Instance UID; absent where it could not be read, or where more studies failed than are told apart.
    pub study: Option<Uid>,
    /// Patient ID, empty where it is not known: for the audit trail only.
    pub patient_id: String,
    /// How many objects of which SOP class, as far as that is known.
    pub sop_classes: BTreeMap<Uid, u64>,
    /// How many were answered with which status.
    pub statuses: BTreeMap<u16, u64>,
    /// How many had no answer: the association broke while they came.
    pub cut_off: u64,
}

impl FailedObjects {
    /// None yet, of a study and its patient.
    #[must_use]
    pub fn of(whose: Option<(Uid, String)>) -> Self {
        let (study, patient_id) = whose.unzip();
        Self {
            study,
            patient_id: patient_id.unwrap_or_default(),
            ..Self::default()
        }
    }
}

/// The event of an association that was refused, ended badly, or had objects refused. Nothing in it is a patient's but
/// what `failed` says for the audit trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssociationEnd {
    /// When it ended.
    pub at: Timestamp,
    /// Its number, unique while the node runs; 1 follows a start.
    pub association: u64,
    /// The peer's address.
    pub address: IpAddr,
    /// The calling AE title as the peer gave it, printable, without padding; absent when it never came to a request.
    pub calling: Option<String>,
    /// The called AE title, likewise.
    pub called: Option<String>,
    /// Whether it ran over TLS.
    pub tls: bool,
    /// Whether it was turned away for who it is: its AE title, its address, its certificate.
    pub stranger: bool,
    /// How it ended.
    pub outcome: AssociationOutcome,
    /// Why, for people.
    pub reason: String,
    /// Objects stored.
    pub stored: u64,
    /// Objects refused.
    pub refused: u64,
    /// The status of the last refusal and its reason.
    pub last_refusal: Option<(u16, String)>,
    /// Bytes of the data sets stored.
    pub bytes: u64,
    /// What it was to bring and did not, by study.
    pub failed: Vec<FailedObjects>,
}
