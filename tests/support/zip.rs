//! Zips made by hand, so that a test says each byte: as the original's client makes them (deflate, sums behind the
//! content, no dates), and as nobody should.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

/// An entry to be.
#[derive(Clone, Debug)]
pub struct Entry {
    pub name: Vec<u8>,
    pub content: Vec<u8>,
    pub deflated: bool,
    /// `st_mode`, as a Unix would have it.
    pub mode: u32,
    pub flags: u16,
    /// Another method than the one it is packed by.
    pub method: Option<u16>,
    /// Another size in the directory than the true one.
    pub claims: Option<u32>,
    pub crc: Option<u32>,
    /// Another name where the entry is than in the directory.
    pub local_name: Option<Vec<u8>>,
}

impl Entry {
    /// A file as the original's client packs it.
    pub fn new(name: impl AsRef<[u8]>, content: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.as_ref().to_owned(),
            content: content.into(),
            deflated: true,
            mode: 0o100_644,
            flags: 1 << 3,
            method: None,
            claims: None,
            crc: None,
            local_name: None,
        }
    }
}

/// The zip of these entries.
pub fn zip(entries: &[Entry]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let offset = u32::try_from(out.len()).unwrap();
        let mut crc = flate2::Crc::new();
        crc.update(&entry.content);
        let crc = entry.crc.unwrap_or(crc.sum());
        let packed = if entry.deflated {
            deflate(&entry.content)
        } else {
            entry.content.clone()
        };
        let method = entry.method.unwrap_or(if entry.deflated { 8 } else { 0 });
        let size = |n: usize| u32::try_from(n).unwrap();
        let claimed = entry.claims.unwrap_or(size(entry.content.len()));
        let local = entry.local_name.as_ref().unwrap_or(&entry.name);
        out.extend(b"PK\x03\x04");
        for number in [20, entry.flags, method, 0, 0] {
            out.extend(number.to_le_bytes());
        }
        out.extend([0; 12]);
        out.extend(u16::try_from(local.len()).unwrap().to_le_bytes());
        out.extend([0; 2]);
        out.extend(local);
        out.extend(&packed);
        out.extend(b"PK\x07\x08");
        for number in [crc, size(packed.len()), claimed] {
            out.extend(number.to_le_bytes());
        }
        directory.extend(b"PK\x01\x02");
        for number in [3 << 8 | 20, 20, entry.flags, method, 0, 0] {
            directory.extend(number.to_le_bytes());
        }
        for number in [crc, size(packed.len()), claimed] {
            directory.extend(number.to_le_bytes());
        }
        directory.extend(u16::try_from(entry.name.len()).unwrap().to_le_bytes());
        directory.extend([0; 8]);
        directory.extend((entry.mode << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(&entry.name);
    }
    let offset = u32::try_from(out.len()).unwrap();
    let length = u32::try_from(directory.len()).unwrap();
    let count = u16::try_from(entries.len()).unwrap();
    out.extend(directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend(length.to_le_bytes());
    out.extend(offset.to_le_bytes());
    out.extend([0; 2]);
    out
}

fn deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}
