//! Elements as bytes, in the encoding of the data set they are for.

use crate::dicom::header::is_short_vr;
use crate::dicom::transfer_syntax::Encoding;

pub(super) const UNDEFINED: u32 = u32::MAX;
const ITEM: u32 = 0xFFFE_E000;
const SEQUENCE_DELIMITATION: u32 = 0xFFFE_E0DD;

/// Writes elements of one encoding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Encoder(pub Encoding);

impl Encoder {
    fn u16(self, number: u16) -> [u8; 2] {
        match self.0 {
            Encoding::ExplicitBig => number.to_be_bytes(),
            _ => number.to_le_bytes(),
        }
    }

    fn u32(self, number: u32) -> [u8; 4] {
        match self.0 {
            Encoding::ExplicitBig => number.to_be_bytes(),
            _ => number.to_le_bytes(),
        }
    }

    fn tag(self, tag: u32) -> [u8; 4] {
        let [g0, g1, e0, e1] = tag.to_be_bytes();
        let ([a, b], [c, d]) = (
            self.u16(u16::from_be_bytes([g0, g1])),
            self.u16(u16::from_be_bytes([e0, e1])),
        );
        [a, b, c, d]
    }

    /// The header of an element; `None` for a length that its value representation cannot have.
    pub fn header(self, tag: u32, vr: [u8; 2], length: u32) -> Option<Vec<u8>> {
        let mut bytes = self.tag(tag).to_vec();
        if self.0 == Encoding::ImplicitLittle {
            bytes.extend(self.u32(length));
        } else if is_short_vr(vr) {
            bytes.extend(vr);
            bytes.extend(self.u16(u16::try_from(length).ok()?));
        } else {
            bytes.extend(vr);
            bytes.extend([0, 0]);
            bytes.extend(self.u32(length));
        }
        Some(bytes)
    }

    /// An element, padded to an even length; `None` for a value that is too long.
    pub fn element(self, tag: u32, vr: [u8; 2], value: &[u8]) -> Option<Vec<u8>> {
        let padded = value.len().next_multiple_of(2);
        let mut bytes = self.header(tag, vr, u32::try_from(padded).ok()?)?;
        bytes.extend_from_slice(value);
        if padded > value.len() {
            bytes.push(if matches!(&vr, b"UI" | b"OB" | b"UN") {
                0
            } else {
                b' '
            });
        }
        Some(bytes)
    }

    /// An item around elements.
    pub fn item(self, elements: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = self.tag(ITEM).to_vec();
        bytes.extend(self.u32(u32::try_from(elements.len()).ok()?));
        bytes.extend_from_slice(elements);
        Some(bytes)
    }

    /// The end of a sequence whose length is not given.
    pub fn end_of_sequence(self) -> Vec<u8> {
        let mut bytes = self.tag(SEQUENCE_DELIMITATION).to_vec();
        bytes.extend([0; 4]);
        bytes
    }
}
