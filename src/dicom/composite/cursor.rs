//! Elements one by one: no length is believed, depth is bounded where something is kept and costs nothing elsewhere.

use dicom_core::{DataDictionary, Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;

use super::{Attribute, Held};
use crate::dicom::header::is_short_vr;
use crate::dicom::transfer_syntax::Encoding;

const UNDEFINED: u32 = u32::MAX;
const ITEM: u32 = 0xFFFE_E000;
const ITEM_END: u32 = 0xFFFE_E00D;
const SEQUENCE_END: u32 = 0xFFFE_E0DD;

/// A place in a data set.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    encoding: Encoding,
}

/// The beginning of an element.
pub(super) struct Header {
    pub tag: u32,
    pub vr: [u8; 2],
    pub length: u32,
}

impl<'a> Cursor<'a> {
    /// The beginning of a data set.
    pub const fn new(bytes: &'a [u8], encoding: Encoding) -> Self {
        Self {
            bytes,
            at: 0,
            encoding,
        }
    }

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

    /// The next element's beginning; `None` at the end.
    pub fn header(&mut self) -> Option<Header> {
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
    pub fn skip(&mut self, header: &Header) -> Option<()> {
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
    pub fn attribute(&mut self, header: &Header, deepest: u32) -> Option<Option<Attribute>> {
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
