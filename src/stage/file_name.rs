//! Names of stored objects: `<SOP Instance UID>-<XXH3-128 of the data set>-<64 random bits>.dcm`.
//!
//! The hash makes a file its own proof: after a loss of power, one whose row was not written yet is known to be whole,
//! and one that was not written to its end is known to be torn. The random part keeps two senders of the same object
//! out of each other's way.
//!
//! An object that a set has from an earlier job, linked and not received, ends in `.inherited` instead: without a row
//! such a name is no proof of anything, and its object is where it came from.

use std::fmt::Write as _;

use crate::model::Uid;

/// XXH3-128 of a data set as received, big endian.
pub type DataSetHash = [u8; 16];

/// A name for a new file.
pub(super) fn file_name(sop_instance_uid: &Uid, hash: &DataSetHash) -> String {
    let random = uuid::Uuid::new_v4().as_u64_pair().0;
    let mut name = format!("{sop_instance_uid}-");
    for byte in hash {
        let _ = write!(name, "{byte:02x}");
    }
    let _ = write!(name, "-{random:016x}.dcm");
    name
}

/// The name of the same object in a set that has it from an earlier job; the same name if that job had it from another.
pub(super) fn inherited_name(name: &str) -> String {
    let bare = name.strip_suffix(".dcm").or_else(|| name.strip_suffix(INHERITED));
    format!("{}{INHERITED}", bare.unwrap_or(name))
}

const INHERITED: &str = ".inherited";

/// The hash in a file's name; `None` for a name that is not of this form.
pub(super) fn hash_in(name: &str) -> Option<DataSetHash> {
    let mut parts = name.strip_suffix(".dcm")?.split('-');
    let (_uid, hash, _random) = (parts.next()?, parts.next()?, parts.next()?);
    if hash.len() != 32 || !hash.is_ascii() {
        return None;
    }
    Some(u128::from_str_radix(hash, 16).ok()?.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_hash_and_no_two_are_alike() {
        let uid = Uid::parse(b"1.2.840.1").unwrap();
        let hash = 0x0123_4567_89AB_CDEF_0011_2233_4455_6677_u128.to_be_bytes();
        let name = file_name(&uid, &hash);
        assert!(
            name.starts_with("1.2.840.1-0123456789abcdef0011223344556677-"),
            "{name}"
        );
        assert_eq!(hash_in(&name), Some(hash));
        assert_ne!(file_name(&uid, &hash), name);
        let longest = Uid::parse(&[b'1'; 64]).unwrap();
        assert!(file_name(&longest, &hash).len() < 255);
    }

    #[test]
    fn what_is_inherited_is_no_proof_however_often() {
        let once = inherited_name(&file_name(&Uid::parse(b"1.2").unwrap(), &[7; 16]));
        assert!(once.starts_with("1.2-07"), "{once}");
        assert_eq!(hash_in(&once), None);
        assert_eq!(inherited_name(&once), once);
    }

    #[test]
    fn other_names_have_none() {
        for name in [
            "1.2.dcm",
            "1.2-xyz-0.dcm",
            "1.2-+123456789abcdef0011223344556677-0.dcm.part",
            "",
            "a-b-c.dcm",
        ] {
            assert_eq!(hash_in(name), None, "{name}");
        }
    }
}
