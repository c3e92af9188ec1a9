//! Reading them: a bounded part of the file, a bounded depth, no length believed.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use dicom_core::{DataDictionary, Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;

use super::{Attribute, Composite, Held};
use crate::dicom::header::is_short_vr;
use crate::dicom::part10;
use crate::dicom::transfer_syntax::{self, Encoding};
use crate::model::Uid;

/// What is read of a data set, in bytes: what is wanted stands at its beginning.
pub const LONGEST_HEADER: u64 = 1 << 20;

/// What nearly always holds all of it, in bytes.
const SHORT_HEADER: u64 = 64 << 10;

/// Sequences within each other that are copied; what is deeper is left out.
const DEEPEST: u32 = 4;

/// Behind it nothing is wanted: (0020,0010) Study ID.
const LAST: u32 = 0x0020_0010;

const UNDEFINED: u32 = u32::MAX;
const ITEM: u32 = 0xFFFE_E000;
const ITEM_END: u32 = 0xFFFE_E00D;
const SEQUENCE_END: u32 = 0xFFFE_E0DD;

/// Of Patient, Clinical Trial Subject, General Study, Patient Study and Clinical Trial Study (PS3.3 §C.7.1, §C.7.2).
#[rustfmt::skip] // a table
const WANTED: [u32; 72] = [
    0x0008_0005, 0x0008_0020, 0x0008_0030, 0x0008_0050, 0x0008_0051, 0x0008_0090, 0x0008_0096, 0x0008_009C, 0x0008_009D,
    0x0008_0201, 0x0008_1030, 0x0008_1032, 0x0008_1048, 0x0008_1049, 0x0008_1060, 0x0008_1062, 0x0008_1080, 0x0008_1084,
    0x0008_1110, 0x0008_1120,
    0x0010_0010, 0x0010_0020, 0x0010_0021, 0x0010_0022, 0x0010_0024, 0x0010_0026, 0x0010_0027, 0x0010_0030, 0x0010_0032,
    0x0010_0033, 0x0010_0034, 0x0010_0035, 0x0010_0040, 0x0010_0221, 0x0010_1001, 0x0010_1002, 0x0010_1010, 0x0010_1020,
    0x0010_1021, 0x0010_1022, 0x0010_1023, 0x0010_1024, 0x0010_1030, 0x0010_2000, 0x0010_2110, 0x0010_2160, 0x0010_2180,
    0x0010_21A0, 0x0010_21B0, 0x0010_21D0, 0x0010_2201, 0x0010_2202, 0x0010_2203, 0x0010_2292, 0x0010_2293, 0x0010_2294,
    0x0010_2295, 0x0010_2296, 0x0010_2297, 0x0010_4000,
    0x0012_0010, 0x0012_0020, 0x0012_0021, 0x0012_0030, 0x0012_0031, 0x0012_0040, 0x0012_0042, 0x0012_0050, 0x0012_0062,
    0x0012_0063, 0x0012_0064, 0x0020_0010,
];

/// What a stored file says of itself, its patient and its study; `None` for one that is no object, or says it nowhere in
/// the first [`LONGEST_HEADER`] bytes.
///
/// # Errors
/// What reading says.
pub fn read(path: &Path) -> io::Result<Option<Composite>> {
    let Some((meta, offset)) = part10::read_head(path)? else {
        return Ok(None);
    };
    let Some(encoding) = transfer_syntax::encoding(meta.transfer_syntax_uid.as_str()) else {
        return Ok(None);
    };
    for limit in [SHORT_HEADER, LONGEST_HEADER] {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        let read = match encoding {
            Encoding::Deflated => flate2::read::DeflateDecoder::new(file)
                .take(limit)
                .read_to_end(&mut bytes),
            _ => file.take(limit).read_to_end(&mut bytes),
        };
        // What cannot be inflated is no object.
        if read.is_err() && encoding == Encoding::Deflated {
            return Ok(None);
        }
        let whole = u64::try_from(read?).unwrap_or(u64::MAX) < limit;
        let found = parse(&bytes, encoding, whole);
        if found.is_some() || whole {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Reads the beginning of a data set, or the `whole` of it; `None` where it ends before everything wanted was seen.
#[must_use]
pub fn parse(bytes: &[u8], encoding: Encoding, whole: bool) -> Option<Composite> {
    let mut cursor = Cursor {
        bytes,
        at: 0,
        encoding,
    };
    let mut found = Vec::new();
    let mut uids = [const { None }; 4];
    let of_uid = [0x0008_0016, 0x0008_0018, 0x0020_000D, 0x0020_000E];
    let mut passed = whole;
    while let Some(header) = cursor.header() {
        if header.tag > LAST {
            passed = true;
            break;
        }
        let slot = of_uid.iter().position(|tag| *tag == header.tag);
        if slot.is_none() && !WANTED.contains(&header.tag) {
            cursor.skip(&header)?;
            continue;
        }
        let attribute = cursor.attribute(&header, DEEPEST)?;
        match (slot.and_then(|i| uids.get_mut(i)), attribute) {
            (
                Some(slot),
                Some(Attribute {
                    value: Held::Bytes(bytes),
                    ..
                }),
            ) => *slot = Uid::parse(&bytes).ok(),
            (None, Some(attribute)) => found.push(attribute),
            _ => {}
        }
    }
    if !passed {
        return None;
    }
    let [class, instance, study, series] = uids;
    Some(Composite {
        sop_class_uid: class?,
        sop_instance_uid: instance?,
        study_instance_uid: study?,
        series_instance_uid: series?,
        attributes: found,
    })
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    encoding: Encoding,
}

struct Header {
    tag: u32,
    vr: [u8; 2],
    length: u32,
}

impl<'a> Cursor<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let end = self.at.checked_add(N)?;
        let taken = self.bytes.get(self.at..end)?.try_into().ok()?;
        self.at = end;
        Some(taken)
    }

    fn big(&self) -> bool {
        self.encoding == Encoding::ExplicitBig
    }

    fn short(&self, bytes: [u8; 2]) -> u16 {
        if self.big() {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        }
    }

    fn long(&mut self) -> Option<u32> {
        let bytes = self.take()?;
        Some(if self.big() {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        })
    }

    fn header(&mut self) -> Option<Header> {
        let [a, b, c, d] = self.take()?;
        let tag = u32::from(self.short([a, b])) << 16 | u32::from(self.short([c, d]));
        if tag >> 16 == 0xFFFE || self.encoding == Encoding::ImplicitLittle {
            let length = self.long()?;
            return Some(Header {
                tag,
                vr: vr_of(tag),
                length,
            });
        }
        let [v0, v1, l0, l1] = self.take()?;
        let vr = [v0, v1];
        let length = if is_short_vr(vr) {
            u32::from(self.short([l0, l1]))
        } else {
            self.long()?
        };
        Some(Header { tag, vr, length })
    }

    /// The bytes of a value of known length.
    fn value(&mut self, length: u32) -> Option<&'a [u8]> {
        let end = self.at.checked_add(usize::try_from(length).ok()?)?;
        let value = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(value)
    }

    /// Passes a value, however deep it is, with one counter.
    fn skip(&mut self, header: &Header) -> Option<()> {
        if header.length != UNDEFINED {
            return self.value(header.length).map(drop);
        }
        // Inside of a UN of undefined length all is implicit: nobody needs it that much.
        if header.vr == *b"UN" && self.encoding != Encoding::ImplicitLittle {
            return None;
        }
        let mut depth = 1_u32;
        while depth > 0 {
            let inner = self.header()?;
            match inner.tag {
                ITEM_END | SEQUENCE_END => depth -= 1,
                _ if inner.length == UNDEFINED => depth = depth.checked_add(1)?,
                _ => self.value(inner.length).map(drop)?,
            }
        }
        Some(())
    }

    /// A wanted attribute; the inner `None` for one that is left out. The outer one ends the reading.
    fn attribute(&mut self, header: &Header, deepest: u32) -> Option<Option<Attribute>> {
        let whole = |value| {
            Some(Some(Attribute {
                tag: header.tag,
                vr: header.vr,
                value,
            }))
        };
        if header.vr == *b"SQ" {
            // Of the retired big endian, text is enough.
            if deepest == 0 || self.big() {
                return self.skip(header).map(|()| None);
            }
            return whole(Held::Items(self.items(header.length, deepest - 1)?));
        }
        if header.length == UNDEFINED {
            return self.skip(header).map(|()| None);
        }
        let value = self.value(header.length)?;
        if self.big() && !is_text(header.vr) {
            return Some(None);
        }
        let padded = is_text(header.vr);
        let value = if padded { trimmed(value) } else { value };
        whole(Held::Bytes(value.to_vec()))
    }

    fn items(&mut self, length: u32, deepest: u32) -> Option<Vec<Vec<Attribute>>> {
        let end = self.end(length)?;
        let mut items = Vec::new();
        while end.is_none_or(|end| self.at < end) {
            let item = self.header()?;
            match item.tag {
                ITEM => items.push(self.item(item.length, deepest)?),
                SEQUENCE_END if end.is_none() => break,
                _ => return None,
            }
        }
        Some(items)
    }

    fn item(&mut self, length: u32, deepest: u32) -> Option<Vec<Attribute>> {
        let end = self.end(length)?;
        let mut attributes = Vec::new();
        while end.is_none_or(|end| self.at < end) {
            let header = self.header()?;
            if header.tag == ITEM_END && end.is_none() {
                break;
            }
            let attribute = self.attribute(&header, deepest)?;
            // Private elements mean nothing without what else was private there.
            attributes.extend(attribute.filter(|a| (a.tag >> 16) % 2 == 0 && a.tag >> 16 != 0xFFFE));
        }
        Some(attributes)
    }

    /// Where a value of known length ends; the inner `None` for one of undefined length.
    fn end(&self, length: u32) -> Option<Option<usize>> {
        if length == UNDEFINED {
            return Some(None);
        }
        let end = self.at.checked_add(usize::try_from(length).ok()?)?;
        (end <= self.bytes.len()).then_some(Some(end))
    }
}

/// The VR of a standard element in implicit VR.
fn vr_of(tag: u32) -> [u8; 2] {
    let [a, b, c, d] = tag.to_be_bytes();
    let tag = Tag(u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let vr = StandardDataDictionary.by_tag(tag).map_or(VR::UN, |entry| {
        dicom_core::dictionary::DataDictionaryEntry::vr(entry).relaxed()
    });
    vr.to_bytes()
}

fn is_text(vr: [u8; 2]) -> bool {
    matches!(
        &vr,
        b"AE"
            | b"AS"
            | b"CS"
            | b"DA"
            | b"DS"
            | b"DT"
            | b"IS"
            | b"LO"
            | b"LT"
            | b"PN"
            | b"SH"
            | b"ST"
            | b"TM"
            | b"UC"
            | b"UI"
            | b"UR"
            | b"UT"
    )
}

fn trimmed(value: &[u8]) -> &[u8] {
    let end = value
        .iter()
        .rposition(|b| !matches!(b, 0 | b' '))
        .map_or(0, |last| last + 1);
    value.get(..end).unwrap_or_default()
}
