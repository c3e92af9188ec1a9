use std::collections::BTreeSet;

use super::*;
use crate::dicom::transfer_syntax::FAMILIES;

#[test]
fn no_class_stands_there_twice() {
    let classes: BTreeSet<_> = TRANSFER_CAPABILITIES.iter().map(|row| row.sop_class).collect();
    assert_eq!(classes.len(), TRANSFER_CAPABILITIES.len());
}

#[test]
fn the_rows_stand_in_the_order_of_their_uids() {
    let numbers = |uid: &str| -> Vec<u32> { uid.split('.').map(|n| n.parse().unwrap()).collect() };
    assert!(TRANSFER_CAPABILITIES.is_sorted_by_key(|row| numbers(row.sop_class)));
}

#[test]
fn every_storage_class_of_the_dictionary_is_taken_and_nothing_else_of_it() {
    // The dictionary can be asked but not listed; its Debug output tells all of it.
    let dictionary = format!("{:?}", dicom_dictionary_std::sop_class::registry());
    let known: BTreeSet<_> = dictionary
        .split("uid: \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter_map(|uid| StandardSopClassDictionary.by_uid(uid))
        .collect::<Vec<_>>()
        .iter()
        // Neither is stored by C-STORE: a service on stored objects, and a medium's directory.
        .filter(|entry| entry.name.contains("Storage") && !entry.name.contains("Storage Commitment"))
        .filter(|entry| entry.uid != uids::MEDIA_STORAGE_DIRECTORY_STORAGE)
        .filter(|entry| !NON_PATIENT_OBJECTS.contains(&entry.uid))
        .map(|entry| entry.uid)
        .collect();
    let taken: BTreeSet<_> = TRANSFER_CAPABILITIES
        .iter()
        .filter(|row| row.is_storage())
        .map(|row| row.sop_class)
        .collect();
    assert!(
        NON_PATIENT_OBJECTS
            .iter()
            .all(|uid| StandardSopClassDictionary.by_uid(uid).is_some())
    );
    assert!(known.len() > 200, "the dictionary tells {}", known.len());
    assert_eq!(known, taken);
}

#[test]
fn every_order_has_every_syntax_once() {
    let all: BTreeSet<_> = FAMILIES.iter().flat_map(|f| f.syntaxes).map(|t| t.uid).collect();
    assert_eq!(
        all.len(),
        FAMILIES.iter().map(|f| f.syntaxes.len()).sum::<usize>()
    );
    for preference in Preference::ALL {
        let ordered: Vec<_> = preference.syntaxes().map(|t| t.uid).collect();
        assert_eq!(ordered.len(), all.len(), "{preference:?}");
        assert_eq!(
            ordered.into_iter().collect::<BTreeSet<_>>(),
            all,
            "{preference:?}"
        );
    }
}

#[test]
fn video_keeps_its_stream_and_everything_else_is_taken_as_it_is_first() {
    let first = |class| {
        TransferCapability::of(class)
            .unwrap()
            .preference
            .syntaxes()
            .next()
            .unwrap()
            .uid
    };
    assert_eq!(first(uids::VIDEO_ENDOSCOPIC_IMAGE_STORAGE), uids::MPEG4HP41);
    for class in [
        uids::MR_IMAGE_STORAGE,
        uids::BASIC_TEXT_SR_STORAGE,
        uids::RT_DOSE_STORAGE,
    ] {
        assert_eq!(first(class), uids::EXPLICIT_VR_LITTLE_ENDIAN, "{class}");
    }
}
