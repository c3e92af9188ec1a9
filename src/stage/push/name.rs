//! Names of entries: what they may be, before any of them becomes a path.

/// Directories an entry may lie in.
const DEEPEST: usize = 16;

/// Bytes of one part of a name: what a file system takes, with some to spare.
const LONGEST_PART: usize = 240;

/// Bytes of a whole name.
const LONGEST: usize = 1024;

/// Why an entry has a name that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It has none.
    #[error("its name is empty")]
    Empty,
    /// It leads somewhere else.
    #[error("its name is absolute")]
    Absolute,
    /// It leads upwards, or nowhere.
    #[error("its name has an empty part, \".\" or \"..\"")]
    Dots,
    /// Not a name on every system.
    #[error("its name has a backslash or a control character")]
    Character,
    /// It is too long.
    #[error("its name is longer than {LONGEST} bytes, or a part of it longer than {LONGEST_PART}")]
    TooLong,
    /// It lies too deep.
    #[error("it lies more than {DEEPEST} directories deep")]
    TooDeep,
}

/// An entry's name, relative and harmless: parts with `/` between them. What is no UTF-8 is percent-encoded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct EntryName(String);

impl EntryName {
    /// Parses the name of a file; a directory's slash at the end is cut off before.
    pub fn parse(bytes: &[u8]) -> Result<Self, NameError> {
        let name = readable(bytes);
        let drive =
            name.as_bytes().get(1) == Some(&b':') && name.starts_with(|c: char| c.is_ascii_alphabetic());
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.starts_with('/') || drive {
            return Err(NameError::Absolute);
        }
        if name.chars().any(|c| c.is_control() || c == '\\') {
            return Err(NameError::Character);
        }
        if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(NameError::Dots);
        }
        if name.len() > LONGEST || name.split('/').any(|part| part.len() > LONGEST_PART) {
            return Err(NameError::TooLong);
        }
        if name.split('/').count() > DEEPEST + 1 {
            return Err(NameError::TooDeep);
        }
        Ok(Self(name))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// UTF-8 as it is; of anything else, which may be in any of the old code pages, the bytes beyond ASCII as `%XX`.
fn readable(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(name) => name.to_owned(),
        Err(_) => bytes
            .iter()
            .map(|byte| match byte {
                0..=0x7f => char::from(*byte).to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_could_act_in_a_path_are_refused() {
        use NameError as E;
        let long = "x".repeat(241);
        let deep = "d/".repeat(17) + "f";
        for (name, why) in [
            ("", E::Empty),
            ("/etc/passwd", E::Absolute),
            ("C:\\x", E::Absolute),
            ("c:x", E::Absolute),
            ("..", E::Dots),
            ("../x", E::Dots),
            ("a/../../x", E::Dots),
            ("a/./x", E::Dots),
            ("a//x", E::Dots),
            ("a/", E::Dots),
            ("..\\x", E::Character),
            ("a\0b", E::Character),
            ("a\nb", E::Character),
            ("a\u{85}b", E::Character),
            (&long, E::TooLong),
            (&deep, E::TooDeep),
        ] {
            assert_eq!(EntryName::parse(name.as_bytes()), Err(why), "{name:?}");
        }
    }

    #[test]
    fn names_of_any_script_stay_and_old_code_pages_are_told_in_ascii() {
        for name in [
            "x_file00001_.dcm",
            "Müller/notes.txt",
            "日本語.txt",
            "…",
            "a b'\"$(id).txt",
            "-rf",
        ] {
            assert_eq!(EntryName::parse(name.as_bytes()).unwrap().as_str(), name);
        }
        assert_eq!(
            EntryName::parse(b"M\x81ller.txt").unwrap().as_str(),
            "M%81ller.txt"
        );
    }

    proptest! {
        #[test]
        fn whatever_is_let_in_stays_below_its_directory(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(name) = EntryName::parse(&bytes) {
                let path = std::path::Path::new(name.as_str());
                let normal = |part| matches!(part, std::path::Component::Normal(_));
                prop_assert!(path.components().all(normal));
            }
        }
    }
}
