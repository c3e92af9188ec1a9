//! A value field as texts (PS3.5 §6.2), whatever a peer has put there.

use dicom_core::VR;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::StandardDataDictionary;
use dicom_encoding::text::{SpecificCharacterSet, TextCodec};

use crate::model::classify::Value;

/// Private elements that are known by their vendors' conformance statements, for data sets that do not tell their VR.
const PRIVATE: [(u32, VR); 12] = [
    // GE: names of the pulse sequence, number of directions, b-value and more.
    (0x0019_109C, VR::LO),
    (0x0019_109E, VR::LO),
    (0x0019_10BB, VR::DS),
    (0x0019_10E0, VR::DS),
    (0x0043_102F, VR::SS),
    (0x0043_1039, VR::IS),
    // Siemens: b-value, direction.
    (0x0019_100C, VR::IS),
    (0x0019_100D, VR::CS),
    (0x0051_1016, VR::LO),
    // Philips: b-factor, scanning technique.
    (0x2001_1003, VR::FL),
    (0x2001_1020, VR::LO),
    // United Imaging: b-value.
    (0x0065_1009, VR::FD),
];

/// The VR of an element of which the data set does not tell it.
fn known_vr(tag: u32) -> Option<VR> {
    if let Some((_, vr)) = PRIVATE.iter().find(|(private, _)| *private == tag) {
        return Some(*vr);
    }
    let [g0, g1, e0, e1] = tag.to_be_bytes();
    let tag = dicom_core::Tag(u16::from_be_bytes([g0, g1]), u16::from_be_bytes([e0, e1]));
    StandardDataDictionary
        .by_tag(tag)
        .map(|entry| entry.vr().relaxed())
}

/// How the texts of a data set are written: (0008,0005).
#[derive(Clone, Debug, Default)]
pub(super) struct Characters {
    set: SpecificCharacterSet,
    /// Escape sequences stand in the texts and the set does not know them (PS3.5 §6.1.2.5).
    strip: bool,
}

impl Characters {
    /// By the attribute's value; of several sets with code extensions the last that is known, which is the one that
    /// names are written in.
    pub(super) fn of(value: &[u8]) -> Self {
        let text = String::from_utf8_lossy(value);
        let known = text.split('\\').rev().find_map(|code| {
            let code = code.trim_matches([' ', '\0']);
            Some((SpecificCharacterSet::from_code(code)?, code.to_owned()))
        });
        known.map_or_else(Self::default, |(set, code)| Self {
            set,
            strip: !(code.ends_with("IR 87") || code.ends_with("IR 159")),
        })
    }

    fn decode(&self, bytes: &[u8]) -> String {
        let stripped;
        let bytes = if self.strip && bytes.contains(&0x1B) {
            stripped = without_escapes(bytes);
            &stripped
        } else {
            bytes
        };
        let decoded = self.set.decode(bytes);
        decoded.unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned())
    }
}

/// Escape sequences are ESC, any number of bytes 20 to 2F, one more.
fn without_escapes(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter().copied();
    while let Some(byte) = rest.next() {
        if byte == 0x1B {
            let _ = rest.by_ref().find(|b| !(0x20..=0x2F).contains(b));
        } else {
            out.push(byte);
        }
    }
    out
}

/// Reads a value field; `vr` where the data set tells it.
pub(super) fn decode(
    tag: u32,
    vr: Option<[u8; 2]>,
    big: bool,
    bytes: &[u8],
    characters: &Characters,
) -> Value {
    let told = vr.and_then(VR::from_binary).filter(|vr| *vr != VR::UN);
    let Some(vr) = told.or_else(|| known_vr(tag)) else {
        return guess(bytes);
    };
    match vr {
        VR::US => numbers(bytes, big, |b| u16::from_le_bytes(b).to_string()),
        VR::SS => numbers(bytes, big, |b| i16::from_le_bytes(b).to_string()),
        VR::UL => numbers(bytes, big, |b| u32::from_le_bytes(b).to_string()),
        VR::SL => numbers(bytes, big, |b| i32::from_le_bytes(b).to_string()),
        VR::FL => numbers(bytes, big, |b| f32::from_le_bytes(b).to_string()),
        VR::FD => numbers(bytes, big, |b| f64::from_le_bytes(b).to_string()),
        VR::LO | VR::PN | VR::SH | VR::UC => texts(&characters.decode(bytes)),
        VR::LT | VR::ST | VR::UT => Value::Texts(vec![
            characters.decode(bytes).trim_end_matches([' ', '\0']).to_owned(),
        ]),
        VR::AE | VR::AS | VR::CS | VR::DA | VR::DS | VR::DT | VR::IS | VR::TM | VR::UI | VR::UR => {
            texts(&String::from_utf8_lossy(bytes))
        }
        _ => Value::Opaque,
    }
}

fn texts(text: &str) -> Value {
    let text = text.trim_end_matches([' ', '\0']);
    if text.is_empty() {
        return Value::Texts(Vec::new());
    }
    Value::Texts(
        text.split('\\')
            .map(|one| one.trim_matches([' ', '\0']).to_owned())
            .collect(),
    )
}

fn numbers<const N: usize>(bytes: &[u8], big: bool, show: impl Fn([u8; N]) -> String) -> Value {
    let (whole, rest) = bytes.as_chunks::<N>();
    if !rest.is_empty() {
        return Value::Opaque;
    }
    let shown = whole.iter().map(|chunk| {
        let mut chunk = *chunk;
        if big {
            chunk.reverse();
        }
        show(chunk)
    });
    Value::Texts(shown.collect())
}

/// A private element of which nobody tells the VR: a text if it can be one.
fn guess(bytes: &[u8]) -> Value {
    let is_text = |b: &u8| matches!(b, 0x20..=0x7E | 0);
    if bytes.iter().all(is_text) {
        texts(&String::from_utf8_lossy(bytes))
    } else {
        Value::Opaque
    }
}

/// Whether the dictionary knows the element as a sequence.
pub(super) fn is_sequence(tag: u32) -> bool {
    known_vr(tag) == Some(VR::SQ)
}
