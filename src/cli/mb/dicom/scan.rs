//! Which files of a directory are DICOM, and of what kind.

use std::fs::File;
use std::io::{self, Read};

use super::bare;
use crate::cli::mb::ending::warn;
use crate::cli::mb::push::directory::{Directory, Entry};
use crate::dicom::part10::{self, FileMeta};
use crate::dicom::scu::Outgoing;

/// What is read of a file first, in bytes: nearly every head lies within.
const FIRST: u64 = 4 * 1024;

/// The longest head, in bytes.
const LONGEST_HEAD: u64 = 64 * 1024;

/// A file to be stored.
#[derive(Debug)]
pub(super) struct Object {
    /// As people know it.
    pub shown: String,
    /// Its bytes.
    pub size: u64,
    /// What the command says of it.
    pub outgoing: Outgoing,
    /// Where its data set begins.
    pub offset: u64,
    entry: Entry,
}

impl Object {
    /// Opens the file.
    ///
    /// # Errors
    /// What the disk says.
    pub fn open(&self) -> io::Result<File> {
        self.entry.open()
    }
}

/// What a directory has.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// To be stored, in order.
    pub objects: Vec<Object>,
    other: usize,
    unreadable: Vec<String>,
}

/// Looks at the beginning of every file.
pub(super) fn scan(directory: &Directory) -> Scan {
    let mut scan = Scan::default();
    for entry in &directory.entries {
        match head(entry) {
            Ok(Some((meta, offset))) => scan.objects.push(Object {
                shown: entry.shown.clone(),
                size: entry.size,
                outgoing: Outgoing {
                    path: entry.path.clone(),
                    sop_class_uid: meta.sop_class_uid,
                    sop_instance_uid: meta.sop_instance_uid,
                    transfer_syntax_uid: meta.transfer_syntax_uid,
                },
                offset,
                entry: entry.clone(),
            }),
            Ok(None) => scan.other += 1,
            Err(error) => scan.unreadable.push(format!("{}: {error}", entry.shown)),
        }
    }
    scan
}

impl Scan {
    /// Bytes of all of them.
    pub fn bytes(&self) -> u64 {
        self.objects.iter().map(|object| object.size).sum()
    }

    /// Says what is not sent.
    pub fn say(&self) {
        if self.other > 0 {
            let files = if self.other == 1 {
                "file that is"
            } else {
                "files that are"
            };
            warn(&format!("not sent: {} {files} no DICOM", self.other));
        }
        for file in &self.unreadable {
            warn(&format!("not sent: {file}"));
        }
    }
}

/// The kind of a file, and where its data set begins.
fn head(entry: &Entry) -> io::Result<Option<(FileMeta, u64)>> {
    let mut file = entry.open()?;
    let mut bytes = Vec::new();
    (&mut file).take(FIRST).read_to_end(&mut bytes)?;
    // A head that reaches the end of what was read may go on behind it.
    if let Some((meta, offset)) = part10::parse_head(&bytes)
        && (offset + 12 <= bytes.len() as u64 || (bytes.len() as u64) < FIRST)
    {
        return Ok(Some((meta, offset)));
    }
    file.take(LONGEST_HEAD - FIRST).read_to_end(&mut bytes)?;
    if bytes.get(128..132) == Some(b"DICM".as_slice()) {
        return Ok(part10::parse_head(&bytes));
    }
    Ok(bare::parse(&bytes).map(|meta| (meta, 0)))
}
