//! A data set from its first element to its last: where each lies, and that it is whole.
//!
//! A bucket wrote it, so no length in it is believed before it was held against what is around it, nothing is allocated by
//! one, and depth costs one entry of a bounded stack. Pixel data is passed over, not read.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use super::vr::{is_text, vr_of};
use crate::dicom::header::is_short_vr;
use crate::dicom::transfer_syntax::Encoding;

/// A value that is longer is not handed out, in bytes.
pub(super) const LONGEST_VALUE: u64 = 1 << 20;

/// Sequences and items within each other.
const DEEPEST: usize = 64;

const UNDEFINED: u32 = u32::MAX;
const ITEM: u32 = 0xFFFE_E000;
const ITEM_DELIMITATION: u32 = 0xFFFE_E00D;
const SEQUENCE_DELIMITATION: u32 = 0xFFFE_E0DD;
const FIRST_OF_A_DATA_SET: u32 = 0x0008_0000;
pub(super) const CHARACTER_SET: u32 = 0x0008_0005;

/// Why a data set cannot be read to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum WalkError {
    /// The disk.
    #[error(transparent)]
    Io(io::Error),
    /// The bucket.
    #[error("{0}")]
    Malformed(&'static str),
}

impl From<io::Error> for WalkError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Malformed("the data set ends within an element"),
            _ => Self::Io(error),
        }
    }
}

const fn malformed<T>(why: &'static str) -> Result<T, WalkError> {
    Err(WalkError::Malformed(why))
}

/// An element of the data set itself, not of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    /// `ggggeeee`
    pub tag: u32,
    /// As written; by the dictionary where the syntax writes none.
    pub vr: [u8; 2],
    /// Where its header begins, in the file.
    pub start: u64,
    /// Where its value begins.
    pub value: u64,
    /// Behind it, and behind its delimiter.
    pub end: u64,
    /// Its length is not given: it ends with a delimiter.
    pub undefined: bool,
}

/// A value that is no sequence, wherever it stands.
#[derive(Debug)]
pub(super) struct Leaf<'a> {
    /// `ggggeeee`
    pub tag: u32,
    /// As [`Element::vr`].
    pub vr: [u8; 2],
    /// Items around it.
    pub depth: usize,
    /// An item around it has a character set of its own.
    pub own_character_set: bool,
    /// Its bytes; `None` for pixels and other numbers, and for what is longer than [`LONGEST_VALUE`].
    pub value: Option<&'a [u8]>,
}

/// Where a data set lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    /// Its first byte in the file.
    pub begin: u64,
    /// Behind its last.
    pub end: u64,
    /// How it is written; not deflated.
    pub encoding: Encoding,
}

#[derive(Clone, Copy)]
enum Kind {
    Sequence,
    Item,
    Fragments,
}

struct Frame {
    kind: Kind,
    end: Option<u64>,
    encoding: Encoding,
    own_character_set: bool,
}

struct Header {
    tag: u32,
    vr: Option<[u8; 2]>,
    length: u32,
}

/// Walks a data set; `last`: the element behind which nothing is of interest. Answers its elements, in ascending order.
///
/// # Errors
/// [`WalkError`]: it is not whole, or no data set.
pub(super) fn walk<R: Read + Seek>(
    reader: &mut BufReader<R>,
    extent: Extent,
    last: Option<u32>,
    leaf: &mut dyn FnMut(&Leaf<'_>),
) -> Result<Vec<Element>, WalkError> {
    reader.seek(SeekFrom::Start(extent.begin))?;
    let mut walker = Walker {
        reader,
        at: extent.begin,
        extent,
        stack: Vec::new(),
        elements: Vec::new(),
    };
    while walker.close_what_ends_here()? {
        if walker.step(last, leaf)? {
            break;
        }
    }
    Ok(walker.elements)
}

struct Walker<'r, R: Read + Seek> {
    reader: &'r mut BufReader<R>,
    at: u64,
    extent: Extent,
    stack: Vec<Frame>,
    elements: Vec<Element>,
}

impl<R: Read + Seek> Walker<'_, R> {
    /// Leaves what has its end here; answers whether anything follows.
    fn close_what_ends_here(&mut self) -> Result<bool, WalkError> {
        while let Some(frame) = self.stack.last() {
            match frame.end {
                Some(end) if end == self.at => self.close(),
                Some(end) if end < self.at => return malformed("an item or sequence is longer than it says"),
                _ => break,
            }
        }
        if self.at < self.extent.end {
            return Ok(true);
        }
        match self.stack.is_empty() {
            true => Ok(false),
            false => malformed("the data set ends within a sequence"),
        }
    }

    fn close(&mut self) {
        self.stack.pop();
        if self.stack.is_empty()
            && let Some(element) = self.elements.last_mut()
        {
            element.end = self.at;
        }
    }

    fn encoding(&self) -> Encoding {
        self.stack.last().map_or(self.extent.encoding, |f| f.encoding)
    }

    /// Where what is around the next element ends at the latest.
    fn bound(&self) -> u64 {
        let ends = self.stack.iter().rev().find_map(|frame| frame.end);
        ends.unwrap_or(self.extent.end)
    }

    /// Takes the next header, and what belongs to it. Answers whether to stop.
    fn step(&mut self, last: Option<u32>, leaf: &mut dyn FnMut(&Leaf<'_>)) -> Result<bool, WalkError> {
        let start = self.at;
        let header = self.header()?;
        match self.stack.last().map(|f| (f.kind, f.end)) {
            Some((Kind::Sequence, end)) => self.item(&header, end)?,
            Some((Kind::Fragments, _)) => self.fragment(&header)?,
            Some((Kind::Item, None)) if header.tag == ITEM_DELIMITATION => match header.length {
                0 => self.close(),
                _ => return malformed("an item's delimiter has a length"),
            },
            _ if header.tag >> 16 == 0xFFFE => {
                return malformed("a delimiter stands where an element is due");
            }
            _ => {
                if self.stack.is_empty() {
                    if last.is_some_and(|last| header.tag > last) {
                        return Ok(true);
                    }
                    // Of the beginning of what somebody else made no more is asked than that it can be read.
                    self.top(start, &header, last.is_none())?;
                }
                self.element(&header, last.is_none(), leaf)?;
            }
        }
        Ok(false)
    }

    fn header(&mut self) -> Result<Header, WalkError> {
        let encoding = self.encoding();
        let big = encoding == Encoding::ExplicitBig;
        let u16 = |bytes| {
            if big {
                u16::from_be_bytes(bytes)
            } else {
                u16::from_le_bytes(bytes)
            }
        };
        let u32 = |bytes| {
            if big {
                u32::from_be_bytes(bytes)
            } else {
                u32::from_le_bytes(bytes)
            }
        };
        let [g0, g1, e0, e1, b4, b5, b6, b7] = self.bytes::<8>()?;
        let tag = u32::from(u16([g0, g1])) << 16 | u32::from(u16([e0, e1]));
        if tag >> 16 == 0xFFFE || encoding == Encoding::ImplicitLittle {
            let (vr, length) = (None, u32([b4, b5, b6, b7]));
            return Ok(Header { tag, vr, length });
        }
        let vr = [b4, b5];
        if !vr.iter().all(u8::is_ascii_uppercase) {
            return malformed("an element has no value representation");
        }
        let length = if is_short_vr(vr) {
            u32::from(u16([b6, b7]))
        } else {
            u32(self.bytes::<4>()?)
        };
        let vr = Some(vr);
        Ok(Header { tag, vr, length })
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], WalkError> {
        let mut bytes = [0; N];
        let length = u64::try_from(N).unwrap_or(u64::MAX);
        if self.bound().saturating_sub(self.at) < length {
            return malformed("the data set, or an item, ends within an element");
        }
        self.reader.read_exact(&mut bytes)?;
        self.at += length;
        Ok(bytes)
    }

    /// Passes over so many bytes.
    fn pass(&mut self, length: u32) -> Result<(), WalkError> {
        self.reader.seek_relative(i64::from(length))?;
        self.at += u64::from(length);
        Ok(())
    }

    fn fits(&self, length: u32) -> Result<u64, WalkError> {
        match self.at.checked_add(u64::from(length)) {
            Some(end) if end <= self.bound() => Ok(end),
            _ => malformed("an element is longer than what is left of the data set, or of its item"),
        }
    }

    fn open(&mut self, kind: Kind, end: Option<u64>, encoding: Encoding) -> Result<(), WalkError> {
        if self.stack.len() == DEEPEST {
            return malformed("sequences lie too deep within each other");
        }
        let own_character_set = self.stack.last().is_some_and(|f| f.own_character_set);
        self.stack.push(Frame {
            kind,
            end,
            encoding,
            own_character_set,
        });
        Ok(())
    }

    fn item(&mut self, header: &Header, end: Option<u64>) -> Result<(), WalkError> {
        match header.tag {
            ITEM if header.length == UNDEFINED => self.open(Kind::Item, None, self.encoding()),
            ITEM => {
                let end = self.fits(header.length)?;
                self.open(Kind::Item, Some(end), self.encoding())
            }
            SEQUENCE_DELIMITATION if end.is_none() && header.length == 0 => {
                self.close();
                Ok(())
            }
            _ => malformed("something that is no item stands in a sequence"),
        }
    }

    fn fragment(&mut self, header: &Header) -> Result<(), WalkError> {
        match (header.tag, header.length) {
            (SEQUENCE_DELIMITATION, 0) => {
                self.close();
                Ok(())
            }
            (ITEM, length) if length != UNDEFINED => {
                self.fits(length)?;
                self.pass(length)
            }
            _ => malformed("something that is no fragment stands in pixel data"),
        }
    }

    fn top(&mut self, start: u64, header: &Header, in_order: bool) -> Result<(), WalkError> {
        if header.tag < FIRST_OF_A_DATA_SET {
            return malformed("an element of a group that no data set has");
        }
        let before = self.elements.last().map_or(0, |before| before.tag);
        if in_order && before >= header.tag {
            return malformed("its elements are not in ascending order (PS3.5 §7.1)");
        }
        self.elements.push(Element {
            tag: header.tag,
            vr: header.vr.unwrap_or_else(|| vr_of(header.tag)),
            start,
            value: self.at,
            end: self.at,
            undefined: header.length == UNDEFINED,
        });
        Ok(())
    }

    /// `whole`: sequences are walked too, also such as could be passed over.
    fn element(
        &mut self,
        header: &Header,
        whole: bool,
        leaf: &mut dyn FnMut(&Leaf<'_>),
    ) -> Result<(), WalkError> {
        let vr = header.vr.unwrap_or_else(|| vr_of(header.tag));
        let encoding = self.encoding();
        if header.length == UNDEFINED {
            return match (&vr, header.vr.is_some()) {
                // Its content is implicit little endian (PS3.5 §6.2.2).
                (b"UN", true) => self.open(Kind::Sequence, None, Encoding::ImplicitLittle),
                (b"OB" | b"OW", true) => self.open(Kind::Fragments, None, encoding),
                (b"SQ", _) | (_, false) => self.open(Kind::Sequence, None, encoding),
                _ => malformed("an element that is no sequence has no length"),
            };
        }
        let end = self.fits(header.length)?;
        if vr == *b"SQ" && header.length > 0 && whole {
            return self.open(Kind::Sequence, Some(end), encoding);
        }
        let depth = self.stack.iter().filter(|f| matches!(f.kind, Kind::Item)).count();
        let is_kept = is_text(vr) && u64::from(header.length) <= LONGEST_VALUE;
        let value = if is_kept {
            let mut value = vec![0; usize::try_from(header.length).unwrap_or(0)];
            self.reader.read_exact(&mut value)?;
            self.at = end;
            Some(value)
        } else {
            self.pass(header.length)?;
            None
        };
        if let Some(frame) = self.stack.last_mut()
            && header.tag == CHARACTER_SET
        {
            frame.own_character_set = true;
        }
        leaf(&Leaf {
            tag: header.tag,
            vr,
            depth,
            own_character_set: self.stack.last().is_some_and(|f| f.own_character_set),
            value: value.as_deref(),
        });
        if let Some(element) = self.elements.last_mut().filter(|_| self.stack.is_empty()) {
            element.end = self.at;
        }
        Ok(())
    }
}

/// Walks bytes as far as it goes: where each element begins and ends, whether they are whole, and how many values they have.
#[cfg(feature = "fuzzing")]
pub fn walked(bytes: &[u8], encoding: Encoding) -> Option<(Vec<(u64, u64)>, usize)> {
    let extent = Extent {
        begin: 0,
        end: bytes.len() as u64,
        encoding,
    };
    let mut values = 0;
    let mut reader = BufReader::new(io::Cursor::new(bytes));
    let elements = walk(&mut reader, extent, None, &mut |_| values += 1).ok()?;
    Some((elements.iter().map(|e| (e.start, e.end)).collect(), values))
}

#[cfg(test)]
mod tests;
