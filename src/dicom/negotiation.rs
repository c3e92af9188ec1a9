//! What becomes of proposed presentation contexts (PS3.8 §9.3.3.2, PS3.7 §D.3.2): the only judge of what is taken.

use dicom_core::dictionary::UidDictionary;
use dicom_dictionary_std::{StandardSopClassDictionary, uids};

use super::commitment;
use super::transfer_capability::{Preference, TransferCapability};
use super::upper_layer::{Acceptance, ContextResult, ProposedContext};

/// Judges every proposed context by [`TRANSFER_CAPABILITIES`](super::transfer_capability::TRANSFER_CAPABILITIES); of
/// several transfer syntaxes ours is the choice.
///
/// `also_storage` says of a class that the standard does not know whether it is stored too: the configuration's
/// private classes, and those that the requestor declares as Storage (PS3.7 §D.3.3.6). What is accepted is Verification,
/// Storage Commitment, or is stored by C-STORE.
#[must_use]
pub fn negotiate(proposed: &[ProposedContext], also_storage: impl Fn(&str) -> bool) -> Vec<Acceptance> {
    proposed
        .iter()
        .map(|context| judge(context, &also_storage))
        .collect()
}

fn judge(context: &ProposedContext, also_storage: &impl Fn(&str) -> bool) -> Acceptance {
    let answer = |result, transfer_syntax: &str| Acceptance {
        id: context.id,
        abstract_syntax: context.abstract_syntax.clone(),
        result,
        transfer_syntax: transfer_syntax.to_owned(),
    };
    let offered = |uid: &str| context.transfer_syntaxes.iter().any(|o| o == uid);
    // A refused context carries a transfer syntax too; it is not significant (PS3.8 §9.3.3.2).
    let refused = |result| answer(result, uids::IMPLICIT_VR_LITTLE_ENDIAN);
    if context.abstract_syntax == commitment::SOP_CLASS {
        let ours = commitment::TRANSFER_SYNTAXES.into_iter().find(|uid| offered(uid));
        return ours.map_or_else(
            || refused(ContextResult::TransferSyntaxesNotSupported),
            |chosen| answer(ContextResult::Accepted, chosen),
        );
    }
    let Some(preference) = preference(&context.abstract_syntax, also_storage) else {
        return refused(ContextResult::AbstractSyntaxNotSupported);
    };
    match preference.syntaxes().find(|ours| offered(ours.uid)) {
        Some(chosen) => answer(ContextResult::Accepted, chosen.uid),
        None => refused(ContextResult::TransferSyntaxesNotSupported),
    }
}

/// The order in which a class's transfer syntaxes are chosen; `None`: the class is not taken.
fn preference(abstract_syntax: &str, also_storage: &impl Fn(&str) -> bool) -> Option<Preference> {
    if let Some(row) = TransferCapability::of(abstract_syntax) {
        return Some(row.preference);
    }
    // Whoever declares a service of the standard as Storage is not believed: its operations are not C-STORE.
    let of_another_service = StandardSopClassDictionary.by_uid(abstract_syntax).is_some();
    (!of_another_service && also_storage(abstract_syntax)).then_some(Preference::Images)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIVATE: &str = "1.2.840.113619.4.30";

    fn result(abstract_syntax: &str, transfer_syntaxes: &[&str]) -> (ContextResult, String) {
        let proposed = ProposedContext {
            id: 1,
            abstract_syntax: abstract_syntax.into(),
            transfer_syntaxes: transfer_syntaxes.iter().map(|t| (*t).to_owned()).collect(),
        };
        let also = |class: &str| class == PRIVATE || class == uids::MODALITY_WORKLIST_INFORMATION_MODEL_FIND;
        let answer = negotiate(&[proposed], also).remove(0);
        (answer.result, answer.transfer_syntax)
    }

    #[track_caller]
    fn accepted(abstract_syntax: &str, transfer_syntaxes: &[&str], chosen: &str) {
        let expected = (ContextResult::Accepted, chosen.to_owned());
        assert_eq!(result(abstract_syntax, transfer_syntaxes), expected);
    }

    #[test]
    fn our_preference_counts_not_the_requestors_order() {
        let (rle, explicit) = (uids::RLE_LOSSLESS, uids::EXPLICIT_VR_LITTLE_ENDIAN);
        accepted(uids::MR_IMAGE_STORAGE, &[rle, explicit], explicit);
        let (lossy, lossless) = (uids::JPEG_BASELINE8_BIT, uids::JPEG_LOSSLESS_SV1);
        accepted(uids::MR_IMAGE_STORAGE, &[lossy, rle, lossless], lossless);
        accepted(
            uids::VERIFICATION,
            &[uids::IMPLICIT_VR_LITTLE_ENDIAN, explicit],
            explicit,
        );
    }

    #[test]
    fn preference_is_per_class() {
        let offered = [
            uids::JPEG_LOSSLESS_SV1,
            uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
            uids::MPEG2MPHL,
        ];
        accepted(uids::CT_IMAGE_STORAGE, &offered, uids::JPEG_LOSSLESS_SV1);
        accepted(
            uids::KEY_OBJECT_SELECTION_DOCUMENT_STORAGE,
            &offered,
            uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
        );
        let offered = [uids::EXPLICIT_VR_LITTLE_ENDIAN, uids::MPEG2MPHL];
        accepted(uids::VIDEO_PHOTOGRAPHIC_IMAGE_STORAGE, &offered, uids::MPEG2MPHL);
    }

    #[test]
    fn storage_commitment_is_spoken_in_little_endian_and_nothing_else() {
        let (implicit, explicit) = (uids::IMPLICIT_VR_LITTLE_ENDIAN, uids::EXPLICIT_VR_LITTLE_ENDIAN);
        accepted(commitment::SOP_CLASS, &[implicit, explicit], explicit);
        accepted(commitment::SOP_CLASS, &[uids::RLE_LOSSLESS, implicit], implicit);
        assert_eq!(
            result(commitment::SOP_CLASS, &[uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN]).0,
            ContextResult::TransferSyntaxesNotSupported
        );
    }

    #[test]
    fn every_syntax_alone_is_taken_as_it_is_by_every_class() {
        for row in crate::dicom::transfer_capability::TRANSFER_CAPABILITIES {
            for syntax in Preference::Images.syntaxes() {
                accepted(row.sop_class, &[syntax.uid], syntax.uid);
            }
        }
    }

    #[test]
    fn an_unknown_class_and_an_unknown_syntax_are_told_apart() {
        let unknown = |class: &str, syntaxes: &[&str]| result(class, syntaxes).0;
        assert_eq!(
            unknown("1.2.3", &["1.2.840.10008.1.2"]),
            ContextResult::AbstractSyntaxNotSupported
        );
        for none_of_ours in [&["1.2.3"][..], &["1.2.840.10008.1.2.7.1"], &[]] {
            assert_eq!(
                unknown(uids::MR_IMAGE_STORAGE, none_of_ours),
                ContextResult::TransferSyntaxesNotSupported
            );
        }
    }

    #[test]
    fn a_private_class_is_taken_like_an_image_and_another_service_never() {
        let offered = [uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, uids::JPEG2000_LOSSLESS];
        accepted(PRIVATE, &offered, uids::JPEG2000_LOSSLESS);
        assert_eq!(
            result(uids::MODALITY_WORKLIST_INFORMATION_MODEL_FIND, &offered).0,
            ContextResult::AbstractSyntaxNotSupported
        );
    }
}
