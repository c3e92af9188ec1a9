//! From a zip to a job, or to nothing.

#[path = "../../../tests/support/zip.rs"]
mod zip;

use std::fs;
use std::io::Write;
use std::sync::Arc;

use tokio::sync::Notify;

use super::*;
use crate::config::{Config, StorageConfig};
use crate::dicom::part10::{self, FileMeta};
use crate::model::{JobState, Uid};
use crate::stage::{clear_output, lay_out};
use crate::store::{BucketRow, Store};
use zip::{Entry, zip};

struct Scene {
    dir: tempfile::TempDir,
    layout: Layout,
    store: Store,
    stage: Stage,
}

fn title() -> AeTitle {
    AeTitle::parse("A").unwrap()
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path().join("data"));
        fs::create_dir_all(layout.root().join("store")).unwrap();
        let store = Store::open(&layout.path(Place::Store)).unwrap();
        let row = BucketRow {
            ae_title: title(),
            image: "a".into(),
            digest: "sha256:0".into(),
            info: serde_json::json!({}),
            has_plugin: false,
            installed_at: Timestamp::now(),
        };
        store.install_bucket(row, false).wait().unwrap();
        let stage = Self::open(&layout, &store);
        Self {
            dir,
            layout,
            store,
            stage,
        }
    }

    fn open(layout: &Layout, store: &Store) -> Stage {
        let storage = StorageConfig {
            reserve: 0,
            resume: 0,
            reserve_files: 0,
            ..Config::load(None).unwrap().storage
        };
        Stage::open(layout.clone(), store.clone(), storage, Arc::new(Notify::new())).unwrap()
    }

    fn push(&self, bytes: &[u8]) -> Result<Pushed, PushError> {
        self.push_within(bytes, &Limits::new(1 << 30))
    }

    fn push_within(&self, bytes: &[u8], limits: &Limits) -> Result<Pushed, PushError> {
        let (spooled, mut file) = self.stage.spool().unwrap();
        file.write_all(bytes).unwrap();
        let push = Push {
            stream: Stream {
                ae_title: title(),
                complete: Default::default(),
                priority: Default::default(),
            },
            calling: AeTitle::parse("SENDER").unwrap(),
            address: std::net::Ipv4Addr::LOCALHOST.into(),
            by: "127.0.0.1".into(),
            sender: "somebody".into(),
            name: "a study".into(),
            description: String::new(),
            arguments: Some("--fast".into()),
        };
        self.stage.push(File::open(spooled.path()).unwrap(), push, limits)
    }

    /// Everything below the directory, but for the store.
    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut directories = vec![self.dir.path().to_owned()];
        while let Some(directory) = directories.pop() {
            for path in files::entries(&directory).unwrap() {
                if path.is_dir() {
                    directories.push(path);
                } else if !path.ends_with("magickbox.sqlite")
                    && !path.display().to_string().contains("sqlite-")
                {
                    found.push(path.strip_prefix(self.dir.path()).unwrap().display().to_string());
                }
            }
        }
        found.sort();
        found
    }
}

/// A Part 10 file with that SOP Instance UID, and so many bytes of pixels.
fn object(uid: &str, pixels: usize) -> Vec<u8> {
    let of = |text: &str| Uid::parse(text.as_bytes()).unwrap();
    let meta = FileMeta {
        sop_class_uid: of("1.2.840.10008.5.1.4.1.1.4"),
        sop_instance_uid: of(uid),
        transfer_syntax_uid: of("1.2.840.10008.1.2.1"),
    };
    let mut out = part10::head(&meta, None).unwrap();
    let mut element = |group: u16, element: u16, value: &str| {
        let value = if value.len() % 2 == 1 {
            format!("{value}\0")
        } else {
            value.to_owned()
        };
        out.extend(group.to_le_bytes());
        out.extend(element.to_le_bytes());
        out.extend(b"UI");
        out.extend(u16::try_from(value.len()).unwrap().to_le_bytes());
        out.extend(value.as_bytes());
    };
    element(8, 0x16, "1.2.840.10008.5.1.4.1.1.4");
    element(8, 0x18, uid);
    element(0x20, 0xD, "1.2.9");
    element(0x20, 0xE, "1.2.9.1");
    out.extend(b"\xe0\x7f\x10\0OW\0\0");
    out.extend(u32::try_from(pixels).unwrap().to_le_bytes());
    out.extend(vec![7; pixels]);
    out
}

#[test]
fn a_zip_becomes_a_job_at_once_with_its_objects_and_everything_else() {
    let scene = Scene::new();
    let truncated = object("1.2.3.7", 100);
    let pushed = scene
        .push(&zip(&[
            Entry::new("a_file00001_.dcm", object("1.2.3.1", 300_000)),
            Entry::new("b/2.dcm", object("1.2.3.2", 10)),
            // The same once more.
            Entry::new("c", object("1.2.3.2", 10)),
            Entry::new("notes/日本.txt", "hello"),
            Entry::new("half.dcm", &truncated[..truncated.len() - 10]),
            Entry::new("empty", ""),
            Entry {
                mode: 0o040_755,
                deflated: false,
                ..Entry::new("directory/", "")
            },
        ]))
        .unwrap();
    assert_eq!((pushed.objects, pushed.others), (2, 3));
    let job = scene.store.job(&pushed.job).unwrap().unwrap();
    assert_eq!((job.state, job.instances), (JobState::Queued, 2));
    assert_eq!(job.study_instance_uid, "1.2.9");
    assert_eq!(job.arguments.as_deref(), Some("--fast"));
    assert_eq!(job.calling_ae_title, "SENDER");
    let kinds: Vec<_> = scene
        .store
        .events(&job.id)
        .unwrap()
        .into_iter()
        .map(|e| e.kind)
        .collect();
    assert_eq!(kinds, ["pushed", "complete"]);

    // A start in between finds nothing amiss; laying out may be repeated.
    let stage = Scene::open(&scene.layout, &scene.store);
    drop(stage);
    for _ in 0..2 {
        lay_out(&scene.layout, &scene.store, &job, &Default::default()).unwrap();
        clear_output(&scene.layout, &job).unwrap();
    }
    let below = format!("data/streams/bucketA/jobs/{}/INPUT/", job.id);
    let names = [
        "1.2.3.1.dcm",
        "1.2.3.2.dcm",
        "empty",
        "half.dcm",
        "notes/日本.txt",
    ];
    assert_eq!(scene.files(), names.map(|name| format!("{below}{name}")));
    assert_eq!(
        fs::read(scene.dir.path().join(below + "1.2.3.1.dcm")).unwrap(),
        object("1.2.3.1", 300_000)
    );
}

#[test]
fn what_is_refused_is_refused_by_name_and_leaves_nothing() {
    let scene = Scene::new();
    let one = || Entry::new("x", "1");
    let bomb = Entry::new("bomb", vec![0; 4 << 20]);
    let small = Limits {
        entries: 3,
        expanded: 1 << 22,
        ratio: 100,
        unsuspected: 1 << 20,
    };
    for (entries, why) in [
        (vec![], "no file in the zip"),
        (vec![Entry::new("/etc/passwd", "x")], "absolute"),
        (vec![one(), Entry::new("../x", "x")], "\"..\""),
        (vec![Entry::new("a\\..\\x", "x")], "backslash"),
        (vec![Entry::new("a\0", "x")], "control character"),
        (vec![Entry::new("x".repeat(300), "x")], "longer than"),
        (vec![Entry::new("d/".repeat(30) + "x", "x")], "directories deep"),
        (
            vec![Entry {
                mode: 0o120_777,
                ..Entry::new("l", "/etc/passwd")
            }],
            "neither a file nor a directory",
        ),
        (
            vec![Entry {
                mode: 0o020_666,
                ..one()
            }],
            "neither a file nor a directory",
        ),
        (vec![one(), one()], "there twice"),
        (vec![one(), Entry::new("x/y", "1")], "there twice"),
        (vec![Entry::new("a/b", "1"), Entry::new("a", "1")], "there twice"),
        (
            vec![Entry::new("o", object("1.2.3", 4)), Entry::new("1.2.3.dcm", "1")],
            "there twice",
        ),
        (vec![Entry { flags: 1, ..one() }], "encrypted"),
        (
            vec![Entry {
                method: Some(14),
                ..one()
            }],
            "method 14",
        ),
        (
            vec![Entry {
                crc: Some(1),
                ..one()
            }],
            "its sum is another",
        ),
        (
            vec![Entry {
                claims: Some(9),
                ..one()
            }],
            "less comes out",
        ),
        (
            vec![Entry {
                claims: Some(0),
                ..one()
            }],
            "more comes out",
        ),
        (
            vec![Entry {
                method: Some(8),
                deflated: false,
                ..one()
            }],
            "damaged",
        ),
        (
            vec![Entry {
                local_name: Some(b"../y".to_vec()),
                ..one()
            }],
            "one name in the directory",
        ),
        (
            vec![
                one(),
                Entry::new("y", ""),
                Entry::new("z", ""),
                Entry::new("0", ""),
            ],
            "more than 3 entries",
        ),
        (vec![bomb.clone()], "taken for a bomb"),
        // It claims little and becomes much.
        (
            vec![Entry {
                claims: Some(10),
                ..bomb.clone()
            }],
            "more comes out",
        ),
        (
            vec![
                Entry {
                    deflated: false,
                    ..bomb
                },
                one(),
            ],
            "raise [http] largest_unpacked",
        ),
    ] {
        let said = scene.push_within(&zip(&entries), &small).unwrap_err().to_string();
        assert!(said.contains(why), "{said:?}, not {why:?}");
        assert_eq!(scene.files(), [""; 0], "{why}");
    }
    for bytes in [&b""[..], b"PK", &[0; 100], b"PK\x05\x06"] {
        let said = scene.push(bytes).unwrap_err().to_string();
        assert!(said.contains("no zip"), "{said}");
    }
    assert_eq!(scene.files(), [""; 0]);
    assert!(scene.store.in_state(JobState::Queued).unwrap().is_empty());
}

#[test]
fn what_a_crash_leaves_is_gone_after_the_next_start() {
    let scene = Scene::new();
    let (spooled, _file) = scene.stage.spool().unwrap();
    std::mem::forget(spooled);
    let job = JobId::generate(Timestamp::now());
    let others = scene.layout.path(Place::Others(&title(), &job));
    fs::create_dir_all(&others).unwrap();
    fs::write(others.join("x"), "1").unwrap();
    fs::write(others.parent().unwrap().join("0.part"), "1").unwrap();
    assert_eq!(scene.files().len(), 3);
    Scene::open(&scene.layout, &scene.store);
    assert_eq!(scene.files(), [""; 0]);
}

#[test]
fn no_byte_that_is_changed_breaks_more_than_the_push() {
    let scene = Scene::new();
    let whole = zip(&[Entry::new("a", object("1.2.3", 40)), Entry::new("b", "text")]);
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 0x55;
        if let Err(PushError::Stage(error)) = scene.push(&changed) {
            panic!("byte {at}: {error}");
        }
        // Cut off.
        assert!(scene.push(&whole[..at]).is_err());
    }
}
