//! A directory as destination: `STUDY/SERIES/INSTANCE.dcm`, each file whole or not at all. What is there stays: the same
//! object is there already, another one of its UID is refused, as two objects under one name are for a person to decide about.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::gate::is_copy;
use super::sender::Said;
use crate::dicom::header;
use crate::dicom::scu::{Outgoing, Pace};
use crate::dicom::status::Status;
use crate::dicom::upper_layer::Stop;
use crate::files;
use crate::model::Folder;

/// Bytes that are copied at once where no pace says less.
const PIECE: usize = 1 << 20;

/// The files cannot be written; another time they may.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The directory is not there: a mount that is missing is not replaced by a directory of ours.
    #[error("the directory {} is not there: make or mount it", .0.display())]
    Missing(PathBuf),
    /// Reading or writing failed: a full disk, a share that is gone.
    #[error("write {}: {source}", path.display())]
    Write {
        /// What was written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of ours cannot be read.
    #[error("read the file of {instance}: {source}")]
    Read {
        /// Its SOP Instance UID.
        instance: String,
        /// What the system said.
        source: io::Error,
    },
    /// The node stops.
    #[error("this node is stopping")]
    Stopping,
}

/// Copies files into the directory; `answered` hears of each once it lasts.
///
/// # Errors
/// [`FolderError`]; what was not answered by then is not there for certain.
pub(super) fn send(
    folder: &Folder,
    files: &[Outgoing],
    pace: Option<&Pace>,
    stop: &Stop,
    mut answered: impl FnMut(usize, Said),
) -> Result<(), FolderError> {
    if !folder.path.is_dir() {
        return Err(FolderError::Missing(folder.path.clone()));
    }
    for (index, file) in files.iter().enumerate() {
        if stop.is_raised() {
            return Err(FolderError::Stopping);
        }
        answered(index, send_one(folder, file, pace)?);
    }
    Ok(())
}

fn send_one(folder: &Folder, file: &Outgoing, pace: Option<&Pace>) -> Result<Said, FolderError> {
    // Not by its name in OUTPUT: a bucket may have named it by the patient, and this goes to the log.
    let reading = |source| FolderError::Read {
        instance: file.sop_instance_uid.to_string(),
        source,
    };
    let found = match header::file::read(&file.path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Said::Refused(error.to_string())),
        Err(error) => return Err(reading(error)),
    };
    let Some((_, header)) = found else {
        return Ok(Said::Refused("not a DICOM file".to_owned()));
    };
    if header.sop_instance_uid != file.sop_instance_uid {
        let why = "the file is of another object than when it was decided to send it";
        return Ok(Said::Refused(why.to_owned()));
    }
    // UIDs are digits and dots, and none is `.` or `..`.
    let directory = folder
        .path
        .join(header.study_instance_uid.as_str())
        .join(header.series_instance_uid.as_str());
    let path = directory.join(format!("{}.dcm", header.sop_instance_uid));
    let writing = |source| FolderError::Write {
        path: path.clone(),
        source,
    };
    if path.try_exists().map_err(writing)? {
        // Its head may have been written by another node, or for another job.
        if is_copy(&file.path, &path).map_err(writing)? {
            return Ok(Said::Status(Status(0x0111), None));
        }
        // Nobody can tell here which of the two is wanted, and whoever reads there may have used the one that is there.
        let why = format!(
            "another object of the same SOP Instance UID is there as {}, and stays: move it away to have this one",
            path.display()
        );
        return Ok(Said::Refused(why));
    }
    files::make_directory(&directory).map_err(writing)?;
    // One that a crash left beside is written over.
    let beside = directory.join(format!(".{}.part", header.sop_instance_uid));
    let written = copy(&file.path, &beside, pace).and_then(|()| fs::rename(&beside, &path));
    if let Err(error) = written {
        // A full disk is not kept full by a part of a file. What went wrong before is what is told.
        let _ = files::remove_file(&beside);
        return Err(writing(error));
    }
    files::sync_directory(&directory).map_err(writing)?;
    Ok(Said::Status(Status::SUCCESS, None))
}

fn copy(from: &Path, to: &Path, pace: Option<&Pace>) -> io::Result<()> {
    let (mut from, mut to) = (File::open(from)?, File::create(to)?);
    let mut buffer = vec![0; pace.map_or(PIECE, |pace| pace.piece().min(PIECE))];
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return to.sync_all();
        }
        if let Some(pace) = pace {
            pace.wait_for(read);
        }
        to.write_all(buffer.get(..read).unwrap_or_default())?;
    }
}

/// Whether files can be written there, tried with one that is removed again.
///
/// # Errors
/// [`FolderError`].
pub(super) fn probe(folder: &Folder) -> Result<(), FolderError> {
    if !folder.path.is_dir() {
        return Err(FolderError::Missing(folder.path.clone()));
    }
    let path = folder.path.join(".magickbox-echo");
    let tried = fs::write(&path, b"echo").and_then(|()| files::remove_file(&path));
    tried.map_err(|source| FolderError::Write { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AeTitle, SendLimits, Uid};

    #[test]
    fn what_cannot_be_read_is_named_by_its_uid_since_its_name_may_be_a_patients() {
        let directory = tempfile::tempdir().unwrap();
        let uid = |text: &str| Uid::parse(text.as_bytes()).unwrap();
        let folder = Folder {
            name: AeTitle::parse("RESEARCH").unwrap(),
            path: directory.path().to_owned(),
            limits: SendLimits::default(),
        };
        let path = directory.path().join("Doe^John.dcm");
        // It can be opened and not be read.
        fs::create_dir(&path).unwrap();
        let file = Outgoing {
            path,
            sop_class_uid: uid("1.2"),
            sop_instance_uid: uid("1.2.3"),
            transfer_syntax_uid: uid("1.2.840.10008.1.2.1"),
        };
        let error = send_one(&folder, &file, None).unwrap_err().to_string();
        assert!(error.contains("1.2.3") && !error.contains("Doe"), "{error}");
    }

    #[test]
    fn another_object_under_the_same_uid_stays_and_is_told() {
        use crate::delivery::gate::made::{Made, uid};
        let [ours, theirs] = [0, 1].map(|_| tempfile::tempdir().unwrap());
        let folder = Folder {
            name: AeTitle::parse("RESEARCH").unwrap(),
            path: theirs.path().to_owned(),
            limits: SendLimits::default(),
        };
        let send = |made: &Made| {
            let file = Outgoing {
                path: made.write(ours.path()),
                sop_class_uid: uid(made.class),
                sop_instance_uid: uid(&made.instance),
                transfer_syntax_uid: uid(made.syntax),
            };
            send_one(&folder, &file, None).unwrap()
        };
        let (first, other) = (Made::result(), Made::result().with(0x0008_103E, "another"));
        assert_eq!(send(&first), Said::Status(Status::SUCCESS, None));
        assert_eq!(send(&first), Said::Status(Status(0x0111), None));
        let there = theirs.path().join("1.2.3/2.25.78/2.25.77.dcm");
        let before = fs::read(&there).unwrap();
        // Only its head is another.
        let mut headed = before.clone();
        headed[..128].fill(1);
        fs::write(&there, &headed).unwrap();
        assert_eq!(send(&first), Said::Status(Status(0x0111), None));
        let Said::Refused(why) = send(&other) else {
            panic!("taken for the same");
        };
        assert!(
            why.contains("2.25.77.dcm") && why.contains("move it away"),
            "{why}"
        );
        assert_eq!(fs::read(&there).unwrap(), headed);
        // The operator has decided.
        fs::remove_file(&there).unwrap();
        assert_eq!(send(&other), Said::Status(Status::SUCCESS, None));
        assert_ne!(fs::read(&there).unwrap(), before);
        assert_eq!(files::entries(there.parent().unwrap()).unwrap().len(), 1);
    }

    #[test]
    fn a_file_that_is_another_object_by_now_does_not_go() {
        use crate::delivery::gate::made::{Made, uid};
        let [ours, theirs] = [0, 1].map(|_| tempfile::tempdir().unwrap());
        let folder = Folder {
            name: AeTitle::parse("RESEARCH").unwrap(),
            path: theirs.path().to_owned(),
            limits: SendLimits::default(),
        };
        let made = Made::result();
        let file = Outgoing {
            path: made.write(ours.path()),
            sop_class_uid: uid(made.class),
            sop_instance_uid: uid("2.25.99"),
            transfer_syntax_uid: uid(made.syntax),
        };
        assert!(matches!(
            send_one(&folder, &file, None).unwrap(),
            Said::Refused(_)
        ));
        assert_eq!(files::entries(theirs.path()).unwrap().len(), 0);
    }
}
