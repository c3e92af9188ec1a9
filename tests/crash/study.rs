//! What is sent, and a sender that tries again as a scanner does.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use crate::support::parrot::command::Command;
use crate::support::parrot::pdu::{self, Request};
use crate::support::parrot::{Heard, Parrot};
use crate::support::part10::{EXPLICIT_LITTLE, MR, Object};

/// An object with its bytes.
pub struct Sent {
    pub object: Object,
    pub data_set: Vec<u8>,
}

/// A study of so many objects; no two have the same pixels, and none has only zeros: what a disk has lost reads as zeros.
pub fn study(count: usize, pixels: u32) -> Vec<Sent> {
    let with_pixels = |object: Object| {
        let object = Object { pixels, ..object };
        let mut data_set = object.data_set();
        let begin = data_set.len() - pixels as usize;
        let seed = object.sop_instance.bytes().fold(1_u64, |seed, byte| {
            seed.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        noise(seed, &mut data_set[begin..]);
        Sent { object, data_set }
    };
    Object::series(count).into_iter().map(with_pixels).collect()
}

/// xorshift64: bytes that look like nothing else.
fn noise(seed: u64, bytes: &mut [u8]) {
    let mut state = seed | 1;
    for byte in bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *byte = state.to_le_bytes()[4];
    }
}

/// Sends a study over one association; each object that is answered with Success is noted.
///
/// # Errors
/// What broke the association off, or a status that is not Success.
pub fn send(
    port: u16,
    called: &str,
    objects: &[Sent],
    acknowledged: &mut BTreeSet<String>,
) -> Result<(), String> {
    send_as_made(port, called, objects, acknowledged, Duration::ZERO)
}

/// The same as a scanner does whose images take that long each.
///
/// # Errors
/// As [`send`].
pub fn send_as_made(
    port: u16,
    called: &str,
    objects: &[Sent],
    acknowledged: &mut BTreeSet<String>,
    each: Duration,
) -> Result<(), String> {
    let mut parrot = Parrot::try_connect(port).map_err(|error| error.to_string())?;
    parrot.say(Request::new(called).context(1, MR, &[EXPLICIT_LITTLE]).encode());
    match parrot.hear() {
        Heard::Accepted(_) => {}
        other => return Err(format!("no association: {other:?}")),
    }
    for (id, sent) in (1..).zip(objects) {
        thread::park_timeout(each);
        let command = Command::store(id, sent.object.sop_class, &sent.object.sop_instance);
        parrot.say(pdu::message(1, &command, Some(&sent.data_set)));
        match parrot.answer() {
            Ok(response) if response.status == 0 => {
                acknowledged.insert(sent.object.sop_instance.clone());
            }
            other => return Err(format!("no success: {other:?}")),
        }
    }
    parrot.say(pdu::RELEASE_RQ);
    match parrot.hear() {
        Heard::Released => Ok(()),
        other => Err(format!("no release: {other:?}")),
    }
}
