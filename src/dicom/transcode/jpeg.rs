//! JPEG Lossless (PS3.5 §A.4.1, ITU-T T.81 process 14), of one sample a pixel: with more, what a decoder makes of the colors
//! could be another color.

use std::io::Cursor;

use jpeg_decoder::{CodingProcess, Decoder, PixelFormat};

use super::elements::Image;
use super::{TranscodeError, unfit};

/// Decodes a frame.
pub(super) fn decode(frame: &[u8], image: &Image, out: &mut Vec<u8>) -> Result<(), TranscodeError> {
    if image.samples != 1 {
        return Err(unfit("colors in JPEG"));
    }
    let wrong = |error: jpeg_decoder::Error| unfit(error.to_string());
    let mut decoder = Decoder::new(Cursor::new(frame));
    decoder.read_info().map_err(wrong)?;
    let info = decoder.info().ok_or_else(|| unfit("a frame without a header"))?;
    if info.coding_process != CodingProcess::Lossless {
        return Err(unfit("a frame is not of the lossless process"));
    }
    let bytes = match info.pixel_format {
        PixelFormat::L8 => 1,
        PixelFormat::L16 => 2,
        PixelFormat::RGB24 | PixelFormat::CMYK32 => return Err(unfit("colors in JPEG")),
    };
    let fits = usize::from(info.width) == image.columns && usize::from(info.height) == image.rows;
    if !fits || bytes != image.sample_bytes {
        return Err(unfit("a frame is of another size than the image"));
    }
    let pixels = decoder.decode().map_err(wrong)?;
    if bytes == 2 {
        // The decoder gives samples as this machine has them.
        let samples = pixels.as_chunks().0.iter();
        out.extend(samples.flat_map(|two: &[u8; 2]| u16::from_ne_bytes(*two).to_le_bytes()));
    } else {
        out.extend_from_slice(&pixels);
    }
    Ok(())
}
