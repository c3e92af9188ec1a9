//! Value representations (PS3.5 §6.2), as two letters.

use dicom_core::Tag;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::StandardDataDictionary;

/// The value representation of an attribute by the dictionary (PS3.6); UN for what is not in it.
pub(super) fn vr_of(tag: u32) -> [u8; 2] {
    let [g0, g1, e0, e1] = tag.to_be_bytes();
    let tag = Tag(u16::from_be_bytes([g0, g1]), u16::from_be_bytes([e0, e1]));
    let entry = StandardDataDictionary.by_tag(tag);
    let vr = entry.map_or("UN", |entry| entry.vr().relaxed().to_string());
    vr.as_bytes().try_into().unwrap_or(*b"UN")
}

/// Value representations that are characters, or may be.
pub(super) const fn is_text(vr: [u8; 2]) -> bool {
    has_character_set(vr)
        || matches!(
            &vr,
            b"AE" | b"AS" | b"CS" | b"DA" | b"DS" | b"DT" | b"IS" | b"TM" | b"UI" | b"UN" | b"UR"
        )
}

/// Value representations that Specific Character Set is for (PS3.5 §6.1.2.2).
pub(super) const fn has_character_set(vr: [u8; 2]) -> bool {
    matches!(&vr, b"LO" | b"LT" | b"PN" | b"SH" | b"ST" | b"UC" | b"UT")
}
