//! Reading a small data set with sequences in it (PS3.5 §7), all of it in memory: little endian, either VR.
//!
//! Nothing is allocated by a length that a peer wrote, and nesting has an end.

use super::message::MessageError;

/// The deepest nesting that is read; the lawful one is 1.
const DEEPEST: u8 = 8;

const UNDEFINED: u32 = 0xFFFF_FFFF;

const ITEM: u32 = 0xFFFE_E000;
const END_OF_ITEM: u32 = 0xFFFE_E00D;
const END_OF_SEQUENCE: u32 = 0xFFFE_E0DD;

/// The elements of a data set or of an item.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Elements<'a>(Vec<(u32, Value<'a>)>);

#[derive(Debug, PartialEq, Eq)]
enum Value<'a> {
    Bytes(&'a [u8]),
    Items(Vec<Elements<'a>>),
}

impl<'a> Elements<'a> {
    /// Reads a whole data set; `is_sequence` names the sequences of defined length where no VR says so.
    ///
    /// # Errors
    /// [`MessageError::Malformed`] when it breaks its own lengths or nests too deep.
    pub(super) fn read(
        bytes: &'a [u8],
        explicit: bool,
        is_sequence: fn(u32) -> bool,
    ) -> Result<Self, MessageError> {
        let mut cursor = Cursor {
            bytes,
            explicit,
            is_sequence,
        };
        let elements = cursor.elements(0, None)?;
        if cursor.bytes.is_empty() {
            Ok(elements)
        } else {
            Err(MessageError::Malformed)
        }
    }

    /// The value of an element that is no sequence.
    pub(super) fn bytes(&self, tag: u32) -> Option<&'a [u8]> {
        self.0.iter().find_map(|(t, value)| match value {
            Value::Bytes(bytes) if *t == tag => Some(*bytes),
            _ => None,
        })
    }

    /// The items of a sequence; none where there is no such.
    pub(super) fn items(&self, tag: u32) -> &[Self] {
        let found = self.0.iter().find_map(|(t, value)| match value {
            Value::Items(items) if *t == tag => Some(items.as_slice()),
            _ => None,
        });
        found.unwrap_or_default()
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    explicit: bool,
    is_sequence: fn(u32) -> bool,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], MessageError> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(bytes)
            .ok_or(MessageError::Malformed)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], MessageError> {
        self.take(N)?.try_into().map_err(|_| MessageError::Malformed)
    }

    fn tag(&mut self) -> Result<u32, MessageError> {
        let [g0, g1, e0, e1] = self.array()?;
        Ok(u32::from_be_bytes([g1, g0, e1, e0]))
    }

    fn length(&mut self) -> Result<u32, MessageError> {
        self.array().map(u32::from_le_bytes)
    }

    /// Elements up to the end of these bytes, or up to `end`.
    fn elements(&mut self, depth: u8, end: Option<u32>) -> Result<Elements<'a>, MessageError> {
        let mut elements = Vec::new();
        loop {
            if self.bytes.is_empty() {
                return match end {
                    None => Ok(Elements(elements)),
                    Some(_) => Err(MessageError::Malformed),
                };
            }
            let tag = self.tag()?;
            if Some(tag) == end {
                self.length()?;
                return Ok(Elements(elements));
            }
            elements.push((tag, self.value(tag, depth)?));
        }
    }

    fn value(&mut self, tag: u32, depth: u8) -> Result<Value<'a>, MessageError> {
        let (is_sequence, length, explicit) = if self.explicit {
            let vr: [u8; 2] = self.array()?;
            // Every VR but those of PS3.5 Table 7.1-2 has a length of 32 bits.
            let length = if SHORT.contains(&&vr) {
                u32::from(u16::from_le_bytes(self.array()?))
            } else {
                self.take(2)?;
                self.length()?
            };
            // A UN of undefined length is a sequence in implicit VR (PS3.5 §6.2.2).
            (vr == *b"SQ" || length == UNDEFINED, length, vr == *b"SQ")
        } else {
            let length = self.length()?;
            (length == UNDEFINED || (self.is_sequence)(tag), length, false)
        };
        if !is_sequence {
            return self.take(size(length)?).map(Value::Bytes);
        }
        if depth >= DEEPEST {
            return Err(MessageError::Malformed);
        }
        let whole = match length {
            UNDEFINED => self.bytes,
            defined => self.take(size(defined)?)?,
        };
        let mut inner = Cursor {
            bytes: whole,
            explicit,
            is_sequence: self.is_sequence,
        };
        let items = inner.items(depth, length == UNDEFINED)?;
        if length == UNDEFINED {
            self.bytes = inner.bytes;
        }
        Ok(Value::Items(items))
    }

    fn items(&mut self, depth: u8, delimited: bool) -> Result<Vec<Elements<'a>>, MessageError> {
        let mut items = Vec::new();
        loop {
            if self.bytes.is_empty() && !delimited {
                return Ok(items);
            }
            let (tag, length) = (self.tag()?, self.length()?);
            match tag {
                END_OF_SEQUENCE if delimited => return Ok(items),
                ITEM if length == UNDEFINED => items.push(self.elements(depth + 1, Some(END_OF_ITEM))?),
                ITEM => {
                    let mut inner = Cursor {
                        bytes: self.take(size(length)?)?,
                        explicit: self.explicit,
                        is_sequence: self.is_sequence,
                    };
                    items.push(inner.elements(depth + 1, None)?);
                }
                _ => return Err(MessageError::Malformed),
            }
        }
    }
}

fn size(length: u32) -> Result<usize, MessageError> {
    usize::try_from(length).map_err(|_| MessageError::Malformed)
}

/// VRs with a length of 16 bits (PS3.5 Table 7.1-2).
const SHORT: [&[u8; 2]; 21] = [
    b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL",
    b"SS", b"ST", b"TM", b"UI", b"UL", b"US",
];
