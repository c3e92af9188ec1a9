//! The whole object: a Comprehensive 3D SR (PS3.3 §A.35.13) beside the study that it reports on.

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::content::Item;
use super::encode::{put_item, put_uid, reference};
use super::template::PRIVATE_SCHEME;
use crate::dicom::composite::{self, Charset, Composite, put, put_items, put_text};
use crate::dicom::part10::{self, FileMeta};
use crate::model::uid::UidError;
use crate::model::{Timestamp, Uid};

/// Why no object could be made.
#[derive(Debug, thiserror::Error)]
pub enum SrError {
    /// dicom-object refused it.
    #[error(transparent)]
    Write(#[from] part10::WriteMetaError),
    /// A UID of the dictionary is none.
    #[error(transparent)]
    Uid(#[from] UidError),
}

/// What the node is (PS3.3 §C.7.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Equipment<'a> {
    /// (0018,1000) Device Serial Number: the node's own name.
    pub serial: &'a str,
    /// (0018,1020) Software Versions
    pub version: &'a str,
}

/// An object that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instance {
    /// Its study.
    pub study_instance_uid: Uid,
    /// Its series.
    pub series_instance_uid: Uid,
    /// Itself.
    pub sop_instance_uid: Uid,
    /// What it is.
    pub sop_class_uid: Uid,
}

/// A report to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Document<'a> {
    /// Whose patient and study it shares.
    pub beside: &'a Composite,
    /// Everything that was looked at, by study and series.
    pub evidence: Vec<Instance>,
    /// Its series.
    pub series: Uid,
    /// Itself.
    pub instance: Uid,
    /// (0008,103E) Series Description
    pub description: &'a str,
    /// When it was observed.
    pub at: Timestamp,
    /// Whether everything that should be in it is.
    pub complete: bool,
    /// Who made it.
    pub equipment: Equipment<'a>,
    /// What it says.
    pub content: Item,
}

impl Document<'_> {
    /// The Part 10 file.
    ///
    /// # Errors
    /// [`SrError`], which only a mistake of ours can cause.
    pub fn file(&self) -> Result<Vec<u8>, SrError> {
        let meta = FileMeta {
            sop_class_uid: uid(uids::COMPREHENSIVE3_DSR_STORAGE)?,
            sop_instance_uid: self.instance.clone(),
            transfer_syntax_uid: uid(uids::EXPLICIT_VR_LITTLE_ENDIAN)?,
        };
        Ok(part10::file(&meta, self.data_set())?)
    }

    fn data_set(&self) -> InMemDicomObject {
        let charset = Charset::beside(self.beside);
        let mut object = composite::object(&self.beside.attributes);
        composite::complete(&mut object, self.beside, &charset);
        self.series_and_equipment(&mut object, &charset);
        self.document(&mut object);
        put_item(&mut object, &self.content, &charset);
        if has_private(&self.content) {
            put_items(
                &mut object,
                tags::CODING_SCHEME_IDENTIFICATION_SEQUENCE,
                vec![private_scheme()],
            );
        }
        object
    }

    /// SOP Common, SR Document Series, Enhanced General Equipment (PS3.3 §C.12.1, §C.17.1, §C.7.5.2).
    fn series_and_equipment(&self, object: &mut InMemDicomObject, charset: &Charset) {
        let plain: [(_, _, &str); 8] = [
            (tags::SOP_CLASS_UID, VR::UI, uids::COMPREHENSIVE3_DSR_STORAGE),
            (tags::SOP_INSTANCE_UID, VR::UI, self.instance.as_str()),
            (tags::SERIES_INSTANCE_UID, VR::UI, self.series.as_str()),
            (tags::MODALITY, VR::CS, "SR"),
            (tags::SERIES_NUMBER, VR::IS, "9900"),
            (tags::MANUFACTURER, VR::LO, "MagickBox"),
            (tags::MANUFACTURER_MODEL_NAME, VR::LO, "magickbox"),
            (tags::SOFTWARE_VERSIONS, VR::LO, self.equipment.version),
        ];
        for (tag, vr, text) in plain {
            put(object, tag, vr, text.as_bytes());
        }
        put_text(
            object,
            tags::DEVICE_SERIAL_NUMBER,
            VR::LO,
            self.equipment.serial,
            charset,
        );
        let description: String = self.description.chars().filter(|c| *c != '\\').take(64).collect();
        put_text(object, tags::SERIES_DESCRIPTION, VR::LO, &description, charset);
        put_items(
            object,
            tags::REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE,
            Vec::new(),
        );
    }

    /// SR Document General (PS3.3 §C.17.2).
    fn document(&self, object: &mut InMemDicomObject) {
        let (date, time) = composite::date_and_time(self.at, self.beside.offset_minutes());
        let completion = if self.complete { "COMPLETE" } else { "PARTIAL" };
        let plain: [(_, _, &str); 9] = [
            (tags::INSTANCE_NUMBER, VR::IS, "1"),
            (tags::CONTENT_DATE, VR::DA, &date),
            (tags::CONTENT_TIME, VR::TM, &time),
            (tags::INSTANCE_CREATION_DATE, VR::DA, &date),
            (tags::INSTANCE_CREATION_TIME, VR::TM, &time),
            (tags::SERIES_DATE, VR::DA, &date),
            (tags::SERIES_TIME, VR::TM, &time),
            (tags::COMPLETION_FLAG, VR::CS, completion),
            (tags::VERIFICATION_FLAG, VR::CS, "UNVERIFIED"),
        ];
        for (tag, vr, text) in plain {
            put(object, tag, vr, text.as_bytes());
        }
        put_items(object, tags::PERFORMED_PROCEDURE_CODE_SEQUENCE, Vec::new());
        let of_study = |instance: &&Instance| instance.study_instance_uid == self.beside.study_instance_uid;
        let (own, other): (Vec<_>, Vec<_>) = self.evidence.iter().partition(of_study);
        for (tag, instances) in [
            (tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE, own),
            (tags::PERTINENT_OTHER_EVIDENCE_SEQUENCE, other),
        ] {
            if !instances.is_empty() {
                put_items(object, tag, evidence(&instances));
            }
        }
    }
}

/// Hierarchical SOP Instance References (PS3.3 §10.6): study, series, instance.
fn evidence(instances: &[&Instance]) -> Vec<InMemDicomObject> {
    let mut sorted = instances.to_vec();
    sorted.sort();
    sorted.dedup();
    let studies = sorted.chunk_by(|a, b| a.study_instance_uid == b.study_instance_uid);
    studies.map(study_reference).collect()
}

fn study_reference(instances: &[&Instance]) -> InMemDicomObject {
    let mut object = InMemDicomObject::new_empty();
    if let Some(first) = instances.first() {
        put_uid(&mut object, tags::STUDY_INSTANCE_UID, &first.study_instance_uid);
    }
    let series = instances.chunk_by(|a, b| a.series_instance_uid == b.series_instance_uid);
    put_items(
        &mut object,
        tags::REFERENCED_SERIES_SEQUENCE,
        series.map(series_reference).collect(),
    );
    object
}

fn series_reference(instances: &[&Instance]) -> InMemDicomObject {
    let mut object = InMemDicomObject::new_empty();
    if let Some(first) = instances.first() {
        put_uid(&mut object, tags::SERIES_INSTANCE_UID, &first.series_instance_uid);
    }
    let references = instances
        .iter()
        .map(|instance| reference(&instance.sop_class_uid, &instance.sop_instance_uid));
    put_items(&mut object, tags::REFERENCED_SOP_SEQUENCE, references.collect());
    object
}

fn uid(text: &str) -> Result<Uid, SrError> {
    Ok(Uid::parse(text.as_bytes())?)
}

fn has_private(item: &Item) -> bool {
    item.name
        .as_ref()
        .is_some_and(|name| name.scheme == PRIVATE_SCHEME)
        || item.children.iter().any(has_private)
}

/// Who made the private codes (PS3.3 §C.12.1).
fn private_scheme() -> InMemDicomObject {
    let mut object = InMemDicomObject::new_empty();
    put(
        &mut object,
        tags::CODING_SCHEME_DESIGNATOR,
        VR::SH,
        PRIVATE_SCHEME.as_bytes(),
    );
    put(
        &mut object,
        tags::CODING_SCHEME_NAME,
        VR::ST,
        b"AE title of a bucket of MagickBox, and the name it gives to a measure",
    );
    put(
        &mut object,
        tags::CODING_SCHEME_RESPONSIBLE_ORGANIZATION,
        VR::ST,
        b"the site that runs the bucket",
    );
    object
}
