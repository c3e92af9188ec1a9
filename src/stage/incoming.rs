//! One object on its way from the socket to the disk.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

use crate::dicom::header::{Header, HeaderScanner};
use crate::dicom::part10::{self, FileMeta};
use crate::dicom::transfer_syntax::Encoding;
use crate::files;
use crate::model::{JobId, Level, Origin, Place, Stream, Timestamp};
use crate::store::{NewInstance, NewJob, Placed};

use super::{Stage, StageError, io};

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
    /// New, there already, or in place of another.
    pub placed: Placed,
    /// Bytes of its data set.
    pub bytes: u64,
}

/// An object that is being received. Dropped before [`Incoming::commit`], it leaves nothing behind.
pub struct Incoming {
    stage: Stage,
    stream: Stream,
    origin: Origin,
    object: Object,
    /// `<SOP Instance UID>-<128 random bits>.dcm`: two versions of one object, or two senders of it, never meet.
    name: String,
    part: Part,
    hash: blake3::Hasher,
    scanner: HeaderScanner,
    announced: bool,
    bytes: u64,
    /// The first thing that went wrong; told at commit, so that the data set can be read to its end.
    failed: Option<StageError>,
}

/// The object's file, `*.part` first, then in its set; removed unless it is kept.
struct Part {
    file: File,
    path: PathBuf,
    /// It belongs to a set.
    kept: bool,
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = files::remove_file(&self.path)
        {
            tracing::error!(%error, "remove an unfinished object; the next start does it");
        }
    }
}

impl Incoming {
    pub(super) fn begin(
        stage: Stage,
        stream: Stream,
        origin: Origin,
        object: Object,
        number: u64,
    ) -> Result<Self, StageError> {
        let directory = stage.layout.path(Place::Parts(&stream.ae_title));
        let path = directory.join(format!("{}-{number}.part", origin.association));
        let file = match File::create(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                files::make_directory(&directory).map_err(io("make the directory of arriving objects"))?;
                File::create(&path)
            }
            other => other,
        };
        let file = file.map_err(io("make the file of an object"))?;
        let mut part = Part {
            file,
            path,
            kept: false,
        };
        let head = part10::head(&object.meta, Some(&origin.calling.0))?;
        part.file.write_all(&head).map_err(io("write an object"))?;
        let scanner = HeaderScanner::new(object.encoding);
        let name = format!(
            "{}-{}.dcm",
            object.meta.sop_instance_uid,
            uuid::Uuid::new_v4().simple()
        );
        Ok(Self {
            name,
            stage,
            stream,
            origin,
            object,
            part,
            hash: blake3::Hasher::new(),
            scanner,
            announced: false,
            bytes: 0,
            failed: None,
        })
    }

    /// Takes the next bytes of the data set. What goes wrong is told by [`Incoming::commit`].
    pub fn write(&mut self, data: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        self.bytes += data.len() as u64;
        self.hash.update(data);
        self.scanner.push(data);
        if let Some(error) = self.scanner.failed() {
            // It will be refused: no more of it needs to be on the disk.
            self.failed = Some(error.into());
        } else if let Err(error) = self.part.file.write_all(data) {
            self.failed = Some(io("write an object")(error));
        }
        if !self.announced && self.scanner.is_over() {
            self.announced = true;
            self.announce();
        }
    }

    /// A set that is already open learns early that more of it is under way: it will not close meanwhile.
    fn announce(&self) {
        if let Ok(header) = self.scanner.found().header()
            && let Some(job) = self.stage.open_sets.known(
                &self.stream.ae_title,
                &group_key(&header, self.stream.complete.level),
            )
        {
            self.stage.completion.carries(&job, self.origin.association);
        }
    }

    /// Ends the object: when this answers `Ok`, it is on disk and in the store.
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
        self.part.file.sync_data().map_err(io("sync an object"))?;
        let group_key = group_key(&header, self.stream.complete.level);
        let hash = *self.hash.finalize().as_bytes();
        let mut job = self.stage.open_sets.name(&self.stream.ae_title, &group_key);
        loop {
            self.rename_into(&job)?;
            match self.place(&job, &group_key, &header, hash)? {
                // Frozen between our two steps: the file goes on to the next set.
                Placed::Closed => {
                    self.stage.open_sets.forget(&job);
                    job = self.stage.open_sets.name(&self.stream.ae_title, &group_key);
                }
                Placed::Elsewhere(open) => {
                    self.stage
                        .open_sets
                        .learn(&self.stream.ae_title, &group_key, open.clone());
                    job = open;
                }
                Placed::NoBucket => {
                    self.stage.open_sets.forget(&job);
                    return Err(StageError::NoBucket);
                }
                placed @ (Placed::Stored | Placed::Duplicate | Placed::Replaced) => {
                    // Of the same bytes one file is enough; ours goes when it is dropped.
                    self.part.kept = placed != Placed::Duplicate;
                    self.stage
                        .completion
                        .touch(&job, self.origin.association, &self.stream.complete);
                    return Ok(Stored {
                        job,
                        placed,
                        bytes: self.bytes,
                    });
                }
            }
        }
    }

    /// Moves the file into a set's directory, under a name nobody else has: no object ever takes another's place.
    fn rename_into(&mut self, job: &JobId) -> Result<(), StageError> {
        let set = self.stage.layout.path(Place::Set(&self.stream.ae_title, job));
        files::make_directory(&set).map_err(io("make the directory of a set"))?;
        let target = set.join(&self.name);
        fs::rename(&self.part.path, &target).map_err(io("rename an object"))?;
        self.part.path = target;
        files::sync_directory(&set).map_err(io("sync the directory of a set"))
    }

    /// The row; with it the file belongs to the set.
    fn place(
        &mut self,
        job: &JobId,
        group_key: &str,
        header: &Header,
        hash: [u8; 32],
    ) -> Result<Placed, StageError> {
        let set = NewJob {
            stream: self.stream.ae_title.clone(),
            group_key: group_key.to_owned(),
            calling_ae_title: self.origin.calling.0.to_string(),
            caller_address: self.origin.address.to_string(),
            study_instance_uid: header.study_instance_uid.to_string(),
        };
        let new = NewInstance {
            sop_instance_uid: header.sop_instance_uid.clone(),
            sop_class_uid: header.sop_class_uid.clone(),
            transfer_syntax_uid: self.object.meta.transfer_syntax_uid.clone(),
            series_instance_uid: header.series_instance_uid.clone(),
            file: self.name.clone(),
            bytes: self.bytes,
            hash,
        };
        let answer = self.stage.store.place(job, set, new, Timestamp::now()).wait();
        // A store in trouble may have kept the row although it said otherwise: the file stays for it.
        self.part.kept = answer.is_err();
        Ok(answer?)
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
fn group_key(header: &Header, level: Level) -> String {
    match level {
        Level::Study => header.study_instance_uid.to_string(),
        Level::Series => header.series_instance_uid.to_string(),
        Level::Patient if header.patient_id.is_empty() => header.study_instance_uid.to_string(),
        Level::Patient => patient_key(&header.patient_id),
    }
}

fn patient_key(patient_id: &[u8]) -> String {
    format!("patient-{}", blake3::hash(patient_id).to_hex())
}
