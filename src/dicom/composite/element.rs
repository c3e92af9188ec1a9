//! Elements of a new object.

use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::{Attribute, Charset, Composite, Held};
use crate::model::Timestamp;

/// Puts a value that is bytes already, padded as its VR wants it (PS3.5 §6.2).
pub fn put(object: &mut InMemDicomObject, tag: Tag, vr: VR, bytes: &[u8]) {
    let mut bytes = bytes.to_vec();
    if bytes.len() % 2 == 1 {
        bytes.push(if matches!(vr, VR::UI | VR::OB | VR::UN) {
            0
        } else {
            b' '
        });
    }
    let value = match vr {
        _ if bytes.is_empty() => PrimitiveValue::Empty,
        // Bytes of these would be written as numbers of their own. What is no text is no number either.
        VR::IS | VR::DS => match String::from_utf8(bytes) {
            Ok(text) if text.is_ascii() => PrimitiveValue::from(text),
            _ => PrimitiveValue::Empty,
        },
        _ => PrimitiveValue::U8(bytes.into()),
    };
    object.put(DataElement::new(tag, vr, value));
}

/// Puts a text of the node's own, in the object's character set.
pub fn put_text(object: &mut InMemDicomObject, tag: Tag, vr: VR, text: &str, charset: &Charset) {
    put(object, tag, vr, &charset.encode(text));
}

/// Puts a sequence.
pub fn put_items(object: &mut InMemDicomObject, tag: Tag, items: Vec<InMemDicomObject>) {
    object.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(items)));
}

/// An object, or an item, of attributes that were found elsewhere.
#[must_use]
pub fn object(attributes: &[Attribute]) -> InMemDicomObject {
    let mut copy = InMemDicomObject::new_empty();
    for attribute in attributes {
        let [a, b, c, d] = attribute.tag.to_be_bytes();
        let tag = Tag(u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        match &attribute.value {
            Held::Bytes(bytes) => {
                let vr = VR::from_binary(attribute.vr).unwrap_or(VR::UN);
                put(&mut copy, tag, vr, bytes);
            }
            Held::Items(items) => put_items(&mut copy, tag, items.iter().map(|i| object(i)).collect()),
        }
    }
    copy
}

/// Makes a copy of a study's attributes whole: what has to be there (PS3.3 §C.7.1.1, §C.7.2.1, type 2) is there, empty;
/// the study and the character set are said.
pub fn complete(object: &mut InMemDicomObject, source: &Composite, charset: &Charset) {
    for (tag, vr) in [
        (tags::PATIENT_NAME, VR::PN),
        (tags::PATIENT_ID, VR::LO),
        (tags::PATIENT_BIRTH_DATE, VR::DA),
        (tags::PATIENT_SEX, VR::CS),
        (tags::STUDY_DATE, VR::DA),
        (tags::STUDY_TIME, VR::TM),
        (tags::ACCESSION_NUMBER, VR::SH),
        (tags::REFERRING_PHYSICIAN_NAME, VR::PN),
        (tags::STUDY_ID, VR::SH),
    ] {
        if object.get(tag).is_none() {
            put(object, tag, vr, b"");
        }
    }
    let study = source.study_instance_uid.as_str();
    put(object, tags::STUDY_INSTANCE_UID, VR::UI, study.as_bytes());
    match &charset.specific {
        Some(specific) => {
            object.put(DataElement::new(
                tags::SPECIFIC_CHARACTER_SET,
                VR::CS,
                specific.as_str(),
            ));
        }
        None => {
            object.remove_element(tags::SPECIFIC_CHARACTER_SET);
        }
    }
}

/// A moment as DA and TM in the study's offset from UTC, in UTC if it says none.
#[must_use]
pub fn date_and_time(at: Timestamp, offset_minutes: Option<i32>) -> (String, String) {
    let moment =
        Timestamp(at.0.saturating_add(i64::from(offset_minutes.unwrap_or(0)) * 60_000)).to_date_time();
    (
        format!(
            "{:04}{:02}{:02}",
            moment.year(),
            u8::from(moment.month()),
            moment.day()
        ),
        format!("{:02}{:02}{:02}", moment.hour(), moment.minute(), moment.second()),
    )
}
