//! Text as pixels.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use crate::dicom::secondary_capture::Image;

/// Characters of a line.
pub(super) const COLUMNS: usize = 100;
/// Lines of a page.
pub(super) const LINES: usize = 60;

const SIZE: RasterHeight = RasterHeight::Size16;
const MARGIN: usize = 20;
/// From one line to the next, in pixels.
const PITCH: usize = 18;

/// Lines on a page, white on black as the images around it are; what does not fit is left out.
pub(super) fn page(lines: &[String]) -> Image {
    let letter = get_raster_width(FontWeight::Regular, SIZE);
    let (columns, rows) = (COLUMNS * letter + 2 * MARGIN, LINES * PITCH + 2 * MARGIN);
    let mut pixels = vec![0; columns * rows];
    for (line, text) in lines.iter().take(LINES).enumerate() {
        for (column, character) in text.chars().take(COLUMNS).enumerate() {
            let raster = get_raster(character, FontWeight::Regular, SIZE)
                .or_else(|| get_raster('?', FontWeight::Regular, SIZE));
            let Some(raster) = raster else { continue };
            for (y, row) in raster.rows().enumerate() {
                let at = (MARGIN + line * PITCH + y) * columns + MARGIN + column * letter;
                if let Some(target) = pixels.get_mut(at..at + row.len()) {
                    target.copy_from_slice(row);
                }
            }
        }
    }
    Image {
        columns: u16::try_from(columns).unwrap_or(u16::MAX),
        rows: u16::try_from(rows).unwrap_or(u16::MAX),
        pixels,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_as_large_as_it_says_and_even_and_letters_are_on_it() {
        let empty = page(&[]);
        assert_eq!(
            empty.pixels.len(),
            usize::from(empty.columns) * usize::from(empty.rows)
        );
        assert_eq!(empty.pixels.len() % 2, 0);
        assert!(empty.pixels.iter().all(|p| *p == 0));
        let full = page(&vec!["M".repeat(COLUMNS + 5); LINES + 5]);
        assert_eq!(full.pixels.len(), empty.pixels.len());
        let white = |image: &Image| image.pixels.iter().filter(|p| **p > 127).count();
        let one = white(&page(&["M".to_owned()]));
        assert!(one > 10);
        assert_eq!(white(&full), one * COLUMNS * LINES);
        // What the font does not have is seen to be there.
        assert_eq!(page(&["漢".to_owned()]), page(&["?".to_owned()]));
    }
}
