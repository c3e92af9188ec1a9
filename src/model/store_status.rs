//! What the status of a C-STORE response means for the object it is about (PS3.4 §B.2.3, PS3.7 Annex C), as data.

/// What to do after a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusClass {
    /// Done.
    Success,
    /// Done, with a remark.
    Warning,
    /// It was there before, which is what was wanted.
    Duplicate,
    /// Not done; worth another try later.
    Transient,
    /// Not done; the same object would be refused again.
    Refused,
}

/// A status, or a range of them, and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreStatus {
    /// The first status of the range.
    pub first: u16,
    /// The last one.
    pub last: u16,
    /// What the standard calls it.
    pub name: &'static str,
    /// What follows.
    pub class: StatusClass,
}

const fn row(first: u16, last: u16, class: StatusClass, name: &'static str) -> StoreStatus {
    StoreStatus {
        first,
        last,
        name,
        class,
    }
}

/// A status that is in no row of the table.
const UNKNOWN: StoreStatus = row(
    0x0000,
    0xFFFF,
    StatusClass::Refused,
    "a status that no standard names",
);

/// Every status that has a meaning. The first row that has it counts.
pub const STORE_STATUSES: [StoreStatus; 23] = {
    use StatusClass::{Duplicate, Refused, Success, Transient, Warning};
    [
        row(0x0000, 0x0000, Success, "Success"),
        row(0xB000, 0xB000, Warning, "Warning: Coercion of Data Elements"),
        row(0xB006, 0xB006, Warning, "Warning: Elements Discarded"),
        row(
            0xB007,
            0xB007,
            Warning,
            "Warning: Data Set does not match SOP Class",
        ),
        row(0xB000, 0xBFFF, Warning, "Warning"),
        row(
            0x0001,
            0x0001,
            Warning,
            "Warning: Requested optional Attributes are not supported",
        ),
        row(0x0107, 0x0107, Warning, "Warning: Attribute list error"),
        row(0x0116, 0x0116, Warning, "Warning: Attribute Value out of range"),
        row(0x0111, 0x0111, Duplicate, "Duplicate SOP Instance"),
        row(0xA700, 0xA7FF, Transient, "Refused: Out of Resources"),
        row(0x0213, 0x0213, Transient, "Resource limitation"),
        row(
            0xA900,
            0xA9FF,
            Refused,
            "Error: Data Set does not match SOP Class",
        ),
        row(0xA000, 0xAFFF, Refused, "Failure"),
        row(0xC000, 0xCFFF, Refused, "Error: Cannot understand"),
        row(0x0110, 0x0110, Refused, "Processing failure"),
        row(0x0117, 0x0117, Refused, "Invalid SOP Instance"),
        row(0x0119, 0x0119, Refused, "Class-Instance conflict"),
        row(0x0122, 0x0122, Refused, "SOP Class not supported"),
        row(0x0124, 0x0124, Refused, "Refused: Not authorized"),
        row(0x0210, 0x0210, Refused, "Duplicate invocation"),
        row(0x0211, 0x0211, Refused, "Unrecognized operation"),
        row(0x0212, 0x0212, Refused, "Mistyped argument"),
        row(0xFE00, 0xFE00, Refused, "Cancel"),
    ]
};

impl StoreStatus {
    /// The row of a status.
    #[must_use]
    pub fn of(status: u16) -> Self {
        let mut rows = STORE_STATUSES.into_iter();
        rows.find(|r| (r.first..=r.last).contains(&status))
            .unwrap_or(UNKNOWN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::InstanceState;

    #[test]
    fn every_status_has_its_meaning_and_its_state() {
        use StatusClass::{Duplicate, Refused, Success, Transient, Warning};
        for (status, class, state) in [
            (0x0000, Success, InstanceState::Sent),
            (0xB000, Warning, InstanceState::SentWithWarning),
            (0xB006, Warning, InstanceState::SentWithWarning),
            (0xB007, Warning, InstanceState::SentWithWarning),
            (0xB123, Warning, InstanceState::SentWithWarning),
            (0x0001, Warning, InstanceState::SentWithWarning),
            (0x0107, Warning, InstanceState::SentWithWarning),
            (0x0116, Warning, InstanceState::SentWithWarning),
            (0x0111, Duplicate, InstanceState::Duplicate),
            (0xA700, Transient, InstanceState::Waiting),
            (0xA7FF, Transient, InstanceState::Waiting),
            (0x0213, Transient, InstanceState::Waiting),
            (0xA900, Refused, InstanceState::Refused),
            (0xA9FF, Refused, InstanceState::Refused),
            (0xA801, Refused, InstanceState::Refused),
            (0xC000, Refused, InstanceState::Refused),
            (0xCFFF, Refused, InstanceState::Refused),
            (0x0110, Refused, InstanceState::Refused),
            (0x0117, Refused, InstanceState::Refused),
            (0x0119, Refused, InstanceState::Refused),
            (0x0122, Refused, InstanceState::Refused),
            (0x0124, Refused, InstanceState::Refused),
            (0x0210, Refused, InstanceState::Refused),
            (0x0211, Refused, InstanceState::Refused),
            (0x0212, Refused, InstanceState::Refused),
            (0xFE00, Refused, InstanceState::Refused),
            (0xFF00, Refused, InstanceState::Refused),
            (0x0002, Refused, InstanceState::Refused),
        ] {
            assert_eq!(StoreStatus::of(status).class, class, "{status:04X}");
            assert_eq!(InstanceState::after(class), state, "{status:04X}");
        }
    }

    #[test]
    fn no_row_is_hidden_by_one_before_it() {
        for status in STORE_STATUSES {
            assert!(status.first <= status.last);
            let seen = (status.first..=status.last).any(|s| StoreStatus::of(s) == status);
            assert!(seen, "{}", status.name);
        }
    }
}
