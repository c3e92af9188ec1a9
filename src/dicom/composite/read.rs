//! Reading them: a bounded part of the file, a bounded depth, no length believed.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::cursor::Cursor;
use super::{Attribute, Composite, Held};
use crate::dicom::part10;
use crate::dicom::transfer_syntax::{self, Encoding};
use crate::model::Uid;

/// What is read of a data set, in bytes: what is wanted stands at its beginning.
pub const LONGEST_HEADER: u64 = 1 << 20;

/// What nearly always holds all of it, in bytes.
const SHORT_HEADER: u64 = 64 << 10;

/// Sequences within each other that are copied; what is deeper is left out.
const DEEPEST: u32 = 4;

/// Behind it nothing is wanted: (0020,0010) Study ID.
const LAST: u32 = 0x0020_0010;

/// Of Patient, Clinical Trial Subject, General Study, Patient Study and Clinical Trial Study (PS3.3 §C.7.1, §C.7.2).
#[rustfmt::skip] // a table
const WANTED: [u32; 72] = [
    0x0008_0005, 0x0008_0020, 0x0008_0030, 0x0008_0050, 0x0008_0051, 0x0008_0090, 0x0008_0096, 0x0008_009C, 0x0008_009D,
    0x0008_0201, 0x0008_1030, 0x0008_1032, 0x0008_1048, 0x0008_1049, 0x0008_1060, 0x0008_1062, 0x0008_1080, 0x0008_1084,
    0x0008_1110, 0x0008_1120,
    0x0010_0010, 0x0010_0020, 0x0010_0021, 0x0010_0022, 0x0010_0024, 0x0010_0026, 0x0010_0027, 0x0010_0030, 0x0010_0032,
    0x0010_0033, 0x0010_0034, 0x0010_0035, 0x0010_0040, 0x0010_0221, 0x0010_1001, 0x0010_1002, 0x0010_1010, 0x0010_1020,
    0x0010_1021, 0x0010_1022, 0x0010_1023, 0x0010_1024, 0x0010_1030, 0x0010_2000, 0x0010_2110, 0x0010_2160, 0x0010_2180,
    0x0010_21A0, 0x0010_21B0, 0x0010_21D0, 0x0010_2201, 0x0010_2202, 0x0010_2203, 0x0010_2292, 0x0010_2293, 0x0010_2294,
    0x0010_2295, 0x0010_2296, 0x0010_2297, 0x0010_4000,
    0x0012_0010, 0x0012_0020, 0x0012_0021, 0x0012_0030, 0x0012_0031, 0x0012_0040, 0x0012_0042, 0x0012_0050, 0x0012_0062,
    0x0012_0063, 0x0012_0064, 0x0020_0010,
];

/// What a stored file says of itself, its patient and its study; `None` for one that is no object, or says it nowhere in
/// the first [`LONGEST_HEADER`] bytes.
///
/// # Errors
/// What reading says.
pub fn read(path: &Path) -> io::Result<Option<Composite>> {
    let Some((meta, offset)) = part10::read_head(path)? else {
        return Ok(None);
    };
    let Some(encoding) = transfer_syntax::encoding(meta.transfer_syntax_uid.as_str()) else {
        return Ok(None);
    };
    for limit in [SHORT_HEADER, LONGEST_HEADER] {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        let read = match encoding {
            Encoding::Deflated => flate2::read::DeflateDecoder::new(file)
                .take(limit)
                .read_to_end(&mut bytes),
            _ => file.take(limit).read_to_end(&mut bytes),
        };
        // What cannot be inflated is no object.
        if read.is_err() && encoding == Encoding::Deflated {
            return Ok(None);
        }
        let whole = u64::try_from(read?).unwrap_or(u64::MAX) < limit;
        let found = parse(&bytes, encoding, whole);
        if found.is_some() || whole {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Reads the beginning of a data set, or the `whole` of it; `None` where it ends before everything wanted was seen.
#[must_use]
pub fn parse(bytes: &[u8], encoding: Encoding, whole: bool) -> Option<Composite> {
    let mut cursor = Cursor::new(bytes, encoding);
    let mut found = Vec::new();
    let mut uids = [const { None }; 4];
    let of_uid = [0x0008_0016, 0x0008_0018, 0x0020_000D, 0x0020_000E];
    let mut passed = whole;
    while let Some(header) = cursor.header() {
        if header.tag > LAST {
            passed = true;
            break;
        }
        let slot = of_uid.iter().position(|tag| *tag == header.tag);
        if slot.is_none() && !WANTED.contains(&header.tag) {
            cursor.skip(&header)?;
            continue;
        }
        let attribute = cursor.attribute(&header, DEEPEST)?;
        match (slot.and_then(|i| uids.get_mut(i)), attribute) {
            (
                Some(slot),
                Some(Attribute {
                    value: Held::Bytes(bytes),
                    ..
                }),
            ) => *slot = Uid::parse(&bytes).ok(),
            (None, Some(attribute)) => found.push(attribute),
            _ => {}
        }
    }
    if !passed {
        return None;
    }
    let [class, instance, study, series] = uids;
    Some(Composite {
        sop_class_uid: class?,
        sop_instance_uid: instance?,
        study_instance_uid: study?,
        series_instance_uid: series?,
        attributes: found,
    })
}
