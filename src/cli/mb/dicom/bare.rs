//! Data sets that lie in files without a head (PS3.10 has no such files, but people have): kind and identity from the
//! first elements.

use crate::dicom::part10::FileMeta;
use crate::model::Uid;

/// Implicit and explicit VR little endian: what such files are written in.
const SYNTAXES: [(&str, bool); 2] = [("1.2.840.10008.1.2.1", true), ("1.2.840.10008.1.2", false)];

/// What the beginning of a data set says of it; `None` for what is none. `bytes` has to reach beyond (0008,0018).
pub(super) fn parse(bytes: &[u8]) -> Option<FileMeta> {
    SYNTAXES.into_iter().find_map(|(uid, explicit)| {
        let (class, instance) = identity(bytes, explicit)?;
        Some(FileMeta {
            sop_class_uid: class,
            sop_instance_uid: instance,
            transfer_syntax_uid: Uid::parse(uid.as_bytes()).ok()?,
        })
    })
}

/// (0008,0016) and (0008,0018), the elements up to there in order and whole.
fn identity(bytes: &[u8], explicit: bool) -> Option<(Uid, Uid)> {
    let (mut at, mut last, mut class) = (0usize, 0u32, None);
    loop {
        let (tag, value, end) = element(bytes, at, explicit)?;
        // A data set begins with group 0008 and its tags ascend: anything else is no data set.
        if tag <= last || tag >> 16 != 8 {
            return None;
        }
        match tag {
            0x0008_0016 => class = Uid::parse(value).ok(),
            0x0008_0018 => return Some((class?, Uid::parse(value).ok()?)),
            _ => {}
        }
        (at, last) = (end, tag);
    }
}

/// An element: its tag, its value, where the next begins. Undefined lengths are not read.
fn element(bytes: &[u8], at: usize, explicit: bool) -> Option<(u32, &[u8], usize)> {
    let head: [u8; 8] = bytes.get(at..at.checked_add(8)?)?.try_into().ok()?;
    let [g0, g1, e0, e1, a, b, c, d] = head;
    let tag = u32::from(u16::from_le_bytes([g0, g1])) << 16 | u32::from(u16::from_le_bytes([e0, e1]));
    let (start, length) = if !explicit {
        (at + 8, u32::from_le_bytes([a, b, c, d]))
    } else if !a.is_ascii_uppercase() || !b.is_ascii_uppercase() {
        return None;
    } else if matches!(
        &[a, b],
        b"OB" | b"OD" | b"OF" | b"OL" | b"OV" | b"OW" | b"SQ" | b"SV" | b"UC" | b"UN" | b"UR" | b"UT" | b"UV"
    ) {
        let long: [u8; 4] = bytes.get(at + 8..at + 12)?.try_into().ok()?;
        (at + 12, u32::from_le_bytes(long))
    } else {
        (at + 8, u32::from(u16::from_le_bytes([c, d])))
    };
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    Some((tag, bytes.get(start..end)?, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPLICIT: &[u8] =
        b"\x08\0\x05\0CS\x0a\0ISO_IR 100\x08\0\x16\0UI\x04\x001.2\0\x08\0\x18\0UI\x04\x001.3\0";
    const IMPLICIT: &[u8] = b"\x08\0\x16\0\x04\0\0\x001.2\0\x08\0\x18\0\x04\0\0\x001.3\0";

    #[test]
    fn both_encodings_are_told_apart() {
        let syntax = |bytes| parse(bytes).unwrap().transfer_syntax_uid.to_string();
        assert_eq!(syntax(EXPLICIT), "1.2.840.10008.1.2.1");
        assert_eq!(syntax(IMPLICIT), "1.2.840.10008.1.2");
        assert_eq!(parse(IMPLICIT).unwrap().sop_instance_uid.as_str(), "1.3");
    }

    #[test]
    fn what_is_no_data_set_is_none() {
        for bytes in [
            b"".as_slice(),
            b"hello, this is a text file",
            &EXPLICIT[..30],
            &[0; 100],
            &[0xff; 100],
        ] {
            assert_eq!(parse(bytes), None);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
