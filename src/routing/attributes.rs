//! What `which` asks of a file: a few attributes as text, read without trusting the file.
//!
//! A bucket wrote it, and a length in it may say anything. So the elements wanted are found by a flat walk over the
//! beginning of the file, and only they are given to dicom-object, which knows value representations and character sets.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use dicom_core::Tag;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::StandardDataDictionary;

use crate::dicom::part10::{self, FileMeta};
use crate::model::{AttributeTag, Uid};

/// How much of a data set is looked through, in bytes.
const LONGEST: u64 = 4 << 20;

/// The longest value that is searched, in bytes.
const LONGEST_VALUE: usize = 64 << 10;

const IMPLICIT: &str = "1.2.840.10008.1.2";
const EXPLICIT: &str = "1.2.840.10008.1.2.1";
const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";
const DEFLATED: &str = "1.2.840.10008.1.2.1.99";

/// (0008,0005) Specific Character Set
const CHARACTER_SET: AttributeTag = AttributeTag {
    group: 0x0008,
    element: 0x0005,
};

/// Attributes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attributes {
    /// Their values as text, several joined by a backslash. One that is not there is not in it.
    Read(BTreeMap<AttributeTag, String>),
    /// Why they could not be read.
    Unreadable(String),
}

impl Default for Attributes {
    fn default() -> Self {
        Self::Read(BTreeMap::new())
    }
}

/// Reads attributes of a Part 10 file.
#[must_use]
pub fn read(path: &Path, wanted: &BTreeSet<AttributeTag>) -> Attributes {
    match try_read(path, wanted) {
        Ok(values) => Attributes::Read(values),
        Err(error) => Attributes::Unreadable(error.to_string()),
    }
}

/// Whether a file has the head of a Part 10 file: only such files are sent.
///
/// # Errors
/// What reading it says.
pub fn is_dicom(path: &Path) -> io::Result<bool> {
    Ok(part10::read_head(path)?.is_some())
}

fn try_read(path: &Path, wanted: &BTreeSet<AttributeTag>) -> io::Result<BTreeMap<AttributeTag, String>> {
    let (meta, offset) = part10::read_head(path)?.ok_or_else(|| malformed("it is no DICOM file (PS3.10)"))?;
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    if meta.transfer_syntax_uid.as_str() == DEFLATED {
        flate2::read::DeflateDecoder::new(file)
            .take(LONGEST)
            .read_to_end(&mut bytes)?;
    } else {
        file.take(LONGEST).read_to_end(&mut bytes)?;
    }
    let syntax = Syntax::of(&meta);
    let mut tags = wanted.clone();
    tags.insert(CHARACTER_SET);
    let elements = elements(&bytes, syntax, &tags)?;
    let mut values = decoded(&meta, syntax, &elements, wanted)?;
    for (element, value) in [
        (0x0002, &meta.sop_class_uid),
        (0x0003, &meta.sop_instance_uid),
        (0x0010, &meta.transfer_syntax_uid),
    ] {
        let tag = AttributeTag { group: 2, element };
        if wanted.contains(&tag) {
            values.insert(tag, value.to_string());
        }
    }
    Ok(values)
}

fn malformed(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[derive(Clone, Copy)]
struct Syntax {
    explicit: bool,
    little: bool,
}

impl Syntax {
    fn of(meta: &FileMeta) -> Self {
        let uid = meta.transfer_syntax_uid.as_str();
        Self {
            explicit: uid != IMPLICIT,
            little: uid != BIG_ENDIAN,
        }
    }

    const fn uid(self) -> &'static str {
        match (self.explicit, self.little) {
            (false, _) => IMPLICIT,
            (true, true) => EXPLICIT,
            (true, false) => BIG_ENDIAN,
        }
    }

    fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let two: [u8; 2] = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.little {
            u16::from_le_bytes(two)
        } else {
            u16::from_be_bytes(two)
        })
    }

    fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let four: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.little {
            u32::from_le_bytes(four)
        } else {
            u32::from_be_bytes(four)
        })
    }

    /// Tag, value representation, length and where the value begins (PS3.5 §7.1.2, §7.1.3).
    fn header(self, bytes: &[u8], at: usize) -> Option<(AttributeTag, [u8; 2], u32, usize)> {
        let tag = AttributeTag {
            group: self.u16(bytes, at)?,
            element: self.u16(bytes, at + 2)?,
        };
        // Items and their ends have no value representation.
        if !self.explicit || tag.group == 0xfffe {
            return Some((tag, [0; 2], self.u32(bytes, at + 4)?, at + 8));
        }
        let vr: [u8; 2] = bytes.get(at + 4..at + 6)?.try_into().ok()?;
        if LONG.contains(&&vr) {
            return Some((tag, vr, self.u32(bytes, at + 8)?, at + 12));
        }
        Some((tag, vr, self.u16(bytes, at + 6)?.into(), at + 8))
    }
}

/// Value representations with a length of four bytes (PS3.5 table 7.1-1).
const LONG: [&[u8; 2]; 13] = [
    b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV",
];

const UNDEFINED: u32 = u32::MAX;

/// The wanted elements of a data set, each as it stands there. Ends with the first that is greater than all of them.
fn elements(bytes: &[u8], syntax: Syntax, wanted: &BTreeSet<AttributeTag>) -> io::Result<Vec<u8>> {
    let Some(greatest) = wanted.last() else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    let mut at = 0;
    while let Some((tag, vr, length, begin)) = syntax.header(bytes, at) {
        if tag > *greatest {
            return Ok(found);
        }
        if length == UNDEFINED {
            at = behind_undefined(bytes, syntax, begin, &vr)
                .ok_or_else(|| malformed("a value of undefined length does not end"))?;
            continue;
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let end = begin.checked_add(length).filter(|end| *end <= bytes.len());
        let Some(end) = end else {
            return Err(malformed(
                "an element ends behind the data set, or behind its first 4 MiB",
            ));
        };
        if wanted.contains(&tag) && vr != *b"SQ" && length <= LONGEST_VALUE {
            found.extend_from_slice(bytes.get(at..end).unwrap_or_default());
        }
        at = end;
    }
    if at < bytes.len() {
        return Err(malformed("the data set ends within an element"));
    }
    Ok(found)
}

/// Where a value of undefined length ends: one counter, so that depth costs nothing.
fn behind_undefined(bytes: &[u8], syntax: Syntax, begin: usize, vr: &[u8; 2]) -> Option<usize> {
    // The content of UN of undefined length is implicit little endian (PS3.5 §6.2.2).
    let inner = if vr == b"UN" {
        Syntax {
            explicit: false,
            little: true,
        }
    } else {
        syntax
    };
    let mut depth = 1usize;
    let mut at = begin;
    while depth > 0 {
        let (tag, _, length, value) = inner.header(bytes, at)?;
        at = match (tag.group, tag.element) {
            // The end of an item, or of a sequence.
            (0xfffe, 0xe00d | 0xe0dd) => {
                depth -= 1;
                value
            }
            _ if length == UNDEFINED => {
                depth += 1;
                value
            }
            _ => value.checked_add(usize::try_from(length).ok()?)?,
        };
    }
    Some(at)
}

/// The values of elements as text.
fn decoded(
    meta: &FileMeta,
    syntax: Syntax,
    elements: &[u8],
    wanted: &BTreeSet<AttributeTag>,
) -> io::Result<BTreeMap<AttributeTag, String>> {
    let plain = FileMeta {
        transfer_syntax_uid: Uid::parse(syntax.uid().as_bytes())
            .map_err(|error| malformed(&error.to_string()))?,
        ..meta.clone()
    };
    let mut file = part10::head(&plain, None).map_err(|error| malformed(&error.to_string()))?;
    file.extend_from_slice(elements);
    let object =
        dicom_object::from_reader(Cursor::new(file)).map_err(|error| malformed(&error.to_string()))?;
    let mut values = BTreeMap::new();
    for tag in wanted {
        let Ok(element) = object.element(Tag(tag.group, tag.element)) else {
            continue;
        };
        if let Ok(texts) = element.to_multi_str() {
            let texts: Vec<_> = texts.iter().map(|text| text.trim_matches([' ', '\0'])).collect();
            values.insert(*tag, texts.join("\\"));
        }
    }
    Ok(values)
}

/// The name of an attribute in the standard's dictionary (PS3.6), for people.
#[must_use]
pub fn keyword(tag: AttributeTag) -> Option<&'static str> {
    let entry = StandardDataDictionary.by_tag(Tag(tag.group, tag.element))?;
    Some(entry.alias())
}

#[cfg(test)]
mod tests;
