//! Part 10 files (PS3.10 §7.1): the head we write before a data set, and reading the head of any file.

use std::io::Read;
use std::path::Path;

use dicom_object::{FileMetaTable, FileMetaTableBuilder, InMemDicomObject};

use super::identity;
use crate::model::{AeTitle, Uid};

/// What the head of a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMeta {
    /// (0002,0002) Media Storage SOP Class UID
    pub sop_class_uid: Uid,
    /// (0002,0003) Media Storage SOP Instance UID
    pub sop_instance_uid: Uid,
    /// (0002,0010) Transfer Syntax UID
    pub transfer_syntax_uid: Uid,
}

/// The head cannot be written: a value breaks its VR.
#[derive(Debug, thiserror::Error)]
#[error("write the file meta information: {0}")]
pub struct WriteMetaError(String);

const PREAMBLE: usize = 128;
const MAGIC: &[u8; 4] = b"DICM";

/// The longest head that is read, in bytes.
const LONGEST_HEAD: u64 = 64 * 1024;

/// Preamble, magic and file meta information (PS3.10 §7.1) for a data set that came from `source`.
///
/// # Errors
/// [`WriteMetaError`] when dicom-object refuses a value.
pub fn head(meta: &FileMeta, source: Option<&AeTitle>) -> Result<Vec<u8>, WriteMetaError> {
    let table = table(meta, source)?;
    let mut out = vec![0; PREAMBLE];
    out.extend(MAGIC);
    table
        .write(&mut out)
        .map_err(|error| WriteMetaError(error.to_string()))?;
    Ok(out)
}

fn table(meta: &FileMeta, source: Option<&AeTitle>) -> Result<FileMetaTable, WriteMetaError> {
    let mut builder = FileMetaTableBuilder::new()
        .media_storage_sop_class_uid(meta.sop_class_uid.as_str())
        .media_storage_sop_instance_uid(meta.sop_instance_uid.as_str())
        .transfer_syntax(meta.transfer_syntax_uid.as_str())
        .implementation_class_uid(identity::IMPLEMENTATION_CLASS_UID)
        .implementation_version_name(identity::IMPLEMENTATION_VERSION_NAME);
    if let Some(source) = source {
        builder = builder.source_application_entity_title(source.as_str());
    }
    builder.build().map_err(|error| WriteMetaError(error.to_string()))
}

/// A whole file: the head, and an object that the node made, in Explicit VR Little Endian.
///
/// # Errors
/// [`WriteMetaError`] when dicom-object refuses a value.
pub fn file(meta: &FileMeta, object: InMemDicomObject) -> Result<Vec<u8>, WriteMetaError> {
    let mut bytes = Vec::new();
    object
        .with_exact_meta(table(meta, None)?)
        .write_all(&mut bytes)
        .map_err(|error| WriteMetaError(error.to_string()))?;
    Ok(bytes)
}

/// Reads the head of a file; `None` when it is no Part 10 file with a usable head.
///
/// Answers the offset of the data set too. Read by hand: the file may come from anybody, and no length in it is
/// allocated.
///
/// # Errors
/// What reading the file says.
pub fn read_head(path: &Path) -> std::io::Result<Option<(FileMeta, u64)>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(LONGEST_HEAD)
        .read_to_end(&mut bytes)?;
    Ok(parse_head(&bytes))
}

/// Reads the head at the beginning of these bytes; answers the offset of the data set too. `None` when it is no usable head.
#[must_use]
pub fn parse_head(bytes: &[u8]) -> Option<(FileMeta, u64)> {
    if bytes.get(PREAMBLE..PREAMBLE + 4)? != MAGIC {
        return None;
    }
    let (mut class, mut instance, mut syntax) = (None, None, None);
    let mut at = PREAMBLE + 4;
    // Where the group ends is told by the first element of another group: the group length is often wrong.
    while let Some((element, value, end)) = element(bytes, at) {
        match element {
            0x0002 => class = Uid::parse(value).ok(),
            0x0003 => instance = Uid::parse(value).ok(),
            0x0010 => syntax = Uid::parse(value).ok(),
            _ => {}
        }
        at = end;
    }
    let meta = FileMeta {
        sop_class_uid: class?,
        sop_instance_uid: instance?,
        transfer_syntax_uid: syntax?,
    };
    Some((meta, u64::try_from(at).ok()?))
}

/// An element of group 0002 at an offset: its number, its value, where the next begins.
fn element(bytes: &[u8], at: usize) -> Option<(u16, &[u8], usize)> {
    let short: [u8; 8] = bytes.get(at..at.checked_add(8)?)?.try_into().ok()?;
    let [2, 0, e0, e1, v0, v1, l0, l1] = short else {
        return None;
    };
    let (start, length) = if matches!(&[v0, v1], b"OB" | b"UN" | b"OW" | b"UT") {
        let long: [u8; 4] = bytes.get(at + 8..at + 12)?.try_into().ok()?;
        (at + 12, usize::try_from(u32::from_le_bytes(long)).ok()?)
    } else {
        (at + 8, usize::from(u16::from_le_bytes([l0, l1])))
    };
    let end = start.checked_add(length)?;
    Some((u16::from_le_bytes([e0, e1]), bytes.get(start..end)?, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn meta() -> FileMeta {
        let uid = |t: &str| Uid::parse(t.as_bytes()).unwrap();
        FileMeta {
            sop_class_uid: uid("1.2.840.10008.5.1.4.1.1.4"),
            sop_instance_uid: uid("1.2.3"),
            transfer_syntax_uid: uid("1.2.840.10008.1.2.1"),
        }
    }

    #[test]
    fn what_is_written_reads_back_and_the_data_set_follows() {
        let mut bytes = head(&meta(), Some(&AeTitle::parse("SCANNER").unwrap())).unwrap();
        let offset = bytes.len() as u64;
        bytes.extend(b"\x08\0\x05\0CS\x0a\0ISO_IR 100");
        assert_eq!(parse_head(&bytes), Some((meta(), offset)));
    }

    #[test]
    fn the_head_is_what_dicom_object_reads() {
        let bytes = head(&meta(), None).unwrap();
        let table = dicom_object::FileMetaTable::from_reader(&bytes[PREAMBLE..]).unwrap();
        assert_eq!(table.media_storage_sop_instance_uid(), "1.2.3");
        assert_eq!(
            table.implementation_class_uid(),
            identity::IMPLEMENTATION_CLASS_UID
        );
    }

    #[test]
    fn other_files_are_none() {
        assert_eq!(parse_head(b"no DICOM"), None);
        let bytes = head(&meta(), None).unwrap();
        assert_eq!(parse_head(&bytes[..bytes.len() - 100]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(tail in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut bytes = vec![0; PREAMBLE];
            bytes.extend(MAGIC);
            bytes.extend(tail);
            let _ = parse_head(&bytes);
        }
    }
}
