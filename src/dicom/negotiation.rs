//! What becomes of proposed presentation contexts (PS3.8 §9.3.3.2, PS3.7 §D.3.2).

use dicom_dictionary_std::uids;

use super::sop_class;
use super::upper_layer::{Acceptance, ContextResult, ProposedContext};

/// The order in which we choose where a peer offers several: what every bucket can read comes first.
const PREFERRED: [&str; 3] = [
    uids::EXPLICIT_VR_LITTLE_ENDIAN,
    uids::IMPLICIT_VR_LITTLE_ENDIAN,
    sop_class::EXPLICIT_VR_BIG_ENDIAN,
];

/// Judges every proposed context: Verification and all of Storage are taken, in any transfer syntax that a data set
/// can be stored in as it is.
#[must_use]
pub fn negotiate(proposed: &[ProposedContext]) -> Vec<Acceptance> {
    proposed.iter().map(judge).collect()
}

fn judge(context: &ProposedContext) -> Acceptance {
    let answer = |result, transfer_syntax: &str| Acceptance {
        id: context.id,
        abstract_syntax: context.abstract_syntax.clone(),
        result,
        transfer_syntax: transfer_syntax.to_owned(),
    };
    let verification = context.abstract_syntax == uids::VERIFICATION;
    // A refused context carries a transfer syntax too; it is not significant (PS3.8 §9.3.3.2).
    if !verification && !sop_class::is_storage(&context.abstract_syntax) {
        return answer(
            ContextResult::AbstractSyntaxNotSupported,
            uids::IMPLICIT_VR_LITTLE_ENDIAN,
        );
    }
    let offered = &context.transfer_syntaxes;
    let preferred = PREFERRED
        .iter()
        .find(|p| offered.iter().any(|o| o == *p))
        .copied();
    let other = || {
        offered
            .iter()
            .map(String::as_str)
            .find(|t| sop_class::encoding(t).is_some())
    };
    match preferred.or_else(other) {
        Some(chosen) => answer(ContextResult::Accepted, chosen),
        None => answer(
            ContextResult::TransferSyntaxesNotSupported,
            uids::IMPLICIT_VR_LITTLE_ENDIAN,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(abstract_syntax: &str, transfer_syntaxes: &[&str]) -> (ContextResult, String) {
        let proposed = ProposedContext {
            id: 1,
            abstract_syntax: abstract_syntax.into(),
            transfer_syntaxes: transfer_syntaxes.iter().map(|t| (*t).to_owned()).collect(),
        };
        let answer = negotiate(&[proposed]).remove(0);
        (answer.result, answer.transfer_syntax)
    }

    #[test]
    fn our_preference_counts_not_the_requestors_order() {
        let (verdict, chosen) = result(
            uids::MR_IMAGE_STORAGE,
            &["1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1"],
        );
        assert_eq!(
            (verdict, chosen.as_str()),
            (ContextResult::Accepted, "1.2.840.10008.1.2.1")
        );
    }

    #[test]
    fn a_compressed_syntax_alone_is_taken_as_it_is() {
        let (verdict, chosen) = result(uids::MR_IMAGE_STORAGE, &["1.2.840.10008.1.2.4.202"]);
        assert_eq!(
            (verdict, chosen.as_str()),
            (ContextResult::Accepted, "1.2.840.10008.1.2.4.202")
        );
    }

    #[test]
    fn an_unknown_class_and_an_unknown_syntax_are_told_apart() {
        assert_eq!(
            result("1.2.3", &["1.2.840.10008.1.2"]).0,
            ContextResult::AbstractSyntaxNotSupported
        );
        assert_eq!(
            result(uids::MR_IMAGE_STORAGE, &["1.2.3"]).0,
            ContextResult::TransferSyntaxesNotSupported
        );
        assert_eq!(
            result(uids::MR_IMAGE_STORAGE, &[]).0,
            ContextResult::TransferSyntaxesNotSupported
        );
    }
}
