//! What one association stores, from its first object to its last.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::Ordering;

use crate::dicom::header::Header;
use crate::dicom::part10;
use crate::files;
use crate::model::{Durability, JobId, Origin, Place, Stream, Timestamp, Uid};
use crate::store::{NewInstance, NewJob, Pending, Placed, ReceiptMark, StoreError, When};

use super::file_name::DataSetHash;
use super::incoming::{Incoming, Object, Stored};
use super::object_file::{Gathering, ObjectFile};
use super::receipts::Receipts;
use super::refused_rows::RefusedRow;
use super::syncs::Mark;
use super::{Stage, StageError, io};

/// The receiving end of an association; its objects come one after another.
pub struct Receiver {
    stage: Stage,
    pub(super) stream: Stream,
    pub(super) origin: Origin,
    set: Option<SetDirectory>,
    /// Objects whose rows are on their way, oldest first; at most [`ON_THEIR_WAY`].
    later: VecDeque<Later>,
    /// The last object, if its row is still to be submitted.
    unplaced: Option<(Unsettled, JobId)>,
    gathering: Gathering,
    /// Something was written that a sync at the end has to make last, and what had failed before.
    unsynced: Option<Mark>,
    /// Bytes that may still come before the disk is asked again how much room it has.
    until_asked: u64,
    receipts: Receipts,
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

/// How often an association asks the disk for room, in bytes received.
const ASK_FOR_ROOM: u64 = 16 << 20;

/// Rows that an association may have on their way.
const ON_THEIR_WAY: usize = 128;

/// An object whose row is on its way.
struct Later {
    object: Unsettled,
    job: JobId,
    placed: Pending<Placed>,
}

impl Receiver {
    pub(super) fn new(stage: Stage, stream: Stream, origin: Origin) -> Self {
        Self {
            receipts: Receipts::new(stage.store.clone(), origin.clone()),
            stage,
            stream,
            origin,
            set: None,
            later: VecDeque::new(),
            unplaced: None,
            gathering: Gathering::default(),
            unsynced: None,
            until_asked: 0,
        }
    }

    pub(super) const fn durability(&self) -> Durability {
        self.stage.storage.durability
    }

    /// Begins to receive an object.
    ///
    /// # Errors
    /// [`StageError::NoRoom`] when the disk is full but for its reserve, [`StageError::Behind`] while too much waits for a
    /// store in trouble.
    pub fn begin(&mut self, object: Object) -> Result<Incoming<'_>, StageError> {
        if self.stage.refused_rows.is_full() {
            return Err(StageError::Behind);
        }
        if self.until_asked == 0 {
            if !self.stage.has_room() {
                return Err(StageError::NoRoom);
            }
            self.until_asked = ASK_FOR_ROOM;
        }
        let number = self.stage.parts.fetch_add(1, Ordering::Relaxed);
        let directory = self.stage.layout.path(Place::Parts(&self.stream.ae_title));
        let part = directory.join(format!("{}-{number}.part", self.origin.association));
        let head = part10::head(&object.meta, Some(&self.origin.calling.0))?;
        let file = ObjectFile::begin(part, std::mem::take(&mut self.gathering), &head);
        Ok(Incoming::new(self, file, object))
    }

    /// A set that is open hears that more of it is under way.
    pub(super) fn carries(&self, group_key: &str) {
        if let Some(job) = self.stage.open_sets.known(&self.stream.ae_title, group_key) {
            self.stage.completion.carries(&job, self.origin.association);
        }
    }

    /// Puts an object into its set, so that it lasts as its durability promises. The first object of a set waits for its
    /// row too; that of any other follows with [`Receiver::settle`], since its file can stand in for it.
    pub(super) fn place(&mut self, mut object: Unsettled) -> Result<Stored, StageError> {
        let (title, group) = (&self.stream.ae_title, &object.group_key);
        let job = self.stage.open_sets.name(title, group);
        if !self.stage.open_sets.is_confirmed(title, group, &job) {
            self.stage.takes_a_new_set(title)?;
            return self.place_now(&mut object, job);
        }
        self.until_asked = self.until_asked.saturating_sub(object.bytes);
        self.bring(&mut object, &job)?;
        // It counts as stored: from here on only the store's word removes it.
        object.file.keep(true);
        let stored = Stored {
            job: job.clone(),
            placed: None,
            bytes: object.bytes,
        };
        self.unplaced = Some((object, job));
        Ok(stored)
    }

    /// Puts an object into a set and into the store.
    pub(super) fn place_now(&mut self, object: &mut Unsettled, mut job: JobId) -> Result<Stored, StageError> {
        let when = match self.durability() {
            Durability::Instance => When::Synced,
            Durability::Association | Durability::None => When::Unsynced,
        };
        loop {
            self.bring(object, &job)?;
            let placed = self.submit(object, &job, when).wait();
            crate::failpoint::reach("row-before-answer");
            // A store in trouble may have kept the row although it said otherwise: the file stays for it.
            object.file.keep(placed.is_err());
            match self.settled(object, &job, placed?)? {
                Ok(stored) => return Ok(stored),
                Err(other) => job = other,
            }
        }
    }

    /// Puts the row of the last object on its way, if it has none. Called behind the answer, while the peer prepares its
    /// next object; waits only for what was submitted long ago.
    pub fn settle(&mut self) {
        if let Some((object, job)) = self.unplaced.take() {
            let placed = self.submit(&object, &job, When::Lazy);
            self.later.push_back(Later { object, job, placed });
        }
        // What the store has said is acted on at once: a set it has frozen takes nothing more.
        while let Some(Later { object, job, placed }) = self.later.pop_front() {
            match placed.now() {
                Ok(said) => self.heard(object, job, said),
                Err(placed) => {
                    self.later.push_front(Later { object, job, placed });
                    break;
                }
            }
        }
        if self.later.len() < ON_THEIR_WAY {
            return;
        }
        // All but the newest are committed by then, or soon.
        drop(self.stage.store.hurry());
        while self.later.len() > ON_THEIR_WAY / 2 {
            self.settle_oldest();
        }
    }

    /// Waits for every row that is on its way.
    pub fn settle_all(&mut self) {
        self.settle();
        if self.later.is_empty() {
            return;
        }
        // What is lazy goes with the first that is not.
        drop(self.stage.store.hurry());
        while !self.later.is_empty() {
            self.settle_oldest();
        }
    }

    fn settle_oldest(&mut self) {
        if let Some(Later { object, job, placed }) = self.later.pop_front() {
            self.heard(object, job, placed.wait());
        }
    }

    /// Acts on the store's word on an object that was answered.
    fn heard(&mut self, mut object: Unsettled, job: JobId, said: crate::store::Result<Placed>) {
        let result = said.map_err(StageError::from).and_then(|placed| {
            match self.settled(&mut object, &job, placed)? {
                Ok(_) => Ok(()),
                Err(other) => self.place_now(&mut object, other).map(|_| ()),
            }
        });
        match result {
            Ok(()) => {}
            Err(error @ (StageError::NoBucket | StageError::Store(StoreError::Closed))) => {
                tracing::warn!(%error, job.id = %job, "an object that was answered gets no row");
            }
            Err(error) => {
                tracing::error!(%error, job.id = %job, "an object that was answered has no row; trying again");
                object.file.keep(true);
                self.receipts.count(&job, &object.header, false);
                let row = RefusedRow {
                    object,
                    job,
                    stream: self.stream.clone(),
                    origin: self.origin.clone(),
                };
                self.stage.refused_rows.add(&self.stage, row);
            }
        }
    }

    /// Ends the association's part: every row is in the store, and what it stored is as safe as its durability promises.
    ///
    /// # Errors
    /// [`StageError::Io`] when what was answered may not survive a loss of power (`durability = "association"`). It is
    /// kept all the same.
    pub fn finish(mut self) -> Result<(), StageError> {
        self.settle_all();
        self.receipts.tell();
        let Some(since) = self.unsynced.take() else {
            return Ok(());
        };
        let synced = self
            .stage
            .syncs
            .as_ref()
            .map_or(Ok(()), |syncs| syncs.sync(since));
        synced.map_err(io("sync what an association stored"))
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
                if let Placed::Duplicate(other) = &placed
                    && !self.is_the_same(object, job, other)
                {
                    // Other bytes under one hash: nobody's accident. Both are kept, this one under a hash of its own.
                    object.hash = uuid::Uuid::new_v4().into_bytes();
                    return Ok(Err(job.clone()));
                }
                self.receipts
                    .count(job, &object.header, matches!(placed, Placed::Duplicate(_)));
                object.file.keep(!matches!(placed, Placed::Duplicate(_)));
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
    fn is_the_same(&self, object: &Unsettled, job: &JobId, other: &str) -> bool {
        let set = self.stage.layout.path(Place::Set(&self.stream.ae_title, job));
        match same_bytes(object.file.path(), &set.join(other)) {
            Ok(same) => same,
            // Laid out meanwhile, so that there is nothing left to compare but the hash.
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }

    /// Brings the file into a set's directory, which is made when this is the set's first object, and makes it last.
    fn bring(&mut self, object: &mut Unsettled, job: &JobId) -> Result<(), StageError> {
        if let Some(syncs) = &self.stage.syncs {
            self.unsynced.get_or_insert_with(|| syncs.mark());
        }
        let path = self.stage.layout.path(Place::Set(&self.stream.ae_title, job));
        let handle = match &mut self.set {
            Some(set) if set.job == *job => &set.handle,
            set => {
                match self.stage.storage.durability {
                    Durability::Instance => files::make_directory(&path),
                    Durability::Association | Durability::None => fs::create_dir_all(&path),
                }
                .map_err(io("make the directory of a set"))?;
                let handle = File::open(&path).map_err(io("open the directory of a set"))?;
                let job = job.clone();
                &set.insert(SetDirectory { job, handle }).handle
            }
        };
        let synced = self.stage.storage.durability == Durability::Instance;
        let made = object
            .file
            .bring(handle, &path, &object.name, synced)
            .map_err(io("write an object"))?;
        crate::failpoint::reach("file-made");
        if synced {
            object.file.sync().map_err(io("sync an object"))?;
            if !(made && self.stage.names_last_with_files) {
                handle.sync_all().map_err(io("sync the directory of a set"))?;
            }
        }
        crate::failpoint::reach("file-synced");
        self.gathering = object.file.close();
        Ok(())
    }

    /// The row; with it the file belongs to the set.
    fn submit(&self, object: &Unsettled, job: &JobId, when: When) -> Pending<Placed> {
        let set = NewJob {
            stream: self.stream.ae_title.clone(),
            group_key: object.group_key.clone(),
            calling_ae_title: self.origin.calling.0.to_string(),
            caller_address: self.origin.address.to_string(),
            study_instance_uid: object.header.study_instance_uid.to_string(),
            priority: self.stream.priority,
        };
        let new = new_instance(object);
        if !self.receipts.wants_a_mark(job, &set.study_instance_uid) {
            return self.stage.store.place(job, set, new, Timestamp::now(), when);
        }
        let mark = ReceiptMark {
            association: self.origin.association,
            study: set.study_instance_uid.clone(),
            patient_id: object.header.patient_id_text(),
        };
        let now = Timestamp::now();
        self.stage.store.place_first(job, set, new, now, when, mark)
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
        self.settle_all();
        self.receipts.tell();
    }
}

/// Whether two Part 10 files have the same data set: their heads differ by who sent them.
pub(super) fn same_bytes(one: &Path, other: &Path) -> io::Result<bool> {
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
    let (_, offset) = part10::read_head(path)?.ok_or_else(no_head)?;
    let mut file = File::open(path)?;
    io::Seek::seek(&mut file, io::SeekFrom::Start(offset))?;
    Ok(file)
}
