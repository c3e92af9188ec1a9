//! JPEG Lossless (PS3.5 §A.4.1, ITU-T T.81 process 14), of one sample a pixel: with more, what a decoder makes of the colors
//! could be another color.
//!
//! Decoders for looking at pictures show what there is of a damaged one. Here a frame comes back whole or not at all.
//!
//! ```text
//! mod      segments of a frame, and its lines (§B.2, §H.1)
//! entropy  bits and codes
//! ```

mod entropy;

use self::entropy::{Bits, Table};
use super::elements::Image;
use super::{TranscodeError, unfit};

/// What the segments of a frame say.
#[derive(Default)]
struct Header {
    /// Bits of a sample.
    precision: u8,
    tables: [Option<Table>; 4],
    /// Samples of a restart interval; 0: there is none.
    interval: usize,
}

/// What the header of the scan says.
struct Scan<'h> {
    precision: u8,
    table: &'h Table,
    predictor: u8,
    /// Bits that were taken off each sample.
    point_transform: u8,
    /// Lines of a restart interval.
    lines: Option<usize>,
}

/// Decodes a frame.
pub(super) fn decode(frame: &[u8], image: &Image, out: &mut Vec<u8>) -> Result<(), TranscodeError> {
    if image.samples != 1 {
        return Err(unfit("colors in JPEG"));
    }
    let cut = || unfit("a frame ends too early");
    let mut header = Header::default();
    let mut rest: &[u8] = frame
        .strip_prefix(&[0xff, 0xd8])
        .ok_or_else(|| unfit("a frame is no JPEG"))?;
    loop {
        let (marker, after) = match rest {
            // Any number of these may stand before a marker.
            [0xff, after @ ..] if after.first() == Some(&0xff) => {
                rest = after;
                continue;
            }
            [0xff, marker, after @ ..] => (*marker, after),
            _ => return Err(cut()),
        };
        let length = u16::from_be_bytes(*after.first_chunk().ok_or_else(cut)?);
        let segment = after.get(2..length.into()).ok_or_else(cut)?;
        rest = after.get(length.into()..).ok_or_else(cut)?;
        match marker {
            0xc3 => header.of_frame(segment, image)?,
            0xc4 => header.take_tables(segment)?,
            0xdd => match segment {
                [high, low] => header.interval = u16::from_be_bytes([*high, *low]).into(),
                _ => return Err(unfit("a restart interval is damaged")),
            },
            0xda => return header.scan(segment, image)?.decode(rest, image, out),
            // Every other process (§B.1.1.3).
            0xc0..=0xcf => return Err(unfit("a frame is not of the lossless process")),
            _ => {}
        }
    }
}

impl Header {
    /// The header of the frame (§B.2.2).
    fn of_frame(&mut self, segment: &[u8], image: &Image) -> Result<(), TranscodeError> {
        let &[precision, y1, y0, x1, x0, components, ref rest @ ..] = segment else {
            return Err(unfit("the header of a frame is damaged"));
        };
        if components != 1 || rest.len() != 3 {
            return Err(unfit("colors in JPEG"));
        }
        let [height, width] = [[y1, y0], [x1, x0]].map(|two| usize::from(u16::from_be_bytes(two)));
        let bits = 8 * image.sample_bytes;
        let fits = (2..=16).contains(&precision) && usize::from(precision) <= bits && bits <= 16;
        if (height, width) != (image.rows, image.columns) || !fits {
            return Err(unfit("a frame is of another size than the image"));
        }
        self.precision = precision;
        Ok(())
    }

    /// Huffman tables (§B.2.4.2).
    fn take_tables(&mut self, mut segment: &[u8]) -> Result<(), TranscodeError> {
        let damaged = || unfit("a table of codes is damaged");
        while let [place, rest @ ..] = segment {
            let counts: &[u8; 16] = rest.first_chunk().ok_or_else(damaged)?;
            let values = rest.get(16..).unwrap_or_default();
            // Those for the coefficients of other processes have another class.
            if let Some(table) = self.tables.get_mut(usize::from(*place)) {
                *table = Some(Table::parse(counts, values).ok_or_else(damaged)?);
            }
            let length = counts.iter().map(|count| usize::from(*count)).sum::<usize>();
            segment = values.get(length..).ok_or_else(damaged)?;
        }
        Ok(())
    }

    /// The header of the scan (§B.2.3).
    fn scan(&self, segment: &[u8], image: &Image) -> Result<Scan<'_>, TranscodeError> {
        let &[1, _, table, predictor @ 1..=7, _, point_transform] = segment else {
            return Err(unfit("the header of a scan is damaged, or of another process"));
        };
        if point_transform >= self.precision {
            return Err(unfit("a scan comes without its frame, or takes every bit off"));
        }
        let table = self.tables.get(usize::from(table >> 4)).and_then(Option::as_ref);
        // Whole lines (§H.1.1).
        if !self.interval.is_multiple_of(image.columns.max(1)) {
            return Err(unfit("a restart interval has no whole lines"));
        }
        Ok(Scan {
            precision: self.precision,
            table: table.ok_or_else(|| unfit("a table of codes is missing"))?,
            predictor,
            point_transform,
            lines: self
                .interval
                .checked_div(image.columns)
                .filter(|lines| *lines > 0),
        })
    }
}

impl Scan<'_> {
    /// The lines, each sample from those left of it and above it (§H.1.2).
    fn decode(&self, data: &[u8], image: &Image, out: &mut Vec<u8>) -> Result<(), TranscodeError> {
        let mut bits = Bits::new(data);
        let begin = 1 << (self.precision - self.point_transform - 1);
        let mut line = vec![0_u16; image.columns];
        let (mut until_restart, mut restarts) = (self.lines, 0);
        for row in 0..image.rows {
            let restart = until_restart == Some(0);
            if restart {
                bits.restart(restarts % 8)
                    .ok_or_else(|| unfit("a restart interval is missing or damaged"))?;
                restarts = (restarts + 1) % 8;
                until_restart = self.lines;
            }
            until_restart = until_restart.map(|lines| lines - 1);
            let first = row == 0 || restart;
            let (mut left, mut corner) = (None, 0);
            // What it held is the line above.
            for sample in &mut line {
                let above = i32::from(*sample);
                let prediction = match (left, first) {
                    (None, true) => begin,
                    (None, false) => above,
                    (Some(left), true) => left,
                    (Some(left), false) => self.predict(left, above, corner),
                };
                let difference = bits
                    .difference(self.table)
                    .ok_or_else(|| unfit("a frame ends too early, or is damaged"))?;
                // Modulo 2^16 (§H.2.1).
                let [low, high, ..] = (prediction + difference).to_le_bytes();
                *sample = u16::from_le_bytes([low, high]);
                (left, corner) = (Some(i32::from(*sample)), above);
                let [low, high] = (*sample << self.point_transform).to_le_bytes();
                out.push(low);
                if image.sample_bytes == 2 {
                    out.push(high);
                }
            }
        }
        Ok(())
    }

    /// Table H.1.
    const fn predict(&self, left: i32, above: i32, corner: i32) -> i32 {
        match self.predictor {
            1 => left,
            2 => above,
            3 => corner,
            4 => left + above - corner,
            5 => left + ((above - corner) >> 1),
            6 => above + ((left - corner) >> 1),
            _ => (left + above) >> 1,
        }
    }
}

#[cfg(test)]
mod tests;
