//! What the node takes as SCP (the transfer capabilities of PS3.15 §H.1.2): SOP classes, each with the order in which
//! we choose its transfer syntax. A class takes every transfer syntax there is; only the order differs.

mod table;

use dicom_core::dictionary::UidDictionary;
use dicom_dictionary_std::{StandardSopClassDictionary, uids};

use super::transfer_syntax::{
    DEFLATED, ENCAPSULATED_UNCOMPRESSED, Family, LOSSLESS, LOSSY, NATIVE, REFERENCED, TransferSyntax, VIDEO,
};

pub use table::TRANSFER_CAPABILITIES;

/// One SOP class that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferCapability {
    /// SOP Class UID: the abstract syntax.
    pub sop_class: &'static str,
    /// The order of its transfer syntaxes.
    pub preference: Preference,
}

/// An order of transfer syntaxes: ours, whatever the requestor's is (PS3.8 §9.3.3.2 leaves the choice to the acceptor).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preference {
    /// Objects with pixel data, and private ones: what every bucket reads, then what loses nothing.
    Images,
    /// Video: the stream as it was recorded; unpacked it is a hundred times as large and no better.
    Videos,
    /// Objects without pixel data: codecs mean nothing to them, so packed as a whole comes before all of those.
    Others,
}

impl Preference {
    /// All orders.
    pub const ALL: [Self; 3] = [Self::Images, Self::Videos, Self::Others];

    /// The families of transfer syntaxes in this order.
    #[must_use]
    pub const fn families(self) -> [&'static Family; 7] {
        match self {
            Self::Images => [
                &NATIVE,
                &ENCAPSULATED_UNCOMPRESSED,
                &LOSSLESS,
                &DEFLATED,
                &LOSSY,
                &VIDEO,
                &REFERENCED,
            ],
            Self::Videos => [
                &VIDEO,
                &NATIVE,
                &ENCAPSULATED_UNCOMPRESSED,
                &LOSSLESS,
                &DEFLATED,
                &LOSSY,
                &REFERENCED,
            ],
            Self::Others => [
                &NATIVE,
                &DEFLATED,
                &ENCAPSULATED_UNCOMPRESSED,
                &LOSSLESS,
                &LOSSY,
                &VIDEO,
                &REFERENCED,
            ],
        }
    }

    /// The transfer syntaxes in this order.
    pub fn syntaxes(self) -> impl Iterator<Item = &'static TransferSyntax> {
        self.families().into_iter().flat_map(|family| family.syntaxes)
    }
}

/// Classes of the Non-Patient Object Storage service (PS3.4 Annex GG): their objects belong to no study, so that no bucket
/// could be called for them. They are not taken.
pub const NON_PATIENT_OBJECTS: [&str; 9] = [
    uids::CT_DEFINED_PROCEDURE_PROTOCOL_STORAGE,
    uids::PROTOCOL_APPROVAL_STORAGE,
    uids::XA_DEFINED_PROCEDURE_PROTOCOL_STORAGE,
    uids::INVENTORY_STORAGE,
    uids::HANGING_PROTOCOL_STORAGE,
    uids::COLOR_PALETTE_STORAGE,
    uids::GENERIC_IMPLANT_TEMPLATE_STORAGE,
    uids::IMPLANT_ASSEMBLY_TEMPLATE_STORAGE,
    uids::IMPLANT_TEMPLATE_GROUP_STORAGE,
];

impl TransferCapability {
    /// The row of a SOP class.
    #[must_use]
    pub fn of(sop_class: &str) -> Option<&'static Self> {
        TRANSFER_CAPABILITIES
            .iter()
            .find(|row| row.sop_class == sop_class)
    }

    /// The class's name in PS3.6.
    #[must_use]
    pub fn name(&self) -> &'static str {
        StandardSopClassDictionary
            .by_uid(self.sop_class)
            .map_or(self.sop_class, |entry| entry.name)
    }

    /// Whether the standard has given it up.
    #[must_use]
    pub fn is_retired(&self) -> bool {
        StandardSopClassDictionary
            .by_uid(self.sop_class)
            .is_some_and(|entry| entry.retired)
    }

    /// Whether its objects come by C-STORE (PS3.4 §B.5).
    #[must_use]
    pub fn is_storage(&self) -> bool {
        self.sop_class != uids::VERIFICATION
    }
}

#[cfg(test)]
mod tests;
