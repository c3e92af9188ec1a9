//! Frames of an encoder that is written here, from the recommendation: it says what decoders get wrong.

use proptest::prelude::*;

use super::*;

/// How a frame is written.
#[derive(Clone, Debug)]
struct Way {
    predictor: u8,
    precision: u8,
    point_transform: u8,
    /// Lines of a restart interval; 0: there is none.
    lines: usize,
}

const PLAIN: Way = Way {
    predictor: 1,
    precision: 16,
    point_transform: 0,
    lines: 0,
};

fn image(rows: usize, columns: usize, sample_bytes: usize) -> Image {
    Image {
        rows,
        columns,
        samples: 1,
        sample_bytes,
        frames: 1,
    }
}

/// Writes bits, the most significant first; a byte of ones has a zero behind it (§F.1.2.3).
#[derive(Default)]
struct Written {
    bytes: Vec<u8>,
    held: u64,
    count: u32,
}

impl Written {
    fn put(&mut self, value: u32, bits: u32) {
        self.held = self.held << bits | u64::from(value) & ((1 << bits) - 1);
        self.count += bits;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.held >> self.count) as u8;
            self.bytes.push(byte);
            if byte == 0xff {
                self.bytes.push(0);
            }
        }
    }

    fn align(&mut self) {
        let bits = (8 - self.count % 8) % 8;
        self.put(u32::MAX, bits);
    }
}

/// A frame (§H.1); each of the seventeen categories has a code of five bits.
fn encoded(samples: &[u16], image: &Image, way: &Way) -> Vec<u8> {
    let [rows, columns] = [image.rows as u16, image.columns as u16].map(u16::to_be_bytes);
    let mut frame = vec![
        0xff,
        0xd8,
        0xff,
        0xe0,
        0,
        4,
        b'J',
        b'F',
        0xff,
        0xc3,
        0,
        11,
        way.precision,
    ];
    frame.extend([rows, columns].concat());
    frame.extend([1, 1, 0x11, 0, 0xff, 0xc4, 0, 19 + 17, 0]);
    frame.extend((1..=16).map(|length| if length == 5 { 17 } else { 0 }));
    frame.extend(0..=16);
    if way.lines > 0 {
        frame.extend([0xff, 0xdd, 0, 4]);
        frame.extend(((way.lines * image.columns) as u16).to_be_bytes());
    }
    frame.extend([0xff, 0xda, 0, 8, 1, 1, 0, way.predictor, 0, way.point_transform]);
    let mut out = Written::default();
    let at =
        |row: usize, column: usize| i32::from(samples[row * image.columns + column] >> way.point_transform);
    for row in 0..image.rows {
        let first = row == 0 || way.lines > 0 && row % way.lines == 0;
        if first && row > 0 {
            out.align();
            out.bytes.extend([0xff, 0xd0 + ((row / way.lines - 1) % 8) as u8]);
        }
        for column in 0..image.columns {
            let prediction = match (first, column) {
                (true, 0) => 1 << (way.precision - way.point_transform - 1),
                (true, _) => at(row, column - 1),
                (false, 0) => at(row - 1, column),
                (false, _) => {
                    let [a, b, c] = [(0, 1), (1, 0), (1, 1)].map(|(up, left)| at(row - up, column - left));
                    match way.predictor {
                        1 => a,
                        2 => b,
                        3 => c,
                        4 => a + b - c,
                        5 => a + ((b - c) >> 1),
                        6 => b + ((a - c) >> 1),
                        _ => (a + b) >> 1,
                    }
                }
            };
            // The difference modulo 2^16, from -32767 to 32768 (§H.1.2.2).
            let mut difference = (at(row, column) - prediction).rem_euclid(1 << 16);
            if difference > 32_768 {
                difference -= 1 << 16;
            }
            let category = 32 - difference.unsigned_abs().leading_zeros();
            out.put(category, 5);
            if category < 16 {
                let bits = if difference < 0 {
                    difference - 1
                } else {
                    difference
                };
                out.put(bits as u32, category);
            }
        }
    }
    out.align();
    frame.extend(out.bytes);
    frame.extend([0xff, 0xd9]);
    frame
}

fn decoded(frame: &[u8], image: &Image) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    decode(frame, image, &mut out).map_err(|error| error.to_string())?;
    Ok(out)
}

fn bytes(samples: &[u16], image: &Image) -> Vec<u8> {
    let sample = |sample: &u16| sample.to_le_bytes()[..image.sample_bytes].to_vec();
    samples.iter().flat_map(sample).collect()
}

#[test]
fn what_is_cut_or_damaged_is_refused_and_not_filled_up() {
    let image = image(40, 30, 2);
    let samples: Vec<u16> = (0..1200u32).map(|n| (n * 40_503) as u16).collect();
    let frame = encoded(&samples, &image, &PLAIN);
    assert_eq!(decoded(&frame, &image).unwrap(), bytes(&samples, &image));
    for end in [frame.len() / 2, frame.len() - 40, 60, 20, 3, 0] {
        let cut = &frame[..end];
        assert!(decoded(cut, &image).is_err(), "{end}");
        assert!(decoded(&[cut, &[0xff, 0xd9]].concat(), &image).is_err(), "{end}");
    }
    let way = Way { lines: 8, ..PLAIN };
    let mut frame = encoded(&samples, &image, &way);
    assert_eq!(decoded(&frame, &image).unwrap(), bytes(&samples, &image));
    // A restart interval is missing.
    let of = |frame: &[u8], n: u8| frame.windows(2).position(|two| two == [0xff, n]).unwrap();
    let (one, next) = (of(&frame, 0xd1), of(&frame, 0xd2));
    frame.drain(one..next);
    assert!(decoded(&frame, &image).is_err());
}

#[test]
fn eight_bits_in_sixteen_are_what_they_were() {
    let image = image(4, 4, 2);
    let samples: Vec<u16> = (0..16).map(|n| n * 16).collect();
    let way = Way {
        precision: 8,
        ..PLAIN
    };
    assert_eq!(
        decoded(&encoded(&samples, &image, &way), &image).unwrap(),
        bytes(&samples, &image)
    );
    let narrow = Image {
        sample_bytes: 1,
        ..image
    };
    assert_eq!(
        decoded(&encoded(&samples, &narrow, &way), &narrow).unwrap(),
        bytes(&samples, &narrow)
    );
    assert!(
        decoded(&encoded(&samples, &narrow, &PLAIN), &narrow).is_err(),
        "more bits than there is room for"
    );
}

proptest! {
    #[test]
    fn every_frame_comes_back(
        predictor in 1..=7u8,
        precision in 2..=16u8,
        point_transform in 0..=1u8,
        lines in 0..4usize,
        (rows, columns) in (1..9usize, 1..9usize),
        noise in proptest::collection::vec(any::<u16>(), 64),
        coarse in any::<bool>(),
    ) {
        let way = Way { predictor, precision, point_transform, lines };
        let image = image(rows, columns, if precision > 8 { 2 } else { 1 });
        let most = u16::MAX >> (16 - precision);
        // As far from one another as can be, or anything.
        let sample = |sample: &u16| {
            let wide = if coarse { if *sample & 1 == 0 { 0 } else { 32_768 } } else { *sample };
            (wide & most) >> point_transform << point_transform
        };
        let samples: Vec<u16> = noise.iter().take(rows * columns).map(sample).collect();
        prop_assert_eq!(decoded(&encoded(&samples, &image, &way), &image).unwrap(), bytes(&samples, &image));
    }

    #[test]
    fn nothing_that_is_not_a_frame_breaks_anything(noise in proptest::collection::vec(any::<u8>(), 0..200), cut in 0..200usize) {
        let image = image(7, 9, 2);
        let samples = vec![7; 63];
        let frame = encoded(&samples, &image, &Way { lines: 2, ..PLAIN });
        let _ = decoded(&noise, &image);
        let _ = decoded(&[&frame[..cut.min(frame.len())], &noise].concat(), &image);
    }
}
