//! TID 1600 Image Library with TID 1601 and TID 1602 (PS3.16): the images that were looked at, series by series. The
//! template leaves it to who writes (it is of type U); what it adds to the evidence of the document is the content tree,
//! which is all that some readers look at.

use dicom_dictionary_std::uids;

use super::content::{Concept, Item, Relationship, Value};
use super::document::Instance;
use super::template::dcm;
use crate::dicom::transfer_capability::{Preference, TransferCapability};
use crate::model::Code;

/// The most images that are listed: some 200 bytes each. Of more there is no library, for one that leaves images out would
/// say that they were not looked at; the evidence names all of them.
pub const MOST_IMAGES: usize = 4000;

/// The library; none where no image was looked at, or too many.
pub(super) fn library(instances: &[Instance]) -> Option<Item> {
    let mut images: Vec<_> = instances.iter().filter(|i| is_image(i)).collect();
    images.sort();
    images.dedup();
    if images.is_empty() || images.len() > MOST_IMAGES {
        return None;
    }
    let of_one_series = |a: &&Instance, b: &&Instance| {
        (&a.study_instance_uid, &a.series_instance_uid, &a.sop_class_uid)
            == (&b.study_instance_uid, &b.series_instance_uid, &b.sop_class_uid)
    };
    let groups = images.chunk_by(of_one_series).map(group).collect();
    let name = dcm("111028", "Image Library");
    Some(Item::new(Relationship::Contains, name, Value::Container(Some("1600"))).with(groups))
}

/// Images of one series and one class, with what they have in common (TID 1602).
fn group(images: &[&Instance]) -> Item {
    let modality = images
        .first()
        .and_then(|image| modality(image.sop_class_uid.as_str()));
    let modality = modality.map(|modality| {
        let value = Value::Code(Concept::Code(modality));
        Item::new(Relationship::HasAcqContext, dcm("121139", "Modality"), value)
    });
    let entry = |image: &&Instance| Item::image(image.sop_class_uid.clone(), image.sop_instance_uid.clone());
    let children = modality.into_iter().chain(images.iter().map(entry)).collect();
    let name = dcm("126200", "Image Library Group");
    Item::new(Relationship::Contains, name, Value::Container(None)).with(children)
}

fn is_image(instance: &Instance) -> bool {
    let row = TransferCapability::of(instance.sop_class_uid.as_str());
    row.is_some_and(|row| row.preference != Preference::Others)
}

/// The modality of classes that have one (CID 29).
fn modality(sop_class: &str) -> Option<Code> {
    Some(match sop_class {
        uids::MR_IMAGE_STORAGE
        | uids::ENHANCED_MR_IMAGE_STORAGE
        | uids::ENHANCED_MR_COLOR_IMAGE_STORAGE
        | uids::LEGACY_CONVERTED_ENHANCED_MR_IMAGE_STORAGE => dcm("MR", "Magnetic Resonance"),
        uids::CT_IMAGE_STORAGE
        | uids::ENHANCED_CT_IMAGE_STORAGE
        | uids::LEGACY_CONVERTED_ENHANCED_CT_IMAGE_STORAGE => dcm("CT", "Computed Tomography"),
        uids::POSITRON_EMISSION_TOMOGRAPHY_IMAGE_STORAGE
        | uids::ENHANCED_PET_IMAGE_STORAGE
        | uids::LEGACY_CONVERTED_ENHANCED_PET_IMAGE_STORAGE => dcm("PT", "Positron emission tomography"),
        uids::NUCLEAR_MEDICINE_IMAGE_STORAGE => dcm("NM", "Nuclear Medicine"),
        uids::ULTRASOUND_IMAGE_STORAGE
        | uids::ULTRASOUND_MULTI_FRAME_IMAGE_STORAGE
        | uids::ENHANCED_US_VOLUME_STORAGE => dcm("US", "Ultrasound"),
        uids::COMPUTED_RADIOGRAPHY_IMAGE_STORAGE => dcm("CR", "Computed Radiography"),
        uids::DIGITAL_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION
        | uids::DIGITAL_X_RAY_IMAGE_STORAGE_FOR_PROCESSING => dcm("DX", "Digital Radiography"),
        uids::DIGITAL_MAMMOGRAPHY_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION
        | uids::DIGITAL_MAMMOGRAPHY_X_RAY_IMAGE_STORAGE_FOR_PROCESSING => dcm("MG", "Mammography"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Uid;

    fn instances(count: usize) -> Vec<Instance> {
        let uid = |text: &str| Uid::parse(text.as_bytes()).unwrap();
        let one = |n: usize| Instance {
            study_instance_uid: uid("1.1"),
            series_instance_uid: uid(&format!("1.{}", 2 + n % 2)),
            sop_instance_uid: uid(&format!("1.9.{n}")),
            sop_class_uid: uid(uids::MR_IMAGE_STORAGE),
        };
        (1..=count).map(one).collect()
    }

    #[test]
    fn images_are_listed_once_series_by_series_and_what_is_no_image_is_not() {
        let mut all = instances(3);
        all.push(all[0].clone());
        all.push(Instance {
            sop_class_uid: Uid::parse(uids::COMPREHENSIVE_SR_STORAGE.as_bytes()).unwrap(),
            ..all[0].clone()
        });
        assert_eq!(
            library(&all).unwrap().lines().join("\n"),
            "\
contains Image Library: TID 1600
  contains Image Library Group:
    has acq context Modality: (MR, DCM, \"Magnetic Resonance\")
    contains image 1.9.2
  contains Image Library Group:
    has acq context Modality: (MR, DCM, \"Magnetic Resonance\")
    contains image 1.9.1
    contains image 1.9.3"
        );
    }

    #[test]
    fn all_images_are_listed_or_none() {
        assert_eq!(library(&[]), None);
        let most = library(&instances(MOST_IMAGES)).unwrap();
        let listed: usize = most.children.iter().map(|group| group.children.len() - 1).sum();
        assert_eq!(listed, MOST_IMAGES);
        assert_eq!(library(&instances(MOST_IMAGES + 1)), None);
    }
}
