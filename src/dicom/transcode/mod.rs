//! Explicit VR little endian of a data set that a peer does not take as it is: not a bit of a pixel changes, not a byte of any
//! other attribute but of those that are about fragments, or it is not done.
//!
//! Every encapsulated data set is explicit VR little endian but for its pixel data (PS3.5 §A.4), and a deflated one is once it
//! is inflated (§A.5). So what stands before and behind the pixel data is copied as it is.
//!
//! What comes out is in a file without a name, and no more than a frame is in memory at a time.
//!
//! ```text
//! source      the file, looked at in pieces
//! element     one element, and where it ends
//! elements    where the pixel data is, and what is needed to decode it
//! pixel_data  which bytes are which frame
//! rle         RLE Lossless (PS3.5 Annex G)
//! jpeg        JPEG Lossless (PS3.5 §A.4.1), of one sample a pixel
//! ```

mod element;
mod elements;
mod jpeg;
mod pixel_data;
mod rle;
mod source;

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use dicom_dictionary_std::uids;

use self::elements::Parsed;
use self::source::Source;
use super::deflated::{InflateError, inflate};
use super::part10::{self, FileMeta};

/// The largest data set that comes out, in bytes: the length of native pixel data has 32 bits (PS3.5 §7.1).
const LARGEST: u64 = u32::MAX as u64 - 1;

/// The largest frame, before and after, in bytes: it is in memory.
const LARGEST_FRAME: u64 = 1 << 30;

/// Why an object cannot be had in explicit VR little endian.
#[derive(Debug, thiserror::Error)]
pub enum TranscodeError {
    /// No codec that gives back every pixel.
    #[error("there is no lossless way from its transfer syntax to explicit VR little endian")]
    NoCodec,
    /// More than an element can be long.
    #[error("it is larger than 4 GiB")]
    TooLarge,
    /// More than is held in memory.
    #[error("one of its frames is larger than 1 GiB")]
    LargeFrame,
    /// It is not what its transfer syntax says, or of a kind that is not decoded.
    #[error("it cannot be decoded: {0}")]
    Unfit(String),
    /// The file cannot be read, or there is no room for what comes out.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl From<InflateError> for TranscodeError {
    fn from(error: InflateError) -> Self {
        match error {
            InflateError::TooLarge(_) => Self::TooLarge,
            InflateError::Io(error) => Self::Io(error),
            damaged => unfit(damaged.to_string()),
        }
    }
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

/// The head of a Part 10 file, and its data set in explicit VR little endian: a file of its own, read from its beginning, that is gone with
/// its handle.
///
/// # Errors
/// [`TranscodeError`]
pub fn explicit_little(path: &Path) -> Result<(FileMeta, File), TranscodeError> {
    let (meta, offset) = part10::read_head(path)?.ok_or_else(|| unfit("not a DICOM file"))?;
    let codec = Codec::of(meta.transfer_syntax_uid.as_str()).ok_or(TranscodeError::NoCodec)?;
    let file = File::open(path)?;
    let mut out = BufWriter::new(spool(path)?);
    match codec {
        Codec::Deflated => {
            let mut file = file;
            file.seek(SeekFrom::Start(offset))?;
            inflate(file, &mut out, LARGEST)?;
        }
        _ => decapsulate(&mut Source::new(file, offset)?, codec, &mut out)?,
    }
    let mut out = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    out.rewind()?;
    Ok((meta, out))
}

/// A file without a name where the object is: there is the space that objects are kept in.
fn spool(path: &Path) -> io::Result<File> {
    let beside = path.parent().map(tempfile::tempfile_in);
    match beside {
        Some(Ok(file)) => Ok(file),
        // One may read there, and not write.
        Some(Err(error))
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            tempfile::tempfile()
        }
        Some(Err(error)) => Err(error),
        None => tempfile::tempfile(),
    }
}

fn decapsulate(source: &mut Source, codec: Codec, out: &mut impl Write) -> Result<(), TranscodeError> {
    let parsed = Parsed::of(source)?;
    let image = &parsed.image;
    let Some(pixels) = &parsed.pixel_data else {
        // Nothing is compressed in it.
        return Ok(source.copy(source.range.clone(), out)?);
    };
    let frame_bytes = image.frame_bytes().ok_or(TranscodeError::LargeFrame)?;
    if frame_bytes as u64 > LARGEST_FRAME {
        return Err(TranscodeError::LargeFrame);
    }
    if frame_bytes == 0 {
        return Err(unfit(
            "its pixel data has no size: rows, columns or bits are missing",
        ));
    }
    if let Some(subsampled) = parsed.subsampled {
        return Err(unfit(format!("its colors are {subsampled}")));
    }
    let due = image.bytes().ok_or(TranscodeError::TooLarge)?;
    // Of an odd number of bytes there is one more (PS3.5 §8.1.1).
    let padded = u32::try_from(due)
        .ok()
        .and_then(|due| due.checked_next_multiple_of(2));
    let padded = padded.ok_or(TranscodeError::TooLarge)?;
    parsed.write_before(source, pixels, padded, codec == Codec::Rle, out)?;
    let frames = pixels.frames(image.frames)?;
    let (mut frame, mut decoded) = (Vec::new(), Vec::new());
    for (number, fragments) in frames.iter().enumerate() {
        pixel_data::read_frame(source, fragments, &mut frame)?;
        decoded.clear();
        match codec {
            Codec::Rle => rle::decode(&frame, image, &mut decoded)?,
            Codec::Jpeg => jpeg::decode(&frame, image, &mut decoded)?,
            Codec::Fragments | Codec::Deflated => {
                std::mem::swap(&mut frame, &mut decoded);
                // The padding of an odd frame.
                if decoded.len() == frame_bytes + 1 && frame_bytes % 2 == 1 {
                    decoded.pop();
                }
            }
        }
        if decoded.len() != frame_bytes {
            return Err(unfit(format!(
                "{} bytes of pixels where {frame_bytes} are due, in frame {}",
                decoded.len(),
                number + 1
            )));
        }
        out.write_all(&decoded)?;
    }
    if due % 2 == 1 {
        out.write_all(&[0])?;
    }
    Ok(source.copy(pixels.whole.end..source.range.end, out)?)
}

#[cfg(test)]
mod tests;
