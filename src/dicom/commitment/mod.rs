//! Storage Commitment Push Model (PS3.4 Annex J): its data sets, and its operations over an association, whoever offers
//! the service.
//!
//! ```text
//! data_set  reading nested data sets, bounded
//! message   what N-ACTION asks and N-EVENT-REPORT answers, to bytes and back
//! wire      both operations as requestor of an association
//! ```

mod data_set;
mod message;
mod wire;

pub use message::{Answer, LONGEST, MOST_REFERENCES, MessageError, Reference, Request};
pub use wire::{Asked, Patience, ask, information, is_explicit, report, send_report};

use dicom_dictionary_std::uids;

/// The SOP class.
pub const SOP_CLASS: &str = uids::STORAGE_COMMITMENT_PUSH_MODEL;

/// Its only instance (PS3.4 §J.3.5).
pub const SOP_INSTANCE: &str = uids::STORAGE_COMMITMENT_PUSH_MODEL_INSTANCE;

/// Action Type ID: request storage commitment (PS3.4 §J.3.2).
pub const ACTION_REQUEST: u16 = 1;

/// Event Type ID: all of it is committed (PS3.4 §J.3.3).
pub const EVENT_SUCCESS: u16 = 1;

/// Event Type ID: some of it is not (PS3.4 §J.3.3).
pub const EVENT_FAILURES: u16 = 2;

/// The transfer syntaxes of its data sets, in the order in which we choose.
pub const TRANSFER_SYNTAXES: [&str; 2] = [uids::EXPLICIT_VR_LITTLE_ENDIAN, uids::IMPLICIT_VR_LITTLE_ENDIAN];
