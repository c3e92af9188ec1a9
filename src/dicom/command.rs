//! Command sets (PS3.7 §6.3, §9.3, Annex E): group 0000 in implicit VR little endian.

mod encode;

use crate::model::Uid;

use super::status::Status;

pub use self::encode::{c_echo_rq, c_store_rq, n_action_rq, n_event_report_rq, response};

/// Command fields we know (PS3.7 §E.1).
pub mod field {
    /// C-STORE-RQ
    pub const C_STORE_RQ: u16 = 0x0001;
    /// C-STORE-RSP
    pub const C_STORE_RSP: u16 = 0x8001;
    /// C-ECHO-RQ
    pub const C_ECHO_RQ: u16 = 0x0030;
    /// N-EVENT-REPORT-RQ
    pub const N_EVENT_REPORT_RQ: u16 = 0x0100;
    /// N-EVENT-REPORT-RSP
    pub const N_EVENT_REPORT_RSP: u16 = 0x8100;
    /// N-ACTION-RQ
    pub const N_ACTION_RQ: u16 = 0x0130;
    /// N-ACTION-RSP
    pub const N_ACTION_RSP: u16 = 0x8130;
    /// C-CANCEL-RQ
    pub const C_CANCEL_RQ: u16 = 0x0FFF;
    /// The bit that makes a response of a request.
    pub const RESPONSE: u16 = 0x8000;
}

/// (0000,0800) of a message without a data set.
const NO_DATA_SET: u16 = 0x0101;

/// (0000,0800) of a message with one; any other value than 0101 would do.
const DATA_SET: u16 = 0x0001;

/// The longest command set that is read, in bytes. The largest lawful one is a few hundred bytes.
pub const LONGEST_COMMAND: usize = 16 * 1024;

mod element {
    pub const GROUP_LENGTH: u16 = 0x0000;
    pub const AFFECTED_SOP_CLASS_UID: u16 = 0x0002;
    pub const REQUESTED_SOP_CLASS_UID: u16 = 0x0003;
    pub const COMMAND_FIELD: u16 = 0x0100;
    pub const MESSAGE_ID: u16 = 0x0110;
    pub const MESSAGE_ID_BEING_RESPONDED_TO: u16 = 0x0120;
    pub const PRIORITY: u16 = 0x0700;
    pub const COMMAND_DATA_SET_TYPE: u16 = 0x0800;
    pub const STATUS: u16 = 0x0900;
    pub const ERROR_COMMENT: u16 = 0x0902;
    pub const AFFECTED_SOP_INSTANCE_UID: u16 = 0x1000;
    pub const REQUESTED_SOP_INSTANCE_UID: u16 = 0x1001;
    pub const EVENT_TYPE_ID: u16 = 0x1002;
    pub const ACTION_TYPE_ID: u16 = 0x1008;
}

/// Why bytes are no command set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// An element runs over the end or is not of group 0000.
    #[error("the command set is malformed at byte {0}")]
    Malformed(usize),
    /// An element without which there can be no answer is not there, or has not the length of its VR.
    #[error("the command set has no valid element (0000,{0:04X})")]
    Missing(u16),
}

/// What is wrong with a command set that can be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// An element is there twice.
    #[error("element (0000,{0:04X}) is there twice")]
    Repeated(u16),
    /// An element has not the length of its VR.
    #[error("element (0000,{0:04X}) has a wrong length")]
    Length(u16),
    /// The Command Group Length (0000,0000) is not the length of what follows it.
    #[error("the command group length is not the length of the command")]
    GroupLength,
}

/// A received command set: the elements that matter, still as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// (0000,0100)
    pub command_field: u16,
    /// (0000,0110) of a request, (0000,0120) of a response.
    pub message_id: u16,
    /// Whether a data set follows (0000,0800).
    pub has_data_set: bool,
    /// (0000,0900) of a response.
    pub status: Option<Status>,
    /// (0000,0002), of an N-ACTION request (0000,0003); padding and all.
    pub sop_class_uid: Option<Vec<u8>>,
    /// (0000,1000), of an N-ACTION request (0000,1001); padding and all.
    pub sop_instance_uid: Option<Vec<u8>>,
    /// (0000,1008) of an N-ACTION, (0000,1002) of an N-EVENT-REPORT.
    pub type_id: Option<u16>,
    /// Whether there is a (0000,0700); what it says nobody here needs.
    pub has_priority: bool,
    /// (0000,0902)
    pub error_comment: Option<String>,
    /// The first thing wrong with it: such a request is never answered with Success.
    pub fault: Option<Fault>,
}

impl Command {
    /// Reads a command set.
    ///
    /// # Errors
    /// [`CommandError`] when it cannot be answered in an orderly way.
    pub fn parse(bytes: &[u8]) -> Result<Self, CommandError> {
        let mut short = [None::<u16>; 7];
        let keys = [
            element::COMMAND_FIELD,
            element::MESSAGE_ID,
            element::MESSAGE_ID_BEING_RESPONDED_TO,
            element::COMMAND_DATA_SET_TYPE,
            element::STATUS,
            element::EVENT_TYPE_ID,
            element::ACTION_TYPE_ID,
        ];
        let (mut sop_class_uid, mut sop_instance_uid, mut error_comment) = (None, None, None);
        let (mut fault, mut seen) = (None, Vec::new());
        for item in elements(bytes) {
            let (tag, value) = item?;
            if seen.contains(&tag) {
                fault = fault.or(Some(Fault::Repeated(tag)));
                continue;
            }
            seen.push(tag);
            match tag {
                element::AFFECTED_SOP_CLASS_UID | element::REQUESTED_SOP_CLASS_UID => {
                    sop_class_uid = Some(value.to_vec());
                }
                element::AFFECTED_SOP_INSTANCE_UID | element::REQUESTED_SOP_INSTANCE_UID => {
                    sop_instance_uid = Some(value.to_vec());
                }
                element::ERROR_COMMENT => error_comment = Some(comment(value)),
                element::GROUP_LENGTH if value != group_length(bytes) => {
                    fault = fault.or(Some(Fault::GroupLength));
                }
                element::PRIORITY if value.len() != 2 => fault = fault.or(Some(Fault::Length(tag))),
                _ => {
                    for (slot, _) in short.iter_mut().zip(keys).filter(|(_, key)| *key == tag) {
                        *slot = value.try_into().ok().map(u16::from_le_bytes);
                    }
                }
            }
        }
        let [
            command_field,
            request_id,
            response_id,
            data_set_type,
            status,
            event,
            action,
        ] = short;
        let command_field = command_field.ok_or(CommandError::Missing(element::COMMAND_FIELD))?;
        let is_response = command_field & field::RESPONSE != 0;
        let (id, id_tag) = if is_response || command_field == field::C_CANCEL_RQ {
            (response_id, element::MESSAGE_ID_BEING_RESPONDED_TO)
        } else {
            (request_id, element::MESSAGE_ID)
        };
        // Without it nobody knows whether a data set follows.
        let data_set_type = data_set_type.ok_or(CommandError::Missing(element::COMMAND_DATA_SET_TYPE))?;
        Ok(Self {
            command_field,
            message_id: id.ok_or(CommandError::Missing(id_tag))?,
            has_data_set: data_set_type != NO_DATA_SET,
            status: status.map(Status),
            sop_class_uid,
            sop_instance_uid,
            type_id: event.or(action),
            has_priority: seen.contains(&element::PRIORITY),
            error_comment,
            fault,
        })
    }

    /// Whether the Affected SOP Class UID is this one.
    #[must_use]
    pub fn is_of_class(&self, sop_class: &str) -> bool {
        let uid = self.sop_class_uid.as_deref().map(Uid::parse);
        uid.is_some_and(|uid| uid.is_ok_and(|uid| uid.as_str() == sop_class))
    }
}

/// What the group length of a command set has to be: the bytes behind its own 12.
fn group_length(command_set: &[u8]) -> [u8; 4] {
    let length = command_set.len().saturating_sub(12);
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

/// Printable ASCII of an LO value: what may be shown and logged.
fn comment(value: &[u8]) -> String {
    let text: String = value
        .iter()
        .map(|b| char::from(*b))
        .filter(|c| matches!(c, ' '..='~'))
        .take(64)
        .collect();
    text.trim().to_owned()
}

fn elements(bytes: &[u8]) -> impl Iterator<Item = Result<(u16, &[u8]), CommandError>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= bytes.len() {
            return None;
        }
        let item = element_at(bytes, at);
        at = item.map_or(bytes.len(), |(_, _, end)| end);
        Some(
            item.map(|(tag, value, _)| (tag, value))
                .ok_or(CommandError::Malformed(at)),
        )
    })
}

fn element_at(bytes: &[u8], at: usize) -> Option<(u16, &[u8], usize)> {
    let header: [u8; 8] = bytes.get(at..at.checked_add(8)?)?.try_into().ok()?;
    let [g0, g1, e0, e1, length @ ..] = header;
    if [g0, g1] != [0, 0] {
        return None;
    }
    let start = at + 8;
    let end = start.checked_add(usize::try_from(u32::from_le_bytes(length)).ok()?)?;
    Some((u16::from_le_bytes([e0, e1]), bytes.get(start..end)?, end))
}

#[cfg(test)]
mod tests;
