//! The character set of an object that is put beside another (PS3.3 §C.12.1.1.2).

use super::{Attribute, Composite, Held};

/// How what the node adds is written, beside text that is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charset {
    /// (0008,0005) Specific Character Set of the new object; none for the default repertoire.
    pub specific: Option<String>,
    encoding: Encoding,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Ascii,
    Latin1,
    Utf8,
}

impl Charset {
    /// The one of the source; UTF-8 where nothing that is copied says otherwise.
    #[must_use]
    pub fn beside(source: &Composite) -> Self {
        // A name of a character set that is no name declares nothing.
        let declared = std::str::from_utf8(source.bytes(0x0008_0005)).ok();
        let declared = declared
            .filter(|name| name.is_ascii())
            .unwrap_or_default()
            .to_owned();
        let encoding = match declared.as_str() {
            "ISO_IR 192" => Encoding::Utf8,
            "ISO_IR 100" => Encoding::Latin1,
            // Text that is ASCII in every character set may be said to be UTF-8.
            _ if is_plain(&source.attributes) => {
                return Self {
                    specific: Some("ISO_IR 192".to_owned()),
                    encoding: Encoding::Utf8,
                };
            }
            _ => Encoding::Ascii,
        };
        Self {
            specific: (!declared.is_empty()).then_some(declared),
            encoding,
        }
    }

    /// A text in it, without control characters but tab and line ends; what it does not have becomes `?`.
    #[must_use]
    pub fn encode(&self, text: &str) -> Vec<u8> {
        let kept = text
            .chars()
            .filter(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r'));
        match self.encoding {
            Encoding::Utf8 => kept.collect::<String>().into_bytes(),
            Encoding::Latin1 => kept.map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect(),
            Encoding::Ascii => kept
                .map(|c| {
                    u8::try_from(u32::from(c))
                        .ok()
                        .filter(u8::is_ascii)
                        .unwrap_or(b'?')
                })
                .collect(),
        }
    }
}

/// Whether all of it is ASCII without escapes.
fn is_plain(attributes: &[Attribute]) -> bool {
    attributes.iter().all(|a| match &a.value {
        Held::Bytes(bytes) => bytes.iter().all(|b| b.is_ascii() && *b != 0x1B),
        Held::Items(items) => items.iter().all(|item| is_plain(item)),
    })
}
