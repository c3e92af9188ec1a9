//! Whether an object that the store has is on the disk as it was stored: what storage commitment is given for.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::model::{Layout, Place};
use crate::store::HeldObject;

use super::{hash_in, hash_of};

/// Looks for the file of an object wherever it may be by now, reads it whole, and makes it last.
///
/// # Errors
/// What reading or syncing says: the object may be there all the same.
pub fn is_on_disk(layout: &Layout, held: &HeldObject) -> io::Result<bool> {
    let (stream, job) = (&held.stream, &held.job);
    // In the order in which it moves: before it loses one name it has the next.
    let set = layout.path(Place::Set(stream, job)).join(&held.file);
    let name = format!("{}.dcm", held.sop_instance_uid);
    let later = if held.current {
        vec![
            layout.path(Place::LeftOut(stream, job)).join(&name),
            layout.path(Place::Input(stream, job)).join(&name),
        ]
    } else {
        vec![layout.path(Place::Replaced(stream, job)).join(&held.file)]
    };
    for path in std::iter::once(set).chain(later) {
        match is_the_object(&path, held) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Ok(false) => {}
            Ok(true) => return make_last(&path).map(|()| true),
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

fn is_the_object(path: &Path, held: &HeldObject) -> io::Result<bool> {
    let Some((hash, bytes)) = hash_of(path)? else {
        return Ok(false);
    };
    // Of two objects with one hash the later one has a row of its own hash; its name has the true one.
    let told = hash_in(&held.file).is_some_and(|named| named == hash);
    Ok(bytes == held.bytes && (held.hash == hash || told))
}

/// With `durability` other than `instance` it may be in memory alone until now.
fn make_last(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()?;
    path.parent()
        .map_or(Ok(()), |above| File::open(above)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dicom::part10::{FileMeta, head};
    use crate::model::{AeTitle, JobId, Timestamp, Uid};

    #[test]
    fn only_what_is_there_as_it_was_stored_counts_wherever_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path().to_owned());
        let uid = |text: &str| Uid::parse(text.as_bytes()).unwrap();
        let meta = FileMeta {
            sop_class_uid: uid("1.2"),
            sop_instance_uid: uid("1.3"),
            transfer_syntax_uid: uid("1.2.840.10008.1.2.1"),
        };
        let file = [head(&meta, None).unwrap(), b"the data set".to_vec()].concat();
        let sample = directory.path().join("sample");
        std::fs::write(&sample, &file).unwrap();
        let (hash, bytes) = hash_of(&sample).unwrap().unwrap();
        let held = HeldObject {
            job: JobId::generate(Timestamp::now()),
            stream: AeTitle::parse("A").unwrap(),
            sop_class_uid: "1.2".into(),
            sop_instance_uid: "1.3".into(),
            file: "1.3-x-y.dcm".into(),
            bytes,
            hash: hash.to_vec(),
            current: true,
        };
        assert!(!is_on_disk(&layout, &held).unwrap());
        let places = [
            layout.path(Place::Set(&held.stream, &held.job)).join(&held.file),
            layout.path(Place::Input(&held.stream, &held.job)).join("1.3.dcm"),
            layout
                .path(Place::LeftOut(&held.stream, &held.job))
                .join("1.3.dcm"),
        ];
        for path in places {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &file).unwrap();
            assert!(is_on_disk(&layout, &held).unwrap(), "{path:?}");
            let mut changed = file.clone();
            *changed.last_mut().unwrap() ^= 1;
            std::fs::write(&path, changed).unwrap();
            assert!(!is_on_disk(&layout, &held).unwrap(), "{path:?}");
            std::fs::remove_file(&path).unwrap();
        }
    }
}
