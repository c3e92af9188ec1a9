//! The stage for real, in a temporary directory: receiving, and what is left after a crash.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::dicom::part10::FileMeta;
use crate::dicom::transfer_syntax::Encoding;
use crate::dicom::upper_layer::Sink;
use crate::model::{CalledAeTitle, CallingAeTitle, Complete, Durability, JobId, Keep, Place, Timestamp, Uid};
use crate::store::{BucketRow, EventRow};

const MR: &str = "1.2.840.10008.5.1.4.1.1.4";

struct Bench {
    _dir: tempfile::TempDir,
    layout: Layout,
    store: Store,
    storage: StorageConfig,
}

fn uid(text: &str) -> Uid {
    Uid::parse(text.as_bytes()).unwrap()
}

fn title() -> AeTitle {
    AeTitle::parse("Count").unwrap()
}

impl Bench {
    fn new(durability: Durability) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path().to_owned());
        fs::create_dir(dir.path().join("store")).unwrap();
        let store = Store::open(&layout.path(Place::Store)).unwrap();
        let bucket = BucketRow {
            ae_title: title(),
            image: "count".into(),
            digest: "sha256:1".into(),
            info: serde_json::json!({}),
            has_plugin: false,
            installed_at: Timestamp::now(),
        };
        store.install_bucket(bucket, false).wait().unwrap();
        Self {
            _dir: dir,
            layout,
            store,
            storage: StorageConfig {
                durability,
                reserve: 0,
                resume: 0,
                reserve_files: 0,
                keep: Keep::Forever,
                make_room: None,
            },
        }
    }

    fn stage(&self) -> Stage {
        Stage::open(
            self.layout.clone(),
            self.store.clone(),
            self.storage,
            Arc::default(),
        )
        .unwrap()
    }

    fn receiver(&self, stage: &Stage, association: u64) -> Receiver {
        let stream = Stream {
            ae_title: title(),
            complete: Complete::default(),
            priority: crate::model::Priority::Normal,
        };
        let origin = Origin {
            called: CalledAeTitle(title()),
            calling: CallingAeTitle(AeTitle::parse("SCANNER").unwrap()),
            address: [127, 0, 0, 1].into(),
            association,
        };
        stage.receiver(stream, origin)
    }

    /// Every file of arriving sets.
    fn files(&self) -> Vec<PathBuf> {
        let incoming = self.layout.path(Place::Stream(&title())).join("incoming");
        let mut files: Vec<_> = crate::files::entries(&incoming)
            .unwrap()
            .into_iter()
            .flat_map(|set| crate::files::entries(&set).unwrap())
            .collect();
        files.sort();
        files
    }

    /// The objects of a job as its bucket gets them: SOP Instance UIDs and the last bytes of their files.
    fn laid_out(&self, id: &JobId) -> Vec<(String, String)> {
        let job = self.store.job(id).unwrap().unwrap();
        lay_out(&self.layout, &self.store, &job).unwrap();
        let input = self.layout.path(Place::Input(&title(), id));
        let read = |file: PathBuf| {
            let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let bytes = fs::read(&file).unwrap();
            (
                name,
                String::from_utf8_lossy(&bytes[bytes.len() - 3..]).into_owned(),
            )
        };
        let mut objects: Vec<_> = crate::files::entries(&input)
            .unwrap()
            .into_iter()
            .map(read)
            .collect();
        objects.sort();
        objects
    }

    fn events(&self, job: &JobId, kind: &str) -> Vec<String> {
        let events = self.store.events(job).unwrap();
        let of_kind = events.into_iter().filter(|e: &EventRow| e.kind == kind);
        of_kind.map(|e| e.text).collect()
    }

    fn lose_rows(&self) {
        let lost = |db: &rusqlite::Connection| Ok(db.execute("DELETE FROM instances", [])?);
        assert!(self.store.write(lost).wait().unwrap() > 0);
    }
}

/// Waits for what runs beside the runtime's threads.
fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(future)
}

/// An object of the study 1.4, with these bytes as its pixels; its row is there when this returns.
fn receive(receiver: &mut Receiver, instance: &str, pixels: &[u8]) -> Result<Stored, StageError> {
    let stored = answer(receiver, instance, pixels);
    receiver.settle_all();
    stored
}

/// The same up to the answer: its row is still to come.
fn answer(receiver: &mut Receiver, instance: &str, pixels: &[u8]) -> Result<Stored, StageError> {
    let mut data = Vec::new();
    for (group, element, vr, value) in [
        (8u16, 0x16u16, b"UI", MR.as_bytes()),
        (8, 0x18, b"UI", instance.as_bytes()),
        (0x20, 0x0D, b"UI", b"1.4"),
        (0x20, 0x0E, b"UI", b"1.5"),
        (0x7FE0, 0x10, b"UT", pixels),
    ] {
        data.extend([group.to_le_bytes(), element.to_le_bytes()].concat());
        data.extend(vr);
        if vr == b"UT" {
            data.extend([0, 0]);
            data.extend((value.len() as u32).to_le_bytes());
        } else {
            data.extend((value.len() as u16).to_le_bytes());
        }
        data.extend(value);
    }
    let meta = FileMeta {
        sop_class_uid: uid(MR),
        sop_instance_uid: uid(instance),
        transfer_syntax_uid: uid("1.2.840.10008.1.2.1"),
    };
    let mut incoming = receiver.begin(Object {
        meta,
        encoding: Encoding::ExplicitLittle,
    })?;
    incoming.take(&data);
    incoming.commit()
}

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
    let at = Timestamp::now();
    bench
        .store
        .complete(&job, "quiet".into(), at, None)
        .wait()
        .unwrap();

    drop(bench.stage());
    let open = bench.store.in_state(JobState::Receiving).unwrap();
    let [other] = &open[..] else { panic!("{open:?}") };
    let rows = bench.store.instances(&other.id).unwrap();
    assert_eq!(rows.len(), 1);
    let file = bench
        .layout
        .path(Place::Set(&title(), &other.id))
        .join(&rows[0].file);
    assert_eq!(bench.files(), [file]);
}

mod after_a_crash;
mod durability;
mod late;

#[test]
fn a_full_disk_takes_nothing() {
    let mut bench = Bench::new(Durability::Instance);
    bench.storage.reserve = u64::MAX;
    let stage = bench.stage();
    assert!(!stage.has_room());
    let refused = receive(&mut bench.receiver(&stage, 1), "1.9.1", b"one");
    assert!(matches!(refused, Err(StageError::NoRoom)), "{refused:?}");
}
