//! Which SOP classes are stored; the table itself is [`transfer_capability`](super::transfer_capability).

use super::transfer_capability::TransferCapability;

pub use super::transfer_syntax::{Encoding, encoding};

/// Whether the table has it as a Storage SOP class (PS3.4 §B.5).
#[must_use]
pub fn is_storage(abstract_syntax: &str) -> bool {
    TransferCapability::of(abstract_syntax).is_some_and(TransferCapability::is_storage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dicom_dictionary_std::uids;

    #[test]
    fn storage_classes_are_taken_and_other_services_are_not() {
        for uid in [
            uids::MR_IMAGE_STORAGE,
            uids::ENHANCED_MR_IMAGE_STORAGE,
            uids::SEGMENTATION_STORAGE,
            uids::HANGING_PROTOCOL_STORAGE,
            "1.2.840.10008.5.1.4.1.1.3", // retired
        ] {
            assert!(is_storage(uid), "{uid}");
        }
        for uid in [
            uids::VERIFICATION,
            uids::STORAGE_COMMITMENT_PUSH_MODEL,
            uids::MEDIA_STORAGE_DIRECTORY_STORAGE,
            uids::STUDY_ROOT_QUERY_RETRIEVE_INFORMATION_MODEL_MOVE,
            "1.2.3",
        ] {
            assert!(!is_storage(uid), "{uid}");
        }
    }
}
