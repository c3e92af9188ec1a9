//! Who may use the API.

use std::fmt;

/// Something the API may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Seeing: jobs, buckets, logs, metrics.
    Read,
    /// Deciding about jobs; letting a bucket take studies or not.
    Operate,
    /// Bringing code onto the node: installing, replacing and removing buckets, and their memories.
    Install,
}

impl Permission {
    /// Each, with the word of the configuration.
    pub const WORDS: [(&'static str, Self); 3] = [
        ("read", Self::Read),
        ("operate", Self::Operate),
        ("install", Self::Install),
    ];

    /// Reads the word of the configuration.
    ///
    /// # Errors
    /// What is allowed.
    pub fn parse(word: &str) -> Result<Self, &'static str> {
        let known = Self::WORDS.into_iter().find(|(known, _)| *known == word);
        known
            .map(|(_, permission)| permission)
            .ok_or("one of: read, operate, install")
    }

    /// The word of the configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Install => "install",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A token, of which the node knows the hash only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Whose it is; it stands in the log.
    pub name: String,
    /// SHA-256 of its text. Tokens are long and random, so nobody finds the text by trying.
    pub sha256: [u8; 32],
    /// What it may be used for. Whoever may do something, may also see.
    pub may: Vec<Permission>,
}

impl Token {
    /// Reads 64 hexadecimal digits.
    ///
    /// # Errors
    /// What is allowed.
    pub fn parse_sha256(text: &str) -> Result<[u8; 32], &'static str> {
        let wrong = "64 hexadecimal digits, as magickbox token prints them";
        let mut hash = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(wrong);
        }
        for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| wrong)?;
            if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(wrong);
            }
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong)?;
        }
        Ok(hash)
    }

    /// Whether it may be used for that.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.may.contains(&permission) || permission == Permission::Read
    }
}
