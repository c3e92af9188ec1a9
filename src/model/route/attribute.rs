//! What a rule asks of the attributes of a file.

use std::fmt::Display;

use regex::Regex;

/// The tag of an attribute (PS3.5 §7.1), written `gggg,eeee`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributeTag {
    /// Its group.
    pub group: u16,
    /// Its element.
    pub element: u16,
}

/// It is no tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no tag: write it as gggg,eeee in hexadecimal, like \"0008,103e\"")]
pub struct AttributeTagError;

impl AttributeTag {
    /// Reads `gggg,eeee`, in any case, also in parentheses.
    ///
    /// # Errors
    /// That it is something else.
    pub fn parse(text: &str) -> Result<Self, AttributeTagError> {
        let text = text.trim();
        let inner = text.strip_prefix('(').and_then(|t| t.strip_suffix(')'));
        let (group, element) = inner.unwrap_or(text).split_once(',').ok_or(AttributeTagError)?;
        let number = |part: &str| {
            let part = part.trim();
            let hexadecimal = part.len() == 4 && part.bytes().all(|b| b.is_ascii_hexdigit());
            let number = hexadecimal.then(|| u16::from_str_radix(part, 16).ok()).flatten();
            number.ok_or(AttributeTagError)
        };
        Ok(Self {
            group: number(group)?,
            element: number(element)?,
        })
    }

    /// Whether its value may tell who a person is: it is not shown then.
    #[must_use]
    pub const fn is_personal(self) -> bool {
        matches!(
            (self.group, self.element),
            (0x0010, _) | (0x0008, 0x0050 | 0x0090 | 0x1048 | 0x1050 | 0x1060 | 0x1070)
        )
    }
}

impl Display for AttributeTag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04x},{:04x}", self.group, self.element)
    }
}

/// Patterns of which all have to be found in their attributes' values.
#[derive(Clone, Debug, Default)]
pub struct AttributeSet(pub Vec<(AttributeTag, Regex)>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_as_people_write_them() {
        let tag = AttributeTag {
            group: 8,
            element: 0x103e,
        };
        for text in ["0008,103e", "0008,103E", "(0008,103e)", " 0008, 103e "] {
            assert_eq!(AttributeTag::parse(text), Ok(tag), "{text}");
        }
        assert_eq!(tag.to_string(), "0008,103e");
        for text in [
            "",
            "0008",
            "8,103e",
            "0008,103g",
            "0008,103e0",
            "+008,103e",
            "((0008,103e",
        ] {
            assert_eq!(AttributeTag::parse(text), Err(AttributeTagError), "{text}");
        }
    }
}
