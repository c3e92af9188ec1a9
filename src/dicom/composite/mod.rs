//! The patient and the study of an object, so that a new object can be put beside it (PS3.3 §C.7.1, §C.7.2): read from
//! a stored file, kept in its own bytes and character set.
//!
//! Text is copied byte by byte: what a PACS compares stays what it was. What the node adds is written in the same
//! character set, see [`Charset`].

mod charset;
mod cursor;
mod element;
mod patients;
mod read;

pub use charset::Charset;
pub use element::{complete, date_and_time, object, put, put_items, put_text};
pub use patients::Patients;
pub use read::{LONGEST_HEADER, parse, read};

use crate::model::Uid;

/// An attribute as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Group and element.
    pub tag: u32,
    /// Its VR.
    pub vr: [u8; 2],
    /// What it holds.
    pub value: Held,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// Bytes, little endian, without what padded them.
    Bytes(Vec<u8>),
    /// The items of a sequence.
    Items(Vec<Vec<Attribute>>),
}

/// What an object says of itself, of its patient and of its study.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composite {
    /// (0008,0016) SOP Class UID
    pub sop_class_uid: Uid,
    /// (0008,0018) SOP Instance UID
    pub sop_instance_uid: Uid,
    /// (0020,000D) Study Instance UID
    pub study_instance_uid: Uid,
    /// (0020,000E) Series Instance UID
    pub series_instance_uid: Uid,
    /// The attributes of Patient, Clinical Trial Subject, General Study and Patient Study that it has, by tag; Specific
    /// Character Set and Timezone Offset From UTC with them.
    pub attributes: Vec<Attribute>,
}

impl Composite {
    /// The value of a top-level attribute.
    #[must_use]
    pub fn held(&self, tag: u32) -> Option<&Held> {
        self.attributes.iter().find(|a| a.tag == tag).map(|a| &a.value)
    }

    /// The bytes of a top-level attribute; none for one that is not there.
    #[must_use]
    pub fn bytes(&self, tag: u32) -> &[u8] {
        match self.held(tag) {
            Some(Held::Bytes(bytes)) => bytes,
            _ => &[],
        }
    }

    /// (0008,0201) Timezone Offset From UTC in minutes, if the object says it.
    #[must_use]
    pub fn offset_minutes(&self) -> Option<i32> {
        let text = std::str::from_utf8(self.bytes(0x0008_0201)).ok()?;
        let (sign, digits) = text.split_at_checked(1)?;
        let number: i32 = digits.parse().ok().filter(|_| digits.len() == 4)?;
        let minutes = number / 100 * 60 + number % 100;
        match sign {
            "+" => Some(minutes),
            "-" => Some(-minutes),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
