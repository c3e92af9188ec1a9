//! DIMSE statuses (PS3.7 Annex C, PS3.4 §B.2.3).

use std::fmt;

pub use crate::model::StatusClass;
use crate::model::StoreStatus;

/// A status as it stands in (0000,0900).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub u16);

impl Status {
    /// Success (PS3.7 §C.1.1).
    pub const SUCCESS: Self = Self(0x0000);
    /// Processing failure (PS3.7 §C.5).
    pub const PROCESSING_FAILURE: Self = Self(0x0110);
    /// No such SOP Instance (PS3.7 §C.5).
    pub const NO_SUCH_SOP_INSTANCE: Self = Self(0x0112);
    /// No such event type (PS3.7 §C.5).
    pub const NO_SUCH_EVENT_TYPE: Self = Self(0x0113);
    /// Invalid argument value (PS3.7 §C.5).
    pub const INVALID_ARGUMENT: Self = Self(0x0115);
    /// Class-instance conflict (PS3.7 §C.5), as a failure reason too (PS3.4 §J.3.3).
    pub const CLASS_INSTANCE_CONFLICT: Self = Self(0x0119);
    /// No such action type (PS3.7 §C.5).
    pub const NO_SUCH_ACTION: Self = Self(0x0123);
    /// Resource limitation (PS3.7 §C.5).
    pub const RESOURCE_LIMITATION: Self = Self(0x0213);
    /// Invalid SOP Instance (PS3.7 §C.5.6).
    pub const INVALID_SOP_INSTANCE: Self = Self(0x0117);
    /// SOP class not supported (PS3.7 §C.5.17).
    pub const SOP_CLASS_NOT_SUPPORTED: Self = Self(0x0122);
    /// Unrecognized operation (PS3.7 §C.5.23).
    pub const UNRECOGNIZED_OPERATION: Self = Self(0x0211);
    /// Mistyped argument (PS3.7 §C.5.15).
    pub const MISTYPED_ARGUMENT: Self = Self(0x0212);
    /// Refused: out of resources (PS3.4 §B.2.3).
    pub const OUT_OF_RESOURCES: Self = Self(0xA700);
    /// Error: data set does not match SOP class (PS3.4 §B.2.3).
    pub const DATA_SET_DOES_NOT_MATCH: Self = Self(0xA900);
    /// Error: cannot understand (PS3.4 §B.2.3).
    pub const CANNOT_UNDERSTAND: Self = Self(0xC000);

    /// Whether who answers an N-ACTION or an N-EVENT-REPORT so may take the same another time (PS3.7 §C.5): it is busy, or in
    /// trouble, as this node says it of itself.
    #[must_use]
    pub const fn is_of_the_moment(self) -> bool {
        matches!(self, Self::PROCESSING_FAILURE | Self::RESOURCE_LIMITATION)
    }

    /// Every status that we answer with: its name in the standard, and when. The conformance statement prints it.
    pub const ANSWERED: [(Self, &'static str, &'static str); 14] = [
        (
            Self::SUCCESS,
            "Success",
            "C-STORE: the object is stored as `durability` says, or was stored before with the same bytes. C-ECHO: it arrived. \
             N-ACTION, N-EVENT-REPORT: it is kept.",
        ),
        (
            Self::PROCESSING_FAILURE,
            "Processing failure",
            "N-ACTION, N-EVENT-REPORT: the job store does not answer; an N-EVENT-REPORT for a Transaction UID that nobody here \
             gave, or from another AE than was asked.",
        ),
        (
            Self::NO_SUCH_SOP_INSTANCE,
            "No such SOP Instance",
            "N-ACTION, N-EVENT-REPORT: the instance is not the well-known one of the Storage Commitment Push Model.",
        ),
        (
            Self::NO_SUCH_EVENT_TYPE,
            "No such event type",
            "An N-EVENT-REPORT of another Event Type ID than 1 and 2.",
        ),
        (
            Self::INVALID_ARGUMENT,
            "Invalid argument value",
            "N-ACTION, N-EVENT-REPORT: no or no valid Transaction UID or references, or a data set that cannot be read.",
        ),
        (
            Self::INVALID_SOP_INSTANCE,
            "Invalid SOP Instance",
            "The command has no Affected SOP Instance UID, or one that is no UID.",
        ),
        (
            Self::SOP_CLASS_NOT_SUPPORTED,
            "SOP class not supported",
            "The Affected SOP Class UID is missing or not the one of the presentation context.",
        ),
        (
            Self::NO_SUCH_ACTION,
            "No such action",
            "An N-ACTION of another Action Type ID than 1.",
        ),
        (
            Self::UNRECOGNIZED_OPERATION,
            "Unrecognized operation",
            "Any request but C-STORE, C-ECHO, N-ACTION and N-EVENT-REPORT.",
        ),
        (
            Self::MISTYPED_ARGUMENT,
            "Mistyped argument",
            "An element of the command is repeated or has a wrong length, or the group length is wrong; a C-STORE without \
             Priority or data set, a C-ECHO with a data set, an N-ACTION or N-EVENT-REPORT without one.",
        ),
        (
            Self::RESOURCE_LIMITATION,
            "Resource limitation",
            "An N-ACTION or N-EVENT-REPORT with more references than are taken at once.",
        ),
        (
            Self::OUT_OF_RESOURCES,
            "Refused: Out of resources",
            "No room on the disk, or the job store does not answer: nothing is stored, send it again later.",
        ),
        (
            Self::DATA_SET_DOES_NOT_MATCH,
            "Error: Data Set does not match SOP Class",
            "SOP Class UID or SOP Instance UID of the data set is not the one of the command.",
        ),
        (
            Self::CANNOT_UNDERSTAND,
            "Error: Cannot understand",
            "The data set is not of its transfer syntax, ends within an element, or has no Study or Series Instance UID.",
        ),
    ];

    /// What the status of a C-STORE response means for who sent the object.
    #[must_use]
    pub fn class(self) -> StatusClass {
        self.meaning().class
    }

    /// The row of this status in the table of C-STORE responses.
    #[must_use]
    pub fn meaning(self) -> StoreStatus {
        StoreStatus::of(self.0)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.0)
    }
}
