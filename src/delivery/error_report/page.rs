//! Lines as pixels.

use std::convert::Infallible;

use embedded_graphics::Drawable;
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::iso_8859_1::FONT_10X20;
use embedded_graphics::pixelcolor::{Gray8, GrayColor};
use embedded_graphics::text::{Baseline, Text};

/// Width and height of a page, in pixels.
pub const WIDTH: u16 = 1024;
/// See [`WIDTH`].
pub const HEIGHT: u16 = 1024;

/// Around what is written, in pixels.
const MARGIN: u16 = 32;

/// From one line to the next, in pixels; letters are 10 wide and 20 high.
const LINE: u16 = 22;

/// Letters of a line.
pub const COLUMNS: usize = ((WIDTH - 2 * MARGIN) / 10) as usize;

/// Lines of a page; one more is its number.
pub const LINES: usize = ((HEIGHT - 2 * MARGIN) / LINE - 2) as usize;

/// Light letters on a dark ground, as a radiologist's screen is.
const GROUND: u8 = 16;
const LETTERS: u8 = 224;

struct Page(Vec<u8>);

impl OriginDimensions for Page {
    fn size(&self) -> Size {
        Size::new(u32::from(WIDTH), u32::from(HEIGHT))
    }
}

impl DrawTarget for Page {
    type Color = Gray8;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Gray8>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        let within = |at: i32, size: u16| usize::try_from(at).ok().filter(|at| *at < usize::from(size));
        for Pixel(Point { x, y }, colour) in pixels {
            let (Some(x), Some(y)) = (within(x, WIDTH), within(y, HEIGHT)) else {
                continue;
            };
            if let Some(pixel) = self.0.get_mut(y * usize::from(WIDTH) + x) {
                *pixel = colour.luma();
            }
        }
        Ok(())
    }
}

/// A page with these lines and what stands at its foot: [`WIDTH`] × [`HEIGHT`] bytes.
pub fn draw(lines: &[String], foot: &str) -> Vec<u8> {
    let mut page = Page(vec![GROUND; usize::from(WIDTH) * usize::from(HEIGHT)]);
    let mut top = i32::from(MARGIN);
    for line in lines {
        write(&mut page, line, top);
        top += i32::from(LINE);
    }
    write(&mut page, foot, i32::from(HEIGHT - MARGIN - LINE));
    page.0
}

fn write(page: &mut Page, line: &str, top: i32) {
    let style = MonoTextStyle::new(&FONT_10X20, Gray8::new(LETTERS));
    let text = Text::with_baseline(line, Point::new(i32::from(MARGIN), top), style, Baseline::Top);
    // Drawing into memory does not fail; what has no letter is a question mark.
    let _ = text.draw(page);
}
