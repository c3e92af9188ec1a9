//! The header of an object that is a file already.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::{Header, HeaderScanner};
use crate::dicom::part10::{self, FileMeta};
use crate::dicom::transfer_syntax;

/// The head and the header of a Part 10 file, by the same scanner that reads arriving objects; `None` for a file that is
/// none, or does not say what a stored object has to say.
///
/// # Errors
/// What reading says.
pub fn read(path: &Path) -> io::Result<Option<(FileMeta, Header)>> {
    let Some((meta, offset)) = part10::read_head(path)? else {
        return Ok(None);
    };
    let Some(encoding) = transfer_syntax::encoding(meta.transfer_syntax_uid.as_str()) else {
        return Ok(None);
    };
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut scanner = HeaderScanner::new(encoding);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => scanner.push(buffer.get(..read).unwrap_or_default()),
        }
    }
    Ok(scanner.finish().ok().map(|header| (meta, header)))
}
