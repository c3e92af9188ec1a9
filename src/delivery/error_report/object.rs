//! A page as an object: Secondary Capture (PS3.3 §A.8.1), 8-bit grey.

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::page::{HEIGHT, WIDTH};
use super::{ErrorReport, ErrorReportError, Page};
use crate::dicom::composite::{self, Charset, put};
use crate::dicom::part10::{self, FileMeta};
use crate::model::Uid;

pub(super) fn file(
    report: &ErrorReport<'_>,
    series: &Uid,
    instance: &Uid,
    number: usize,
    pixels: Vec<u8>,
) -> Result<Page, ErrorReportError> {
    let meta = FileMeta {
        sop_class_uid: Uid::parse(uids::SECONDARY_CAPTURE_IMAGE_STORAGE.as_bytes())?,
        sop_instance_uid: instance.clone(),
        transfer_syntax_uid: Uid::parse(uids::EXPLICIT_VR_LITTLE_ENDIAN.as_bytes())?,
    };
    let charset = Charset::beside(report.beside);
    let mut object = composite::object(&report.beside.attributes);
    composite::complete(&mut object, report.beside, &charset);
    texts(&mut object, report, series, instance, number);
    image(&mut object, pixels);
    let file = part10::file(&meta, object)?;
    Ok(Page { meta, file })
}

/// General Series, SC Equipment, General Image, SC Image, SOP Common (PS3.3 §C.7.3.1, §C.8.6, §C.7.6.1, §C.12.1).
fn texts(
    object: &mut InMemDicomObject,
    report: &ErrorReport<'_>,
    series: &Uid,
    instance: &Uid,
    number: usize,
) {
    let (date, time) = composite::date_and_time(report.at, report.beside.offset_minutes());
    let number = number.to_string();
    let plain: [(_, _, &str); 22] = [
        (tags::SOP_CLASS_UID, VR::UI, uids::SECONDARY_CAPTURE_IMAGE_STORAGE),
        (tags::SOP_INSTANCE_UID, VR::UI, instance.as_str()),
        (tags::INSTANCE_CREATION_DATE, VR::DA, &date),
        (tags::INSTANCE_CREATION_TIME, VR::TM, &time),
        (tags::MODALITY, VR::CS, "OT"),
        (tags::SERIES_INSTANCE_UID, VR::UI, series.as_str()),
        (tags::SERIES_NUMBER, VR::IS, "9999"),
        // Type 2C: there is nothing with a side.
        (tags::LATERALITY, VR::CS, ""),
        (tags::SERIES_DATE, VR::DA, &date),
        (tags::SERIES_TIME, VR::TM, &time),
        (tags::SERIES_DESCRIPTION, VR::LO, "Error Report"),
        (tags::CONVERSION_TYPE, VR::CS, "WSD"),
        (tags::SECONDARY_CAPTURE_DEVICE_MANUFACTURER, VR::LO, "MagickBox"),
        (
            tags::SECONDARY_CAPTURE_DEVICE_MANUFACTURER_MODEL_NAME,
            VR::LO,
            "magickbox",
        ),
        (
            tags::SECONDARY_CAPTURE_DEVICE_SOFTWARE_VERSIONS,
            VR::LO,
            env!("CARGO_PKG_VERSION"),
        ),
        (tags::DATE_OF_SECONDARY_CAPTURE, VR::DA, &date),
        (tags::TIME_OF_SECONDARY_CAPTURE, VR::TM, &time),
        (tags::INSTANCE_NUMBER, VR::IS, &number),
        (tags::PATIENT_ORIENTATION, VR::CS, ""),
        (tags::IMAGE_TYPE, VR::CS, "DERIVED\\SECONDARY"),
        (tags::BURNED_IN_ANNOTATION, VR::CS, "NO"),
        (tags::CONTENT_DATE, VR::DA, &date),
    ];
    for (tag, vr, text) in plain {
        put(object, tag, vr, text.as_bytes());
    }
    put(object, tags::CONTENT_TIME, VR::TM, time.as_bytes());
}

/// Image Pixel (PS3.3 §C.7.6.3).
fn image(object: &mut InMemDicomObject, pixels: Vec<u8>) {
    for (tag, number) in [
        (tags::SAMPLES_PER_PIXEL, 1),
        (tags::ROWS, HEIGHT),
        (tags::COLUMNS, WIDTH),
        (tags::BITS_ALLOCATED, 8),
        (tags::BITS_STORED, 8),
        (tags::HIGH_BIT, 7),
        (tags::PIXEL_REPRESENTATION, 0),
    ] {
        object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(number)));
    }
    put(object, tags::PHOTOMETRIC_INTERPRETATION, VR::CS, b"MONOCHROME2");
    object.put(DataElement::new(
        tags::PIXEL_DATA,
        VR::OB,
        PrimitiveValue::U8(pixels.into()),
    ));
}
