//! One object on its way from the socket to the disk.

use twox_hash::xxhash3_128;

use crate::dicom::header::{Found, Header, HeaderScanner};
use crate::dicom::part10::FileMeta;
use crate::dicom::transfer_syntax::Encoding;
use crate::dicom::upper_layer::Sink;
use crate::model::{JobId, Level};
use crate::store::Placed;

use super::file_name::{DataSetHash, file_name};
use super::object_file::ObjectFile;
use super::receiver::{Receiver, Unsettled};
use super::{StageError, io};

/// What the command and the presentation context say of an object.
#[derive(Clone, Debug)]
pub struct Object {
    /// SOP class, instance and transfer syntax.
    pub meta: FileMeta,
    /// How its data set is encoded.
    pub encoding: Encoding,
}

/// What became of a stored object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The set it is in.
    pub job: JobId,
    /// New, there already, or in place of another; `None` while the store has not said so.
    pub placed: Option<Placed>,
    /// Bytes of its data set.
    pub bytes: u64,
}

/// An object that is being received. Dropped before [`Incoming::commit`], it leaves nothing behind.
pub struct Incoming<'a> {
    receiver: &'a mut Receiver,
    object: Object,
    file: ObjectFile,
    hash: xxhash3_128::Hasher,
    scanner: HeaderScanner,
    announced: bool,
    bytes: u64,
    /// The first thing that went wrong; told at commit, so that the data set can be read to its end.
    failed: Option<StageError>,
}

impl<'a> Incoming<'a> {
    pub(super) fn new(receiver: &'a mut Receiver, file: ObjectFile, object: Object) -> Self {
        Self {
            receiver,
            scanner: HeaderScanner::new(object.encoding),
            object,
            file,
            hash: xxhash3_128::Hasher::new(),
            announced: false,
            bytes: 0,
            failed: None,
        }
    }

    /// A set that is already open learns early that more of it is under way: it will not close meanwhile.
    fn announce(&self) {
        if let Ok(header) = self.scanner.found().header() {
            let group = group_key(&header, self.receiver.stream.complete.level);
            self.receiver.carries(&group);
        }
    }

    /// What of its header was read so far, also of an object that will be refused.
    #[must_use]
    pub const fn found(&self) -> &Found {
        self.scanner.found()
    }

    /// Ends the object: when this answers `Ok`, it is on disk as its durability promises. Its row follows when the caller
    /// calls [`Receiver::settle`] behind its answer.
    ///
    /// # Errors
    /// [`StageError`]: nothing of it is left.
    pub fn commit(mut self) -> Result<Stored, StageError> {
        if let Some(failed) = self.failed.take() {
            return Err(failed);
        }
        let scanner = std::mem::replace(&mut self.scanner, HeaderScanner::new(self.object.encoding));
        let header = scanner.finish()?;
        check(&header, &self.object.meta)?;
        let hash: DataSetHash = self.hash.finish_128().to_be_bytes();
        let unsettled = Unsettled {
            name: file_name(&header.sop_instance_uid, &hash),
            group_key: group_key(&header, self.receiver.stream.complete.level),
            transfer_syntax_uid: self.object.meta.transfer_syntax_uid,
            header,
            hash,
            bytes: self.bytes,
            file: self.file,
        };
        self.receiver.place(unsettled)
    }
}

impl Sink for Incoming<'_> {
    fn room(&mut self, most: usize) -> &mut [u8] {
        if self.failed.is_some() {
            return &mut [];
        }
        match self.file.room(most) {
            Ok(room) => room,
            Err(error) => {
                self.failed = Some(io("write an object")(error));
                &mut []
            }
        }
    }

    fn filled(&mut self, bytes: usize) {
        let data = self.file.filled(bytes);
        self.bytes += data.len() as u64;
        self.hash.write(data);
        self.scanner.push(data);
        if let Some(error) = self.scanner.failed() {
            // It will be refused: no more of it needs to be on the disk.
            self.failed = Some(error.into());
        }
        if !self.announced && self.scanner.is_identified() {
            self.announced = true;
            self.announce();
        }
    }

    /// What goes wrong is told by [`Incoming::commit`].
    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.failed.is_none() {
            let room = self.room(bytes.len());
            let (now, later) = bytes.split_at(room.len().min(bytes.len()));
            if let Some(room) = room.get_mut(..now.len()) {
                room.copy_from_slice(now);
            }
            self.filled(now.len());
            bytes = later;
        }
    }
}

fn check(header: &Header, meta: &FileMeta) -> Result<(), StageError> {
    if header.sop_class_uid != meta.sop_class_uid {
        return Err(StageError::Mismatch {
            attribute: "SOP Class UID (0008,0016)",
        });
    }
    if header.sop_instance_uid != meta.sop_instance_uid {
        return Err(StageError::Mismatch {
            attribute: "SOP Instance UID (0008,0018)",
        });
    }
    Ok(())
}

/// What an object has in common with the others of its set. A patient's ID is hashed: keys are shown in errors.
pub(super) fn group_key(header: &Header, level: Level) -> String {
    match level {
        Level::Study => header.study_instance_uid.to_string(),
        Level::Series => header.series_instance_uid.to_string(),
        Level::Patient if header.patient_id.is_empty() => header.study_instance_uid.to_string(),
        Level::Patient => patient_key(&header.patient_id),
    }
}

fn patient_key(patient_id: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    use std::fmt::Write as _;
    let mut key = "patient-".to_owned();
    for byte in Sha256::digest(patient_id) {
        let _ = write!(key, "{byte:02x}");
    }
    key
}
