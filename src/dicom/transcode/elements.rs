//! Where the pixel data of an encapsulated data set is, and what is needed to decode it.

use std::borrow::Cow;
use std::ops::Range;

use super::{TranscodeError, unfit};

const ROWS: u32 = 0x0028_0010;
const COLUMNS: u32 = 0x0028_0011;
const SAMPLES: u32 = 0x0028_0002;
const PLANAR: u32 = 0x0028_0006;
const FRAMES: u32 = 0x0028_0008;
const ALLOCATED: u32 = 0x0028_0100;
const EXTENDED_OFFSETS: u32 = 0x7fe0_0001;
const EXTENDED_LENGTHS: u32 = 0x7fe0_0002;
const PIXEL_DATA: u32 = 0x7fe0_0010;
const ITEM: u32 = 0xfffe_e000;
const ITEM_END: u32 = 0xfffe_e00d;
const SEQUENCE_END: u32 = 0xfffe_e0dd;
const UNDEFINED: u32 = u32::MAX;

/// Sequences within sequences that are gone through.
const DEEPEST: usize = 32;

/// The image, as its attributes say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Image {
    pub rows: usize,
    pub columns: usize,
    pub samples: usize,
    /// Bytes of a sample.
    pub sample_bytes: usize,
    pub frames: usize,
}

impl Image {
    /// Pixels of a frame.
    pub fn pixels(&self) -> Option<usize> {
        self.rows.checked_mul(self.columns)
    }

    /// Bytes of a frame.
    pub fn frame_bytes(&self) -> Option<usize> {
        self.pixels()?
            .checked_mul(self.samples)?
            .checked_mul(self.sample_bytes)
    }

    /// Bytes of all frames.
    pub fn bytes(&self) -> Option<usize> {
        self.frame_bytes()?.checked_mul(self.frames)
    }
}

/// Encapsulated pixel data (PS3.5 §A.4).
#[derive(Debug)]
pub(super) struct PixelData<'d> {
    /// From its tag to the end of its delimiter.
    whole: Range<usize>,
    offsets: Vec<usize>,
    /// Each fragment with where its item begins, from the first one's item.
    fragments: Vec<(usize, &'d [u8])>,
}

impl<'d> PixelData<'d> {
    /// The bytes of each frame.
    pub fn frames(&self, count: usize) -> Result<Vec<Cow<'d, [u8]>>, TranscodeError> {
        if self.fragments.len() == count {
            return Ok(self.fragments.iter().map(|(_, f)| Cow::Borrowed(*f)).collect());
        }
        let all = |fragments: &[(usize, &'d [u8])]| {
            Cow::Owned(fragments.iter().flat_map(|(_, f)| f.iter().copied()).collect())
        };
        if count == 1 {
            return Ok(vec![all(&self.fragments)]);
        }
        if self.offsets.len() != count {
            return Err(unfit("it does not say which fragments are of which frame"));
        }
        let begins = |offset: &usize| self.fragments.iter().position(|(at, _)| at == offset);
        let starts: Option<Vec<_>> = self.offsets.iter().map(begins).collect();
        let starts = starts.filter(|starts| starts.is_sorted());
        let starts = starts.ok_or_else(|| unfit("its offset table does not fit its fragments"))?;
        let ends = starts.iter().skip(1).copied().chain([self.fragments.len()]);
        let frame = |(start, end): (&usize, usize)| all(self.fragments.get(*start..end).unwrap_or_default());
        Ok(starts.iter().zip(ends).map(frame).collect())
    }
}

/// A data set taken apart.
#[derive(Debug)]
pub(super) struct Parsed<'d> {
    data_set: &'d [u8],
    pub image: Image,
    pub pixel_data: Option<PixelData<'d>>,
    /// Where the value of (0028,0006) Planar Configuration is.
    planar: Option<usize>,
    /// Elements that are about fragments.
    dropped: Vec<Range<usize>>,
}

impl<'d> Parsed<'d> {
    pub fn of(data_set: &'d [u8]) -> Result<Self, TranscodeError> {
        let mut parsed = Self {
            data_set,
            image: Image {
                samples: 1,
                frames: 1,
                ..Image::default()
            },
            pixel_data: None,
            planar: None,
            dropped: Vec::new(),
        };
        let mut at = 0;
        while at < data_set.len() {
            let element = Element::at(data_set, at)?;
            if element.tag == PIXEL_DATA && element.length == UNDEFINED {
                let pixels = fragments(data_set, at, element.value)?;
                at = pixels.whole.end;
                parsed.pixel_data = Some(pixels);
                continue;
            }
            let end = element.end(data_set, 0)?;
            let value = data_set.get(element.value..end).unwrap_or_default();
            parsed.take(&element, value, at..end)?;
            at = end;
        }
        Ok(parsed)
    }

    fn take(&mut self, element: &Element, value: &[u8], whole: Range<usize>) -> Result<(), TranscodeError> {
        let short = || match value {
            [low, high] => Ok(usize::from(u16::from_le_bytes([*low, *high]))),
            _ => Err(unfit(format!("({:08x}) has not one value", element.tag))),
        };
        match element.tag {
            ROWS => self.image.rows = short()?,
            COLUMNS => self.image.columns = short()?,
            SAMPLES => self.image.samples = short()?,
            ALLOCATED => match short()? {
                bits @ (8 | 16 | 32) => self.image.sample_bytes = bits / 8,
                bits => return Err(unfit(format!("{bits} bits are allocated"))),
            },
            PLANAR => {
                short()?;
                self.planar = Some(element.value);
            }
            FRAMES => {
                let text = std::str::from_utf8(value)
                    .ok()
                    .map(|t| t.trim_matches([' ', '\0']));
                let frames = text.and_then(|t| t.parse().ok()).filter(|n| *n > 0);
                self.image.frames = frames.ok_or_else(|| unfit("its number of frames is none"))?;
            }
            EXTENDED_OFFSETS | EXTENDED_LENGTHS => self.dropped.push(whole),
            // Its length would have to change.
            0x7fe0_0000 => return Err(unfit("it has a group length (7fe0,0000)")),
            _ => {}
        }
        Ok(())
    }

    /// The data set with these pixels in place of the encapsulated ones; `by_pixel`: whatever their planar configuration was,
    /// they are pixel by pixel now.
    pub fn with_native(&self, pixels: &[u8], by_pixel: bool) -> Result<Vec<u8>, TranscodeError> {
        let Some(encapsulated) = &self.pixel_data else {
            return Ok(self.data_set.to_vec());
        };
        let length = u32::try_from(pixels.len()).map_err(|_| TranscodeError::TooLarge)?;
        if length == UNDEFINED {
            return Err(TranscodeError::TooLarge);
        }
        let mut before = self
            .data_set
            .get(..encapsulated.whole.start)
            .unwrap_or_default()
            .to_vec();
        if let (true, Some(at)) = (by_pixel, self.planar)
            && let Some(value) = before.get_mut(at..at + 2)
        {
            value.fill(0);
        }
        let until = encapsulated.whole.start;
        for range in self.dropped.iter().rev().filter(|r| r.end <= until) {
            before.drain(range.clone());
        }
        let after = self.data_set.get(encapsulated.whole.end..).unwrap_or_default();
        // OW is for more than 8 bits; 8 bits may be either (PS3.5 §8.2).
        let vr = if self.image.sample_bytes == 1 {
            b"OB"
        } else {
            b"OW"
        };
        let head = [&b"\xe0\x7f\x10\x00"[..], vr, &[0, 0], &length.to_le_bytes()].concat();
        Ok([&before, head.as_slice(), pixels, after].concat())
    }
}

/// The head of an element.
#[derive(Debug)]
struct Element {
    tag: u32,
    vr: [u8; 2],
    length: u32,
    /// Where its value begins.
    value: usize,
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, TranscodeError> {
    let two = bytes.get(at..).and_then(|b| b.first_chunk());
    two.map(|b| u16::from_le_bytes(*b)).ok_or_else(cut)
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, TranscodeError> {
    let four = bytes.get(at..).and_then(|b| b.first_chunk());
    four.map(|b| u32::from_le_bytes(*b)).ok_or_else(cut)
}

fn cut() -> TranscodeError {
    unfit("it ends within an element")
}

fn tag_at(bytes: &[u8], at: usize) -> Result<u32, TranscodeError> {
    Ok(u32::from(u16_at(bytes, at)?) << 16 | u32::from(u16_at(bytes, at + 2)?))
}

impl Element {
    /// The element there (PS3.5 §7.1.2).
    fn at(bytes: &[u8], at: usize) -> Result<Self, TranscodeError> {
        let tag = tag_at(bytes, at)?;
        if matches!(tag, ITEM | ITEM_END | SEQUENCE_END) {
            return Ok(Self {
                tag,
                vr: *b"  ",
                length: u32_at(bytes, at + 4)?,
                value: at + 8,
            });
        }
        let vr: [u8; 2] = bytes
            .get(at + 4..)
            .and_then(|b| b.first_chunk())
            .copied()
            .ok_or_else(cut)?;
        let (length, value) = match &vr {
            b"OB" | b"OD" | b"OF" | b"OL" | b"OV" | b"OW" | b"SQ" | b"SV" | b"UC" | b"UN" | b"UR" | b"UT"
            | b"UV" => (u32_at(bytes, at + 8)?, at + 12),
            [b'A'..=b'Z', b'A'..=b'Z'] => (u16_at(bytes, at + 6)?.into(), at + 8),
            _ => return Err(unfit(format!("({tag:08x}) has no VR"))),
        };
        Ok(Self {
            tag,
            vr,
            length,
            value,
        })
    }

    /// Where it ends.
    fn end(&self, bytes: &[u8], depth: usize) -> Result<usize, TranscodeError> {
        if self.length != UNDEFINED {
            let end = usize::try_from(self.length)
                .ok()
                .and_then(|length| self.value.checked_add(length));
            return end.filter(|end| *end <= bytes.len()).ok_or_else(cut);
        }
        if depth >= DEEPEST {
            return Err(unfit("its sequences are nested too deep"));
        }
        // Items of UN are implicit VR (PS3.5 §6.2.2).
        if self.vr == *b"UN" {
            return Err(unfit(format!("({:08x}) is of unknown VR and length", self.tag)));
        }
        let delimiter = if self.tag == ITEM { ITEM_END } else { SEQUENCE_END };
        let mut at = self.value;
        loop {
            let inner = Self::at(bytes, at)?;
            if inner.tag == delimiter {
                return Ok(inner.value);
            }
            at = inner.end(bytes, depth + 1)?;
        }
    }
}

fn fragments(bytes: &[u8], start: usize, value: usize) -> Result<PixelData<'_>, TranscodeError> {
    let mut items = Vec::new();
    let mut at = value;
    loop {
        let item = Element::at(bytes, at)?;
        match item.tag {
            SEQUENCE_END => {
                at = item.value;
                break;
            }
            ITEM if item.length != UNDEFINED => {
                let end = item.end(bytes, 0)?;
                items.push((at, bytes.get(item.value..end).unwrap_or_default()));
                at = end;
            }
            _ => return Err(unfit("its pixel data has something else than fragments")),
        }
    }
    let mut items = items.into_iter();
    let (_, table) = items
        .next()
        .ok_or_else(|| unfit("its pixel data has no offset table"))?;
    let fragments: Vec<_> = items.collect();
    let first = fragments.first().map_or(0, |(at, _)| *at);
    let offset = |four: &[u8; 4]| usize::try_from(u32::from_le_bytes(*four)).unwrap_or(usize::MAX);
    Ok(PixelData {
        whole: start..at,
        offsets: table.as_chunks().0.iter().map(offset).collect(),
        fragments: fragments.into_iter().map(|(at, f)| (at - first, f)).collect(),
    })
}
