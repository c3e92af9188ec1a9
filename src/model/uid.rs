//! Unique identifiers (PS3.5 §9, VR UI).

use std::fmt;

/// A UID: 1 to 64 characters, digits and single dots, neither first nor last a dot. Safe in a path.
///
/// Leading zeros of a component are against PS3.5 §9.1 and seen in the field; they are kept, since an object
/// is worth more than the form of its name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(Box<str>);

/// Why bytes are no UID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a UID is 1 to 64 characters, digits separated by single dots (PS3.5 §9.1)")]
pub struct UidError;

impl Uid {
    /// Parses the value of a UI element: trailing NUL or space padding is dropped.
    ///
    /// # Errors
    /// [`UidError`] when the text is not a UID.
    pub fn parse(value: &[u8]) -> Result<Self, UidError> {
        let text = std::str::from_utf8(value)
            .map_err(|_| UidError)?
            .trim_end_matches(['\0', ' ']);
        let well_formed = text.len() <= 64
            && text
                .split('.')
                .all(|c| !c.is_empty() && c.bytes().all(|b| b.is_ascii_digit()));
        if well_formed {
            Ok(Self(text.into()))
        } else {
            Err(UidError)
        }
    }

    /// The form of a UUID as a UID (PS3.5 §B.2).
    #[must_use]
    pub fn from_uuid(uuid: u128) -> Self {
        Self(format!("2.25.{uuid}").into())
    }

    /// The digits and dots.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn padding_is_dropped() {
        assert_eq!(Uid::parse(b"1.2.840\0").unwrap().as_str(), "1.2.840");
    }

    #[test]
    fn what_could_act_in_a_path_is_no_uid() {
        for bad in [
            "", ".", "..", "../../x", "1..2", "1.2.", ".1", "1/2", "1.2a", " 1.2",
        ] {
            assert_eq!(Uid::parse(bad.as_bytes()), Err(UidError), "{bad}");
        }
        assert!(Uid::parse(&[b'1'; 64]).is_ok());
        assert!(Uid::parse(&[b'1'; 65]).is_err());
    }

    proptest! {
        #[test]
        fn a_uid_is_one_plain_path_component(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(uid) = Uid::parse(&bytes) {
                let path = std::path::Path::new(uid.as_str());
                prop_assert_eq!(path.components().count(), 1);
                prop_assert!(matches!(path.components().next(), Some(std::path::Component::Normal(_))));
            }
        }
    }
}
