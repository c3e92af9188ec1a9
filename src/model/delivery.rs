//! Deliveries: one job's result to one destination.

use super::{
    AeTitle, DeliveryState, Direction, FailureReason, GateMode, GateState, JobId, RemoteAe, RunTime,
    StatusClass, Timestamp,
};

/// Where one instance of a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceState {
    /// Not accepted yet; with a status: the last one, which may pass.
    Waiting,
    /// The destination answered Success.
    Sent,
    /// The destination has it and answered a warning.
    SentWithWarning,
    /// The destination had it before.
    Duplicate,
    /// The destination will not have it.
    Refused,
}

impl InstanceState {
    /// All states.
    pub const ALL: [Self; 5] = [
        Self::Waiting,
        Self::Sent,
        Self::SentWithWarning,
        Self::Duplicate,
        Self::Refused,
    ];

    /// The state's name in the store and in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::SentWithWarning => "sent-with-warning",
            Self::Duplicate => "duplicate",
            Self::Refused => "refused",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }

    /// Where an instance stands after a response of this class.
    #[must_use]
    pub const fn after(class: StatusClass) -> Self {
        match class {
            StatusClass::Success => Self::Sent,
            StatusClass::Warning => Self::SentWithWarning,
            StatusClass::Duplicate => Self::Duplicate,
            StatusClass::Transient => Self::Waiting,
            StatusClass::Refused => Self::Refused,
        }
    }

    /// Whether the destination has it.
    #[must_use]
    pub const fn is_there(self) -> bool {
        matches!(self, Self::Sent | Self::SentWithWarning | Self::Duplicate)
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
    /// The study that the job received.
    pub study_instance_uid: String,
    /// AE title of the remote AE, or the name of another destination.
    pub destination: AeTitle,
    /// Where that is, if the rule said so; else the `[[remote_ae]]` of that AE title does.
    pub remote: Option<RemoteAe>,
    /// The delivery that had to fail before this one, by its number.
    pub after: Option<i64>,
    /// The route that caused it.
    pub route: String,
    /// Which directory its files are in.
    pub direction: Direction,
    /// Where it stands.
    pub state: DeliveryState,
    /// Tries so far.
    pub attempts: u32,
    /// Of those, the ones before an operator sent it again, or released it or its job: the waits begin anew from there.
    pub attempts_before: u32,
    /// When it was created.
    pub created_at: Timestamp,
    /// Its first attempt since then, or since an operator sent it again or released its job: `give_up` runs from there, while
    /// the node does.
    pub tried: Option<RunTime>,
    /// When it is tried again.
    pub next_at: Option<Timestamp>,
    /// What went wrong last.
    pub error: Option<String>,
    /// Attempts in a row that ended by an answer to something else than was sent.
    pub faults: u32,
    /// How its objects are held against their input before they leave.
    pub gate: GateMode,
    /// What came of that.
    pub gate_state: GateState,
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
    /// The status the destination answered last, if it did.
    pub status: Option<u16>,
    /// Whether the destination keeps it: 0, or why not (Failure Reason, PS3.3 §C.14.1.1); none: it has not said.
    pub commitment: Option<u16>,
    /// Why it is refused or waits, for people; the peer's comment with it.
    pub reason: Option<String>,
}

impl DeliveryInstance {
    /// Why the destination does not keep it; `None` where it does, or has not said.
    #[must_use]
    pub fn not_committed(&self) -> Option<&'static str> {
        self.commitment
            .filter(|reason| *reason != 0)
            .map(|reason| FailureReason(reason).text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for state in InstanceState::ALL {
            assert_eq!(InstanceState::from_name(state.name()), Some(state));
        }
    }
}
