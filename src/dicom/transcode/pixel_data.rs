//! Encapsulated pixel data (PS3.5 §A.4): which bytes are which frame.

use std::ops::Range;

use super::element::{Element, ITEM, SEQUENCE_END};
use super::source::Source;
use super::{LARGEST_FRAME, TranscodeError, unfit};

/// Fragments of one object at most.
const MOST_FRAGMENTS: usize = 1 << 20;

/// Where the fragments are.
#[derive(Debug)]
pub(super) struct PixelData {
    /// From its tag to the end of its delimiter.
    pub whole: Range<u64>,
    /// The basic offset table.
    offsets: Vec<u64>,
    /// The bytes of each fragment.
    fragments: Vec<Range<u64>>,
}

impl PixelData {
    /// The element that begins at `start`, its first item at `value`.
    pub fn find(source: &mut Source, start: u64, value: u64) -> Result<Self, TranscodeError> {
        let mut items = Vec::new();
        let mut at = value;
        loop {
            let item = Element::at(source, at)?;
            match item.tag {
                SEQUENCE_END => {
                    at = item.value;
                    break;
                }
                ITEM if !item.is_undefined() => {
                    at = item.end(source, 0)?;
                    items.push(item.value..at);
                }
                _ => return Err(unfit("its pixel data has something else than fragments")),
            }
            if items.len() > MOST_FRAGMENTS {
                return Err(unfit(format!("it has more than {MOST_FRAGMENTS} fragments")));
            }
        }
        let mut items = items.into_iter();
        let table = items
            .next()
            .ok_or_else(|| unfit("its pixel data has no offset table"))?;
        if table.end - table.start > 4 * MOST_FRAGMENTS as u64 {
            return Err(unfit("its offset table does not fit its fragments"));
        }
        let mut bytes = Vec::new();
        source.read(&table, &mut bytes)?;
        let offset = |four: &[u8; 4]| u64::from(u32::from_le_bytes(*four));
        Ok(Self {
            whole: start..at,
            offsets: bytes.as_chunks().0.iter().map(offset).collect(),
            fragments: items.collect(),
        })
    }

    /// The fragments of each of so many frames.
    pub fn frames(&self, count: usize) -> Result<Vec<&[Range<u64>]>, TranscodeError> {
        if self.fragments.len() == count {
            return Ok(self.fragments.chunks(1).collect());
        }
        if count == 1 {
            return Ok(vec![&self.fragments]);
        }
        if self.offsets.len() != count {
            return Err(unfit("it does not say which fragments are of which frame"));
        }
        // An offset is that of an item, from the first fragment's item on (§A.4).
        let first = self.fragments.first().map_or(0, |f| f.start);
        let begins = |offset: &u64| {
            let at = first.checked_add(*offset)?;
            self.fragments.binary_search_by_key(&at, |f| f.start).ok()
        };
        let starts: Option<Vec<_>> = self.offsets.iter().map(begins).collect();
        // A frame begins where the one before ends: no fragment is of none.
        let starts = starts.filter(|starts| starts.is_sorted() && starts.first() == Some(&0));
        let starts = starts.ok_or_else(|| unfit("its offset table does not fit its fragments"))?;
        let ends = starts.iter().skip(1).copied().chain([self.fragments.len()]);
        let frame = |(start, end): (&usize, usize)| self.fragments.get(*start..end).unwrap_or_default();
        Ok(starts.iter().zip(ends).map(frame).collect())
    }
}

/// Reads a frame.
pub(super) fn read_frame(
    source: &Source,
    fragments: &[Range<u64>],
    frame: &mut Vec<u8>,
) -> Result<(), TranscodeError> {
    frame.clear();
    let length: u64 = fragments.iter().map(|f| f.end - f.start).sum();
    if length > LARGEST_FRAME {
        return Err(TranscodeError::LargeFrame);
    }
    fragments.iter().try_for_each(|f| source.read(f, frame))
}
