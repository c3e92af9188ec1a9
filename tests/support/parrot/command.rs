//! Command sets (PS3.7 §6.3.1): group 0000 in implicit VR little endian, lawful or not.

use std::fmt;

pub const GROUP_LENGTH: u16 = 0x0000;
pub const SOP_CLASS: u16 = 0x0002;
pub const FIELD: u16 = 0x0100;
pub const MESSAGE_ID: u16 = 0x0110;
pub const RESPONDED_TO: u16 = 0x0120;
pub const PRIORITY: u16 = 0x0700;
pub const DATA_SET_TYPE: u16 = 0x0800;
pub const STATUS: u16 = 0x0900;
pub const COMMENT: u16 = 0x0902;
pub const SOP_INSTANCE: u16 = 0x1000;

/// (0000,0800) of a message without a data set; with any other value one follows.
pub const NO_DATA_SET: u16 = 0x0101;

/// Elements in the order in which they are sent; the group length comes before them.
#[derive(Clone, Debug)]
pub struct Command(pub Vec<(u16, Vec<u8>)>);

impl Command {
    /// C-ECHO-RQ (PS3.7 §9.3.5.1).
    pub fn echo(id: u16) -> Self {
        Self::request(0x0030, id)
            .short(DATA_SET_TYPE, NO_DATA_SET)
            .uid(SOP_CLASS, super::pdu::VERIFICATION)
    }

    /// C-STORE-RQ (PS3.7 §9.3.1.1).
    pub fn store(id: u16, sop_class: &str, sop_instance: &str) -> Self {
        Self::request(0x0001, id)
            .short(PRIORITY, 0)
            .short(DATA_SET_TYPE, 0)
            .uid(SOP_CLASS, sop_class)
            .uid(SOP_INSTANCE, sop_instance)
    }

    /// Any request: command field and message ID.
    pub fn request(field: u16, id: u16) -> Self {
        Self(Vec::new()).short(FIELD, field).short(MESSAGE_ID, id)
    }

    /// With an element, in place of one of that tag.
    pub fn set(self, tag: u16, value: &[u8]) -> Self {
        let mut command = self.without(tag);
        command.0.push((tag, value.to_vec()));
        command.0.sort_by_key(|(tag, _)| *tag);
        command
    }

    /// With a US element.
    pub fn short(self, tag: u16, value: u16) -> Self {
        self.set(tag, &value.to_le_bytes())
    }

    /// With a UI element, padded to even length.
    pub fn uid(self, tag: u16, value: &str) -> Self {
        let mut value = value.as_bytes().to_vec();
        value.resize(value.len().next_multiple_of(2), 0);
        self.set(tag, &value)
    }

    /// Without an element.
    pub fn without(mut self, tag: u16) -> Self {
        self.0.retain(|(t, _)| *t != tag);
        self
    }

    /// The elements alone, without the group length.
    pub fn elements(&self) -> Vec<u8> {
        self.0
            .iter()
            .flat_map(|(tag, value)| element(*tag, value))
            .collect()
    }

    /// The whole command set.
    pub fn encode(&self) -> Vec<u8> {
        let elements = self.elements();
        let length = u32::try_from(elements.len()).unwrap();
        [element(GROUP_LENGTH, &length.to_le_bytes()), elements].concat()
    }
}

/// One element of group 0000.
pub fn element(tag: u16, value: &[u8]) -> Vec<u8> {
    let length = u32::try_from(value.len()).unwrap();
    [&[0, 0], &tag.to_le_bytes()[..], &length.to_le_bytes()[..], value].concat()
}

/// A response as it came. Reading it panics where the node's command set is not as PS3.7 §6.3.1 says.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    pub context: u8,
    pub command_field: u16,
    pub message_id: u16,
    pub status: u16,
    pub sop_class: Option<String>,
    pub sop_instance: Option<String>,
    pub comment: Option<String>,
}

impl Response {
    pub(super) fn parse(context: u8, bytes: &[u8]) -> Self {
        let mut elements: Vec<(u16, &[u8])> = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            assert_eq!(rest[..2], [0, 0], "an element not of group 0000: {bytes:02x?}");
            let tag = u16::from_le_bytes([rest[2], rest[3]]);
            let length = u32::from_le_bytes(rest[4..8].try_into().unwrap()) as usize;
            assert!(length.is_multiple_of(2), "({tag:04x}) is of odd length");
            assert!(
                elements.last().is_none_or(|(t, _)| *t < tag),
                "({tag:04x}) is out of order"
            );
            elements.push((tag, &rest[8..8 + length]));
            rest = &rest[8 + length..];
        }
        let find = |tag| elements.iter().find(|(t, _)| *t == tag).map(|(_, value)| *value);
        let text = |tag| {
            let trim: &[char] = &['\0', ' '];
            find(tag).map(|v| String::from_utf8_lossy(v).trim_end_matches(trim).to_owned())
        };
        let short = |tag| {
            let value = find(tag).unwrap_or_else(|| panic!("the response has no ({tag:04x})"));
            u16::from_le_bytes(value.try_into().unwrap())
        };
        let length = u32::from_le_bytes(find(GROUP_LENGTH).unwrap().try_into().unwrap());
        assert_eq!(length as usize, bytes.len() - 12, "the group length is wrong");
        assert_eq!(
            short(DATA_SET_TYPE),
            NO_DATA_SET,
            "our responses carry no data set"
        );
        Self {
            context,
            command_field: short(FIELD),
            message_id: short(RESPONDED_TO),
            status: short(STATUS),
            sop_class: text(SOP_CLASS),
            sop_instance: text(SOP_INSTANCE),
            comment: text(COMMENT),
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (field, id, status) = (self.command_field, self.message_id, self.status);
        write!(
            f,
            "response {field:04X} to message {id} on context {}: status {status:04X}",
            self.context
        )?;
        if let Some(comment) = &self.comment {
            write!(f, " ({comment})")?;
        }
        Ok(())
    }
}
