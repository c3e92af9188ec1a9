//! Requests of peers for storage commitment (PS3.4 Annex J).
//!
//! ```text
//!  Received ──────▶ Checked ──────▶ Answered
//!    objects looked at  │  N-EVENT-REPORT taken
//!                       └─────────▶ Unanswered   tried for `give_up`, or nobody knows where the peer is
//! ```
//!
//! The same request again begins anew, whatever became of it before.

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitmentState {
    /// Taken; its objects are still to be looked at.
    Received,
    /// It is known which objects are committed; the peer is still to be told.
    Checked,
    /// The peer was told.
    Answered,
    /// The peer could not be told. What is committed stays so.
    Unanswered,
}

impl CommitmentState {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Received, Self::Checked, Self::Answered, Self::Unanswered];

    /// The state's name in the store and in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Checked => "checked",
            Self::Answered => "answered",
            Self::Unanswered => "unanswered",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }
}

/// Why an object is not committed: Failure Reason (0008,1197), PS3.3 §C.14.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureReason(pub u16);

impl FailureReason {
    /// Processing failure: it is here and could not be looked at.
    pub const PROCESSING_FAILURE: Self = Self(0x0110);
    /// No such object instance.
    pub const NO_SUCH_INSTANCE: Self = Self(0x0112);
    /// Its SOP class is another one.
    pub const CLASS_INSTANCE_CONFLICT: Self = Self(0x0119);

    /// What the reason says, for people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self.0 {
            0x0110 => "processing failure",
            0x0112 => "no such object instance",
            0x0119 => "class/instance conflict",
            0x0122 => "referenced SOP class not supported",
            0x0131 => "duplicate transaction UID",
            0x0213 => "resource limitation",
            _ => "a reason of its own",
        }
    }
}
