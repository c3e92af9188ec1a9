//! DIMSE statuses (PS3.7 Annex C, PS3.4 §B.2.3).

use std::fmt;

/// A status as it stands in (0000,0900).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub u16);

impl Status {
    /// Success.
    pub const SUCCESS: Self = Self(0x0000);
    /// The SOP Instance UID breaks the rules for UIDs (PS3.7 §C.5.6).
    pub const INVALID_SOP_INSTANCE: Self = Self(0x0117);
    /// A required element of the command is missing (PS3.7 §C.5.9, Missing Attribute).
    pub const MISSING_ATTRIBUTE: Self = Self(0x0120);
    /// The SOP class is not the one of the presentation context (PS3.7 §C.5.17).
    pub const SOP_CLASS_NOT_SUPPORTED: Self = Self(0x0122);
    /// No such operation (PS3.7 §C.5.23).
    pub const UNRECOGNIZED_OPERATION: Self = Self(0x0211);
    /// Out of resources (PS3.4 §B.2.3).
    pub const OUT_OF_RESOURCES: Self = Self(0xA700);
    /// The data set does not match the SOP class or instance of the command (PS3.4 §B.2.3).
    pub const DATA_SET_DOES_NOT_MATCH: Self = Self(0xA900);
    /// The data set cannot be understood (PS3.4 §B.2.3).
    pub const CANNOT_UNDERSTAND: Self = Self(0xC000);

    /// What the status of a C-STORE response means for who sent the object.
    #[must_use]
    pub const fn class(self) -> StatusClass {
        match self.0 {
            0x0000 => StatusClass::Success,
            // Coercion of data elements, elements discarded, data set does not match (as a warning); PS3.7 §C.1.
            0x0001 | 0x0107 | 0x0116 | 0xB000..=0xBFFF => StatusClass::Warning,
            // Duplicate SOP Instance: it is there, which is what was wanted.
            0x0111 => StatusClass::Warning,
            0xA700..=0xA7FF | 0x0213 => StatusClass::Transient,
            _ => StatusClass::Refused,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.0)
    }
}

/// What to do after a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusClass {
    /// Done.
    Success,
    /// Done, with a remark.
    Warning,
    /// Not done; worth another try later.
    Transient,
    /// Not done; the same object would be refused again.
    Refused,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_of_a_c_store_response_has_its_meaning() {
        for (status, class) in [
            (0x0000, StatusClass::Success),
            (0xB000, StatusClass::Warning),
            (0xB007, StatusClass::Warning),
            (0x0111, StatusClass::Warning),
            (0xA700, StatusClass::Transient),
            (0xA701, StatusClass::Transient),
            (0x0213, StatusClass::Transient),
            (0xA900, StatusClass::Refused),
            (0xC000, StatusClass::Refused),
            (0x0122, StatusClass::Refused),
            (0x0117, StatusClass::Refused),
            (0x0124, StatusClass::Refused),
        ] {
            assert_eq!(Status(status).class(), class, "{status:04X}");
        }
    }
}
