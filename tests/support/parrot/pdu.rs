//! PDUs (PS3.8 §9.3) as a test wants them, lawful or not, and PDUs as they came.

use std::fmt;

use super::Heard;
use super::command::Command;

pub const APPLICATION_CONTEXT: &str = "1.2.840.10008.3.1.1.1";
pub const VERIFICATION: &str = "1.2.840.10008.1.1";

pub const RELEASE_RQ: [u8; 10] = [5, 0, 0, 0, 0, 4, 0, 0, 0, 0];
pub const RELEASE_RP: [u8; 10] = [6, 0, 0, 0, 0, 4, 0, 0, 0, 0];
/// A-ABORT of the service user.
pub const ABORT: [u8; 10] = [7, 0, 0, 0, 0, 4, 0, 0, 0, 0];

/// Data set bytes of one PDU of [`message`].
const PIECE: usize = 16 << 10;

/// A PDU of any type with its true length.
pub fn pdu(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap();
    [&[kind, 0], &length.to_be_bytes()[..], body].concat()
}

/// An item of A-ASSOCIATE-RQ with its true length.
pub fn item(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap();
    [&[kind, 0], &length.to_be_bytes()[..], value].concat()
}

/// A presentation context item (PS3.8 §9.3.2.2).
pub fn context_item(id: u8, abstract_syntax: &str, transfer_syntaxes: &[&str]) -> Vec<u8> {
    let mut value = vec![id, 0, 0, 0];
    value.extend(item(0x30, abstract_syntax.as_bytes()));
    for syntax in transfer_syntaxes {
        value.extend(item(0x40, syntax.as_bytes()));
    }
    item(0x20, &value)
}

/// An A-ASSOCIATE-RQ (PS3.8 §9.3.2). Each part may be replaced by what is not lawful.
#[derive(Clone)]
pub struct Request {
    pub version: u16,
    pub called: [u8; 16],
    pub calling: [u8; 16],
    pub application_context: Vec<u8>,
    /// Presentation contexts and whatever else stands beside them.
    pub items: Vec<Vec<u8>>,
    /// Sub-items of the user information.
    pub user: Vec<Vec<u8>>,
}

impl Request {
    /// A lawful request without a context.
    pub fn new(called: &str) -> Self {
        Self {
            version: 1,
            called: title(called.as_bytes()),
            calling: title(b"PARROT"),
            application_context: APPLICATION_CONTEXT.into(),
            items: Vec::new(),
            user: vec![
                item(0x51, &(16u32 << 10).to_be_bytes()),
                item(0x52, b"1.2.826.0.1.3680043.10.1.1"),
            ],
        }
    }

    /// With a presentation context.
    pub fn context(self, id: u8, abstract_syntax: &str, transfer_syntaxes: &[&str]) -> Self {
        self.item(context_item(id, abstract_syntax, transfer_syntaxes))
    }

    /// With an item beside the presentation contexts.
    pub fn item(mut self, item: Vec<u8>) -> Self {
        self.items.push(item);
        self
    }

    /// With a sub-item of the user information.
    pub fn user(mut self, kind: u8, value: &[u8]) -> Self {
        self.user.push(item(kind, value));
        self
    }

    /// With another maximum length (PS3.8 §D.1).
    pub fn maximum_length(mut self, bytes: u32) -> Self {
        self.user[0] = item(0x51, &bytes.to_be_bytes());
        self
    }

    /// What follows the PDU's header.
    pub fn body(&self) -> Vec<u8> {
        let mut body = self.version.to_be_bytes().to_vec();
        body.extend([0; 2]);
        body.extend(self.called);
        body.extend(self.calling);
        body.extend([0; 32]);
        body.extend(item(0x10, &self.application_context));
        body.extend(self.items.concat());
        body.extend(item(0x50, &self.user.concat()));
        body
    }

    /// The whole PDU.
    pub fn encode(&self) -> Vec<u8> {
        pdu(1, &self.body())
    }
}

/// An AE title's field: padded with spaces.
pub fn title(text: &[u8]) -> [u8; 16] {
    let mut field = [b' '; 16];
    field[..text.len()].copy_from_slice(text);
    field
}

/// A presentation data value (PS3.8 §9.3.5.1). Control: bit 0 command, bit 1 last (§E.2).
#[derive(Clone, PartialEq, Eq)]
pub struct Pdv {
    pub context: u8,
    pub control: u8,
    pub data: Vec<u8>,
}

pub const COMMAND: u8 = 1;
pub const DATA: u8 = 0;
pub const LAST: u8 = 2;

impl fmt::Debug for Pdv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (context, control) = (self.context, self.control);
        write!(
            f,
            "context {context}, control {control}, {}",
            super::excerpt(&self.data)
        )
    }
}

impl Pdv {
    pub fn new(context: u8, control: u8, data: impl AsRef<[u8]>) -> Self {
        Self {
            context,
            control,
            data: data.as_ref().to_vec(),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let length = u32::try_from(self.data.len() + 2).unwrap();
        [
            &length.to_be_bytes()[..],
            &[self.context, self.control],
            &self.data[..],
        ]
        .concat()
    }
}

/// One P-DATA-TF of these values.
pub fn p_data(values: &[Pdv]) -> Vec<u8> {
    let body: Vec<u8> = values.iter().flat_map(Pdv::encode).collect();
    pdu(4, &body)
}

/// The P-DATA-TF PDUs of a message as everybody sends it.
pub fn message(context: u8, command: &Command, data_set: Option<&[u8]>) -> Vec<u8> {
    message_of_bytes(context, &command.encode(), data_set)
}

/// The same for a command set that is no [`Command`].
pub fn message_of_bytes(context: u8, command: &[u8], data_set: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = p_data(&[Pdv::new(context, COMMAND | LAST, command)]);
    match data_set {
        None => {}
        Some([]) => bytes.extend(p_data(&[Pdv::new(context, DATA | LAST, [])])),
        Some(data_set) => {
            let pieces = data_set.chunks(PIECE);
            let count = pieces.len();
            for (number, piece) in pieces.enumerate() {
                let last = if number + 1 == count { LAST } else { 0 };
                bytes.extend(p_data(&[Pdv::new(context, DATA | last, piece)]));
            }
        }
    }
    bytes
}

/// An A-ASSOCIATE-AC (PS3.8 §9.3.3) as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub version: u16,
    /// The 64 reserved bytes where the request has its AE titles and more reserved bytes.
    pub reserved: Vec<u8>,
    pub application_context: String,
    pub contexts: Vec<ContextResult>,
    /// Sub-items of the user information: type and value.
    pub user: Vec<(u8, Vec<u8>)>,
}

/// What became of one context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextResult {
    pub id: u8,
    pub result: u8,
    pub transfer_syntax: String,
}

impl Accepted {
    /// The values of the user information's sub-items of one type.
    pub fn user(&self, kind: u8) -> Vec<&[u8]> {
        let of_kind = self.user.iter().filter(|(k, _)| *k == kind);
        of_kind.map(|(_, value)| value.as_slice()).collect()
    }

    fn parse(body: &[u8]) -> Option<Self> {
        let mut accepted = Self {
            version: u16::from_be_bytes(body.get(..2)?.try_into().ok()?),
            reserved: body.get(4..68)?.to_vec(),
            application_context: String::new(),
            contexts: Vec::new(),
            user: Vec::new(),
        };
        for (kind, value) in items(body.get(68..)?)? {
            match kind {
                0x10 => accepted.application_context = String::from_utf8(value).ok()?,
                0x21 => {
                    let syntaxes = items(value.get(4..)?)?;
                    let syntax = syntaxes.into_iter().find(|(kind, _)| *kind == 0x40);
                    accepted.contexts.push(ContextResult {
                        id: value[0],
                        result: value[2],
                        transfer_syntax: String::from_utf8(syntax.unwrap_or_default().1).ok()?,
                    });
                }
                0x50 => accepted.user = items(&value)?,
                _ => return None,
            }
        }
        Some(accepted)
    }
}

fn items(mut bytes: &[u8]) -> Option<Vec<(u8, Vec<u8>)>> {
    let mut items = Vec::new();
    while !bytes.is_empty() {
        let length = usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?));
        items.push((bytes[0], bytes.get(4..4 + length)?.to_vec()));
        bytes = &bytes[4 + length..];
    }
    Some(items)
}

/// A whole PDU as what it is.
pub fn heard(bytes: &[u8]) -> Heard {
    let body = &bytes[6..];
    let other = || Heard::Other(bytes.to_vec());
    match (bytes[0], body) {
        (2, _) => Accepted::parse(body).map_or_else(other, Heard::Accepted),
        (3, [_, result, source, reason]) => Heard::Rejected(*result, *source, *reason),
        (4, _) => values(body).map_or_else(other, Heard::Data),
        (5, [_, _, _, _]) => Heard::ReleaseAsked,
        (6, [_, _, _, _]) => Heard::Released,
        (7, [_, _, source, reason]) => Heard::Aborted(*source, *reason),
        _ => other(),
    }
}

fn values(mut bytes: &[u8]) -> Option<Vec<Pdv>> {
    let mut values = Vec::new();
    while !bytes.is_empty() {
        let length = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
        let value = bytes.get(4..4 + length)?;
        values.push(Pdv::new(*value.first()?, *value.get(1)?, value.get(2..)?));
        bytes = &bytes[4 + length..];
    }
    Some(values)
}
