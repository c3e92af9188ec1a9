//! What the tests of the stage share: a stage in a temporary directory, and objects for it.

use std::collections::HashSet;

use super::*;
use crate::model::{CalledAeTitle, CallingAeTitle, Complete, Job, Keep, Uid};
use crate::store::{BucketRow, EventRow};

pub(super) const MR: &str = "1.2.840.10008.5.1.4.1.1.4";

pub(super) struct Bench {
    _dir: tempfile::TempDir,
    pub layout: Layout,
    pub store: Store,
    pub storage: StorageConfig,
}

pub(super) fn uid(text: &str) -> Uid {
    Uid::parse(text.as_bytes()).unwrap()
}

pub(super) fn title() -> AeTitle {
    AeTitle::parse("Count").unwrap()
}

impl Bench {
    pub fn new(durability: Durability) -> Self {
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
                commit_for: Keep::Forever,
                commit_completes: true,
            },
        }
    }

    pub fn stage(&self) -> Stage {
        Stage::open(
            self.layout.clone(),
            self.store.clone(),
            self.storage,
            Arc::default(),
        )
        .unwrap()
    }

    pub fn receiver(&self, stage: &Stage, association: u64) -> Receiver {
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
    pub fn files(&self) -> Vec<PathBuf> {
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
    pub fn laid_out(&self, id: &JobId) -> Vec<(String, String)> {
        let job = self.store.job(id).unwrap().unwrap();
        lay_out(&self.layout, &self.store, &job, &HashSet::new()).unwrap();
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

    pub fn events(&self, job: &JobId, kind: &str) -> Vec<String> {
        let events = self.store.events(job).unwrap();
        let of_kind = events.into_iter().filter(|e: &EventRow| e.kind == kind);
        of_kind.map(|e| e.text).collect()
    }

    /// Queues a set behind the back of the stage.
    pub fn freeze(&self, job: &JobId) {
        let complete = self.store.complete(job, "quiet".into(), Timestamp::now(), None);
        complete.wait().unwrap();
    }

    /// The one open set that there is.
    pub fn open_set(&self) -> Job {
        let mut open = self.store.in_state(JobState::Receiving).unwrap();
        assert_eq!(open.len(), 1, "{open:?}");
        open.remove(0)
    }

    /// The store is in trouble: it takes no object, until [`Bench::take_rows`].
    pub fn refuse_rows(&self) {
        self.sql("CREATE TRIGGER no BEFORE INSERT ON instances BEGIN SELECT RAISE(ABORT, 'in trouble'); END");
    }

    pub fn take_rows(&self) {
        self.sql("DROP TRIGGER no");
    }

    fn sql(&self, sql: &'static str) {
        self.store
            .write(move |db| Ok(db.execute_batch(sql)?))
            .wait()
            .unwrap();
    }

    /// Completes a set once it has its rows.
    pub fn complete_in_time(&self, stage: &Stage, job: &JobId) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while wait(stage.completion().complete_now(job)).is_err() {
            assert!(std::time::Instant::now() < deadline, "the rows never came");
            std::thread::yield_now();
        }
    }

    pub fn lose_rows(&self) {
        let lost = |db: &rusqlite::Connection| Ok(db.execute("DELETE FROM instances", [])?);
        assert!(self.store.write(lost).wait().unwrap() > 0);
    }
}

/// Waits for what runs beside the runtime's threads.
pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(future)
}

/// An object of the study 1.4, with these bytes as its pixels; its row is there when this returns.
pub(super) fn receive(receiver: &mut Receiver, instance: &str, pixels: &[u8]) -> Result<Stored, StageError> {
    let stored = answer(receiver, instance, pixels);
    receiver.settle_all();
    stored
}

/// The same up to the answer: its row is still to come.
pub(super) fn answer(receiver: &mut Receiver, instance: &str, pixels: &[u8]) -> Result<Stored, StageError> {
    answer_of("1.4", receiver, instance, pixels)
}

/// The same of another study.
pub(super) fn answer_of(
    study: &str,
    receiver: &mut Receiver,
    instance: &str,
    pixels: &[u8],
) -> Result<Stored, StageError> {
    let mut data = Vec::new();
    for (group, element, vr, value) in [
        (8u16, 0x16u16, b"UI", MR.as_bytes()),
        (8, 0x18, b"UI", instance.as_bytes()),
        (0x20, 0x0D, b"UI", study.as_bytes()),
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
