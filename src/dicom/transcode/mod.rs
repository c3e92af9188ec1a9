//! Explicit VR little endian of a data set that a peer does not take as it is: not a bit of a pixel changes, not a byte of any
//! other attribute, or it is not done.
//!
//! Every encapsulated data set is explicit VR little endian but for its pixel data (PS3.5 §A.4), and a deflated one is once it
//! is inflated (§A.5). So what stands before and behind the pixel data is copied as it is.
//!
//! ```text
//! elements   where the pixel data is, and what is needed to decode it
//! rle        RLE Lossless (PS3.5 Annex G)
//! jpeg       JPEG Lossless (PS3.5 §A.4.1), of one sample a pixel
//! ```

mod elements;
mod jpeg;
mod rle;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use dicom_dictionary_std::uids;

use self::elements::Parsed;
use super::part10::{self, FileMeta};

/// The largest data set that is transcoded, before and after, in bytes: all of it is in memory.
const LARGEST: u64 = 1 << 30;

/// Why an object cannot be had in explicit VR little endian.
#[derive(Debug, thiserror::Error)]
pub enum TranscodeError {
    /// No codec that gives back every pixel.
    #[error("there is no lossless way from its transfer syntax to explicit VR little endian")]
    NoCodec,
    /// More than is held in memory.
    #[error("it is larger than 1 GiB")]
    TooLarge,
    /// It is not what its transfer syntax says, or of a kind that is not decoded.
    #[error("it cannot be decoded: {0}")]
    Unfit(String),
    /// The file cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
}

fn unfit(why: impl Into<String>) -> TranscodeError {
    TranscodeError::Unfit(why.into())
}

/// Whether objects of a transfer syntax may be had in explicit VR little endian.
#[must_use]
pub fn is_possible(transfer_syntax: &str) -> bool {
    Codec::of(transfer_syntax).is_some()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Codec {
    Deflated,
    Rle,
    Jpeg,
    /// Native pixels in fragments.
    Fragments,
}

impl Codec {
    fn of(transfer_syntax: &str) -> Option<Self> {
        Some(match transfer_syntax {
            uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN => Self::Deflated,
            uids::RLE_LOSSLESS => Self::Rle,
            uids::JPEG_LOSSLESS_SV1 | uids::JPEG_LOSSLESS => Self::Jpeg,
            uids::ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN => Self::Fragments,
            _ => return None,
        })
    }
}

/// The data set of a Part 10 file in explicit VR little endian.
///
/// # Errors
/// [`TranscodeError`]
pub fn explicit_little(path: &Path) -> Result<(FileMeta, Vec<u8>), TranscodeError> {
    let (meta, offset) = part10::read_head(path)?.ok_or_else(|| unfit("not a DICOM file"))?;
    let codec = Codec::of(meta.transfer_syntax_uid.as_str()).ok_or(TranscodeError::NoCodec)?;
    let mut file = File::open(path)?;
    if file.metadata()?.len() > LARGEST {
        return Err(TranscodeError::TooLarge);
    }
    file.seek(SeekFrom::Start(offset))?;
    if codec == Codec::Deflated {
        return Ok((meta, inflated(file)?));
    }
    let mut data_set = Vec::new();
    file.read_to_end(&mut data_set)?;
    Ok((meta, decapsulated(&data_set, codec)?))
}

fn inflated(file: File) -> Result<Vec<u8>, TranscodeError> {
    let mut data_set = Vec::new();
    let inflater = flate2::read::DeflateDecoder::new(io::BufReader::new(file));
    let read = inflater.take(LARGEST + 1).read_to_end(&mut data_set);
    read.map_err(|error| unfit(error.to_string()))?;
    if data_set.len() as u64 > LARGEST {
        return Err(TranscodeError::TooLarge);
    }
    Ok(data_set)
}

fn decapsulated(data_set: &[u8], codec: Codec) -> Result<Vec<u8>, TranscodeError> {
    let parsed = Parsed::of(data_set)?;
    let Some(pixels) = &parsed.pixel_data else {
        // Nothing is compressed in it.
        return Ok(data_set.to_vec());
    };
    let frames = parsed.image.frames;
    let length = parsed.image.bytes().filter(|length| *length as u64 <= LARGEST);
    let length = length.ok_or(TranscodeError::TooLarge)?;
    let mut decoded = Vec::with_capacity(length.next_multiple_of(2));
    for frame in pixels.frames(frames)? {
        match codec {
            Codec::Rle => rle::decode(&frame, &parsed.image, &mut decoded)?,
            Codec::Jpeg => jpeg::decode(&frame, &parsed.image, &mut decoded)?,
            Codec::Fragments | Codec::Deflated => decoded.extend_from_slice(&frame),
        }
    }
    if codec == Codec::Fragments && decoded.len() > length {
        // The padding of an odd fragment.
        decoded.truncate(length.next_multiple_of(2));
    }
    if decoded.len() < length || decoded.len() > length.next_multiple_of(2) {
        return Err(unfit(format!(
            "{} bytes of pixels where {length} are due",
            decoded.len()
        )));
    }
    decoded.resize(length.next_multiple_of(2), 0);
    parsed.with_native(&decoded, codec == Codec::Rle)
}

#[cfg(test)]
mod tests;
