//! The few attributes that decide where an object belongs, read from its data set while it arrives.
//!
//! [`HeaderScanner`] takes the data set in pieces of any size and keeps only the values it wants. It is flat: no
//! recursion, no allocation by a length it was told; a value of undefined length is walked with one counter, so
//! depth costs nothing. Behind (0020,000E) it only skips, to see that the data set does not end within an element.
//!
//! [`read_attributes`] reads what rules ask for, from the beginning of a file.

mod attributes;
pub mod file;
mod scanner;
mod value;

use crate::model::Uid;

pub use attributes::{Wanted, attributes_in, read_attributes};
pub use scanner::HeaderScanner;
pub use scanner::is_short_vr;

/// What was found: the raw values, padding and all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// (0008,0016) SOP Class UID
    pub sop_class_uid: Option<Vec<u8>>,
    /// (0008,0018) SOP Instance UID
    pub sop_instance_uid: Option<Vec<u8>>,
    /// (0010,0020) Patient ID: never logged.
    pub patient_id: Option<Vec<u8>>,
    /// (0020,000D) Study Instance UID
    pub study_instance_uid: Option<Vec<u8>>,
    /// (0020,000E) Series Instance UID
    pub series_instance_uid: Option<Vec<u8>>,
}

impl Found {
    /// The values as what they should be.
    ///
    /// # Errors
    /// [`HeaderError::Missing`] names the first that is missing or no UID.
    pub fn header(&self) -> Result<Header, HeaderError> {
        let uid = |value: &Option<Vec<u8>>, name| {
            value
                .as_deref()
                .and_then(|v| Uid::parse(v).ok())
                .ok_or(HeaderError::Missing(name))
        };
        Ok(Header {
            sop_class_uid: uid(&self.sop_class_uid, "SOP Class UID (0008,0016)")?,
            sop_instance_uid: uid(&self.sop_instance_uid, "SOP Instance UID (0008,0018)")?,
            study_instance_uid: uid(&self.study_instance_uid, "Study Instance UID (0020,000D)")?,
            series_instance_uid: uid(&self.series_instance_uid, "Series Instance UID (0020,000E)")?,
            patient_id: self.patient_id().to_vec(),
        })
    }

    /// The Study Instance UID, if there is one that is one: also of what is refused.
    #[must_use]
    pub fn study(&self) -> Option<Uid> {
        self.study_instance_uid
            .as_deref()
            .and_then(|value| Uid::parse(value).ok())
    }

    /// Patient ID as text, as [`Header::patient_id_text`].
    #[must_use]
    pub fn patient_id_text(&self) -> String {
        text(self.patient_id())
    }

    fn patient_id(&self) -> &[u8] {
        self.patient_id.as_deref().unwrap_or_default().trim_ascii()
    }
}

/// The identity of an object, read to the letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// SOP Class UID.
    pub sop_class_uid: Uid,
    /// SOP Instance UID.
    pub sop_instance_uid: Uid,
    /// Study Instance UID.
    pub study_instance_uid: Uid,
    /// Series Instance UID.
    pub series_instance_uid: Uid,
    /// Patient ID as bytes, trimmed: for grouping only, never logged.
    pub patient_id: Vec<u8>,
}

impl Header {
    /// Patient ID as text. What is no UTF-8 is read as ISO 8859-1, whatever the object's character set: two IDs that differ
    /// stay two.
    #[must_use]
    pub fn patient_id_text(&self) -> String {
        text(&self.patient_id)
    }
}

fn text(value: &[u8]) -> String {
    let latin = || value.iter().copied().map(char::from).collect();
    std::str::from_utf8(value).map_or_else(|_| latin(), str::to_owned)
}

/// Why a data set cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The bytes are not elements of the negotiated transfer syntax.
    #[error("the data set is not of its transfer syntax")]
    Malformed,
    /// The data set ends inside an element.
    #[error("the data set is truncated")]
    Truncated,
    /// A deflated data set that cannot be inflated, or is larger than any header.
    #[error("the deflated data set cannot be inflated")]
    Deflate,
    /// A required UID is missing or no UID.
    #[error("the data set has no valid {0}")]
    Missing(&'static str),
}

#[cfg(test)]
mod attribute_tests;
#[cfg(test)]
mod tests;
