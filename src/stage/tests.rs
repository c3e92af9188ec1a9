//! The stage for real, in a temporary directory: receiving, and what is left after a crash.

mod after_a_crash;
mod bench;
mod classify;
mod durability;
mod late;
mod told;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::dicom::part10::FileMeta;
use crate::dicom::transfer_syntax::Encoding;
use crate::dicom::upper_layer::Sink;
use crate::model::{Durability, JobId, Place, Timestamp};

use bench::{Bench, MR, answer, receive, title, uid, wait};

#[test]
fn the_same_object_twice_is_one_file_and_one_with_other_bytes_is_another() {
    for durability in [Durability::Instance, Durability::Association, Durability::None] {
        let bench = Bench::new(durability);
        let stage = bench.stage();
        let mut receiver = bench.receiver(&stage, 1);
        receive(&mut receiver, "1.9.1", b"one").unwrap();
        receive(&mut receiver, "1.9.1", b"one").unwrap();
        assert_eq!(bench.files().len(), 1, "{durability:?}");
        let job = receive(&mut receiver, "1.9.1", b"other").unwrap().job;
        assert_eq!(bench.files().len(), 2, "{durability:?}");
        let rows = bench.store.instances(&job).unwrap();
        assert_eq!(rows.iter().map(|r| r.current).collect::<Vec<_>>(), [false, true]);
    }
}

#[test]
fn a_hash_alone_does_not_make_two_objects_one() {
    let bench = Bench::new(Durability::Instance);
    let stage = bench.stage();
    let mut receiver = bench.receiver(&stage, 1);
    receive(&mut receiver, "1.9.1", b"one").unwrap();
    // As if another data set had the same hash.
    fs::write(&bench.files()[0], b"something else").unwrap();
    let job = receive(&mut receiver, "1.9.1", b"one").unwrap().job;
    assert_eq!(bench.files().len(), 2);
    let rows = bench.store.instances(&job).unwrap();
    assert_eq!(rows.iter().map(|r| r.current).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn an_object_that_is_dropped_leaves_nothing() {
    let bench = Bench::new(Durability::Instance);
    let stage = bench.stage();
    let mut receiver = bench.receiver(&stage, 1);
    receive(&mut receiver, "1.9.1", b"one").unwrap();
    let before = bench.files();
    let meta = FileMeta {
        sop_class_uid: uid(MR),
        sop_instance_uid: uid("1.9.2"),
        transfer_syntax_uid: uid("1.2.840.10008.1.2.1"),
    };
    let object = Object {
        meta,
        encoding: Encoding::ExplicitLittle,
    };
    receiver.begin(object).unwrap().take(b"half");
    assert_eq!(bench.files(), before);
}

#[test]
fn files_without_rows_are_taken_in_and_torn_ones_removed() {
    let bench = Bench::new(Durability::Instance);
    let stage = bench.stage();
    let mut receiver = bench.receiver(&stage, 1);
    let job = receive(&mut receiver, "1.9.1", b"one").unwrap().job;
    receive(&mut receiver, "1.9.2", b"two").unwrap();
    let whole = bench.store.instances(&job).unwrap();
    drop(receiver);
    bench.lose_rows();
    let torn = bench.files()[1].clone();
    let bytes = fs::read(&torn).unwrap();
    fs::write(&torn, &bytes[..bytes.len() - 1]).unwrap();

    drop(bench.stage());
    let rows = bench.store.instances(&job).unwrap();
    assert_eq!(rows, [whole[0].clone()]);
    assert!(!torn.exists());
    // Once more changes nothing.
    drop(bench.stage());
    assert_eq!(bench.store.instances(&job).unwrap(), rows);
}

#[test]
fn a_whole_file_in_a_frozen_set_goes_to_a_set_of_its_own() {
    let bench = Bench::new(Durability::Instance);
    let stage = bench.stage();
    let mut receiver = bench.receiver(&stage, 1);
    let job = receive(&mut receiver, "1.9.1", b"one").unwrap().job;
    drop(receiver);
    bench.lose_rows();
    bench.freeze(&job);

    drop(bench.stage());
    let other = bench.open_set();
    let rows = bench.store.instances(&other.id).unwrap();
    assert_eq!(rows.len(), 1);
    let file = bench
        .layout
        .path(Place::Set(&title(), &other.id))
        .join(&rows[0].file);
    assert_eq!(bench.files(), [file]);
}

#[test]
fn a_full_disk_takes_nothing() {
    let mut bench = Bench::new(Durability::Instance);
    bench.storage.reserve = u64::MAX;
    let stage = bench.stage();
    assert!(!stage.has_room());
    let refused = receive(&mut bench.receiver(&stage, 1), "1.9.1", b"one");
    assert!(matches!(refused, Err(StageError::NoRoom)), "{refused:?}");
}
