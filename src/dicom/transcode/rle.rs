//! RLE Lossless (PS3.5 Annex G).

use super::elements::Image;
use super::{TranscodeError, unfit};

/// Bytes of the header: the number of segments, and where each begins (§G.5).
const HEADER: usize = 64;

/// Decodes a frame, pixel by pixel: a segment is one byte of one sample of every pixel, the most significant first (§G.2).
pub(super) fn decode(frame: &[u8], image: &Image, out: &mut Vec<u8>) -> Result<(), TranscodeError> {
    let planes = image.samples.checked_mul(image.sample_bytes);
    let (planes, pixels) = planes.zip(image.pixels()).ok_or(TranscodeError::LargeFrame)?;
    let offsets = offsets(frame, planes)?;
    let begin = out.len();
    let bytes = image.frame_bytes().ok_or(TranscodeError::LargeFrame)?;
    // Two bytes are 128 at most: no memory is taken for what cannot be there.
    if bytes / 64 > frame.len() {
        return Err(unfit("a segment ends too early"));
    }
    out.resize(begin + bytes, 0);
    for (number, offset) in offsets.iter().enumerate() {
        let end = offsets.get(number + 1).copied().unwrap_or(frame.len());
        let segment = frame
            .get(*offset..end)
            .ok_or_else(|| unfit("a segment lies outside its frame"))?;
        let (sample, from_top) = (number / image.sample_bytes, number % image.sample_bytes);
        let first = begin + sample * image.sample_bytes + (image.sample_bytes - 1 - from_top);
        let targets = out
            .get_mut(first..)
            .unwrap_or_default()
            .iter_mut()
            .step_by(planes);
        unpack(segment, targets.take(pixels), pixels)?;
    }
    Ok(())
}

fn offsets(frame: &[u8], planes: usize) -> Result<Vec<usize>, TranscodeError> {
    let header = frame
        .get(..HEADER)
        .ok_or_else(|| unfit("a frame is shorter than its header"))?;
    let mut numbers = header
        .as_chunks()
        .0
        .iter()
        .map(|four: &[u8; 4]| u32::from_le_bytes(*four) as usize);
    if numbers.next() != Some(planes) || planes > 15 {
        return Err(unfit(format!(
            "a frame has not the {planes} segments that it needs"
        )));
    }
    Ok(numbers.take(planes).collect())
}

/// PackBits (§G.3), into exactly these places.
fn unpack<'o>(
    segment: &[u8],
    mut targets: impl Iterator<Item = &'o mut u8>,
    due: usize,
) -> Result<(), TranscodeError> {
    let mut left = due;
    let mut rest = segment;
    while left > 0 {
        let (head, after) = rest
            .split_first()
            .ok_or_else(|| unfit("a segment ends too early"))?;
        let count = match *head {
            0..=127 => usize::from(*head) + 1,
            128 => 0,
            129.. => 257 - usize::from(*head),
        };
        let run = *head > 128;
        let takes = if run { 1 } else { count };
        let bytes = after
            .get(..takes)
            .ok_or_else(|| unfit("a segment ends too early"))?;
        if count > left {
            return Err(unfit("a segment has more than its pixels"));
        }
        for i in 0..count {
            let byte = bytes.get(if run { 0 } else { i }).copied().unwrap_or_default();
            if let Some(target) = targets.next() {
                *target = byte;
            }
        }
        left -= count;
        rest = after
            .get(if count == 0 { 0 } else { takes }..)
            .unwrap_or_default();
    }
    Ok(())
}
