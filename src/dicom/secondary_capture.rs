//! Secondary Capture images (PS3.3 §A.8): pixels that no modality made, added to the study of an object that is there.

use std::collections::BTreeMap;

use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};

use super::identity;
use super::part10::FileMeta;
use crate::model::{AttributeTag, Timestamp, Uid};

/// Secondary Capture Image Storage.
const SOP_CLASS: &str = "1.2.840.10008.5.1.4.1.1.7";
/// Explicit VR Little Endian.
const TRANSFER_SYNTAX: &str = "1.2.840.10008.1.2.1";

/// What is taken over of the object whose study it is added to: the Patient and General Study modules, with what has to be
/// there even when it is empty (type 2).
const TAKEN_OVER: [(Tag, VR, bool); 12] = [
    (tags::STUDY_DATE, VR::DA, true),
    (tags::STUDY_TIME, VR::TM, true),
    (tags::ACCESSION_NUMBER, VR::SH, true),
    (tags::REFERRING_PHYSICIAN_NAME, VR::PN, true),
    (tags::STUDY_DESCRIPTION, VR::LO, false),
    (tags::PATIENT_NAME, VR::PN, true),
    (tags::PATIENT_ID, VR::LO, true),
    (tags::ISSUER_OF_PATIENT_ID, VR::LO, false),
    (tags::PATIENT_BIRTH_DATE, VR::DA, true),
    (tags::PATIENT_SEX, VR::CS, true),
    (tags::STUDY_INSTANCE_UID, VR::UI, true),
    (tags::STUDY_ID, VR::SH, true),
];

/// The attributes to read of that object.
pub fn taken_over() -> impl Iterator<Item = AttributeTag> {
    TAKEN_OVER.iter().map(|(tag, ..)| attribute(*tag))
}

const fn attribute(tag: Tag) -> AttributeTag {
    AttributeTag {
        group: tag.0,
        element: tag.1,
    }
}

/// Grey pixels, row by row, 0 is black.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Pixels of a row.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
    /// As many as both say; an even number (PS3.5 §8.1.1).
    pub pixels: Vec<u8>,
}

/// One image of a series.
#[derive(Clone, Debug)]
pub struct Capture<'a> {
    /// What was read of the object of the study, as [`taken_over`] says.
    pub study: &'a BTreeMap<AttributeTag, String>,
    /// The series.
    pub series: Uid,
    /// Its description.
    pub description: &'a str,
    /// Itself.
    pub instance: Uid,
    /// Its number in the series.
    pub number: u16,
    /// When it was made.
    pub at: Timestamp,
}

/// It cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("write a Secondary Capture: {0}")]
pub struct CaptureError(String);

/// The Part 10 file of an image.
///
/// # Errors
/// [`CaptureError`] where the study has no UID, or dicom-object refuses a value.
pub fn file(capture: &Capture<'_>, image: Image) -> Result<(FileMeta, Vec<u8>), CaptureError> {
    let wrong = |error: &dyn std::fmt::Display| CaptureError(error.to_string());
    let study = attribute(tags::STUDY_INSTANCE_UID);
    if capture.study.get(&study).is_none_or(String::is_empty) {
        return Err(CaptureError("the study has no UID".to_owned()));
    }
    let uid = |text: &str| Uid::parse(text.as_bytes()).map_err(|error| wrong(&error));
    let meta = FileMeta {
        sop_class_uid: uid(SOP_CLASS)?,
        sop_instance_uid: capture.instance.clone(),
        transfer_syntax_uid: uid(TRANSFER_SYNTAX)?,
    };
    let table = FileMetaTableBuilder::new()
        .media_storage_sop_class_uid(SOP_CLASS)
        .media_storage_sop_instance_uid(capture.instance.as_str())
        .transfer_syntax(TRANSFER_SYNTAX)
        .implementation_class_uid(identity::IMPLEMENTATION_CLASS_UID)
        .implementation_version_name(identity::IMPLEMENTATION_VERSION_NAME);
    let object = data_set(capture, image).with_meta(table);
    let mut bytes = Vec::new();
    object
        .map_err(|error| wrong(&error))?
        .write_all(&mut bytes)
        .map_err(|error| wrong(&error))?;
    Ok((meta, bytes))
}

fn data_set(capture: &Capture<'_>, image: Image) -> InMemDicomObject {
    let mut object = InMemDicomObject::new_empty();
    for (tag, vr, always) in TAKEN_OVER {
        let value = capture.study.get(&attribute(tag));
        if let Some(value) = value.map(String::as_str).or(always.then_some("")) {
            object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
        }
    }
    let at = capture.at.to_date_time();
    let date = format!("{:04}{:02}{:02}", at.year(), u8::from(at.month()), at.day());
    let time = format!("{:02}{:02}{:02}", at.hour(), at.minute(), at.second());
    let number = capture.number.to_string();
    for (tag, vr, value) in [
        // SOP Common, §C.12.1
        (tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192"),
        (tags::SOP_CLASS_UID, VR::UI, SOP_CLASS),
        (tags::SOP_INSTANCE_UID, VR::UI, capture.instance.as_str()),
        (tags::TIMEZONE_OFFSET_FROM_UTC, VR::SH, "+0000"),
        // General Series, §C.7.3.1
        (tags::MODALITY, VR::CS, "OT"),
        (tags::SERIES_INSTANCE_UID, VR::UI, capture.series.as_str()),
        (tags::SERIES_NUMBER, VR::IS, ""),
        (tags::SERIES_DESCRIPTION, VR::LO, capture.description),
        // SC Equipment, §C.8.6.1
        (tags::CONVERSION_TYPE, VR::CS, "WSD"),
        (tags::MANUFACTURER, VR::LO, "MagickBox"),
        // General Image, §C.7.6.1: nobody knows what a log tells of a person.
        (tags::INSTANCE_NUMBER, VR::IS, &number),
        (tags::PATIENT_ORIENTATION, VR::CS, ""),
        (tags::IMAGE_TYPE, VR::CS, "DERIVED\\SECONDARY"),
        (tags::CONTENT_DATE, VR::DA, &date),
        (tags::CONTENT_TIME, VR::TM, &time),
        (tags::BURNED_IN_ANNOTATION, VR::CS, "YES"),
        // Image Pixel, §C.7.6.3
        (tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
    ] {
        object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
    }
    for (tag, value) in [
        (tags::SAMPLES_PER_PIXEL, 1),
        (tags::ROWS, image.rows),
        (tags::COLUMNS, image.columns),
        (tags::BITS_ALLOCATED, 8),
        (tags::BITS_STORED, 8),
        (tags::HIGH_BIT, 7),
        (tags::PIXEL_REPRESENTATION, 0),
    ] {
        object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
    }
    let pixels = PrimitiveValue::U8(image.pixels.into());
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, pixels));
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid(text: &str) -> Uid {
        Uid::parse(text.as_bytes()).unwrap()
    }

    fn capture(study: &BTreeMap<AttributeTag, String>) -> Capture<'_> {
        Capture {
            study,
            series: uid("1.2.1"),
            description: "Error Report",
            instance: uid("1.2.2"),
            number: 3,
            at: Timestamp(0),
        }
    }

    fn image() -> Image {
        Image {
            columns: 4,
            rows: 2,
            pixels: (0..8).collect(),
        }
    }

    #[test]
    fn it_belongs_to_the_patient_and_the_study_and_every_module_is_there() {
        let study = [
            (attribute(tags::STUDY_INSTANCE_UID), "1.2.3".to_owned()),
            (attribute(tags::PATIENT_NAME), "Müller^Änne".to_owned()),
        ];
        let study = BTreeMap::from(study);
        let (meta, bytes) = file(&capture(&study), image()).unwrap();
        assert_eq!(meta.sop_class_uid.as_str(), SOP_CLASS);
        let object = dicom_object::from_reader(&bytes[..]).unwrap();
        let text = |tag| object.element(tag).unwrap().to_str().unwrap().into_owned();
        assert_eq!(text(tags::STUDY_INSTANCE_UID), "1.2.3");
        assert_eq!(text(tags::PATIENT_NAME), "Müller^Änne");
        assert_eq!(text(tags::PATIENT_ID), "");
        assert_eq!(text(tags::SERIES_DESCRIPTION), "Error Report");
        assert_eq!(text(tags::CONTENT_DATE), "19700101");
        assert_eq!(text(tags::IMAGE_TYPE), "DERIVED\\SECONDARY");
        let pixels = object.element(tags::PIXEL_DATA).unwrap().to_bytes().unwrap();
        assert_eq!(pixels[..], image().pixels);
        assert!(object.element(tags::STUDY_DESCRIPTION).is_err());
    }

    #[test]
    fn without_a_study_there_is_none() {
        assert!(file(&capture(&BTreeMap::new()), image()).is_err());
    }
}
