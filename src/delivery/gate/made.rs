//! Data sets for tests, in every encoding.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::encode::{Encoder, UNDEFINED};
use crate::dicom::part10::{self, FileMeta};
use crate::dicom::transfer_syntax::Encoding;
use crate::model::{AeTitle, Job, JobId, JobState, Timestamp, Uid};

pub(in crate::delivery) const MR: &str = "1.2.840.10008.5.1.4.1.1.4";
pub(in crate::delivery) const ENCODINGS: [(Encoding, &str); 4] = [
    (Encoding::ImplicitLittle, "1.2.840.10008.1.2"),
    (Encoding::ExplicitLittle, "1.2.840.10008.1.2.1"),
    (Encoding::ExplicitBig, "1.2.840.10008.1.2.2"),
    (Encoding::Deflated, "1.2.840.10008.1.2.1.99"),
];

pub(in crate::delivery) fn uid(text: &str) -> Uid {
    Uid::parse(text.as_bytes()).unwrap()
}

/// An object: attributes by tag, in any order.
#[derive(Clone)]
pub(in crate::delivery) struct Made {
    pub encoding: Encoding,
    pub syntax: &'static str,
    pub class: &'static str,
    pub instance: String,
    pub elements: std::collections::BTreeMap<u32, ([u8; 2], Vec<u8>)>,
}

impl Made {
    /// A result of the study `1.2.3` of patient A1, in a series of its own.
    pub fn result() -> Self {
        let mut made = Self {
            encoding: Encoding::ExplicitLittle,
            syntax: "1.2.840.10008.1.2.1",
            class: MR,
            instance: "2.25.77".into(),
            elements: Default::default(),
        };
        for (tag, vr, value) in [
            (0x0008_0016, b"UI", MR),
            (0x0008_0018, b"UI", "2.25.77"),
            (0x0008_0020, b"DA", "20260101"),
            (0x0008_0050, b"SH", "ACC1"),
            (0x0008_0090, b"PN", "Ref^Erring"),
            (0x0010_0010, b"PN", "Doe^John"),
            (0x0010_0020, b"LO", "A1"),
            (0x0010_0021, b"LO", "HOSPITAL"),
            (0x0010_0030, b"DA", "19700102"),
            (0x0010_0040, b"CS", "M"),
            (0x0020_000D, b"UI", "1.2.3"),
            (0x0020_000E, b"UI", "2.25.78"),
            (0x0020_0010, b"SH", "S1"),
        ] {
            made.elements.insert(tag, (*vr, value.as_bytes().to_vec()));
        }
        made.elements.insert(0x7FE0_0010, (*b"OW", vec![7; 64]));
        made
    }

    /// An image of the input of that study.
    pub fn input(number: u32) -> Self {
        let instance = format!("1.2.3.4.{number}");
        Self {
            instance: instance.clone(),
            ..Self::result()
        }
        .with(0x0008_0018, &instance)
        .with(0x0020_000E, "1.2.3.4")
    }

    pub fn with(mut self, tag: u32, value: impl AsRef<[u8]>) -> Self {
        let vr = match tag {
            0x0008_0005 => *b"CS",
            tag => self.elements.get(&tag).map_or(*b"LO", |(vr, _)| *vr),
        };
        self.elements.insert(tag, (vr, value.as_ref().to_vec()));
        self
    }

    pub fn raw(mut self, tag: u32, vr: &[u8; 2], value: &[u8]) -> Self {
        self.elements.insert(tag, (*vr, value.to_vec()));
        self
    }

    pub fn without(mut self, tag: u32) -> Self {
        self.elements.remove(&tag);
        self
    }

    pub fn in_encoding(self, (encoding, syntax): (Encoding, &'static str)) -> Self {
        Self {
            encoding,
            syntax,
            ..self
        }
    }

    pub fn data_set(&self) -> Vec<u8> {
        let encoder = self.encoder();
        let elements = self.elements.iter();
        elements
            .flat_map(|(tag, (vr, value))| encoder.element(*tag, *vr, value).unwrap())
            .collect()
    }

    pub(super) fn encoder(&self) -> Encoder {
        Encoder(match self.encoding {
            Encoding::Deflated => Encoding::ExplicitLittle,
            other => other,
        })
    }

    pub fn write(&self, directory: &Path) -> PathBuf {
        let path = directory.join(format!("{}.dcm", self.instance));
        write(&path, self, &self.data_set());
        path
    }
}

/// Writes a Part 10 file with this data set.
pub(super) fn write(path: &Path, made: &Made, data_set: &[u8]) {
    let meta = FileMeta {
        sop_class_uid: uid(made.class),
        sop_instance_uid: uid(&made.instance),
        transfer_syntax_uid: uid(made.syntax),
    };
    let mut bytes = part10::head(&meta, None).unwrap();
    if made.encoding == Encoding::Deflated {
        let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        deflate.write_all(data_set).unwrap();
        let mut packed = deflate.finish().unwrap();
        packed.resize(packed.len().next_multiple_of(2), 0);
        bytes.extend(packed);
    } else {
        bytes.extend_from_slice(data_set);
    }
    std::fs::write(path, bytes).unwrap();
}

/// A sequence of undefined length around items.
pub(super) fn undefined(encoder: Encoder, tag: u32, vr: &[u8; 2], items: &[u8]) -> Vec<u8> {
    [
        encoder.header(tag, *vr, UNDEFINED).unwrap(),
        items.to_vec(),
        encoder.end_of_sequence(),
    ]
    .concat()
}

/// A job that is delivering.
pub(super) fn job() -> Job {
    let id = JobId::parse("20260101-000000-00000000").unwrap();
    let (stream, at) = (AeTitle::parse("PROC").unwrap(), Timestamp(1_767_225_600_000));
    Job {
        state: JobState::Delivering,
        instances: 1,
        bytes: 1,
        attempt: 1,
        exit_status: Some(0),
        ..Job::of_study(id, stream, "1.2.3", "SCANNER", at)
    }
}
