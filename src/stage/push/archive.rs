//! A zip as it comes from outside, read without trusting it: the directory at its end, entry by entry.
//!
//! Nothing is allocated by a number that the file says, and no two entries of a name are one: of a library's index of
//! names only the last would be left.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use flate2::read::DeflateDecoder;

use super::PushError;

const END: [u8; 4] = *b"PK\x05\x06";
const END_64: [u8; 4] = *b"PK\x06\x06";
const LOCATOR_64: [u8; 4] = *b"PK\x06\x07";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const LOCAL: [u8; 4] = *b"PK\x03\x04";

/// Bytes of the record at the end, without its comment, and of a comment at most.
const END_BYTES: usize = 22;
const LONGEST_COMMENT: usize = 65_535;

/// A zip.
pub(super) struct Archive {
    file: Arc<File>,
    bytes: u64,
    /// Entries, as the end says.
    pub entries: u64,
    directory: (u64, u64),
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub name: Vec<u8>,
    pub kind: Kind,
    /// Bytes in the zip.
    pub packed: u64,
    /// Bytes that come out.
    pub bytes: u64,
    crc: u32,
    deflated: bool,
    offset: u64,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    /// A link, a device, a pipe, a socket.
    Other,
}

fn broken(what: &'static str) -> PushError {
    PushError::NoZip(what)
}

impl Archive {
    /// Finds the directory of a zip.
    pub fn open(file: File) -> Result<Self, PushError> {
        let bytes = file
            .metadata()
            .map_err(PushError::io("look at the upload"))?
            .len();
        let file = Arc::new(file);
        let (at, end) = find_end(&file, bytes)?;
        let short = |from| u16_at(&end, from).map(u64::from);
        let long = |from| u32_at(&end, from).map(u64::from);
        let (disk, entries) = (short(4)?, short(10)?);
        let (length, offset) = (long(12)?, long(16)?);
        let is_64 = entries == 0xFFFF || length == 0xFFFF_FFFF || offset == 0xFFFF_FFFF;
        let found = if is_64 { find_end_64(&file, at)? } else { None };
        let (entries, length, offset, ends_at) = found.unwrap_or((entries, length, offset, at));
        if disk != 0 && disk != 0xFFFF {
            return Err(broken("it is one of several parts"));
        }
        if offset.checked_add(length) != Some(ends_at) {
            return Err(broken("its directory is not where it should be"));
        }
        Ok(Self {
            file,
            bytes,
            entries,
            directory: (offset, length),
        })
    }

    /// Bytes of the whole.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The entries, in the order of the directory; more or fewer than were announced are an error.
    pub fn entries(&self) -> Entries {
        let (offset, length) = self.directory;
        Entries {
            from: BufReader::with_capacity(
                64 * 1024,
                Section {
                    file: self.file.clone(),
                    at: offset,
                    left: length,
                },
            ),
            left: self.entries,
            over: false,
        }
    }

    /// What is in an entry. Read to its end it is whole, or the last read says that it is not.
    pub fn read(&self, entry: &Entry) -> Result<Content, PushError> {
        let mut head = [0; 30];
        self.file
            .read_exact_at(&mut head, entry.offset)
            .map_err(|_| broken("an entry begins outside of it"))?;
        if head.get(..4) != Some(LOCAL.as_slice()) {
            return Err(broken("an entry does not begin where its directory says"));
        }
        let (name, extra) = (u16_at(&head, 26)?, u16_at(&head, 28)?);
        let mut there = vec![0; name.into()];
        self.file
            .read_exact_at(&mut there, entry.offset.saturating_add(30))
            .map_err(|_| broken("an entry ends outside of it"))?;
        if there != entry.name {
            return Err(broken(
                "an entry has one name in the directory and another where it is",
            ));
        }
        let at = entry
            .offset
            .saturating_add(30 + u64::from(name) + u64::from(extra));
        if at
            .checked_add(entry.packed)
            .is_none_or(|end| end > self.directory.0)
        {
            return Err(broken("an entry ends outside of it"));
        }
        let section = Section {
            file: self.file.clone(),
            at,
            left: entry.packed,
        };
        let from = BufReader::with_capacity(128 * 1024, section);
        Ok(Content {
            from: if entry.deflated {
                From::Deflated(Box::new(DeflateDecoder::new(from)))
            } else {
                From::Stored(from)
            },
            left: entry.bytes,
            crc: flate2::Crc::new(),
            expected: entry.crc,
        })
    }
}

/// What comes out of a zip, entry by entry, at most so many bytes of each: `None` where it says that it is not whole.
#[cfg(feature = "fuzzing")]
pub fn unzipped(file: File, most: u64) -> Option<Vec<Option<u64>>> {
    let archive = Archive::open(file).ok()?;
    let content = |entry: &Entry| {
        let content = archive.read(entry).ok()?;
        io::copy(&mut content.take(most), &mut io::sink()).ok()
    };
    let entries = archive.entries();
    Some(
        entries
            .map_while(Result::ok)
            .map(|entry| content(&entry).inspect(|read| assert!(*read <= entry.bytes)))
            .collect(),
    )
}

/// The record at the end: where it is, and its bytes.
fn find_end(file: &File, bytes: u64) -> Result<(u64, Vec<u8>), PushError> {
    let most = (END_BYTES + LONGEST_COMMENT) as u64;
    let from = bytes.saturating_sub(most);
    let mut tail = vec![0; usize::try_from(bytes - from).unwrap_or(0)];
    file.read_exact_at(&mut tail, from)
        .map_err(PushError::io("read the upload"))?;
    let ends = |at: &usize| {
        let record = tail.get(*at..).unwrap_or_default();
        let comment = u16_at(record, 20).ok().map(usize::from);
        record.starts_with(&END) && comment.is_some_and(|c| at + END_BYTES + c == tail.len())
    };
    let at = (0..tail.len().saturating_sub(END_BYTES - 1)).rev().find(ends);
    let at = at.ok_or(broken("it has no end of a zip"))?;
    Ok((from + at as u64, tail.split_off(at)))
}

/// Entries, length and offset of the directory and where it ends, as the larger record before the end says; `None` where
/// there is none.
fn find_end_64(file: &File, end: u64) -> Result<Option<(u64, u64, u64, u64)>, PushError> {
    let mut locator = [0; 20];
    let Some(at) = end.checked_sub(20) else {
        return Ok(None);
    };
    file.read_exact_at(&mut locator, at)
        .map_err(PushError::io("read the upload"))?;
    if !locator.starts_with(&LOCATOR_64) {
        return Ok(None);
    }
    let (at, mut record) = (u64_at(&locator, 8)?, [0; 56]);
    file.read_exact_at(&mut record, at)
        .map_err(|_| broken("its directory is not where it should be"))?;
    if !record.starts_with(&END_64) {
        return Err(broken("its directory is not where it should be"));
    }
    Ok(Some((
        u64_at(&record, 32)?,
        u64_at(&record, 40)?,
        u64_at(&record, 48)?,
        at,
    )))
}

/// A part of the file.
struct Section {
    file: Arc<File>,
    at: u64,
    left: u64,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let want = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self
            .file
            .read_at(buffer.get_mut(..want).unwrap_or_default(), self.at)?;
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

/// The entries of a zip.
pub(super) struct Entries {
    from: BufReader<Section>,
    left: u64,
    over: bool,
}

impl Entries {
    fn read_next(&mut self) -> Result<Entry, PushError> {
        let mut head = [0; 46];
        self.take(&mut head)?;
        if !head.starts_with(&CENTRAL) {
            return Err(broken("its directory is damaged"));
        }
        let short = |at| u16_at(&head, at);
        let (flags, method) = (short(8)?, short(10)?);
        let mut name = vec![0; short(28)?.into()];
        let (mut extra, mut comment) = (vec![0; short(30)?.into()], vec![0; short(32)?.into()]);
        self.take(&mut name)?;
        self.take(&mut extra)?;
        self.take(&mut comment)?;
        if flags & 1 != 0 {
            return Err(PushError::Encrypted);
        }
        if method != 0 && method != 8 {
            return Err(PushError::Method(method));
        }
        // What does not fit into 32 bits is in the extra field, in this order.
        let mut wide = extra_64(&extra);
        let mut widen = |at| -> Result<u64, PushError> {
            let said = u32_at(&head, at)?;
            if said != u32::MAX {
                return Ok(said.into());
            }
            let (first, rest) = wide
                .split_at_checked(8)
                .ok_or(broken("its directory is damaged"))?;
            wide = rest;
            u64_at(first, 0)
        };
        let (bytes, packed, offset) = (widen(24)?, widen(20)?, widen(42)?);
        if method == 0 && bytes != packed {
            return Err(broken("its directory is damaged"));
        }
        let mode = u32_at(&head, 38)? >> 16;
        let by_unix = head.get(5) == Some(&3);
        Ok(Entry {
            kind: kind(&name, if by_unix { mode } else { 0 }),
            name,
            packed,
            bytes,
            crc: u32_at(&head, 16)?,
            deflated: method == 8,
            offset,
        })
    }

    fn take(&mut self, buffer: &mut [u8]) -> Result<(), PushError> {
        self.from
            .read_exact(buffer)
            .map_err(|_| broken("its directory is cut off"))
    }
}

impl Iterator for Entries {
    type Item = Result<Entry, PushError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        if self.left == 0 {
            self.over = true;
            let more = self.from.buffer().len() as u64 + self.from.get_ref().left;
            return (more > 0).then(|| Err(broken("its directory has more than it says")));
        }
        self.left -= 1;
        let entry = self.read_next();
        self.over = entry.is_err();
        Some(entry)
    }
}

/// By the mode that a Unix gave it (`S_IFMT`), and by its name.
fn kind(name: &[u8], mode: u32) -> Kind {
    match mode & 0o170_000 {
        0 | 0o100_000 if name.ends_with(b"/") => Kind::Directory,
        0 | 0o100_000 => Kind::File,
        0o040_000 => Kind::Directory,
        _ => Kind::Other,
    }
}

/// The values of the extra field for large files (0x0001).
fn extra_64(mut extra: &[u8]) -> &[u8] {
    while let (Ok(id), Ok(length)) = (u16_at(extra, 0), u16_at(extra, 2)) {
        let Some(value) = extra.get(4..4 + usize::from(length)) else {
            break;
        };
        if id == 1 {
            return value;
        }
        extra = extra.get(4 + usize::from(length)..).unwrap_or_default();
    }
    &[]
}

enum From {
    Stored(BufReader<Section>),
    Deflated(Box<DeflateDecoder<BufReader<Section>>>),
}

/// What comes out of an entry: exactly as much as its directory says, of the sum it says.
pub(super) struct Content {
    from: From,
    left: u64,
    crc: flate2::Crc,
    expected: u32,
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = match &mut self.from {
            From::Stored(from) => from.read(buffer)?,
            From::Deflated(from) => from.read(buffer)?,
        };
        let damaged = |what| Err(io::Error::new(io::ErrorKind::InvalidData, what));
        if read as u64 > self.left {
            return damaged("more comes out than its directory says");
        }
        self.left -= read as u64;
        self.crc.update(buffer.get(..read).unwrap_or_default());
        if read == 0 && self.left > 0 {
            return damaged("less comes out than its directory says");
        }
        if read == 0 && self.crc.sum() != self.expected {
            return damaged("its sum is another than its directory says");
        }
        Ok(read)
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], PushError> {
    let piece = bytes.get(at..).and_then(|rest| rest.first_chunk());
    piece.copied().ok_or(broken("its directory is damaged"))
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, PushError> {
    Ok(u16::from_le_bytes(array(bytes, at)?))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, PushError> {
    Ok(u32::from_le_bytes(array(bytes, at)?))
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64, PushError> {
    Ok(u64::from_le_bytes(array(bytes, at)?))
}
