//! What is asked and what is answered (PS3.4 §J.3.2, §J.3.3), to bytes and back.

use super::data_set::Elements;
use crate::model::{FailureReason, Uid};

/// References of one request or answer that are taken: the largest studies have some ten thousand.
pub const MOST_REFERENCES: usize = 50_000;

/// The longest data set that is read, in bytes: so many references with UIDs of full length, and room to spare.
pub const LONGEST: usize = MOST_REFERENCES * 200;

mod tag {
    pub const REFERENCED_SOP_CLASS_UID: u32 = 0x0008_1150;
    pub const REFERENCED_SOP_INSTANCE_UID: u32 = 0x0008_1155;
    pub const TRANSACTION_UID: u32 = 0x0008_1195;
    pub const FAILURE_REASON: u32 = 0x0008_1197;
    pub const FAILED_SOP_SEQUENCE: u32 = 0x0008_1198;
    pub const REFERENCED_SOP_SEQUENCE: u32 = 0x0008_1199;
}

/// Why bytes are no request or answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// It breaks its own lengths.
    #[error("the data set cannot be read in its transfer syntax")]
    Malformed,
    /// An element without which it means nothing is not there, or is no UID.
    #[error("the data set has no valid {0}")]
    Missing(&'static str),
    /// More references than are taken.
    #[error("more than {MOST_REFERENCES} references")]
    TooMany,
}

/// One object that is spoken of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Referenced SOP Class UID.
    pub sop_class_uid: Uid,
    /// Referenced SOP Instance UID.
    pub sop_instance_uid: Uid,
}

/// The information of an N-ACTION request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who asks tells his requests apart by it.
    pub transaction_uid: Uid,
    /// The objects, at least one.
    pub references: Vec<Reference>,
}

/// The information of an N-EVENT-REPORT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// That of the request.
    pub transaction_uid: Uid,
    /// Objects that are committed.
    pub committed: Vec<Reference>,
    /// Those that are not, with the reason.
    pub failed: Vec<(Reference, FailureReason)>,
}

fn is_sequence(tag: u32) -> bool {
    matches!(tag, tag::FAILED_SOP_SEQUENCE | tag::REFERENCED_SOP_SEQUENCE)
}

impl Request {
    /// Reads the data set, in explicit or implicit VR little endian.
    ///
    /// # Errors
    /// [`MessageError`].
    pub fn read(bytes: &[u8], explicit: bool) -> Result<Self, MessageError> {
        let elements = Elements::read(bytes, explicit, is_sequence)?;
        let references = references(&elements, tag::REFERENCED_SOP_SEQUENCE)?;
        if references.is_empty() {
            return Err(MessageError::Missing("Referenced SOP Sequence"));
        }
        Ok(Self {
            transaction_uid: uid(&elements, tag::TRANSACTION_UID, "Transaction UID")?,
            references: references.into_iter().map(|(reference, _)| reference).collect(),
        })
    }

    /// The data set's bytes.
    #[must_use]
    pub fn write(&self, explicit: bool) -> Vec<u8> {
        let mut out = Writer::new(explicit);
        out.uid(tag::TRANSACTION_UID, &self.transaction_uid);
        out.sequence(
            tag::REFERENCED_SOP_SEQUENCE,
            self.references.iter().map(|r| (r, None)),
        );
        out.bytes
    }
}

impl Answer {
    /// The objects it speaks of: SOP Instance UIDs that are committed, and those that are not with the Failure Reason.
    #[must_use]
    pub fn objects(&self) -> (Vec<Uid>, Vec<(Uid, u16)>) {
        let committed = self.committed.iter().map(|of| of.sop_instance_uid.clone());
        let failed = self
            .failed
            .iter()
            .map(|(of, why)| (of.sop_instance_uid.clone(), why.0));
        (committed.collect(), failed.collect())
    }

    /// Reads the data set, in explicit or implicit VR little endian.
    ///
    /// # Errors
    /// [`MessageError`].
    pub fn read(bytes: &[u8], explicit: bool) -> Result<Self, MessageError> {
        let elements = Elements::read(bytes, explicit, is_sequence)?;
        let (committed, failed) = (
            references(&elements, tag::REFERENCED_SOP_SEQUENCE)?,
            references(&elements, tag::FAILED_SOP_SEQUENCE)?,
        );
        if committed.len() + failed.len() > MOST_REFERENCES {
            return Err(MessageError::TooMany);
        }
        let reason = |reason: Option<FailureReason>| reason.unwrap_or(FailureReason::PROCESSING_FAILURE);
        Ok(Self {
            transaction_uid: uid(&elements, tag::TRANSACTION_UID, "Transaction UID")?,
            committed: committed.into_iter().map(|(reference, _)| reference).collect(),
            failed: failed.into_iter().map(|(of, why)| (of, reason(why))).collect(),
        })
    }

    /// The data set's bytes.
    #[must_use]
    pub fn write(&self, explicit: bool) -> Vec<u8> {
        let mut out = Writer::new(explicit);
        out.uid(tag::TRANSACTION_UID, &self.transaction_uid);
        let failed = self.failed.iter().map(|(of, why)| (of, Some(*why)));
        // In the order of the tags; neither may be there without items.
        if !self.failed.is_empty() {
            out.sequence(tag::FAILED_SOP_SEQUENCE, failed);
        }
        if !self.committed.is_empty() {
            out.sequence(
                tag::REFERENCED_SOP_SEQUENCE,
                self.committed.iter().map(|r| (r, None)),
            );
        }
        out.bytes
    }
}

fn uid(elements: &Elements<'_>, tag: u32, name: &'static str) -> Result<Uid, MessageError> {
    let value = elements.bytes(tag).unwrap_or_default();
    Uid::parse(value).map_err(|_| MessageError::Missing(name))
}

fn references(
    elements: &Elements<'_>,
    sequence: u32,
) -> Result<Vec<(Reference, Option<FailureReason>)>, MessageError> {
    let items = elements.items(sequence);
    if items.len() > MOST_REFERENCES {
        return Err(MessageError::TooMany);
    }
    let read = |item: &Elements<'_>| {
        let reference = Reference {
            sop_class_uid: uid(item, tag::REFERENCED_SOP_CLASS_UID, "Referenced SOP Class UID")?,
            sop_instance_uid: uid(
                item,
                tag::REFERENCED_SOP_INSTANCE_UID,
                "Referenced SOP Instance UID",
            )?,
        };
        let reason = item.bytes(tag::FAILURE_REASON).and_then(|v| v.try_into().ok());
        Ok((reference, reason.map(u16::from_le_bytes).map(FailureReason)))
    };
    items.iter().map(read).collect()
}

/// Writes elements; sequences and items have no length, but an end.
struct Writer {
    bytes: Vec<u8>,
    explicit: bool,
}

impl Writer {
    const fn new(explicit: bool) -> Self {
        Self {
            bytes: Vec::new(),
            explicit,
        }
    }

    fn tag(&mut self, tag: u32) {
        let [g0, g1, e0, e1] = tag.to_be_bytes();
        self.bytes.extend([g1, g0, e1, e0]);
    }

    /// An element of a VR whose length has 16 bits.
    fn element(&mut self, tag: u32, vr: [u8; 2], value: &[u8]) {
        self.tag(tag);
        if self.explicit {
            self.bytes.extend(vr);
            let length = u16::try_from(value.len()).unwrap_or(0);
            self.bytes.extend(length.to_le_bytes());
        } else {
            let length = u32::try_from(value.len()).unwrap_or(0);
            self.bytes.extend(length.to_le_bytes());
        }
        self.bytes.extend(value);
    }

    fn uid(&mut self, tag: u32, uid: &Uid) {
        let mut value = uid.as_str().as_bytes().to_vec();
        if value.len() % 2 == 1 {
            value.push(0);
        }
        self.element(tag, *b"UI", &value);
    }

    fn sequence<'a>(
        &mut self,
        tag: u32,
        items: impl Iterator<Item = (&'a Reference, Option<FailureReason>)>,
    ) {
        const UNDEFINED: [u8; 4] = [0xFF; 4];
        self.tag(tag);
        if self.explicit {
            self.bytes.extend(*b"SQ\0\0");
        }
        self.bytes.extend(UNDEFINED);
        for (reference, reason) in items {
            self.tag(0xFFFE_E000);
            self.bytes.extend(UNDEFINED);
            self.uid(tag::REFERENCED_SOP_CLASS_UID, &reference.sop_class_uid);
            self.uid(tag::REFERENCED_SOP_INSTANCE_UID, &reference.sop_instance_uid);
            if let Some(FailureReason(reason)) = reason {
                self.element(tag::FAILURE_REASON, *b"US", &reason.to_le_bytes());
            }
            self.tag(0xFFFE_E00D);
            self.bytes.extend([0; 4]);
        }
        self.tag(0xFFFE_E0DD);
        self.bytes.extend([0; 4]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn uid(text: &str) -> Uid {
        Uid::parse(text.as_bytes()).unwrap()
    }

    fn reference(instance: &str) -> Reference {
        Reference {
            sop_class_uid: uid("1.2.840.10008.5.1.4.1.1.4"),
            sop_instance_uid: uid(instance),
        }
    }

    #[test]
    fn requests_and_answers_read_back_in_either_vr() {
        let request = Request {
            transaction_uid: uid("1.2.3"),
            references: vec![reference("1.2.3.4"), reference("1.2.3.45")],
        };
        let answer = Answer {
            transaction_uid: uid("1.2.3"),
            committed: vec![reference("1.2.3.4")],
            failed: vec![(reference("1.2.3.45"), FailureReason::NO_SUCH_INSTANCE)],
        };
        for explicit in [true, false] {
            assert_eq!(
                Request::read(&request.write(explicit), explicit),
                Ok(request.clone())
            );
            assert_eq!(
                Answer::read(&answer.write(explicit), explicit),
                Ok(answer.clone())
            );
        }
    }

    #[test]
    fn sequences_of_defined_length_and_what_else_is_in_them_are_read() {
        // Implicit VR: (0008,1199) of 1 item with lengths; (0008,1140) nested and unknown in it; a private element behind.
        let element = |tag: [u8; 4], value: &[u8]| {
            [
                &tag[..],
                &u32::try_from(value.len()).unwrap().to_le_bytes(),
                value,
            ]
            .concat()
        };
        let nested = [
            &[0x08, 0, 0x40, 0x11, 0xFF, 0xFF, 0xFF, 0xFF][..],
            &element([0xFE, 0xFF, 0x00, 0xE0], b""),
            &[0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0],
        ]
        .concat();
        let item = [
            nested,
            element([8, 0, 0x50, 0x11], b"1.2.4\0"),
            element([8, 0, 0x55, 0x11], b"1.2.5 "),
        ]
        .concat();
        let bytes = [
            element([8, 0, 0x95, 0x11], b"1.9\0"),
            element([8, 0, 0x99, 0x11], &element([0xFE, 0xFF, 0x00, 0xE0], &item)),
            element([9, 0, 0x10, 0x10], b"more"),
        ]
        .concat();
        let read = Request::read(&bytes, false).unwrap();
        assert_eq!(read.transaction_uid.as_str(), "1.9");
        assert_eq!(read.references.len(), 1);
        assert_eq!(read.references[0].sop_instance_uid.as_str(), "1.2.5");
    }

    #[test]
    fn what_is_missing_is_named() {
        let nothing = Request::read(&[], true);
        assert_eq!(nothing, Err(MessageError::Missing("Referenced SOP Sequence")));
        let request = Request {
            transaction_uid: uid("1.2.3"),
            references: vec![reference("1.2.3.4")],
        };
        let bytes = request.write(true);
        // Behind the Transaction UID: 8 of header, 6 of value.
        let without = Request::read(&bytes[14..], true);
        assert_eq!(without, Err(MessageError::Missing("Transaction UID")));
        assert_eq!(
            Request::read(&bytes[..bytes.len() - 8], true),
            Err(MessageError::Malformed)
        );
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..300), explicit: bool) {
            let _ = Request::read(&bytes, explicit);
            let _ = Answer::read(&bytes, explicit);
        }

        #[test]
        fn a_changed_request_is_read_or_refused(at in 0usize..200, byte: u8, explicit: bool) {
            let request = Request {
                transaction_uid: uid("1.2.3"),
                references: vec![reference("1.2.3.4"), reference("1.2.3.45")],
            };
            let mut bytes = request.write(explicit);
            if let Some(slot) = bytes.get_mut(at) {
                *slot = byte;
            }
            let _ = Request::read(&bytes, explicit);
        }
    }
}
