//! One element: its head, and where it ends, whatever is in it.

use std::ops::Range;

use super::source::{Source, cut};
use super::{TranscodeError, unfit};

pub(super) const PIXEL_DATA: u32 = 0x7fe0_0010;
pub(super) const ITEM: u32 = 0xfffe_e000;
const ITEM_END: u32 = 0xfffe_e00d;
pub(super) const SEQUENCE_END: u32 = 0xfffe_e0dd;
const UNDEFINED: u32 = u32::MAX;

/// Sequences within sequences that are gone through.
const DEEPEST: usize = 32;

/// The head of an element.
#[derive(Debug)]
pub(super) struct Element {
    pub tag: u32,
    vr: [u8; 2],
    length: u32,
    /// Where its value begins.
    pub value: u64,
    /// It is within implicit VR.
    implicit: bool,
}

/// Bytes of a head, from there on.
fn chunk<const N: usize>(head: &[u8], at: usize) -> Result<[u8; N], TranscodeError> {
    let bytes = head.get(at..).and_then(|b| b.first_chunk());
    bytes.copied().ok_or_else(cut)
}

impl Element {
    /// The element there (PS3.5 §7.1.2).
    pub fn at(source: &mut Source, at: u64) -> Result<Self, TranscodeError> {
        Self::read(source, at, false)
    }

    fn read(source: &mut Source, at: u64, implicit: bool) -> Result<Self, TranscodeError> {
        let head = source.head(at)?;
        let [group, number] = [chunk(head, 0)?, chunk(head, 2)?].map(u16::from_le_bytes);
        let tag = u32::from(group) << 16 | u32::from(number);
        let long = |from| Ok::<_, TranscodeError>(u32::from_le_bytes(chunk(head, from)?));
        if implicit || matches!(tag, ITEM | ITEM_END | SEQUENCE_END) {
            return Ok(Self {
                tag,
                vr: *b"  ",
                length: long(4)?,
                value: at + 8,
                implicit,
            });
        }
        let vr: [u8; 2] = chunk(head, 4)?;
        let (length, value) = match &vr {
            b"OB" | b"OD" | b"OF" | b"OL" | b"OV" | b"OW" | b"SQ" | b"SV" | b"UC" | b"UN" | b"UR" | b"UT"
            | b"UV" => (long(8)?, at + 12),
            [b'A'..=b'Z', b'A'..=b'Z'] => (u16::from_le_bytes(chunk(head, 6)?).into(), at + 8),
            _ => return Err(unfit(format!("({tag:08x}) has no VR"))),
        };
        Ok(Self {
            tag,
            vr,
            length,
            value,
            implicit,
        })
    }

    /// Whether a delimiter ends it (PS3.5 §7.5).
    pub const fn is_undefined(&self) -> bool {
        self.length == UNDEFINED
    }

    /// Where it ends.
    pub fn end(&self, source: &mut Source, depth: usize) -> Result<u64, TranscodeError> {
        if !self.is_undefined() {
            let end = self.value.checked_add(self.length.into());
            return end.filter(|end| *end <= source.range.end).ok_or_else(cut);
        }
        if depth >= DEEPEST {
            return Err(unfit("its sequences are nested too deep"));
        }
        // Items of UN are implicit VR, with all that is in them (PS3.5 §6.2.2).
        let implicit = self.implicit || self.vr == *b"UN";
        let delimiter = if self.tag == ITEM { ITEM_END } else { SEQUENCE_END };
        let mut at = self.value;
        loop {
            let inner = Self::read(source, at, implicit)?;
            if inner.tag == delimiter {
                return Ok(inner.value);
            }
            at = inner.within(source, depth)?;
        }
    }

    /// Where an element of an item ends: none that has fragments.
    fn within(&self, source: &mut Source, depth: usize) -> Result<u64, TranscodeError> {
        if self.tag == PIXEL_DATA && self.is_undefined() {
            return Err(unfit(
                "an image within a sequence, as an icon is, is compressed too",
            ));
        }
        self.end(source, depth + 1)
    }

    /// Looks at what is in the items of a sequence.
    pub fn look_through(source: &mut Source, items: Range<u64>) -> Result<(), TranscodeError> {
        let mut at = items.start;
        while at < items.end {
            let inner = Self::at(source, at)?;
            at = if inner.tag == ITEM && !inner.is_undefined() {
                inner.value
            } else {
                inner.within(source, 0)?
            };
        }
        Ok(())
    }
}
