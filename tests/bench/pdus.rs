//! Bytes made by hand: an association request, an object as ready P-DATA-TF PDUs, a Part 10 file; an answer read.

use anyhow::{Context, Result, bail, ensure};

pub const ASSOCIATE_AC: u8 = 0x02;
pub const P_DATA_TF: u8 = 0x04;
pub const RELEASE_RP: u8 = 0x06;

/// A-RELEASE-RQ (PS3.8 §9.3.6).
pub const RELEASE_RQ: [u8; 10] = [0x05, 0, 0, 0, 0, 4, 0, 0, 0, 0];

/// The maximum length the sender offers, and the largest it uses.
pub const MAXIMUM_PDU: usize = 128 << 10;

const EXPLICIT_LITTLE: &str = "1.2.840.10008.1.2.1";
const MR: &str = "1.2.840.10008.5.1.4.1.1.4";
const VERIFICATION: &str = "1.2.840.10008.1.1";
const ROOT: &str = "1.2.826.0.1.3680043.10.1.4";
/// Presentation context of MR Image Storage.
const STORAGE_CONTEXT: u8 = 1;
/// Presentation context of Verification.
const VERIFICATION_CONTEXT: u8 = 3;
const DIGITS: usize = 12;

/// The SOP Instance UID of object number `n`; all are of the same length.
fn sop_instance(n: u64) -> String {
    format!("{ROOT}.3.1{n:0DIGITS$}")
}

/// A-ASSOCIATE-RQ (PS3.8 §9.3.2) for MR images in explicit little endian and for C-ECHO.
pub fn associate_rq(called: &str) -> Vec<u8> {
    let mut body = vec![0, 1, 0, 0];
    body.extend(format!("{called:<16}{:<16}", "BENCH").bytes());
    body.extend([0; 32]);
    body.extend(item(0x10, b"1.2.840.10008.3.1.1.1"));
    for (id, abstract_syntax) in [(STORAGE_CONTEXT, MR), (VERIFICATION_CONTEXT, VERIFICATION)] {
        let mut context = vec![id, 0, 0, 0];
        context.extend(item(0x30, abstract_syntax.as_bytes()));
        context.extend(item(0x40, EXPLICIT_LITTLE.as_bytes()));
        body.extend(item(0x20, &context));
    }
    let mut user = item(0x51, &(MAXIMUM_PDU as u32).to_be_bytes());
    user.extend(item(0x52, format!("{ROOT}.1").as_bytes()));
    body.extend(item(0x50, &user));
    pdu(0x01, &body)
}

/// The maximum length that the acceptor offers (PS3.8 §D.1); both contexts have to be accepted.
///
/// # Errors
/// When one is not, or the PDU cannot be read.
pub fn maximum_of_associate_ac(body: &[u8]) -> Result<usize> {
    let (mut maximum, mut accepted) = (0, 0);
    for (kind, value) in items(body.get(68..).context("a short A-ASSOCIATE-AC")?)? {
        match kind {
            0x21 => accepted += usize::from(value.get(2) == Some(&0)),
            0x50 => {
                for (kind, value) in items(value)? {
                    if kind == 0x51 {
                        maximum = u32::from_be_bytes(value.try_into()?) as usize;
                    }
                }
            }
            _ => {}
        }
    }
    ensure!(
        accepted == 2,
        "{accepted} of 2 presentation contexts were accepted"
    );
    Ok(if maximum == 0 { MAXIMUM_PDU } else { maximum })
}

/// C-ECHO-RQ (PS3.7 §9.3.5.1) as a PDU.
pub fn echo_rq() -> Vec<u8> {
    let command = command(&[
        (0x0002, padded(VERIFICATION, 0)),
        (0x0100, 0x0030_u16.to_le_bytes().into()),
        (0x0110, 1_u16.to_le_bytes().into()),
        (0x0800, 0x0101_u16.to_le_bytes().into()),
    ]);
    p_data(VERIFICATION_CONTEXT, 0x03, &command)
}

/// A C-STORE-RQ with its data set, ready to be sent, in which only the SOP Instance UID changes.
#[derive(Clone)]
pub struct Object {
    bytes: Vec<u8>,
    uids: Vec<usize>,
}

impl Object {
    /// An MR image with about `size` bytes of pixels, in PDUs of at most `maximum` bytes.
    pub fn new(size: usize, maximum: usize) -> Self {
        let command = command(&[
            (0x0002, padded(MR, 0)),
            (0x0100, 0x0001_u16.to_le_bytes().into()),
            (0x0110, 1_u16.to_le_bytes().into()),
            (0x0700, 0_u16.to_le_bytes().into()),
            (0x0800, 0x0000_u16.to_le_bytes().into()),
            (0x1000, padded(&sop_instance(0), 0)),
        ]);
        let data_set = data_set(size, 0);
        let mut bytes = p_data(STORAGE_CONTEXT, 0x03, &command);
        bytes.reserve(data_set.len() + data_set.len() / 64);
        // A PDV item's length field, its context and its control header count as well (PS3.8 §9.3.5).
        let mut fragments = data_set.chunks(maximum - 6).peekable();
        while let Some(fragment) = fragments.next() {
            let last = if fragments.peek().is_some() { 0x00 } else { 0x02 };
            bytes.extend(p_data_header(STORAGE_CONTEXT, last, fragment.len()));
            bytes.extend_from_slice(fragment);
        }
        let uid = sop_instance(0);
        let head = bytes.len().min(4096);
        let uids = (0..head - uid.len())
            .filter(|&at| bytes[at..].starts_with(uid.as_bytes()))
            .collect();
        Self { bytes, uids }
    }

    /// The PDUs of object number `n`.
    pub fn numbered(&mut self, n: u64) -> &[u8] {
        let uid = sop_instance(n);
        for &at in &self.uids {
            self.bytes[at..at + uid.len()].copy_from_slice(uid.as_bytes());
        }
        &self.bytes
    }
}

/// Object number `n` as a Part 10 file (PS3.10 §7.1).
pub fn part10(size: usize, n: u64) -> Vec<u8> {
    let meta = [
        element(0x0002, 0x0001, "OB", &[0, 1]),
        element(0x0002, 0x0002, "UI", &padded(MR, 0)),
        element(0x0002, 0x0003, "UI", &padded(&sop_instance(n), 0)),
        element(0x0002, 0x0010, "UI", &padded(EXPLICIT_LITTLE, 0)),
        element(0x0002, 0x0012, "UI", &padded(&format!("{ROOT}.1"), 0)),
    ]
    .concat();
    let mut file = vec![0; 128];
    file.extend(b"DICM");
    file.extend(element(0x0002, 0x0000, "UL", &(meta.len() as u32).to_le_bytes()));
    file.extend(meta);
    file.extend(data_set(size, n));
    file
}

/// The status (0000,0900) of an answer, given the body of its P-DATA-TF PDU.
///
/// # Errors
/// When it is not one whole command set with a status.
pub fn status(body: &[u8]) -> Result<u16> {
    ensure!(
        body.get(5).is_some_and(|control| control & 3 == 3),
        "not one whole command in a PDU"
    );
    let mut rest = &body[6..];
    while let Some((head, tail)) = rest.split_at_checked(8) {
        let length = u32::from_le_bytes(head[4..].try_into()?) as usize;
        let value = tail.get(..length).context("a command element overruns")?;
        if head[..4] == [0, 0, 0, 9] {
            return Ok(u16::from_le_bytes(value.try_into()?));
        }
        rest = &tail[length..];
    }
    bail!("an answer without a status")
}

/// The length in bytes of the data set of an object with about `size` bytes of pixels.
pub fn data_set_length(size: usize) -> usize {
    let (rows, columns) = dimensions(size);
    data_set(0, 0).len() + rows * columns * 2
}

fn dimensions(size: usize) -> (usize, usize) {
    let columns = if size < 1 << 24 { 512 } else { 8192 };
    (size / 2 / columns, columns)
}

/// An image in a study and series that all share.
fn data_set(size: usize, n: u64) -> Vec<u8> {
    let (rows, columns) = dimensions(size);
    let number = |n: usize| (n as u16).to_le_bytes();
    let mut set = [
        element(0x0008, 0x0016, "UI", &padded(MR, 0)),
        element(0x0008, 0x0018, "UI", &padded(&sop_instance(n), 0)),
        element(0x0008, 0x0020, "DA", b"20240229"),
        element(0x0008, 0x0060, "CS", b"MR"),
        element(0x0010, 0x0010, "PN", b"Bench^Object"),
        element(0x0010, 0x0020, "LO", b"B1"),
        element(0x0020, 0x000d, "UI", &padded(&format!("{ROOT}.1.1"), 0)),
        element(0x0020, 0x000e, "UI", &padded(&format!("{ROOT}.2.1"), 0)),
        element(0x0020, 0x0013, "IS", b"1 "),
        element(0x0028, 0x0002, "US", &number(1)),
        element(0x0028, 0x0004, "CS", b"MONOCHROME2 "),
        element(0x0028, 0x0010, "US", &number(rows)),
        element(0x0028, 0x0011, "US", &number(columns)),
        element(0x0028, 0x0100, "US", &number(16)),
        element(0x0028, 0x0101, "US", &number(16)),
        element(0x0028, 0x0102, "US", &number(15)),
        element(0x0028, 0x0103, "US", &number(0)),
    ]
    .concat();
    let pixels = rows * columns * 2;
    set.extend(b"\xe0\x7f\x10\x00OW\0\0");
    set.extend((pixels as u32).to_le_bytes());
    // Noise, so that nothing on the way gains by compressing it.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    set.reserve(pixels);
    for _ in 0..pixels / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        set.extend(state.to_le_bytes());
    }
    set
}

/// A data element in explicit little endian.
fn element(group: u16, number: u16, vr: &str, value: &[u8]) -> Vec<u8> {
    let mut bytes = [group.to_le_bytes(), number.to_le_bytes()].concat();
    bytes.extend(vr.bytes());
    if vr == "OB" {
        bytes.extend([0, 0]);
        bytes.extend((value.len() as u32).to_le_bytes());
    } else {
        bytes.extend((value.len() as u16).to_le_bytes());
    }
    bytes.extend(value);
    bytes
}

/// A command set in implicit little endian with its group length (PS3.7 §6.3.1).
fn command(elements: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let one = |number: u16, value: &[u8]| {
        let mut bytes = [[0, 0], number.to_le_bytes()].concat();
        bytes.extend((value.len() as u32).to_le_bytes());
        bytes.extend(value);
        bytes
    };
    let body: Vec<u8> = elements.iter().flat_map(|(n, v)| one(*n, v)).collect();
    let mut set = one(0, &(body.len() as u32).to_le_bytes());
    set.extend(body);
    set
}

fn padded(text: &str, padding: u8) -> Vec<u8> {
    let mut value = text.as_bytes().to_vec();
    if value.len() % 2 == 1 {
        value.push(padding);
    }
    value
}

fn item(kind: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 0];
    bytes.extend((value.len() as u16).to_be_bytes());
    bytes.extend(value);
    bytes
}

fn items(mut rest: &[u8]) -> Result<Vec<(u8, &[u8])>> {
    let mut found = Vec::new();
    while let Some((head, tail)) = rest.split_at_checked(4) {
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let (value, after) = tail.split_at_checked(length).context("an item overruns")?;
        found.push((head[0], value));
        rest = after;
    }
    Ok(found)
}

fn pdu(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 0];
    bytes.extend((body.len() as u32).to_be_bytes());
    bytes.extend(body);
    bytes
}

fn p_data(context: u8, control: u8, fragment: &[u8]) -> Vec<u8> {
    let mut bytes = p_data_header(context, control, fragment.len()).to_vec();
    bytes.extend(fragment);
    bytes
}

/// The header of a P-DATA-TF PDU with one PDV (PS3.8 §9.3.5, §E.2).
fn p_data_header(context: u8, control: u8, fragment: usize) -> [u8; 12] {
    let mut header = [P_DATA_TF, 0, 0, 0, 0, 0, 0, 0, 0, 0, context, control];
    header[2..6].copy_from_slice(&(fragment as u32 + 6).to_be_bytes());
    header[6..10].copy_from_slice(&(fragment as u32 + 2).to_be_bytes());
    header
}
