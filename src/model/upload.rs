//! The name of an upload.

use std::fmt;

/// Names an upload: 32 lower-case hexadecimal digits, chosen by the node. It becomes a file name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UploadId(String);

/// Why a text is no upload's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of an upload is 32 lower-case hexadecimal digits")]
pub struct UploadIdError;

impl UploadId {
    /// A name nobody had before.
    #[must_use]
    pub fn new() -> Self {
        Self(uuid::Uuid::new_v4().simple().to_string())
    }

    /// Parses a name.
    ///
    /// # Errors
    /// [`UploadIdError`].
    pub fn parse(text: &str) -> Result<Self, UploadIdError> {
        let is_hex = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == 32 && text.bytes().all(is_hex) {
            Ok(Self(text.to_owned()))
        } else {
            Err(UploadIdError)
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for UploadId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leads_anywhere() {
        let name = UploadId::new();
        assert_eq!(UploadId::parse(name.as_str()), Ok(name));
        for bad in [
            "",
            "../lock",
            "0123456789abcdef0123456789abcde/",
            "0123456789ABCDEF0123456789ABCDEF",
        ] {
            assert_eq!(UploadId::parse(bad), Err(UploadIdError), "{bad}");
        }
    }
}
