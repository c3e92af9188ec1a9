//! Writing command sets: responses, and the requests that we make.

use super::{Command, DATA_SET, NO_DATA_SET, element, field};
use crate::dicom::status::Status;
use crate::model::Uid;

/// Writes command sets: elements in ascending order, group length last filled in.
struct Encoder(Vec<u8>);

impl Encoder {
    fn new() -> Self {
        let mut encoder = Self(Vec::with_capacity(256));
        encoder.element(element::GROUP_LENGTH, &[0; 4]);
        encoder
    }

    fn element(&mut self, tag: u16, value: &[u8]) {
        let [t0, t1] = tag.to_le_bytes();
        let length = u32::try_from(value.len()).unwrap_or(0);
        self.0.extend([0, 0, t0, t1]);
        self.0.extend(length.to_le_bytes());
        self.0.extend(value);
    }

    fn short(&mut self, tag: u16, value: u16) {
        self.element(tag, &value.to_le_bytes());
    }

    fn padded(&mut self, tag: u16, value: &[u8], pad: u8) {
        let mut value = value.to_vec();
        if value.len() % 2 == 1 {
            value.push(pad);
        }
        self.element(tag, &value);
    }

    fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len().saturating_sub(12)).unwrap_or(0);
        if let Some(slot) = self.0.get_mut(8..12) {
            slot.copy_from_slice(&length.to_le_bytes());
        }
        self.0
    }
}

/// The response to a request (PS3.7 §9.3): its UIDs come back as they were, if they were of lawful length.
#[must_use]
pub fn response(request: &Command, status: Status, comment: Option<&str>) -> Vec<u8> {
    let mut out = Encoder::new();
    let echo = |value: &Option<Vec<u8>>| value.clone().filter(|v| v.len() <= 64);
    if let Some(uid) = echo(&request.sop_class_uid) {
        out.padded(element::AFFECTED_SOP_CLASS_UID, &uid, 0);
    }
    out.short(element::COMMAND_FIELD, request.command_field | field::RESPONSE);
    out.short(element::MESSAGE_ID_BEING_RESPONDED_TO, request.message_id);
    out.short(element::COMMAND_DATA_SET_TYPE, NO_DATA_SET);
    out.short(element::STATUS, status.0);
    if let Some(comment) = comment {
        let text: Vec<u8> = comment.bytes().filter(u8::is_ascii).take(64).collect();
        out.padded(element::ERROR_COMMENT, &text, b' ');
    }
    if let Some(uid) = echo(&request.sop_instance_uid) {
        out.padded(element::AFFECTED_SOP_INSTANCE_UID, &uid, 0);
    }
    out.finish()
}

/// C-ECHO-RQ (PS3.7 §9.3.5.1).
#[must_use]
pub fn c_echo_rq(message_id: u16, sop_class: &Uid) -> Vec<u8> {
    let mut out = Encoder::new();
    out.padded(element::AFFECTED_SOP_CLASS_UID, sop_class.as_str().as_bytes(), 0);
    out.short(element::COMMAND_FIELD, field::C_ECHO_RQ);
    out.short(element::MESSAGE_ID, message_id);
    out.short(element::COMMAND_DATA_SET_TYPE, NO_DATA_SET);
    out.finish()
}

/// C-STORE-RQ, medium priority (PS3.7 §9.3.1.1).
#[must_use]
pub fn c_store_rq(message_id: u16, sop_class: &Uid, sop_instance: &Uid) -> Vec<u8> {
    let mut out = Encoder::new();
    out.padded(element::AFFECTED_SOP_CLASS_UID, sop_class.as_str().as_bytes(), 0);
    out.short(element::COMMAND_FIELD, field::C_STORE_RQ);
    out.short(element::MESSAGE_ID, message_id);
    out.short(element::PRIORITY, 0);
    out.short(element::COMMAND_DATA_SET_TYPE, DATA_SET);
    out.padded(
        element::AFFECTED_SOP_INSTANCE_UID,
        sop_instance.as_str().as_bytes(),
        0,
    );
    out.finish()
}

/// N-ACTION-RQ (PS3.7 §10.3.5.1) of that action type, with its information to follow.
#[must_use]
pub fn n_action_rq(message_id: u16, sop_class: &str, sop_instance: &str, action_type: u16) -> Vec<u8> {
    let mut out = Encoder::new();
    out.padded(element::REQUESTED_SOP_CLASS_UID, sop_class.as_bytes(), 0);
    out.short(element::COMMAND_FIELD, field::N_ACTION_RQ);
    out.short(element::MESSAGE_ID, message_id);
    out.short(element::COMMAND_DATA_SET_TYPE, DATA_SET);
    out.padded(element::REQUESTED_SOP_INSTANCE_UID, sop_instance.as_bytes(), 0);
    out.short(element::ACTION_TYPE_ID, action_type);
    out.finish()
}

/// N-EVENT-REPORT-RQ (PS3.7 §10.3.1.1) of that event type, with its information to follow.
#[must_use]
pub fn n_event_report_rq(message_id: u16, sop_class: &str, sop_instance: &str, event_type: u16) -> Vec<u8> {
    let mut out = Encoder::new();
    out.padded(element::AFFECTED_SOP_CLASS_UID, sop_class.as_bytes(), 0);
    out.short(element::COMMAND_FIELD, field::N_EVENT_REPORT_RQ);
    out.short(element::MESSAGE_ID, message_id);
    out.short(element::COMMAND_DATA_SET_TYPE, DATA_SET);
    out.padded(element::AFFECTED_SOP_INSTANCE_UID, sop_instance.as_bytes(), 0);
    out.short(element::EVENT_TYPE_ID, event_type);
    out.finish()
}
