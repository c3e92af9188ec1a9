//! What a rule looks at: `tag`.

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::StandardDataDictionary;
use serde_json::Value;

/// What a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// `["NumFiles"]`: objects of the series so far.
    NumFiles,
    /// `["ClassifyType"]`: its types so far.
    ClassifyType,
    /// `[group, element]`, or `[group, element, index]` for one value of several.
    Element {
        /// Group and element as one number.
        tag: u32,
        /// Which value, from 0.
        index: Option<usize>,
    },
}

/// The keys of a series' JSON that are no keywords of the standard.
const OWN_NAMES: [(&str, u32); 1] = [("SliceSpacing", 0x0018_0088)];

const HOW: &str = "a tag is [\"0x08\", \"0x70\"], [\"0x43\", \"0x1039\", \"0\"] for one of several values, [\"NumFiles\"] or \
                   [\"ClassifyType\"]";

impl Subject {
    /// Reads a `tag`.
    ///
    /// # Errors
    /// What a tag looks like.
    pub fn read(value: &Value) -> Result<Self, String> {
        let how = || HOW.to_owned();
        let list = value.as_array().ok_or_else(how)?;
        match list.as_slice() {
            [name] => Self::named(name.as_str().ok_or_else(how)?),
            [group, element] => Self::element(group, element, None),
            [group, element, index] => Self::element(group, element, Some(index)),
            _ => Err(how()),
        }
    }

    fn named(name: &str) -> Result<Self, String> {
        match name {
            "NumFiles" => return Ok(Self::NumFiles),
            "ClassifyType" => return Ok(Self::ClassifyType),
            _ => {}
        }
        let own = OWN_NAMES
            .iter()
            .find(|(own, _)| *own == name)
            .map(|(_, tag)| *tag);
        let tag = own.or_else(|| {
            let entry = StandardDataDictionary.by_name(name)?;
            Some(u32::from(entry.tag().0) << 16 | u32::from(entry.tag().1))
        });
        tag.map(|tag| Self::Element { tag, index: None })
            .ok_or_else(|| format!("{name:?} is no attribute's keyword: {HOW}"))
    }

    fn element(group: &Value, element: &Value, index: Option<&Value>) -> Result<Self, String> {
        let half = |value| whole(value).and_then(|n| u16::try_from(n).ok());
        let (Some(group), Some(element)) = (half(group), half(element)) else {
            return Err(HOW.to_owned());
        };
        let index = match index {
            None => None,
            Some(index) => Some(
                whole(index)
                    .and_then(|n| usize::try_from(n).ok())
                    .ok_or_else(|| HOW.to_owned())?,
            ),
        };
        Ok(Self::Element {
            tag: u32::from(group) << 16 | u32::from(element),
            index,
        })
    }
}

/// A whole number: `8`, `"8"` or `"0x08"`.
fn whole(value: &Value) -> Option<u64> {
    let text = match value {
        Value::Number(n) => return n.as_u64(),
        other => other.as_str()?.trim(),
    };
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}
