//! Whether two files have the same data set.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use twox_hash::xxhash3_128;

use crate::dicom::part10;
use crate::model::Uid;

const PIECE: usize = 128 << 10;

/// The data set of a Part 10 file: its transfer syntax, its length, and the file at its beginning.
fn data_set(path: &Path) -> io::Result<Option<(Uid, u64, File)>> {
    let Some((meta, begin)) = part10::read_head(path)? else {
        return Ok(None);
    };
    let mut file = File::open(path)?;
    let length = file.metadata()?.len().saturating_sub(begin);
    file.seek(SeekFrom::Start(begin))?;
    Ok(Some((meta.transfer_syntax_uid, length, file)))
}

/// Whether a result has the data set of an object of the input, or of one that a destination has; false where there is no
/// such object, or no such result.
pub(in crate::delivery) fn is_copy(path: &Path, original: &Path) -> io::Result<bool> {
    let there = |found: io::Result<Option<(Uid, u64, File)>>| match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other,
    };
    let Some((syntax, length, mut own)) = there(data_set(path))? else {
        return Ok(false);
    };
    let Some((right_syntax, right_length, mut right)) = there(data_set(original))? else {
        return Ok(false);
    };
    if syntax != right_syntax || length != right_length {
        return Ok(false);
    }
    let (mut a, mut b) = (vec![0; PIECE], vec![0; PIECE]);
    let mut left = length;
    while left > 0 {
        let now = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let (a, b) = (
            a.get_mut(..now).unwrap_or_default(),
            b.get_mut(..now).unwrap_or_default(),
        );
        own.read_exact(a)?;
        right.read_exact(b)?;
        if a != b {
            return Ok(false);
        }
        left -= now as u64;
    }
    Ok(true)
}

/// XXH3-128 of the data set of a file, as the store has it of received objects.
pub(super) fn hash(path: &Path) -> io::Result<[u8; 16]> {
    let mut hasher = xxhash3_128::Hasher::new();
    if let Some((_, _, mut file)) = data_set(path)? {
        let mut buffer = vec![0; PIECE];
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                read => hasher.write(buffer.get(..read).unwrap_or_default()),
            }
        }
    }
    Ok(hasher.finish_128().to_be_bytes())
}
