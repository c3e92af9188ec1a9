//! Which abstract and transfer syntaxes are taken.

use dicom_core::dictionary::UidDictionary;
use dicom_dictionary_std::{StandardSopClassDictionary, uids};

/// Whether it is a Storage SOP class: of the dictionary's "… Storage" classes those that carry one composite or
/// non-patient object by C-STORE (PS3.4 §B.5), retired ones included.
#[must_use]
pub fn is_storage(abstract_syntax: &str) -> bool {
    let Some(entry) = StandardSopClassDictionary.by_uid(abstract_syntax) else {
        return false;
    };
    let named = entry.name.contains("Storage");
    let other_service =
        entry.name.contains("Storage Commitment") || entry.uid == uids::MEDIA_STORAGE_DIRECTORY_STORAGE;
    named && !other_service
}

/// How data sets of a transfer syntax are encoded, as far as their elements can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Implicit VR Little Endian (PS3.5 §A.1).
    ImplicitLittle,
    /// Explicit VR Little Endian, native or encapsulated (PS3.5 §A.2, §A.4).
    ExplicitLittle,
    /// Explicit VR Big Endian (retired).
    ExplicitBig,
    /// Deflated Explicit VR Little Endian (PS3.5 §A.5).
    Deflated,
}

/// The encoding of a transfer syntax of PS3.6 Annex A; `None` for one that no data set is exchanged in.
#[must_use]
pub fn encoding(transfer_syntax: &str) -> Option<Encoding> {
    match transfer_syntax {
        uids::IMPLICIT_VR_LITTLE_ENDIAN => Some(Encoding::ImplicitLittle),
        EXPLICIT_VR_BIG_ENDIAN => Some(Encoding::ExplicitBig),
        uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
        | uids::JPIP_REFERENCED_DEFLATE
        | uids::JPIPHTJ2K_REFERENCED_DEFLATE => Some(Encoding::Deflated),
        other
            if OTHERS_ARE_EXPLICIT
                .iter()
                .any(|arc| other == *arc || in_arc(other, arc)) =>
        {
            Some(Encoding::ExplicitLittle)
        }
        _ => None,
    }
}

/// Explicit VR Big Endian, retired but stored as sent.
pub const EXPLICIT_VR_BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";

/// Explicit VR little endian and everything encapsulated: JPEG, JPEG-LS, JPEG 2000, JPIP, MPEG, HEVC, HTJ2K, JPEG XL,
/// RLE, encapsulated uncompressed, deflated image frames.
const OTHERS_ARE_EXPLICIT: [&str; 5] = [
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.1.98",
    "1.2.840.10008.1.2.4",
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.8",
];

fn in_arc(uid: &str, arc: &str) -> bool {
    // 1.2.840.10008.1.2.1 itself has children of other encodings, which are listed one by one.
    arc != "1.2.840.10008.1.2.1" && uid.strip_prefix(arc).is_some_and(|rest| rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn every_transfer_syntax_of_the_dictionary_has_its_encoding() {
        for (uid, expected) in [
            ("1.2.840.10008.1.2", Some(Encoding::ImplicitLittle)),
            ("1.2.840.10008.1.2.1", Some(Encoding::ExplicitLittle)),
            ("1.2.840.10008.1.2.1.98", Some(Encoding::ExplicitLittle)),
            ("1.2.840.10008.1.2.1.99", Some(Encoding::Deflated)),
            ("1.2.840.10008.1.2.2", Some(Encoding::ExplicitBig)),
            ("1.2.840.10008.1.2.4.70", Some(Encoding::ExplicitLittle)),
            ("1.2.840.10008.1.2.4.95", Some(Encoding::Deflated)),
            ("1.2.840.10008.1.2.4.100.1", Some(Encoding::ExplicitLittle)),
            ("1.2.840.10008.1.2.4.110", Some(Encoding::ExplicitLittle)),
            ("1.2.840.10008.1.2.4.201", Some(Encoding::ExplicitLittle)),
            ("1.2.840.10008.1.2.4.205", Some(Encoding::Deflated)),
            ("1.2.840.10008.1.2.5", Some(Encoding::ExplicitLittle)),
            ("1.2.840.10008.1.2.8.1", Some(Encoding::ExplicitLittle)),
            ("1.2.840.10008.1.2.6.1", None), // MIME
            ("1.2.840.10008.1.2.7.1", None), // live video
            ("1.2.3", None),
        ] {
            assert_eq!(encoding(uid), expected, "{uid}");
        }
    }
}
