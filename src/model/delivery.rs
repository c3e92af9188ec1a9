//! Deliveries: one job's result to one destination.
//!
//! ```text
//!  Waiting ──▶ Sending ──▶ Sent
//!     ▲           │  └───▶ Refused    the destination will not have it: no sense in trying again
//!     │           ▼
//!     └────── Retrying ──▶ Held       tried for `give_up`: kept for a person to decide
//! ```

use super::{AeTitle, Direction, JobId, Timestamp};

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// Not tried yet.
    Waiting,
    /// An association is open for it. After a crash: as `Waiting`, only what is not sent yet goes.
    Sending,
    /// Tried without success; again at `next_at`.
    Retrying,
    /// Every instance was accepted.
    Sent,
    /// At least one instance was refused for good.
    Refused,
    /// Given up for now, nothing dropped.
    Held,
}

impl DeliveryState {
    /// All states.
    pub const ALL: [Self; 6] = [
        Self::Waiting,
        Self::Sending,
        Self::Retrying,
        Self::Sent,
        Self::Refused,
        Self::Held,
    ];

    /// The state's name in the store and in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sending => "sending",
            Self::Retrying => "retrying",
            Self::Sent => "sent",
            Self::Refused => "refused",
            Self::Held => "held",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }

    /// Whether the worker has nothing more to do with it.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Sent | Self::Refused | Self::Held)
    }
}

/// Where one instance of a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceState {
    /// Not accepted yet.
    Waiting,
    /// The destination answered Success or a warning.
    Sent,
    /// The destination will not have it.
    Refused,
}

impl InstanceState {
    /// The state's name in the store and in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Refused => "refused",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Waiting, Self::Sent, Self::Refused]
            .into_iter()
            .find(|s| s.name() == name)
    }
}

/// One job's result to one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its number in the store.
    pub id: i64,
    /// The job whose result it is.
    pub job: JobId,
    /// The stream of that job.
    pub stream: AeTitle,
    /// AE title of the remote AE.
    pub destination: AeTitle,
    /// The route that caused it.
    pub route: String,
    /// Which directory its files are in.
    pub direction: Direction,
    /// Where it stands.
    pub state: DeliveryState,
    /// Tries so far.
    pub attempts: u32,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it is tried again.
    pub next_at: Option<Timestamp>,
    /// What went wrong last.
    pub error: Option<String>,
}

/// One object of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryInstance {
    /// The file, relative to the directory that is sent.
    pub file: String,
    /// SOP Class UID.
    pub sop_class_uid: String,
    /// SOP Instance UID.
    pub sop_instance_uid: String,
    /// Transfer Syntax UID of the file.
    pub transfer_syntax_uid: String,
    /// Where it stands.
    pub state: InstanceState,
    /// The status the destination answered, if it did.
    pub status: Option<u16>,
}
