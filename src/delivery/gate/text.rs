//! Text in the character sets of DICOM (PS3.3 §C.12.1.1.2, PS3.5 §6.1), strictly: what cannot be read for certain is not
//! read, since a name that was guessed is worse than one that is held.
//!
//! dicom-encoding has the tables; the code extensions of ISO 2022 are told apart here.

use dicom_encoding::text::{SpecificCharacterSet, TextCodec};

const ESCAPE: u8 = 0x1b;

/// Specific Character Set (0008,0005): its defined terms; none: the default repertoire.
#[derive(Clone, Debug, PartialEq, Eq, Default, PartialOrd, Ord)]
pub(super) struct CharacterSet(Vec<String>);

impl CharacterSet {
    /// From the value of the attribute.
    pub fn parse(value: &[u8]) -> Self {
        let text = String::from_utf8_lossy(value);
        let terms: Vec<_> = text
            .trim_matches(['\0', ' '])
            .split('\\')
            .map(|term| term.trim().to_owned())
            .collect();
        if matches!(terms.as_slice(), [only] if only.is_empty() || only == "ISO_IR 6") {
            return Self::default();
        }
        Self(terms)
    }

    /// Unicode in UTF-8.
    pub fn unicode() -> Self {
        Self(vec!["ISO_IR 192".to_owned()])
    }

    /// The default repertoire, ASCII: also what is meant where nothing is said.
    pub fn is_default(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of the attribute.
    pub fn value(&self) -> String {
        self.0.join("\\")
    }

    /// What these bytes say; `None` where that is not certain.
    pub fn decode(&self, bytes: &[u8]) -> Option<String> {
        let text = match self.0.as_slice() {
            _ if self.is_plain(bytes) => String::from_utf8(bytes.to_vec()).ok()?,
            [] => return None,
            [one] if !one.starts_with("ISO 2022") => strict(one, bytes)?,
            terms => extended(terms.first().map_or("", String::as_str), bytes)?,
        };
        let allowed = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\u{c}');
        text.chars().all(allowed).then_some(text)
    }

    /// A text in this character set; `None` where it has no such characters. What is written reads back.
    pub fn encode(&self, text: &str) -> Option<Vec<u8>> {
        if self.is_plain(text.as_bytes()) {
            return Some(text.as_bytes().to_vec());
        }
        if self.is_roman() && text.contains(['\\', '~']) {
            return None;
        }
        let encodings = self.0.iter().filter_map(|term| {
            let mut bytes = codec(term)?.encode(text).ok()?;
            if bytes.contains(&ESCAPE) {
                // At the end of a value ASCII is designated (PS3.5 §6.1.2.5.3).
                bytes.extend(b"\x1b(B");
            }
            Some(bytes)
        });
        let mut right = encodings.filter(|bytes| self.decode(bytes).as_deref() == Some(text));
        right.next()
    }

    /// Whether its left half is ISO-IR 14, which has other signs in the place of two of ASCII.
    fn is_roman(&self) -> bool {
        self.0.iter().any(|term| term.ends_with("IR 13"))
    }

    /// ASCII that means the same in every character set.
    fn is_plain(&self, bytes: &[u8]) -> bool {
        let roman = self.is_roman();
        bytes
            .iter()
            .all(|b| b.is_ascii() && *b != ESCAPE && !(roman && matches!(b, b'\\' | b'~')))
    }
}

fn codec(term: &str) -> Option<SpecificCharacterSet> {
    match term {
        "" | "ISO_IR 6" | "ISO 2022 IR 6" => None,
        term => SpecificCharacterSet::from_code(term),
    }
}

/// Bytes of one character set without code extensions. A decoder that replaces what it does not know is told by what
/// comes back.
fn strict(term: &str, bytes: &[u8]) -> Option<String> {
    let codec = codec(term)?;
    let text = codec.decode(bytes).ok()?;
    (codec.encode(&text).ok()?.as_slice() == bytes).then_some(text)
}

/// What is designated to the left half of the code table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    Ascii,
    Jisx0208,
}

/// Text with code extensions (PS3.5 §6.1.2.5): every escape sequence begins a part, and every delimiter brings back what the
/// first term says.
fn extended(first: &str, bytes: &[u8]) -> Option<String> {
    let mut text = String::new();
    let (mut left, mut right) = (Left::Ascii, first);
    for (place, part) in bytes.split(|b| *b == ESCAPE).enumerate() {
        let mut rest = part;
        if place > 0 {
            let (designation, length) = designated(part)?;
            match designation {
                Designation::Left(to) => left = to,
                Designation::Right(to) => right = to,
            }
            rest = part.get(length..)?;
        }
        if left == Left::Jisx0208 {
            let whole = [b"\x1b$B", rest].concat();
            text.push_str(&if rest.is_empty() {
                String::new()
            } else {
                strict("ISO_IR 87", &whole)?
            });
            continue;
        }
        for piece in rest.split_inclusive(|b| is_delimiter(*b)) {
            text.push_str(&if piece.is_ascii() {
                std::str::from_utf8(piece).ok()?.to_owned()
            } else {
                strict(right, piece)?
            });
            if piece.last().is_some_and(|b| is_delimiter(*b)) {
                right = first;
            }
        }
    }
    Some(text)
}

/// Between values, groups and components; lines and pages.
const fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'\\' | b'^' | b'=' | b'\t' | b'\n' | b'\r' | 0x0c)
}

enum Designation {
    Left(Left),
    Right(&'static str),
}

/// What an escape sequence designates, and its length behind the escape character (PS3.3 tables C.12-3, C.12-4).
fn designated(part: &[u8]) -> Option<(Designation, usize)> {
    const SEQUENCES: [(&[u8], Designation); 15] = [
        (b"(B", Designation::Left(Left::Ascii)),
        (b"(J", Designation::Left(Left::Ascii)),
        (b"$B", Designation::Left(Left::Jisx0208)),
        (b")I", Designation::Right("ISO_IR 13")),
        (b"$)C", Designation::Right("ISO_IR 149")),
        (b"$)A", Designation::Right("GBK")),
        (b"-A", Designation::Right("ISO_IR 100")),
        (b"-B", Designation::Right("ISO_IR 101")),
        (b"-C", Designation::Right("ISO_IR 109")),
        (b"-D", Designation::Right("ISO_IR 110")),
        (b"-L", Designation::Right("ISO_IR 144")),
        (b"-G", Designation::Right("ISO_IR 127")),
        (b"-F", Designation::Right("ISO_IR 126")),
        (b"-H", Designation::Right("ISO_IR 138")),
        (b"-T", Designation::Right("ISO_IR 166")),
    ];
    let mut sequences = SEQUENCES.into_iter();
    let (bytes, designation) = sequences.find(|(bytes, _)| part.starts_with(bytes))?;
    Some((designation, bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(value: &str) -> CharacterSet {
        CharacterSet::parse(value.as_bytes())
    }

    #[test]
    fn names_of_the_standard_s_annexes_are_read() {
        // PS3.5 annexes H, I, J and what stands in the field.
        for (terms, bytes, text) in [
            ("ISO_IR 100", &b"Buc^J\xe9r\xf4me"[..], "Buc^Jérôme"),
            ("ISO_IR 144", b"\xbb\xee\xda", "Люк"),
            (
                "ISO_IR 192",
                "Wang^XiaoDong=王^小東".as_bytes(),
                "Wang^XiaoDong=王^小東",
            ),
            (
                "GB18030",
                b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab",
                "Wang^XiaoDong=王^小东",
            ),
            (
                "\\ISO 2022 IR 87",
                b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B",
                "Yamada^Tarou=山田^太郎",
            ),
            (
                "ISO 2022 IR 13\\ISO 2022 IR 87",
                b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J",
                "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎",
            ),
            (
                "\\ISO 2022 IR 149",
                b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7",
                "Hong^Gildong=洪^吉洞",
            ),
            ("ISO 2022 IR 100\\ISO 2022 IR 144", b"\xe9^\x1b-L\xee", "é^ю"),
        ] {
            assert_eq!(set(terms).decode(bytes).as_deref(), Some(text), "{terms}");
        }
    }

    #[test]
    fn what_is_not_certain_is_not_read() {
        for (terms, bytes) in [
            // Nothing said: ASCII only.
            ("", &b"M\xfcller"[..]),
            ("ISO_IR 6", b"M\xfcller"),
            // UTF-8 that is none, and UTF-8 that is called something else.
            ("ISO_IR 192", b"M\xfcller"),
            ("ISO_IR 100", b"\xc3\x9f"),
            ("ISO_IR 109", b"\xa5"),
            // An escape where none is allowed, one that is unknown, one without its end.
            ("ISO_IR 100", b"\x1b$B;3"),
            ("\\ISO 2022 IR 87", b"\x1b%G;3"),
            ("\\ISO 2022 IR 87", b"\x1b$B;"),
            // After a delimiter the first term counts again.
            ("\\ISO 2022 IR 149", b"\x1b$)C\xfb\xf3^\xd1\xce"),
            ("ISO_IR 999", b"\xfc"),
        ] {
            assert_eq!(set(terms).decode(bytes), None, "{terms}");
        }
        for terms in ["", "ISO_IR 100", "ISO_IR 999", "ISO_IR 192", "\\ISO 2022 IR 149"] {
            assert_eq!(
                set(terms).decode(b"Doe^John").as_deref(),
                Some("Doe^John"),
                "{terms}"
            );
        }
    }

    #[test]
    fn what_is_written_reads_back_or_is_not_written() {
        for (terms, text, can) in [
            ("", "Müller", false),
            ("ISO_IR 100", "Müller", true),
            ("ISO_IR 100", "Люк", false),
            ("ISO_IR 192", "Люк=王", true),
            ("\\ISO 2022 IR 87", "Yamada=山田", true),
            ("ISO 2022 IR 13", "a~b", false),
        ] {
            let bytes = set(terms).encode(text);
            assert_eq!(bytes.is_some(), can, "{terms} {text}");
            if let Some(bytes) = bytes {
                assert_eq!(set(terms).decode(&bytes).as_deref(), Some(text));
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40)) {
            for terms in ["", "ISO_IR 100", "ISO_IR 192", "\\ISO 2022 IR 87", "ISO 2022 IR 13\\ISO 2022 IR 149", "GB18030"] {
                if let Some(text) = set(terms).decode(&bytes) {
                    let escapes = text.contains(char::from(ESCAPE));
                    proptest::prop_assert!(!escapes);
                }
            }
        }
    }
}
