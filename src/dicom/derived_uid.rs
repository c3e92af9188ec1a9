//! UIDs of objects that the node makes: made from what they are made of, so that making them again makes the same.

use sha2::{Digest, Sha256};

use crate::model::Uid;

/// A UID by a UUID (PS3.5 §B.2) of version 8 (RFC 9562 §5.8): the beginning of the SHA-256 of these parts.
#[must_use]
pub fn derived(parts: &[&str]) -> Uid {
    let mut hash = Sha256::new();
    for part in parts {
        // With its length: "a", "bc" is not "ab", "c".
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut bytes = [0; 16];
    for (byte, hashed) in bytes.iter_mut().zip(hash.finalize()) {
        *byte = hashed;
    }
    let uuid = uuid::Builder::from_custom_bytes(bytes).into_uuid();
    Uid::from_uuid(uuid.as_u128())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_parts_make_the_same_uid_and_others_another() {
        let uid = derived(&["job", "1"]);
        assert_eq!(uid, derived(&["job", "1"]));
        assert_ne!(uid, derived(&["job1", ""]));
        assert_ne!(uid, derived(&["job", "2"]));
        assert!(
            uid.as_str().starts_with("2.25.") && uid.as_str().len() <= 64,
            "{uid}"
        );
        assert_eq!(Uid::parse(uid.as_str().as_bytes()).unwrap(), uid);
    }
}
