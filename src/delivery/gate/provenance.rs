//! Where a result comes from: the equipment that made it, and the images it was made of.
//!
//! A radiologist who looks at a result in a year has to be able to tell which program in which version drew the line, and a
//! physicist to run it again. Only the node knows for certain what ran, so it says so itself, in every mode but `off`, in an
//! item behind those that are there (PS3.3 §C.12.1.1.5).

use super::encode::Encoder;
use super::input::Input;
use crate::model::{Job, Timestamp};

/// (0018,A001) Contributing Equipment Sequence
pub(super) const CONTRIBUTING_EQUIPMENT: u32 = 0x0018_A001;
/// (0008,2112) Source Image Sequence
const SOURCE_IMAGE: u32 = 0x0008_2112;
/// (0042,0013) Source Instance Sequence
const SOURCE_INSTANCE: u32 = 0x0042_0013;

/// Sources that are named. Of a larger input it is not known which of them a result is of, and a list of all of them in each
/// object would be larger than many an object.
pub(super) const MOST_SOURCES: usize = 1000;

/// What ran.
#[derive(Clone, Debug)]
pub(super) struct Equipment {
    /// The node's own identity, a UUID.
    pub node: String,
    /// AE title of the stream.
    pub stream: String,
    /// Name of the bucket.
    pub bucket: String,
    /// Its version.
    pub version: String,
    /// `sha256:…`
    pub digest: String,
    /// What makes the copy, with its version.
    pub program: String,
    /// When the run ended. Not the time of sending: what is made again after a crash has to be the same object.
    pub at: Timestamp,
}

impl Equipment {
    /// Of a job's last run.
    pub fn of(node: &str, job: &Job, info: Option<&serde_json::Value>, program: &str) -> Self {
        let word = |key: &str| {
            let value = info.and_then(|info| info.get(key));
            value.map_or_else(String::new, |v| {
                v.as_str().map_or_else(|| v.to_string(), str::to_owned)
            })
        };
        Self {
            node: node.to_owned(),
            stream: job.stream.to_string(),
            bucket: word("name"),
            version: word("version"),
            digest: job.image.clone().unwrap_or_default(),
            program: program.to_owned(),
            at: job.run_ended_at.unwrap_or(job.received_at),
        }
    }

    /// The item of Contributing Equipment Sequence. ASCII, so that every character set can carry it.
    pub fn item(&self, encoder: Encoder) -> Option<Vec<u8>> {
        let program = &self.program;
        let mut purpose = Vec::new();
        purpose.extend(encoder.element(0x0008_0100, *b"SH", b"109102")?);
        purpose.extend(encoder.element(0x0008_0102, *b"SH", b"DCM")?);
        purpose.extend(encoder.element(0x0008_0104, *b"LO", b"Processing Equipment")?);
        let purpose = encoder.item(&purpose)?;
        let description = format!(
            "bucket {} ({}) version {}, image {}, run by {program} on node {}",
            self.bucket, self.stream, self.version, self.digest, self.node
        );
        let mut item = Vec::new();
        item.extend(encoder.element(0x0008_0070, *b"LO", b"MagickBox")?);
        item.extend(encoder.element(0x0008_1010, *b"SH", &ascii(&self.stream, 16))?);
        item.extend(encoder.element(0x0008_1090, *b"LO", &ascii(&self.bucket, 64))?);
        item.extend(encoder.element(0x0018_1000, *b"LO", &ascii(&self.node, 64))?);
        let versions = [ascii(&self.version, 64), ascii(program, 64)].join(&b'\\');
        item.extend(encoder.element(0x0018_1020, *b"LO", &versions)?);
        item.extend(encoder.element(0x0018_A002, *b"DT", date_time(self.at).as_bytes())?);
        item.extend(encoder.element(0x0018_A003, *b"ST", &ascii(&description, 1024))?);
        item.extend(encoder.element(0x0040_A170, *b"SQ", &purpose)?);
        encoder.item(&item)
    }

    /// A Series Instance UID for results of this run that have none, the same whenever it is asked for.
    pub fn series_uid(&self, job: &Job, sop_class: &str) -> String {
        use sha2::Digest;
        let text = format!("{} {} {} {sop_class}", self.node, job.id, job.attempt);
        let hash = sha2::Sha256::digest(text);
        let mut number = [0; 16];
        for (to, from) in number.iter_mut().zip(hash) {
            *to = from;
        }
        format!(
            "2.25.{}",
            uuid::Builder::from_custom_bytes(number).into_uuid().as_u128()
        )
    }
}

/// Printable ASCII without the delimiter of values, so many characters at most.
fn ascii(text: &str, longest: usize) -> Vec<u8> {
    let plain = |c: char| match c {
        '\\' => b'/',
        c if c == ' ' || c.is_ascii_graphic() => u8::try_from(c).unwrap_or(b'?'),
        _ => b'?',
    };
    text.chars().take(longest).map(plain).collect()
}

/// VR DT, in UTC.
fn date_time(at: Timestamp) -> String {
    let t = at.to_date_time();
    format!(
        "{:04}{:02}{:02}{:02}{:02}{:02}.{:03}+0000",
        t.year(),
        u8::from(t.month()),
        t.day(),
        t.hour(),
        t.minute(),
        t.second(),
        t.millisecond()
    )
}

/// The sequence that names the sources of an object of this class, and its items: of single images Source Image Sequence
/// (PS3.3 §C.12.4), of documents Source Instance Sequence (§C.24.2). Other objects name theirs inside, each in its own way:
/// what a segment or a measurement is of nobody but the bucket knows.
pub(super) fn sources(sop_class: &str, input: &Input, encoder: Encoder) -> Option<(u32, Vec<u8>)> {
    let sequence = sequence_of(sop_class)?;
    if input.objects.is_empty() || input.objects.len() > MOST_SOURCES {
        return None;
    }
    let mut items = Vec::new();
    for (instance, class) in &input.objects {
        if sequence == SOURCE_IMAGE && !is_image(class) {
            continue;
        }
        let mut item = encoder.element(0x0008_1150, *b"UI", class.as_bytes())?;
        item.extend(encoder.element(0x0008_1155, *b"UI", instance.as_bytes())?);
        items.extend(encoder.item(&item)?);
    }
    (!items.is_empty()).then_some((sequence, items))
}

/// Which sequence names the sources of objects of a class.
pub(super) fn sequence_of(sop_class: &str) -> Option<u32> {
    use dicom_dictionary_std::uids;
    match sop_class {
        uids::CT_IMAGE_STORAGE
        | uids::MR_IMAGE_STORAGE
        | uids::COMPUTED_RADIOGRAPHY_IMAGE_STORAGE
        | uids::DIGITAL_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION
        | uids::DIGITAL_X_RAY_IMAGE_STORAGE_FOR_PROCESSING
        | uids::DIGITAL_MAMMOGRAPHY_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION
        | uids::DIGITAL_MAMMOGRAPHY_X_RAY_IMAGE_STORAGE_FOR_PROCESSING
        | uids::POSITRON_EMISSION_TOMOGRAPHY_IMAGE_STORAGE
        | uids::NUCLEAR_MEDICINE_IMAGE_STORAGE
        | uids::ULTRASOUND_IMAGE_STORAGE
        | uids::SECONDARY_CAPTURE_IMAGE_STORAGE => Some(SOURCE_IMAGE),
        uids::ENCAPSULATED_PDF_STORAGE => Some(SOURCE_INSTANCE),
        _ => None,
    }
}

/// Whether objects of a class are images: by the name of the class.
fn is_image(sop_class: &str) -> bool {
    storage_class(sop_class).is_some_and(|name| name.contains("Image Storage"))
}

/// The name of a storage class in the standard's registry (PS3.6 table A-1); `None` for any other UID.
pub(super) fn storage_class(sop_class: &str) -> Option<&'static str> {
    use dicom_core::dictionary::{UidDictionary, UidDictionaryEntry};
    use dicom_dictionary_std::uids;
    static CLASSES: dicom_dictionary_std::sop_class::StandardSopClassDictionary =
        dicom_dictionary_std::sop_class::StandardSopClassDictionary;
    let name = CLASSES.by_uid(sop_class)?.name();
    let is_another = name.contains("Commitment") || sop_class == uids::MEDIA_STORAGE_DIRECTORY_STORAGE;
    (name.contains("Storage") && !is_another).then_some(name)
}
