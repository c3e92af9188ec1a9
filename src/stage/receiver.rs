//! What one association stores, from its first object to its last.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::Ordering;

use crate::dicom::header::Header;
use crate::files;
use crate::model::{Durability, JobId, Origin, Place, Stream, Timestamp, Uid};
use crate::store::{NewInstance, NewJob, Pending, Placed};

use super::file_name::DataSetHash;
use super::incoming::{Incoming, Object, Stored};
use super::object_file::{Gathering, ObjectFile};
use super::{Stage, StageError, io};

/// The receiving end of an association; its objects come one after another.
pub struct Receiver {
    stage: Stage,
    pub(super) stream: Stream,
    pub(super) origin: Origin,
    set: Option<SetDirectory>,
    later: Option<Later>,
    gathering: Gathering,
}

/// The directory that the last object went to: the next one mostly goes there too.
struct SetDirectory {
    job: JobId,
    handle: File,
}

/// A whole object that has no row yet.
pub(super) struct Unsettled {
    pub file: ObjectFile,
    pub name: String,
    pub group_key: String,
    pub header: Header,
    pub transfer_syntax_uid: Uid,
    pub hash: DataSetHash,
    pub bytes: u64,
}

/// An object whose row is on its way.
struct Later {
    object: Unsettled,
    job: JobId,
    placed: Pending<Placed>,
}

impl Receiver {
    pub(super) fn new(stage: Stage, stream: Stream, origin: Origin) -> Self {
        Self {
            stage,
            stream,
            origin,
            set: None,
            later: None,
            gathering: Gathering::default(),
        }
    }

    pub(super) const fn durability(&self) -> Durability {
        self.stage.storage.durability
    }

    /// Begins to receive an object.
    ///
    /// # Errors
    /// [`StageError::NoRoom`] when the disk is full but for its reserve, [`StageError::Io`] when the file cannot be made.
    pub fn begin(&mut self, object: Object) -> Result<Incoming<'_>, StageError> {
        self.settle();
        if !self.stage.has_room() {
            return Err(StageError::NoRoom);
        }
        let number = self.stage.parts.fetch_add(1, Ordering::Relaxed);
        let directory = self.stage.layout.path(Place::Parts(&self.stream.ae_title));
        let name = format!("{}-{number}", self.origin.association);
        let file = ObjectFile::create(&directory, &name, std::mem::take(&mut self.gathering))
            .map_err(io("make the file of an object"))?;
        Incoming::begin(self, file, object)
    }

    /// A set that is open hears that more of it is under way.
    pub(super) fn carries(&self, group_key: &str) {
        if let Some(job) = self.stage.open_sets.known(&self.stream.ae_title, group_key) {
            self.stage.completion.carries(&job, self.origin.association);
        }
    }

    /// Puts an object into its set and into the store, so that it lasts.
    pub(super) fn place(&mut self, mut object: Unsettled) -> Result<Stored, StageError> {
        self.gathering = object.file.gathering();
        let mut job = self
            .stage
            .open_sets
            .name(&self.stream.ae_title, &object.group_key);
        loop {
            self.move_to_set(&mut object, &job)?;
            self.sync(&object)?;
            let placed = self.submit(&object, &job).wait();
            // A store in trouble may have kept the row although it said otherwise: the file stays for it.
            object.file.keep(placed.is_err());
            match self.settled(&mut object, &job, placed?)? {
                Ok(stored) => return Ok(stored),
                Err(other) => job = other,
            }
        }
    }

    /// Puts an object into its set and its row on its way; the first object of a set waits for its row.
    pub(super) fn place_later(&mut self, mut object: Unsettled) -> Result<Stored, StageError> {
        let (title, group) = (&self.stream.ae_title, &object.group_key);
        let job = self.stage.open_sets.name(title, group);
        if !self.stage.open_sets.is_confirmed(title, group, &job) {
            return self.place(object);
        }
        self.gathering = object.file.gathering();
        self.move_to_set(&mut object, &job)?;
        let placed = self.submit(&object, &job);
        // It counts as stored: from here on only the store's word removes it.
        object.file.keep(true);
        let stored = Stored {
            job: job.clone(),
            placed: None,
            bytes: object.bytes,
        };
        self.later = Some(Later { object, job, placed });
        Ok(stored)
    }

    /// Waits for the row that is on its way, if there is one. Called behind the answer, while the peer prepares its next
    /// object.
    pub fn settle(&mut self) {
        let Some(Later {
            mut object,
            job,
            placed,
        }) = self.later.take()
        else {
            return;
        };
        let result = match placed.wait() {
            Ok(placed) => match self.settled(&mut object, &job, placed) {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(_)) => self.place(object).map(|_| ()),
                Err(error) => Err(error),
            },
            Err(error) => Err(error.into()),
        };
        if let Err(error) = result {
            tracing::error!(%error, job.id = %job, "an object that was answered has no row; the next start takes it in");
        }
    }

    /// Acts on the store's word; `Err` inside names the set to try instead.
    fn settled(
        &mut self,
        object: &mut Unsettled,
        job: &JobId,
        placed: Placed,
    ) -> Result<Result<Stored, JobId>, StageError> {
        let (title, group) = (&self.stream.ae_title, &object.group_key);
        match placed {
            // Frozen between our two steps: the file goes on to the next set.
            Placed::Closed => {
                self.stage.open_sets.forget(job);
                Ok(Err(self.stage.open_sets.name(title, group)))
            }
            Placed::Elsewhere(open) => {
                self.stage.open_sets.learn(title, group, open.clone());
                Ok(Err(open))
            }
            Placed::NoBucket => {
                self.stage.open_sets.forget(job);
                object.file.keep(false);
                Err(StageError::NoBucket)
            }
            Placed::Stored | Placed::Duplicate(_) | Placed::Replaced => {
                self.stage.open_sets.confirm(title, group, job);
                object.file.keep(!matches!(placed, Placed::Duplicate(_)));
                if let Placed::Duplicate(other) = &placed {
                    self.compare(object, job, other)?;
                }
                self.stage
                    .completion
                    .touch(job, self.origin.association, &self.stream.complete);
                Ok(Ok(Stored {
                    job: job.clone(),
                    placed: Some(placed),
                    bytes: object.bytes,
                }))
            }
        }
    }

    /// Of the same bytes one file is enough. That they are the same is not left to a hash.
    fn compare(&self, object: &Unsettled, job: &JobId, other: &str) -> Result<(), StageError> {
        let other = self
            .stage
            .layout
            .path(Place::Set(&self.stream.ae_title, job))
            .join(other);
        // Both are whole files that nobody writes to any more.
        let same = same_bytes(object.file.path(), &other)
            .map_err(io("compare an object with the one that is there"))?;
        if same { Ok(()) } else { Err(StageError::Collision) }
    }

    /// Moves the file into a set's directory, which is made when this is the set's first object.
    fn move_to_set(&mut self, object: &mut Unsettled, job: &JobId) -> Result<(), StageError> {
        let path = self.stage.layout.path(Place::Set(&self.stream.ae_title, job));
        if self.set.as_ref().is_none_or(|set| set.job != *job) {
            match self.durability() {
                Durability::Instance => files::make_directory(&path),
                Durability::None => fs::create_dir_all(&path),
            }
            .map_err(io("make the directory of a set"))?;
            let handle = File::open(&path).map_err(io("open the directory of a set"))?;
            self.set = Some(SetDirectory {
                job: job.clone(),
                handle,
            });
        }
        object
            .file
            .move_to(path.join(&object.name))
            .map_err(io("rename an object"))
    }

    /// Content first, then the name: on a journaling file system the second finds everything done.
    fn sync(&self, object: &Unsettled) -> Result<(), StageError> {
        if self.durability() == Durability::None {
            return Ok(());
        }
        object.file.sync().map_err(io("sync an object"))?;
        match &self.set {
            Some(set) => set.handle.sync_all().map_err(io("sync the directory of a set")),
            None => Ok(()),
        }
    }

    /// The row; with it the file belongs to the set.
    fn submit(&self, object: &Unsettled, job: &JobId) -> Pending<Placed> {
        let title = &self.stream.ae_title;
        let set = NewJob {
            stream: title.clone(),
            group_key: object.group_key.clone(),
            calling_ae_title: self.origin.calling.0.to_string(),
            caller_address: self.origin.address.to_string(),
            study_instance_uid: object.header.study_instance_uid.to_string(),
        };
        let known = self.stage.open_sets.is_confirmed(title, &object.group_key, job);
        let wait = !known && self.durability() == Durability::Instance;
        let new = new_instance(object);
        self.stage.store.place(job, set, new, Timestamp::now(), wait)
    }
}

fn new_instance(object: &Unsettled) -> NewInstance {
    NewInstance {
        sop_instance_uid: object.header.sop_instance_uid.clone(),
        sop_class_uid: object.header.sop_class_uid.clone(),
        transfer_syntax_uid: object.transfer_syntax_uid.clone(),
        series_instance_uid: object.header.series_instance_uid.clone(),
        file: object.name.clone(),
        bytes: object.bytes,
        hash: object.hash,
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.settle();
    }
}

/// Whether two Part 10 files have the same data set: their heads differ by who sent them.
fn same_bytes(one: &Path, other: &Path) -> io::Result<bool> {
    let [mut one, mut other] = [data_set(one)?, data_set(other)?];
    let (mut a, mut b) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        let read = one.read(&mut a)?;
        if read == 0 {
            return Ok(other.read(&mut b)? == 0);
        }
        let (Some(a), Some(b)) = (a.get(..read), b.get_mut(..read)) else {
            return Ok(false);
        };
        match other.read_exact(b) {
            Ok(()) if a == b => {}
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error),
            _ => return Ok(false),
        }
    }
}

fn data_set(path: &Path) -> io::Result<File> {
    let no_head = || io::Error::new(io::ErrorKind::InvalidData, "a stored object without its head");
    let (_, offset) = crate::dicom::part10::read_head(path)?.ok_or_else(no_head)?;
    let mut file = File::open(path)?;
    io::Seek::seek(&mut file, io::SeekFrom::Start(offset))?;
    Ok(file)
}
