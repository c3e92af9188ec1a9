//! Application Entity titles (PS3.5 §6.2, VR AE; PS3.8 §9.3.2).

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// An Application Entity title: 1 to 16 characters of the default repertoire, without backslash, without
/// control characters, without leading or trailing spaces (they are not significant). Case matters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AeTitle(String);

/// Why a text is no AE title.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AeTitleError {
    /// Nothing but spaces.
    #[error("an AE title has 1 to 16 characters, this one is empty")]
    Empty,
    /// More than 16 significant characters.
    #[error("an AE title has at most 16 characters")]
    TooLong,
    /// A character that VR AE does not allow.
    #[error("an AE title has no control characters, no backslash and only ASCII (PS3.5 §6.2)")]
    Character,
}

/// What stays as it is in a directory name: letters, digits, `.`, `_`, `-`.
const IN_A_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'-');

impl AeTitle {
    /// Parses a title as people write it or as it stands in a PDU: padding spaces and NULs are dropped.
    ///
    /// # Errors
    /// [`AeTitleError`] says which rule of VR AE is broken.
    pub fn parse(text: &str) -> Result<Self, AeTitleError> {
        let text = text.trim_matches([' ', '\0']);
        if text.is_empty() {
            return Err(AeTitleError::Empty);
        }
        if text.chars().any(|c| !matches!(c, ' '..='~') || c == '\\') {
            return Err(AeTitleError::Character);
        }
        if text.len() > 16 {
            return Err(AeTitleError::TooLong);
        }
        Ok(Self(text.to_owned()))
    }

    /// The title of who gives none.
    #[must_use]
    pub fn unknown() -> Self {
        Self("UNKNOWN".to_owned())
    }

    /// The title without padding.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The title as part of a path or URL: everything but letters, digits, `.`, `_`, `-` percent-encoded
    /// (`PROC T1` is `PROC%20T1`; spec folder, bucket.md).
    #[must_use]
    pub fn encoded(&self) -> String {
        utf8_percent_encode(&self.0, IN_A_PATH).to_string()
    }
}

impl fmt::Display for AeTitle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The AE title an association asks for: ours.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CalledAeTitle(pub AeTitle);

/// The AE title of who asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallingAeTitle(pub AeTitle);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_not_significant_and_case_is() {
        assert_eq!(AeTitle::parse("  ProcT1 \0").unwrap().as_str(), "ProcT1");
        assert_ne!(
            AeTitle::parse("PROCT1").unwrap(),
            AeTitle::parse("ProcT1").unwrap()
        );
    }

    #[test]
    fn what_vr_ae_forbids_is_refused() {
        assert_eq!(AeTitle::parse("   "), Err(AeTitleError::Empty));
        assert_eq!(AeTitle::parse("12345678901234567"), Err(AeTitleError::TooLong));
        assert_eq!(AeTitle::parse("a\\b"), Err(AeTitleError::Character));
        assert_eq!(AeTitle::parse("a\nb"), Err(AeTitleError::Character));
        assert_eq!(AeTitle::parse("ä"), Err(AeTitleError::Character));
    }

    #[test]
    fn a_directory_name_never_holds_a_separator() {
        assert_eq!(AeTitle::parse("PROC T1").unwrap().encoded(), "PROC%20T1");
        assert_eq!(AeTitle::parse("../a").unwrap().encoded(), "..%2Fa");
    }
}
