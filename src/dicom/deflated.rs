//! Deflated data sets (PS3.5 §A.5): inflated whole, or not at all. A decoder of streams takes one that is cut for whole.

use std::io::{self, BufRead, BufReader, Read, Write};

use flate2::{Decompress, FlushDecompress, Status};

/// What is inflated at once, in bytes.
const PIECE: usize = 64 << 10;

/// Why a data set cannot be inflated.
#[derive(Debug, thiserror::Error)]
pub enum InflateError {
    /// Something is missing behind it.
    #[error("its deflated data set ends too early")]
    Cut,
    /// It is not deflated, or damaged.
    #[error("its deflated data set cannot be inflated")]
    Damaged,
    /// So many bytes are taken at most.
    #[error("its deflated data set is larger than {} GiB", .0.div_ceil(1 << 30))]
    TooLarge(u64),
    /// Reading or writing failed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Inflates a data set, of `largest` bytes at most; what stands behind it, as its padding, is left.
///
/// # Errors
/// [`InflateError`]; then what was written is worth nothing.
pub fn inflate(deflated: impl Read, out: &mut impl Write, largest: u64) -> Result<(), InflateError> {
    let mut deflated = BufReader::with_capacity(PIECE, deflated);
    let mut inflater = Decompress::new(false);
    let mut piece = vec![0; PIECE];
    loop {
        let given = match deflated.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            given => given?,
        };
        let (over, taken, made) = (given.is_empty(), inflater.total_in(), inflater.total_out());
        let status = inflater
            .decompress(given, &mut piece, FlushDecompress::None)
            .map_err(|_| InflateError::Damaged)?;
        let within = |bytes: u64| usize::try_from(bytes).unwrap_or(PIECE);
        deflated.consume(within(inflater.total_in() - taken));
        if inflater.total_out() > largest {
            return Err(InflateError::TooLarge(largest));
        }
        let made = within(inflater.total_out() - made);
        out.write_all(piece.get(..made).unwrap_or_default())?;
        match status {
            Status::StreamEnd => return Ok(()),
            Status::Ok | Status::BufError if over && made == 0 => return Err(InflateError::Cut),
            Status::Ok | Status::BufError => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deflated(bytes: &[u8]) -> Vec<u8> {
        let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        deflate.write_all(bytes).unwrap();
        deflate.finish().unwrap()
    }

    #[test]
    fn a_data_set_comes_out_whole_or_not_at_all() {
        let data_set: Vec<u8> = (0..300_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        let packed = deflated(&data_set);
        let tried = |packed: &[u8], largest| {
            let mut out = Vec::new();
            inflate(packed, &mut out, largest).map(|()| out)
        };
        assert_eq!(tried(&packed, 1 << 30).unwrap(), data_set);
        assert_eq!(tried(&[&packed[..], &[0]].concat(), 1 << 30).unwrap(), data_set);
        for end in [0, 1, packed.len() / 2, packed.len() - 1] {
            let cut = tried(&packed[..end], 1 << 30);
            assert!(matches!(cut, Err(InflateError::Cut)), "{end}");
        }
        assert!(matches!(tried(&[7; 40], 1 << 30), Err(InflateError::Damaged)));
        assert!(matches!(tried(&packed, 1000), Err(InflateError::TooLarge(1000))));
    }
}
