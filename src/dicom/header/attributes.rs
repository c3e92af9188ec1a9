//! Attributes of a stored object, as far as somebody asks for them, from the beginning of its file.
//!
//! The file may come from anybody: nothing recurses by what it says, no length in it is allocated, and the number of
//! elements that are looked at is bounded. What is malformed ends the reading; what stands before it counts.
//!
//! An enhanced object (PS3.3 §C.7.6.16.2) has most attributes in functional groups: shared by all frames, or of each frame.
//! They are found there, of the first frame, unless the data set itself has them. Where such a group calls an attribute
//! by another name than the object of one frame does, it is answered under that one too.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;

use flate2::bufread::DeflateDecoder;

use super::scanner::{ITEM, ITEM_DELIMITATION, SEQUENCE_DELIMITATION, UNDEFINED, is_short_vr};
use super::value::{Characters, decode};
use crate::dicom::part10;
use crate::dicom::transfer_syntax::{self, Encoding};
use crate::model::classify::{Attributes, Value};

/// What is read of a file at once, in bytes: most headers are shorter.
const AT_ONCE: usize = 16 * 1024;

/// The longest value that is read, in bytes.
const LONGEST_VALUE: u32 = 4096;

/// The most elements that are looked at.
const MOST_ELEMENTS: u32 = 50_000;

/// The most that is inflated, in bytes.
const MOST_INFLATED: u64 = 32 << 20;

const SPECIFIC_CHARACTER_SET: u32 = 0x0008_0005;
const SHARED_FUNCTIONAL_GROUPS: u32 = 0x5200_9229;
const PER_FRAME_FUNCTIONAL_GROUPS: u32 = 0x5200_9230;
const PIXELS: u32 = 0x7FE0_0000;

/// Names that functional groups have for attributes of an image of one frame (PS3.3 §C.8.13): the latter, the former.
const OTHER_NAMES: [(u32, u32); 5] = [
    // Echo Time, Effective Echo Time
    (0x0018_0081, 0x0018_9082),
    // Inversion Time, Inversion Times
    (0x0018_0082, 0x0018_9079),
    // Image Type, Frame Type
    (0x0008_0008, 0x0008_9007),
    // Sequence Name, Pulse Sequence Name
    (0x0018_0024, 0x0018_9005),
    // Echo Train Length, RF Echo Train Length
    (0x0018_0091, 0x0018_9240),
];

/// Which attributes are read.
#[derive(Clone, Debug, Default)]
pub struct Wanted(BTreeSet<u32>);

impl Wanted {
    /// These, under whatever name.
    #[must_use]
    pub fn new(mut tags: BTreeSet<u32>) -> Self {
        for (name, other) in OTHER_NAMES {
            if tags.contains(&name) {
                tags.insert(other);
            }
        }
        Self(tags)
    }
}

/// Reads attributes of a Part 10 file; none of them of a file that is no such.
///
/// # Errors
/// What the system says.
pub fn read_attributes(path: &Path, wanted: &Wanted) -> io::Result<Attributes> {
    attributes_in(File::open(path)?, wanted)
}

/// The same of a file that is open.
///
/// # Errors
/// As [`read_attributes`].
pub fn attributes_in(file: impl Read + Seek, wanted: &Wanted) -> io::Result<Attributes> {
    let mut file = BufReader::with_capacity(AT_ONCE, file);
    let head = part10::parse_head(file.fill_buf()?);
    let Some((encoding, offset)) = head.and_then(|(meta, offset)| {
        let encoding = transfer_syntax::encoding(meta.transfer_syntax_uid.as_str())?;
        Some((encoding, usize::try_from(offset).ok()?))
    }) else {
        return Ok(Attributes::default());
    };
    file.consume(offset);
    if encoding == Encoding::Deflated {
        let inflated = DeflateDecoder::new(file).take(MOST_INFLATED);
        return walk(Inflated(inflated), encoding, wanted);
    }
    walk(file, encoding, wanted)
}

fn walk(bytes: impl Bytes, encoding: Encoding, wanted: &Wanted) -> io::Result<Attributes> {
    let mut walker = Walker {
        bytes,
        at: 0,
        big: encoding == Encoding::ExplicitBig,
        implicit: encoding == Encoding::ImplicitLittle,
        left: MOST_ELEMENTS,
        wanted,
        characters: Characters::default(),
        found: Attributes::default(),
    };
    match walker.data_set(Level::Top, None) {
        Ok(()) | Err(Stop::Enough) => {}
        Err(Stop::Io(error)) => match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {}
            _ => return Err(error),
        },
    }
    let mut found = walker.found;
    for (name, other) in OTHER_NAMES {
        if let Some(value) = found.get(other).cloned() {
            found.insert_missing(name, value);
        }
    }
    Ok(found)
}

/// Bytes in order, of which many are of no interest.
trait Bytes {
    fn exact(&mut self, into: &mut [u8]) -> io::Result<()>;
    fn skip(&mut self, bytes: u64) -> io::Result<()>;
}

impl<R: Read + Seek> Bytes for BufReader<R> {
    fn exact(&mut self, into: &mut [u8]) -> io::Result<()> {
        self.read_exact(into)
    }

    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        self.seek_relative(i64::try_from(bytes).unwrap_or(i64::MAX))
    }
}

struct Inflated<R>(R);

impl<R: Read> Bytes for Inflated<R> {
    fn exact(&mut self, into: &mut [u8]) -> io::Result<()> {
        self.0.read_exact(into)
    }

    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        let skipped = io::copy(&mut (&mut self.0).take(bytes), &mut io::sink())?;
        if skipped < bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

/// Why the reading ends before the data set does.
enum Stop {
    /// Nothing that follows is wanted, or it is malformed.
    Enough,
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Where an element stands. There is nothing below.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Top,
    /// An item of a sequence of functional groups.
    Groups,
    /// The item of one functional group.
    Group,
}

struct Walker<'a, B> {
    bytes: B,
    /// Bytes behind us.
    at: u64,
    big: bool,
    implicit: bool,
    left: u32,
    wanted: &'a Wanted,
    characters: Characters,
    found: Attributes,
}

/// The header of an element.
struct Element {
    tag: u32,
    vr: Option<[u8; 2]>,
    length: u32,
}

impl<B: Bytes> Walker<'_, B> {
    fn exact<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let mut bytes = [0; N];
        self.bytes.exact(&mut bytes)?;
        self.at += N as u64;
        Ok(bytes)
    }

    fn skip(&mut self, bytes: u64) -> Result<(), Stop> {
        self.bytes.skip(bytes)?;
        self.at += bytes;
        Ok(())
    }

    fn short(&self, bytes: [u8; 2]) -> u16 {
        if self.big {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        }
    }

    fn long(&self, bytes: [u8; 4]) -> u32 {
        if self.big {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    }

    fn element(&mut self) -> Result<Element, Stop> {
        self.left = self.left.checked_sub(1).ok_or(Stop::Enough)?;
        let [g0, g1, e0, e1, b4, b5, b6, b7] = self.exact()?;
        let tag = u32::from(self.short([g0, g1])) << 16 | u32::from(self.short([e0, e1]));
        if self.implicit || tag >> 16 == 0xFFFE {
            let length = self.long([b4, b5, b6, b7]);
            return Ok(Element {
                tag,
                vr: None,
                length,
            });
        }
        let vr = [b4, b5];
        if !vr.iter().all(u8::is_ascii_uppercase) {
            return Err(Stop::Enough);
        }
        let length = if is_short_vr(vr) {
            u32::from(self.short([b6, b7]))
        } else {
            let long = self.exact()?;
            self.long(long)
        };
        Ok(Element {
            tag,
            vr: Some(vr),
            length,
        })
    }

    /// Walks a data set or an item, up to where it ends or to its delimiter.
    fn data_set(&mut self, level: Level, end: Option<u64>) -> Result<(), Stop> {
        while end.is_none_or(|end| self.at < end) {
            let element = self.element()?;
            match (element.tag, level) {
                (ITEM_DELIMITATION, Level::Groups | Level::Group) => return Ok(()),
                (tag, Level::Top) if tag >= PIXELS => return Err(Stop::Enough),
                (SHARED_FUNCTIONAL_GROUPS, Level::Top) => self.first_item(&element, Level::Groups)?,
                (PER_FRAME_FUNCTIONAL_GROUPS, Level::Top) => {
                    self.first_item(&element, Level::Groups)?;
                    // The other frames' are many, and nothing that is behind them is asked for.
                    return Err(Stop::Enough);
                }
                (_, Level::Groups) if is_sequence(&element) => self.first_item(&element, Level::Group)?,
                (tag, _) if tag == SPECIFIC_CHARACTER_SET || self.wanted.0.contains(&tag) => {
                    self.keep(&element)?
                }
                _ => self.pass(&element)?,
            }
        }
        Ok(())
    }

    /// Walks into the first item of a sequence, and past the others.
    fn first_item(&mut self, sequence: &Element, level: Level) -> Result<(), Stop> {
        let end = (sequence.length != UNDEFINED).then(|| self.at + u64::from(sequence.length));
        if end.is_some_and(|end| self.at >= end) {
            return Ok(());
        }
        // A sequence that was taken for unknown is in implicit VR little endian (PS3.5 §6.2.2).
        let before = (self.implicit, self.big);
        if sequence.vr == Some(*b"UN") {
            (self.implicit, self.big) = (true, false);
        }
        let item = self.element()?;
        if item.tag == ITEM {
            let item_end = (item.length != UNDEFINED).then(|| self.at + u64::from(item.length));
            self.data_set(level, item_end)?;
            if let Some(item_end) = item_end {
                self.skip(item_end.checked_sub(self.at).ok_or(Stop::Enough)?)?;
            }
            match end {
                Some(end) => self.skip(end.checked_sub(self.at).ok_or(Stop::Enough)?)?,
                None => self.past(1)?,
            }
        } else if item.tag != SEQUENCE_DELIMITATION {
            return Err(Stop::Enough);
        }
        (self.implicit, self.big) = before;
        Ok(())
    }

    fn keep(&mut self, element: &Element) -> Result<(), Stop> {
        if element.length == UNDEFINED || element.length > LONGEST_VALUE || is_sequence(element) {
            self.found.insert_missing(element.tag, Value::Opaque);
            return self.pass(element);
        }
        let mut value = vec![0; element.length as usize];
        self.bytes.exact(&mut value)?;
        self.at += u64::from(element.length);
        if element.tag == SPECIFIC_CHARACTER_SET {
            self.characters = Characters::of(&value);
        }
        if self.wanted.0.contains(&element.tag) {
            let value = decode(element.tag, element.vr, self.big, &value, &self.characters);
            self.found.insert_missing(element.tag, value);
        }
        Ok(())
    }

    /// Goes past a value.
    fn pass(&mut self, element: &Element) -> Result<(), Stop> {
        if element.length != UNDEFINED {
            return self.skip(element.length.into());
        }
        let before = (self.implicit, self.big);
        if element.vr == Some(*b"UN") {
            (self.implicit, self.big) = (true, false);
        }
        self.past(1)?;
        (self.implicit, self.big) = before;
        Ok(())
    }

    /// Goes past so many open values of undefined length: one counter, so that depth costs nothing.
    fn past(&mut self, mut depth: u64) -> Result<(), Stop> {
        while depth > 0 {
            let element = self.element()?;
            match (element.tag, element.length) {
                (ITEM_DELIMITATION | SEQUENCE_DELIMITATION, _) => depth -= 1,
                (_, UNDEFINED) => depth += 1,
                (_, length) => self.skip(length.into())?,
            }
        }
        Ok(())
    }
}

/// In implicit VR a sequence is told by what its value begins with; inside functional groups everything of some length is
/// one, but for what a vendor put there.
fn is_sequence(element: &Element) -> bool {
    match element.vr {
        Some(vr) => vr == *b"SQ" || (vr == *b"UN" && element.length == UNDEFINED),
        None => element.length == UNDEFINED || super::value::is_sequence(element.tag),
    }
}
