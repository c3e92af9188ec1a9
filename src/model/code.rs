//! Coded concepts (PS3.3 §8): what is meant, in the words of a coding scheme.

use std::fmt;

use super::Reader;

/// A code with its scheme and its meaning; valid as Code Value, Coding Scheme Designator and Code Meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// (0008,0100) Code Value, 1 to 16 characters.
    pub value: String,
    /// (0008,0102) Coding Scheme Designator, 1 to 16 characters: `SCT`, `DCM`, `LN`, or private: `99…`.
    pub scheme: String,
    /// (0008,0104) Code Meaning, 1 to 64 characters.
    pub meaning: String,
}

/// The longest SH and LO (PS3.5 §6.2), in characters.
const SHORT: usize = 16;
const LONG: usize = 64;

/// How people call a coding scheme, and its designator (PS3.16 §8).
const SCHEMES: [(&str, &str); 9] = [
    ("snomed", "SCT"),
    ("snomedct", "SCT"),
    ("srt", "SCT"),
    ("sct", "SCT"),
    ("loinc", "LN"),
    ("ln", "LN"),
    ("dicom", "DCM"),
    ("dcm", "DCM"),
    ("radlex", "RADLEX"),
];

impl Code {
    /// A code of the standard; the three texts are ours, and right.
    #[must_use]
    pub fn new(value: &str, scheme: &str, meaning: &str) -> Self {
        Self {
            value: value.to_owned(),
            scheme: scheme.to_owned(),
            meaning: meaning.to_owned(),
        }
    }

    /// Reads `{ "value": …, "scheme": …, "meaning": … }`; `None` where there is none, or something is wrong with it.
    #[must_use]
    pub fn read(reader: &Reader<'_>) -> Option<Self> {
        let map = reader.map()?;
        for key in ["value", "scheme", "meaning"] {
            if !map.contains_key(key) {
                reader.find(key, "is missing: a code has value, scheme and meaning");
            }
        }
        let value = reader.text("value", |text| element(text, SHORT));
        let scheme = reader.text("scheme", parse_scheme);
        let meaning = reader.text("meaning", |text| element(text, LONG));
        reader.deny_unknown();
        Some(Self {
            value: value?,
            scheme: scheme?,
            meaning: meaning?,
        })
    }

    /// Whether nobody but its maker knows the scheme (PS3.3 §8.2).
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.scheme.starts_with("99")
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {}, \"{}\")", self.value, self.scheme, self.meaning)
    }
}

fn parse_scheme(text: &str) -> Result<String, String> {
    let plain = text.to_lowercase().replace(['-', '_', ' '], "");
    match SCHEMES.iter().find(|(called, _)| *called == plain) {
        Some((_, scheme)) if *scheme != text => {
            Err(format!("no coding scheme of DICOM: did you mean \"{scheme}\"?"))
        }
        _ => element(text, SHORT),
    }
}

/// A text that fits into an element of DICOM.
fn element(text: &str, longest: usize) -> Result<String, String> {
    let text = text.trim();
    let fits = (1..=longest).contains(&text.chars().count());
    if fits && !text.contains(|c: char| c == '\\' || c.is_control()) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "1 to {longest} characters, no backslash, no control character"
        ))
    }
}
