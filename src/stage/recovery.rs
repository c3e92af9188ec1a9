//! Disk and store tell the same story again, after whatever stopped the node.
//!
//! A file without a row may have been answered with Success: rows of known sets are not synced one by one, the file is
//! the proof. A file whose name tells the hash of its content is taken in; one that does not was never answered and is
//! removed, like every `*.part`.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use twox_hash::xxhash3_128;

use crate::dicom::header::HeaderScanner;
use crate::dicom::{part10, transfer_syntax};
use crate::files;
use crate::model::{Job, JobId, JobState, Layout, Place, Timestamp};
use crate::store::{InstanceRow, NewInstance, NewJob, Placed, Store, When};

use super::file_name::hash_in;
use super::input::places;
use super::receiver::same_bytes;
use super::{StageError, io, others};

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Objects whose reception was cut off, removed.
    pub parts: usize,
    /// Directories of sets that nobody needs any more, removed.
    pub directories: usize,
    /// Whole objects that had no row, taken in.
    pub taken_in: usize,
    /// Objects that were not written to their end, removed.
    pub torn: usize,
}

/// Removes what was half received, takes in what was whole. May be cut off and repeated.
///
/// # Errors
/// [`StageError`] when the disk or the store does not answer.
pub(super) fn recover(layout: &Layout, store: &Store) -> Result<Recovered, StageError> {
    let mut done = Recovered::default();
    let streams = layout.root().join("streams");
    for stream in files::entries(&streams).map_err(io("read the directories of streams"))? {
        let incoming = stream.join("incoming");
        for part in files::entries(&incoming.join(".parts")).map_err(io("read the unfinished objects"))? {
            files::remove_file(&part).map_err(io("remove an unfinished object"))?;
            done.parts += 1;
        }
        for set in files::entries(&incoming).map_err(io("read the directories of sets"))? {
            // `.parts` is no job's name.
            let name = set.file_name().and_then(|n| n.to_str());
            let Some(id) = name.and_then(|n| JobId::parse(n).ok()) else {
                continue;
            };
            let job = store.job(&id)?;
            if let Some(job) = &job {
                take_in(layout, store, job, &set, &mut done)?;
            }
            // Laid out long ago, or its first object never got a row: that one was not answered.
            if !job.is_some_and(|job| is_needed(job.state)) {
                files::remove_directory(&set).map_err(io("remove the directory of a set"))?;
                done.directories += 1;
            }
        }
    }
    report_missing(layout, store)?;
    Ok(done)
}

/// Whether objects of a job in that state may still be in the directory of its set.
const fn is_needed(state: JobState) -> bool {
    match state {
        // One that failed, was held or cancelled before it was laid out has its objects nowhere else.
        JobState::Receiving
        | JobState::Queued
        | JobState::Running
        | JobState::Held
        | JobState::Cancelled
        | JobState::Failed => true,
        JobState::Harvesting | JobState::Delivering | JobState::Done => false,
    }
}

/// Says which jobs that have not run yet have rows without files. Such a job is not whole: it fails when its turn comes.
fn report_missing(layout: &Layout, store: &Store) -> Result<(), StageError> {
    for state in [JobState::Receiving, JobState::Queued, JobState::Held] {
        for job in store.in_state(state)? {
            let instances = store.instances(&job.id)?;
            let is_missing = |i: &&InstanceRow| !places(layout, &job, i).iter().any(|place| place.exists());
            let missing = instances.iter().filter(is_missing).count();
            if missing == 0 {
                continue;
            }
            let text = format!("{missing} of its {} objects are not on the disk", instances.len());
            tracing::error!(job.id = %job.id, missing, of = instances.len(), "objects of the job store are not on the disk");
            let told = store.events(&job.id)?;
            if !told.iter().any(|e| e.kind == MISSING && e.text == text) {
                store.note(&job.id, MISSING, text).wait()?;
            }
        }
    }
    Ok(())
}

/// The event of a job with rows that have no files.
const MISSING: &str = "missing";

/// Brings the files of a set and its rows together. What came while the set froze goes to one of its own.
fn take_in(
    layout: &Layout,
    store: &Store,
    job: &Job,
    set: &Path,
    done: &mut Recovered,
) -> Result<(), StageError> {
    let mut target = job.id.clone();
    let instances = store.instances(&job.id)?;
    let known: HashSet<&str> = instances.iter().map(|i| i.file.as_str()).collect();
    let mut files = files::entries(set).map_err(io("read the directory of a set"))?;
    // Oldest first: of two versions of an object the later one is to be current.
    files.sort_by_key(|f| f.metadata().and_then(|m| m.modified()).ok());
    for file in &files {
        let Some(name) = file.file_name().and_then(|n| n.to_str()) else {
            continue;
        };
        if known.contains(name) || others::is_directory_of_others(file) {
            continue;
        }
        let Some(mut new) = read_whole(file, name).map_err(io("read an object that has no row"))? else {
            files::remove_file(file).map_err(io("remove a torn object"))?;
            done.torn += 1;
            continue;
        };
        // It came again while the set froze, and the store's word on it was not acted on: nothing new came.
        if job.state != JobState::Receiving && is_known(layout, job, &instances, file, &new) {
            files::remove_file(file).map_err(io("remove an object that is there already"))?;
            continue;
        }
        let known_set = NewJob {
            stream: job.stream.clone(),
            group_key: job.group_key.clone(),
            calling_ae_title: job.calling_ae_title.clone(),
            caller_address: job.caller_address.clone(),
            study_instance_uid: job.study_instance_uid.clone(),
            priority: job.priority,
        };
        loop {
            let there = link(layout, job, &target, file, name)?;
            let placed = store
                .place(
                    &target,
                    known_set.clone(),
                    new.clone(),
                    Timestamp::now(),
                    When::Synced,
                )
                .wait()?;
            if let Placed::Duplicate(other) = &placed
                && !is_same(&there, &there.with_file_name(other)).map_err(io("compare two objects"))?
            {
                // Other bytes under one hash: both are kept, this one under a hash of its own.
                new.hash = uuid::Uuid::new_v4().into_bytes();
                continue;
            }
            let goes = match &placed {
                // The row is there since a try that was cut off: the file is in place, and this is its former name.
                Placed::Duplicate(other) if other == name => Some(file).filter(|f| **f != there),
                Placed::Stored | Placed::Replaced => Some(file).filter(|f| **f != there),
                Placed::Closed | Placed::Elsewhere(_) => Some(&there).filter(|t| *t != file),
                // There already, or nobody left who could want it.
                Placed::Duplicate(_) | Placed::NoBucket => Some(&there),
            };
            if let Some(goes) = goes {
                files::remove_file(goes).map_err(io("remove a name of an object that has another"))?;
            }
            match placed {
                Placed::Closed => target = JobId::generate(Timestamp::now()),
                Placed::Elsewhere(open) => target = open,
                _ => break,
            }
        }
        done.taken_in += 1;
    }
    Ok(())
}

/// Whether a frozen job has that very object, as the current one.
fn is_known(layout: &Layout, job: &Job, instances: &[InstanceRow], file: &Path, new: &NewInstance) -> bool {
    let mut same_uid = instances
        .iter()
        .filter(|i| i.current && i.sop_instance_uid == new.sop_instance_uid.as_str());
    same_uid.any(|instance| {
        let places = places(layout, job, instance);
        // Where it cannot be compared it is not known.
        places
            .iter()
            .any(|place| same_bytes(file, place).unwrap_or(false))
    })
}

/// Of the same bytes; a file that is not there any more has been judged by its hash.
fn is_same(one: &Path, other: &Path) -> std::io::Result<bool> {
    match same_bytes(one, other) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        said => said,
    }
}

/// Gives a file its name in the directory of a set, beside the one it has: cut off before its row, it is found here again.
fn link(layout: &Layout, job: &Job, target: &JobId, file: &Path, name: &str) -> Result<PathBuf, StageError> {
    let directory = layout.path(Place::Set(&job.stream, target));
    let to = directory.join(name);
    if to == *file {
        return Ok(to);
    }
    files::make_directory(&directory).map_err(io("make the directory of a set"))?;
    match std::fs::hard_link(file, &to) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(io("link an object into another set")(error));
        }
        _ => files::sync_directory(&directory).map_err(io("sync the directory of a set"))?,
    }
    Ok(to)
}

/// The row of a file, if it is what its name says.
fn read_whole(path: &Path, name: &str) -> std::io::Result<Option<NewInstance>> {
    let (Some(expected), Some((meta, offset))) = (hash_in(name), part10::read_head(path)?) else {
        return Ok(None);
    };
    let Some(encoding) = transfer_syntax::encoding(meta.transfer_syntax_uid.as_str()) else {
        return Ok(None);
    };
    let (mut hash, mut scanner) = (xxhash3_128::Hasher::new(), HeaderScanner::new(encoding));
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let (mut buffer, mut bytes) = (vec![0; 64 * 1024], 0);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        let piece = buffer.get(..read).unwrap_or_default();
        hash.write(piece);
        scanner.push(piece);
        bytes += read as u64;
    }
    let (hash, header) = (hash.finish_128().to_be_bytes(), scanner.finish());
    Ok(header
        .ok()
        .filter(|_| hash == expected)
        .map(|header| NewInstance {
            sop_instance_uid: header.sop_instance_uid,
            sop_class_uid: header.sop_class_uid,
            transfer_syntax_uid: meta.transfer_syntax_uid,
            series_instance_uid: header.series_instance_uid,
            file: name.to_owned(),
            bytes,
            hash,
        }))
}
