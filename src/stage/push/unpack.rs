//! The files of a zip become the files of a set.
//!
//! Each runs into a `*.part` first: only at its end is it known whether it is an object, and of which hash. Cut off
//! anywhere, what is there belongs to a set without a row, which the next start removes.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use twox_hash::xxhash3_128;

use crate::dicom::header::{Header, HeaderScanner};
use crate::dicom::part10::{self, FileMeta};
use crate::dicom::transfer_syntax;
use crate::files;
use crate::store::NewInstance;

use super::super::file_name::file_name;
use super::super::receiver::same_bytes;
use super::archive::{Archive, Content, Entry, Kind};
use super::name::EntryName;
use super::{Limits, PushError};

/// Read at once; the head of an object has to be in it.
const PIECE: usize = 128 * 1024;

/// Bytes between two looks at the disk.
const LOOK: u64 = 64 << 20;

/// What came out of a zip.
#[derive(Default)]
pub(super) struct Unpacked {
    /// Objects, in the order of the zip.
    pub instances: Vec<NewInstance>,
    /// Study Instance UID of the first.
    pub study: Option<String>,
    /// Patient ID of the first object, for the audit trail.
    pub patient_id: String,
    /// Files that are no objects.
    pub others: u64,
}

/// Where and how it is unpacked.
pub(super) struct Unpacker<'a> {
    /// The directory of the set.
    pub set: &'a Path,
    /// The one of files that are no objects.
    pub others: &'a Path,
    pub limits: &'a Limits,
    /// Bytes that the disks may take.
    pub room: &'a dyn Fn() -> u64,
    /// Whether each file is synced.
    pub synced: bool,
}

/// What an entry turned out to be.
struct Written {
    hash: [u8; 16],
    bytes: u64,
    object: Option<(FileMeta, Header)>,
}

/// The books of one run.
struct Run<'a> {
    with: &'a Unpacker<'a>,
    seen: HashSet<u128>,
    /// First parts of the names of files that are no objects.
    tops: HashSet<String>,
    directories: BTreeSet<PathBuf>,
    objects: HashSet<(String, [u8; 16])>,
    out: Unpacked,
    bytes: u64,
    allowed: u64,
    until_look: u64,
}

/// A name for an answer: quoted, and no longer than people read.
fn shown(name: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(name).chars().take(80).collect();
    format!("{text:?}")
}

impl Unpacker<'_> {
    /// Unpacks everything; what is refused leaves its files to the caller.
    pub fn unpack(&self, archive: &Archive) -> Result<Unpacked, PushError> {
        let limits = self.limits;
        if archive.entries > limits.entries {
            return Err(PushError::TooMany { most: limits.entries });
        }
        // By what the directory says it is refused before anything is written; by what comes out, below.
        let mut run = Run {
            with: self,
            seen: HashSet::new(),
            tops: HashSet::new(),
            directories: BTreeSet::new(),
            objects: HashSet::new(),
            out: Unpacked::default(),
            bytes: 0,
            allowed: archive
                .bytes()
                .saturating_mul(limits.ratio)
                .max(limits.unsuspected),
            until_look: 0,
        };
        run.judge(archive)?;
        files::make_directory(self.set).map_err(PushError::io("make the directory of a set"))?;
        for entry in archive.entries() {
            let entry = entry?;
            if entry.kind == Kind::File {
                run.file(archive, &entry)?;
            }
        }
        run.finish()
    }
}

impl Run<'_> {
    /// Looks at every entry before anything is unpacked.
    fn judge(&mut self, archive: &Archive) -> Result<(), PushError> {
        let (mut bytes, mut files) = (0_u64, 0_u64);
        for entry in archive.entries() {
            let entry = entry?;
            let name = entry.name.strip_suffix(b"/").unwrap_or(&entry.name);
            let entry_name = || shown(&entry.name);
            let checked = EntryName::parse(name).map_err(|why| PushError::Name {
                entry: entry_name(),
                why,
            })?;
            if entry.kind == Kind::Other {
                return Err(PushError::Kind { entry: entry_name() });
            }
            if !self
                .seen
                .insert(xxhash3_128::Hasher::oneshot(checked.as_str().as_bytes()))
            {
                return Err(PushError::Duplicate { entry: entry_name() });
            }
            files += u64::from(entry.kind == Kind::File);
            bytes = bytes.saturating_add(entry.bytes);
            self.may_become(bytes)?;
        }
        if files == 0 {
            return Err(PushError::Empty);
        }
        let room = (self.with.room)();
        if bytes > room {
            return Err(PushError::NoRoom { bytes, room });
        }
        Ok(())
    }

    fn may_become(&self, bytes: u64) -> Result<(), PushError> {
        let limits = self.with.limits;
        if bytes > limits.expanded {
            return Err(PushError::TooLarge {
                limit: limits.expanded,
            });
        }
        if bytes > self.allowed {
            return Err(PushError::Ratio { most: limits.ratio });
        }
        Ok(())
    }

    fn file(&mut self, archive: &Archive, entry: &Entry) -> Result<(), PushError> {
        let name = EntryName::parse(&entry.name).map_err(|why| PushError::Name {
            entry: shown(&entry.name),
            why,
        })?;
        let part = self
            .with
            .set
            .join(format!("{}.part", self.objects.len() as u64 + self.out.others));
        let content = archive.read(entry)?;
        let written = self.write(&part, content, entry)?;
        match written.object {
            Some((meta, header)) => self.object(&part, &meta, header, (written.hash, written.bytes)),
            None => self.other(&part, &name, entry),
        }
    }

    fn write(&mut self, part: &Path, mut content: Content, entry: &Entry) -> Result<Written, PushError> {
        let disk = || PushError::io("write a pushed file");
        let mut file = File::create(part).map_err(disk())?;
        let mut buffer = vec![0; PIECE];
        let first = self.fill(&mut content, &mut buffer, entry)?;
        let head = buffer.get(..first).unwrap_or_default();
        let head = part10::parse_head(head).and_then(|(meta, at)| {
            let encoding = transfer_syntax::encoding(meta.transfer_syntax_uid.as_str())?;
            Some((meta, HeaderScanner::new(encoding), usize::try_from(at).ok()?))
        });
        let (mut meta, mut scanner, mut skip) = (None, None, 0);
        if let Some((found, scans, at)) = head {
            (meta, scanner, skip) = (Some(found), Some(scans), at);
        }
        let (mut hash, mut bytes, mut filled) = (xxhash3_128::Hasher::new(), 0_u64, first);
        while filled > 0 {
            let piece = buffer.get(..filled).unwrap_or_default();
            file.write_all(piece).map_err(disk())?;
            let data = piece.get(skip..).unwrap_or_default();
            skip = 0;
            hash.write(data);
            bytes += data.len() as u64;
            if let Some(scanner) = &mut scanner {
                scanner.push(data);
            }
            filled = self.fill(&mut content, &mut buffer, entry)?;
        }
        if self.with.synced {
            file.sync_all().map_err(PushError::io("sync a pushed file"))?;
        }
        Ok(Written {
            hash: hash.finish_128().to_be_bytes(),
            bytes,
            object: meta.zip(scanner.and_then(|s| s.finish().ok())),
        })
    }

    /// As much as fits, or all that is left.
    fn fill(&mut self, content: &mut Content, buffer: &mut [u8], entry: &Entry) -> Result<usize, PushError> {
        let mut filled = 0;
        while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
            match content.read(room) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) => return Err(damaged(&entry.name, error)),
            }
        }
        self.bytes = self.bytes.saturating_add(filled as u64);
        self.may_become(self.bytes)?;
        self.until_look = self.until_look.saturating_sub(filled as u64);
        if self.until_look == 0 {
            self.until_look = LOOK;
            let room = (self.with.room)();
            if room < LOOK.min(entry.bytes) {
                return Err(PushError::NoRoom {
                    bytes: entry.bytes,
                    room,
                });
            }
        }
        Ok(filled)
    }

    /// An object of the set, as a received one: its name tells its hash.
    fn object(
        &mut self,
        part: &Path,
        meta: &FileMeta,
        header: Header,
        (mut hash, bytes): ([u8; 16], u64),
    ) -> Result<(), PushError> {
        let uid = header.sop_instance_uid.to_string();
        if self.objects.contains(&(uid.clone(), hash)) {
            let before = |i: &&NewInstance| i.sop_instance_uid == header.sop_instance_uid && i.hash == hash;
            let same = self
                .out
                .instances
                .iter()
                .find(before)
                .is_none_or(|other| same_bytes(part, &self.with.set.join(&other.file)).unwrap_or(false));
            if same {
                return files::remove_file(part).map_err(PushError::io("remove a pushed file"));
            }
            // Other bytes under one hash: nobody's accident. Both are kept, this one under a hash of its own.
            hash = uuid::Uuid::new_v4().into_bytes();
        }
        self.objects.insert((uid, hash));
        let name = file_name(&header.sop_instance_uid, &hash);
        fs::rename(part, self.with.set.join(&name)).map_err(PushError::io("name a pushed file"))?;
        if self.out.study.is_none() {
            self.out.patient_id = header.patient_id_text();
        }
        self.out
            .study
            .get_or_insert_with(|| header.study_instance_uid.to_string());
        self.out.instances.push(NewInstance {
            sop_instance_uid: header.sop_instance_uid,
            sop_class_uid: header.sop_class_uid,
            transfer_syntax_uid: meta.transfer_syntax_uid.clone(),
            series_instance_uid: header.series_instance_uid,
            file: name,
            bytes,
            hash,
        });
        Ok(())
    }

    /// A file that is no object, or one that cannot be understood: it keeps its name.
    fn other(&mut self, part: &Path, name: &EntryName, entry: &Entry) -> Result<(), PushError> {
        let path = self.with.others.join(name.as_str());
        let clash = |error: io::Error| match error.kind() {
            // A file and a directory of one name.
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists | ErrorKind::IsADirectory => {
                PushError::Duplicate {
                    entry: shown(&entry.name),
                }
            }
            _ => PushError::io("name a pushed file")(error),
        };
        let above = path.parent().unwrap_or(self.with.others);
        files::make_directory(above).map_err(clash)?;
        // A rename would take the place of what is there.
        fs::hard_link(part, &path).map_err(clash)?;
        files::remove_file(part).map_err(PushError::io("name a pushed file"))?;
        self.directories.insert(above.to_owned());
        let top = name.as_str().split('/').next().unwrap_or_default();
        self.tops.insert(top.to_owned());
        self.out.others += 1;
        Ok(())
    }

    /// Makes the names last, once no two files would be one in INPUT.
    fn finish(self) -> Result<Unpacked, PushError> {
        for instance in &self.out.instances {
            let laid_out = format!("{}.dcm", instance.sop_instance_uid);
            if self.tops.contains(&laid_out) {
                return Err(PushError::Duplicate {
                    entry: shown(laid_out.as_bytes()),
                });
            }
        }
        for directory in self
            .directories
            .iter()
            .map(PathBuf::as_path)
            .chain([self.with.set])
        {
            files::sync_directory(directory).map_err(PushError::io("sync the directory of a set"))?;
        }
        Ok(self.out)
    }
}

/// What is wrong with the entry is the sender's, what is wrong with the disk ours.
fn damaged(name: &[u8], error: io::Error) -> PushError {
    match error.kind() {
        ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof => PushError::Damaged {
            entry: shown(name),
            why: error.to_string(),
        },
        _ => PushError::io("read the upload")(error),
    }
}
