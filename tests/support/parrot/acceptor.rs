//! The other end: what a peer that is called reads and answers, for the PACS of tests.

use std::io::Read;
use std::net::TcpStream;

use super::command::{Command, DATA_SET_TYPE, FIELD, MESSAGE_ID, NO_DATA_SET, RESPONDED_TO, STATUS};
use super::pdu::{self, item};

/// The next PDU, whole; `None` when the peer is gone.
pub fn read_pdu(socket: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 6];
    socket.read_exact(&mut bytes).ok()?;
    let length = u32::from_be_bytes(bytes[2..6].try_into().unwrap()) as usize;
    bytes.resize(6 + length, 0);
    socket.read_exact(&mut bytes[6..]).ok()?;
    Some(bytes)
}

/// An A-ASSOCIATE-AC (PS3.8 §9.3.3) to the body of a request; `result` says what becomes of a context, by its abstract
/// syntax.
pub fn accept(request: &[u8], result: impl Fn(&str) -> u8) -> Vec<u8> {
    let mut body = request[..68].to_vec();
    let mut rest = &request[68..];
    while let [kind, _, high, low, ..] = *rest {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let value = &rest[4..4 + length];
        match kind {
            0x10 => body.extend(item(0x10, value)),
            0x20 => {
                // Abstract syntax, then transfer syntaxes: the first of those.
                let (abstract_syntax, syntaxes) = sub_item(&value[4..]);
                let (syntax, _) = sub_item(syntaxes);
                let result = result(&String::from_utf8_lossy(abstract_syntax));
                body.extend(item(
                    0x21,
                    &[&[value[0], 0, result, 0], &item(0x40, syntax)[..]].concat(),
                ));
            }
            _ => {}
        }
        rest = &rest[4 + length..];
    }
    let user = [
        item(0x51, &(64_u32 << 10).to_be_bytes()),
        item(0x52, b"1.2.826.0.1.3680043.10.1.2"),
    ];
    body.extend(item(0x50, &user.concat()));
    pdu::pdu(2, &body)
}

/// The value of the first item, and what comes behind it.
fn sub_item(bytes: &[u8]) -> (&[u8], &[u8]) {
    let length = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
    bytes[4..].split_at(length)
}

/// The response to a request (PS3.7 §9.3, §10.3) with that status.
pub fn response(request: &[u8], status: u16) -> Command {
    let field = short(request, FIELD);
    Command(Vec::new())
        .short(FIELD, field | 0x8000)
        .set(RESPONDED_TO, value(request, MESSAGE_ID).unwrap())
        .short(DATA_SET_TYPE, NO_DATA_SET)
        .short(STATUS, status)
}

/// The value of an element of a command set.
pub fn value(mut bytes: &[u8], tag: u16) -> Option<&[u8]> {
    while bytes.len() >= 8 {
        let length = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
        if bytes[..4] == [&[0, 0], &tag.to_le_bytes()[..]].concat()[..] {
            return Some(&bytes[8..8 + length]);
        }
        bytes = &bytes[8 + length..];
    }
    None
}

/// The value of a US element that has to be there.
pub fn short(bytes: &[u8], tag: u16) -> u16 {
    u16::from_le_bytes(value(bytes, tag).unwrap().try_into().unwrap())
}

/// The value of a UI element, without padding; empty where it is not there.
pub fn text(bytes: &[u8], tag: u16) -> String {
    let text = String::from_utf8_lossy(value(bytes, tag).unwrap_or_default()).into_owned();
    text.trim_end_matches(['\0', ' ']).to_owned()
}
