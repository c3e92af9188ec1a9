//! Where the pixel data of an encapsulated data set is, and what is needed to decode it.

use std::io::Write;
use std::ops::Range;

use super::element::{Element, PIXEL_DATA};
use super::pixel_data::PixelData;
use super::source::Source;
use super::{TranscodeError, unfit};

const ROWS: u32 = 0x0028_0010;
const COLUMNS: u32 = 0x0028_0011;
const SAMPLES: u32 = 0x0028_0002;
const PLANAR: u32 = 0x0028_0006;
const FRAMES: u32 = 0x0028_0008;
const ALLOCATED: u32 = 0x0028_0100;
const PHOTOMETRIC: u32 = 0x0028_0004;
const ICONS: u32 = 0x0088_0200;
const GROUP_LENGTH: u32 = 0x7fe0_0000;
const EXTENDED_OFFSETS: u32 = 0x7fe0_0001;
const EXTENDED_LENGTHS: u32 = 0x7fe0_0002;
const TOTAL_LENGTH: u32 = 0x7fe0_0003;

/// Of two or four pixels some samples are one (PS3.3 §C.7.6.3.1.2).
const SUBSAMPLED: [&str; 4] = [
    "YBR_FULL_422",
    "YBR_PARTIAL_422",
    "YBR_PARTIAL_420",
    "YBR_FULL_420",
];

/// The longest value that is looked at, in bytes: that of an IS (PS3.5 §6.2), and some padding.
const LONGEST_VALUE: u64 = 64;

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

/// A data set taken apart.
#[derive(Debug)]
pub(super) struct Parsed {
    pub image: Image,
    pub pixel_data: Option<PixelData>,
    /// Native pixels would be fewer samples than these (PS3.3 §C.7.6.3.1.2): its photometric interpretation.
    pub subsampled: Option<&'static str>,
    /// Where the value of (0028,0006) Planar Configuration is.
    planar: Option<u64>,
    /// Elements that are about fragments, and a length that does not stay.
    dropped: Vec<Range<u64>>,
}

impl Parsed {
    pub fn of(source: &mut Source) -> Result<Self, TranscodeError> {
        let mut parsed = Self {
            image: Image {
                samples: 1,
                frames: 1,
                ..Image::default()
            },
            pixel_data: None,
            subsampled: None,
            planar: None,
            dropped: Vec::new(),
        };
        let mut at = source.range.start;
        while at < source.range.end {
            let element = Element::at(source, at)?;
            if element.tag == PIXEL_DATA && element.is_undefined() {
                let pixels = PixelData::find(source, at, element.value)?;
                at = pixels.whole.end;
                parsed.pixel_data = Some(pixels);
                continue;
            }
            let end = element.end(source, 0)?;
            if element.tag == ICONS && !element.is_undefined() {
                Element::look_through(source, element.value..end)?;
            }
            parsed.take(source, &element, at..end)?;
            at = end;
        }
        Ok(parsed)
    }

    fn take(&mut self, source: &Source, element: &Element, whole: Range<u64>) -> Result<(), TranscodeError> {
        let value = || {
            let mut value = Vec::new();
            let end = whole.end.min(element.value + LONGEST_VALUE + 1);
            source.read(&(element.value..end), &mut value)?;
            Ok::<_, TranscodeError>(value)
        };
        let short = || match value()?.as_slice() {
            [low, high] => Ok(usize::from(u16::from_le_bytes([*low, *high]))),
            _ => Err(unfit(format!("({:08x}) has not one value", element.tag))),
        };
        let text = || {
            let value = value()?;
            let text = String::from_utf8_lossy(&value);
            Ok::<_, TranscodeError>(text.trim_matches([' ', '\0']).to_owned())
        };
        match element.tag {
            ROWS => self.image.rows = short()?,
            COLUMNS => self.image.columns = short()?,
            SAMPLES => self.image.samples = short()?,
            ALLOCATED => match short()? {
                bits @ (8 | 16 | 32) => self.image.sample_bytes = bits / 8,
                bits => return Err(unfit(format!("{bits} bits are allocated"))),
            },
            // Empty, it says nothing.
            PLANAR if whole.end == element.value => {}
            PLANAR => {
                short()?;
                self.planar = Some(element.value);
            }
            PHOTOMETRIC => {
                let text = text()?;
                self.subsampled = SUBSAMPLED.into_iter().find(|known| *known == text);
            }
            FRAMES if whole.end == element.value => {}
            FRAMES => {
                let frames = text()?.parse().ok().filter(|n| *n > 0);
                self.image.frames = frames.ok_or_else(|| unfit("its number of frames is none"))?;
            }
            GROUP_LENGTH | EXTENDED_OFFSETS | EXTENDED_LENGTHS | TOTAL_LENGTH => self.dropped.push(whole),
            _ => {}
        }
        Ok(())
    }

    /// Writes what stands before the pixels, and the head of the element that they are in from now on, `length` bytes of them;
    /// `by_pixel`: whatever their planar configuration was, they are pixel by pixel now.
    pub fn write_before(
        &self,
        source: &Source,
        pixels: &PixelData,
        length: u32,
        by_pixel: bool,
        out: &mut impl Write,
    ) -> Result<(), TranscodeError> {
        // What is left out, and what stands in its place.
        let mut changed: Vec<(Range<u64>, &[u8])> =
            self.dropped.iter().map(|r| (r.clone(), &[][..])).collect();
        changed.extend(
            self.planar
                .filter(|_| by_pixel)
                .map(|at| (at..at + 2, &[0, 0][..])),
        );
        changed.sort_by_key(|(range, _)| range.start);
        let mut at = source.range.start;
        for (range, instead) in changed.into_iter().filter(|(r, _)| r.end <= pixels.whole.start) {
            source.copy(at..range.start, out)?;
            out.write_all(instead)?;
            at = range.end;
        }
        source.copy(at..pixels.whole.start, out)?;
        // OW is for more than 8 bits; 8 bits may be either (PS3.5 §8.2).
        let vr = if self.image.sample_bytes == 1 {
            b"OB"
        } else {
            b"OW"
        };
        out.write_all(&[&b"\xe0\x7f\x10\x00"[..], vr, &[0, 0], &length.to_le_bytes()].concat())?;
        Ok(())
    }
}
