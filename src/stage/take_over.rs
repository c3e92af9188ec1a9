//! The objects of a job that another node has done become those of a job here: copies, so that nothing of the source
//! is shared.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::dicom::header::{self, Header};
use crate::files;
use crate::model::AuditStudy;
use crate::store::NewInstance;

use super::file_name::{file_name, hash_of};
use super::{StageError, io};

/// What became of a directory of files.
#[derive(Debug, Default)]
pub struct TakenOver {
    /// Rows for the objects that are there now.
    pub instances: Vec<NewInstance>,
    /// Study Instance UID of the first object.
    pub study_instance_uid: Option<String>,
    /// Files that are no DICOM object, or one that was there already.
    pub left_out: usize,
    /// Whose the objects are, by Study Instance UID.
    pub studies: BTreeMap<String, AuditStudy>,
}

impl TakenOver {
    fn is_of(&mut self, header: &Header) {
        let uid = header.study_instance_uid.to_string();
        let study = self.studies.entry(uid.clone()).or_insert_with(|| AuditStudy {
            uid,
            patient_id: header.patient_id_text(),
            ..AuditStudy::default()
        });
        *study
            .sop_classes
            .entry(header.sop_class_uid.to_string())
            .or_insert(0) += 1;
    }
}

/// Directories below each other that are looked into.
const DEEPEST: usize = 32;

/// Copies every DICOM object below `from` to `input/<SOP Instance UID>.dcm`, and makes the copies last. Links are not
/// followed; of two objects with one SOP Instance UID the first by name is taken.
///
/// # Errors
/// [`StageError::Io`]; what was copied so far stays.
pub fn take_over_objects(from: &Path, input: &Path) -> Result<TakenOver, StageError> {
    files::make_directory(input).map_err(io("make INPUT"))?;
    let mut taken = TakenOver::default();
    let mut known = BTreeSet::new();
    for source in regular_files(from)? {
        let Ok(Some((meta, header))) = header::file::read(&source) else {
            taken.left_out += 1;
            continue;
        };
        if !known.insert(header.sop_instance_uid.to_string()) {
            taken.left_out += 1;
            continue;
        }
        let target = input.join(format!("{}.dcm", header.sop_instance_uid));
        copy(&source, &target)?;
        // The copy is what will be looked at from here on.
        let Some((hash, bytes)) = hash_of(&target).map_err(io("read an object"))? else {
            taken.left_out += 1;
            continue;
        };
        taken.is_of(&header);
        taken
            .study_instance_uid
            .get_or_insert_with(|| header.study_instance_uid.to_string());
        taken.instances.push(NewInstance {
            file: file_name(&header.sop_instance_uid, &hash),
            sop_instance_uid: header.sop_instance_uid,
            sop_class_uid: header.sop_class_uid,
            transfer_syntax_uid: meta.transfer_syntax_uid,
            series_instance_uid: header.series_instance_uid,
            bytes,
            hash,
        });
    }
    files::sync_directory(input).map_err(io("sync INPUT"))?;
    Ok(taken)
}

/// Whose the objects below a directory are that is not copied.
///
/// # Errors
/// [`StageError::Io`]
pub fn studies_below(from: &Path) -> Result<Vec<AuditStudy>, StageError> {
    let mut found = TakenOver::default();
    if from.is_dir() {
        for source in regular_files(from)? {
            if let Ok(Some((_, header))) = header::file::read(&source) {
                found.is_of(&header);
            }
        }
    }
    let studies = found.studies.into_values();
    // Nothing of them was copied.
    Ok(studies
        .map(|study| AuditStudy {
            sop_classes: BTreeMap::new(),
            ..study
        })
        .collect())
}

fn copy(source: &Path, target: &Path) -> Result<(), StageError> {
    fs::copy(source, target).map_err(io("copy an object"))?;
    let copied = File::open(target).and_then(|file| file.sync_all());
    copied.map_err(io("sync an object"))
}

fn regular_files(root: &Path) -> Result<Vec<PathBuf>, StageError> {
    let mut found = Vec::new();
    let mut rest = vec![(root.to_owned(), 0)];
    while let Some((directory, depth)) = rest.pop() {
        for path in files::entries(&directory).map_err(io("read the directory of a job"))? {
            let kind = fs::symlink_metadata(&path)
                .map_err(io("read the directory of a job"))?
                .file_type();
            if kind.is_dir() && depth < DEEPEST {
                rest.push((path, depth + 1));
            } else if kind.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
