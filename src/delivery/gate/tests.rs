//! The gate with a store and a disk: what is decided, and what is there afterwards.

use std::path::Path;

use super::made::{ENCODINGS, Made, uid};
use super::*;
use crate::dicom::part10;
use crate::model::{
    AeTitle, Ended, GateAction, InstanceState, JobId, Outcome, Peer, Priority, Timestamp, Verdict,
};
use crate::store::{BucketRow, NewDelivery, NewInstance, NewJob, When};

mod again;

struct Scene {
    _directory: tempfile::TempDir,
    store: Store,
    layout: Layout,
    job: JobId,
}

impl Scene {
    /// A job that delivers these results of these inputs, to so many destinations.
    fn new(inputs: &[Made], results: &[(&str, Made)], mode: GateMode, destinations: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path().to_owned());
        let store = Store::open(&directory.path().join("s.sqlite")).unwrap();
        let (stream, now) = (AeTitle::parse("PROC").unwrap(), Timestamp(1_767_225_600_000));
        let job = JobId::generate(now);
        let bucket = BucketRow {
            ae_title: stream.clone(),
            image: "lungs".into(),
            digest: "sha256:00".into(),
            info: serde_json::json!({ "AETitle": "PROC", "name": "lungs", "version": "1.2" }),
            has_plugin: false,
            installed_at: now,
        };
        store.install_bucket(bucket.clone(), false).wait().unwrap();
        let set = NewJob {
            stream: stream.clone(),
            group_key: "1.2.3".into(),
            calling_ae_title: "SCANNER".into(),
            caller_address: "127.0.0.1".into(),
            study_instance_uid: "1.2.3".into(),
            priority: Priority::Normal,
        };
        let object = NewInstance {
            sop_instance_uid: uid("1.2.3.4.1"),
            sop_class_uid: uid("1.2"),
            transfer_syntax_uid: uid("1.2.840.10008.1.2.1"),
            series_instance_uid: uid("1.2.3.4"),
            file: "1.dcm".into(),
            bytes: 1,
            hash: [1; 16],
        };
        store.place(&job, set, object, now, When::Synced).wait().unwrap();
        store.complete(&job, "quiet".into(), now, None).wait().unwrap();
        store.start(&job, bucket, now).wait().unwrap();
        store.ended(&job, Ended::default(), None, now).wait().unwrap();
        let (input, output) = (
            layout.path(Place::Input(&stream, &job)),
            layout.path(Place::Output(&stream, &job)),
        );
        for place in [&input, &output] {
            std::fs::create_dir_all(place).unwrap();
        }
        for made in inputs {
            made.write(&input);
        }
        let mut instances = Vec::new();
        for (file, made) in results {
            let path = made.write(&output);
            std::fs::rename(path, output.join(file)).unwrap();
            let (meta, _) = part10::read_head(&output.join(file)).unwrap().unwrap();
            instances.push(DeliveryInstance {
                file: (*file).into(),
                sop_class_uid: meta.sop_class_uid.to_string(),
                sop_instance_uid: meta.sop_instance_uid.to_string(),
                transfer_syntax_uid: meta.transfer_syntax_uid.to_string(),
                state: InstanceState::Waiting,
                status: None,
                reason: None,
                commitment: None,
            });
        }
        let to = |number| NewDelivery {
            peer: Peer::Named(AeTitle::parse(&format!("PACS{number}")).unwrap()),
            route: "r".into(),
            direction: Direction::Output,
            after: None,
            gate: mode,
            instances: instances.clone(),
        };
        let verdict = Verdict {
            outcome: Outcome::Success,
            reason: None,
        };
        let plan = (0..destinations).map(to).collect();
        store.harvested(&job, verdict, vec![], plan, now).wait().unwrap();
        Self {
            _directory: directory,
            store,
            layout,
            job,
        }
    }

    fn delivery(&self, number: usize) -> Delivery {
        self.store.deliveries(&self.job).unwrap().remove(number)
    }

    fn pass(&self, number: usize) -> Result<Passage, GateError> {
        let delivery = self.delivery(number);
        let stop = Stop::default();
        let gate = Gate {
            store: &self.store,
            layout: &self.layout,
            stop: &stop,
            delivery: &delivery,
        };
        gate.pass(&self.store.delivery_instances(delivery.id).unwrap())
    }

    /// The files that are sent by a copy, with the copies' bytes.
    fn copies(&self) -> Vec<(String, Vec<u8>)> {
        match self.pass(0).unwrap() {
            Passage::Open(copies) => {
                let read = |(file, path): (String, PathBuf)| (file, std::fs::read(path).unwrap());
                let mut copies: Vec<_> = copies.into_iter().map(read).collect();
                copies.sort();
                copies
            }
            Passage::Held(why) => panic!("{why}: {:?}", self.held()),
        }
    }

    /// Why it is held: about what, and the reason.
    fn held(&self) -> Vec<(String, String)> {
        let _ = self.pass(0).unwrap();
        let found = self.store.gate_findings(self.delivery(0).id).unwrap();
        let held = found
            .into_iter()
            .map(|f| f.finding)
            .filter(|f| f.action == GateAction::Held);
        held.map(|f| (f.attribute, f.why)).collect()
    }

    fn place(&self, place: &str) -> PathBuf {
        let stream = AeTitle::parse("PROC").unwrap();
        self.layout.path(Place::Job(&stream, &self.job)).join(place)
    }
}

fn named(instance: &str) -> Made {
    Made {
        instance: instance.into(),
        ..Made::result().with(0x0008_0018, instance)
    }
}

fn one(result: Made) -> Scene {
    Scene::new(&[Made::input(1)], &[("r.dcm", result)], GateMode::Repair, 1)
}

#[test]
fn what_passed_is_not_asked_again_and_a_copy_that_is_gone_is_made_again_as_it_was() {
    for encoding in ENCODINGS {
        let scene = one(Made::result().without(0x0010_0020).in_encoding(encoding));
        let original = std::fs::read(scene.place("OUTPUT/r.dcm")).unwrap();
        let first = scene.copies();
        assert_eq!(
            (first.len(), scene.delivery(0).gate_state),
            (1, GateState::Passed)
        );
        let (_, facts) = object::identity(&scene.place("outgoing/2.25.77.dcm")).unwrap();
        assert_eq!(facts.value(attribute::PATIENT_ID).shown(), "A1", "{encoding:?}");
        // Asked again it would be held.
        Made::input(2)
            .with(0x0010_0020, "A2")
            .write(&scene.place("INPUT"));
        assert_eq!(scene.copies(), first);
        std::fs::remove_file(scene.place("INPUT/1.2.3.4.2.dcm")).unwrap();
        std::fs::remove_dir_all(scene.place("outgoing")).unwrap();
        assert_eq!(scene.copies(), first);
        assert_eq!(std::fs::read(scene.place("OUTPUT/r.dcm")).unwrap(), original);
        let left = std::fs::read_dir(scene.place("outgoing")).unwrap().count();
        assert_eq!(left, 1, "nothing is left beside the copy");
    }
}

#[test]
fn copies_of_input_are_sent_as_they_are_beside_what_the_bucket_made() {
    let results = [("1.dcm", Made::input(1)), ("r.dcm", Made::result())];
    let scene = Scene::new(&[Made::input(1), Made::input(2)], &results, GateMode::Repair, 1);
    let copies: Vec<_> = scene.copies().into_iter().map(|(file, _)| file).collect();
    assert_eq!(copies, ["r.dcm"]);
    // Also of two patients, and of an input that cannot be read: each is what it was.
    let results = [
        ("1.dcm", Made::input(1)),
        ("2.dcm", Made::input(2).with(0x0010_0020, "A2")),
    ];
    let inputs = [results[0].1.clone(), results[1].1.clone()];
    let scene = Scene::new(&inputs, &results, GateMode::Repair, 1);
    std::fs::write(scene.place("INPUT/9.dcm"), b"no DICOM").unwrap();
    assert_eq!(scene.copies(), []);
}

#[test]
fn one_object_that_is_held_holds_all_of_them() {
    let wrong = named("2.25.80").with(0x0010_0020, "A2");
    let results = [("a.dcm", Made::result()), ("b.dcm", wrong)];
    let scene = Scene::new(&[Made::input(1)], &results, GateMode::Repair, 1);
    assert!(matches!(scene.pass(0).unwrap(), Passage::Held(_)));
    assert_eq!(scene.held().len(), 1);
    assert_eq!(scene.delivery(0).gate_state, GateState::Held);
    assert!(!scene.place("outgoing/2.25.77.dcm").exists());
}

#[test]
fn two_objects_of_one_name_are_held_and_one_object_twice_is_not() {
    let results = [("a.dcm", Made::result()), ("b.dcm", Made::result())];
    let scene = Scene::new(&[Made::input(1)], &results, GateMode::Repair, 1);
    assert_eq!(scene.copies().len(), 2);
    let results = [
        ("a.dcm", Made::result()),
        ("b.dcm", Made::result().with(0x0008_103E, "other")),
    ];
    let scene = Scene::new(&[Made::input(1)], &results, GateMode::Repair, 1);
    let held = scene.held();
    assert_eq!(held[0].0, "SOP Instance UID (0008,0018)");
}

#[test]
fn what_cannot_be_read_is_held_with_the_reason() {
    let whole = |scene: &Scene| std::fs::read(scene.place("OUTPUT/r.dcm")).unwrap();
    type Hurt<'a> = &'a dyn Fn(&Path, Vec<u8>);
    let cases: [(Hurt<'_>, &str); 4] = [
        (
            &|path, _| std::fs::remove_file(path).unwrap(),
            "not there any more",
        ),
        (
            &|path, _| std::fs::write(path, b"something else").unwrap(),
            "no DICOM file",
        ),
        (
            &|path, bytes| std::fs::write(path, &bytes[..bytes.len() - 3]).unwrap(),
            "longer than what is left",
        ),
        (
            &|path, _| {
                let other = named("2.25.81").write(path.parent().unwrap());
                std::fs::rename(other, path).unwrap();
            },
            "not the object any more",
        ),
    ];
    for (hurt, why) in cases {
        let scene = one(Made::result());
        hurt(&scene.place("OUTPUT/r.dcm"), whole(&scene));
        let held = scene.held();
        assert!(held.len() == 1 && held[0].1.contains(why), "{why}: {held:?}");
    }
    let scene = one(Made::result().in_encoding(ENCODINGS[3]));
    let mut bytes = whole(&scene);
    let end = bytes.len();
    bytes[end - 40..].fill(0xFF);
    std::fs::write(scene.place("OUTPUT/r.dcm"), bytes).unwrap();
    assert_eq!(scene.held().len(), 1);
    let scene = one(Made::result());
    std::fs::write(scene.place("INPUT/9.dcm"), b"no DICOM").unwrap();
    assert!(
        scene.held()[0]
            .1
            .starts_with("an object of the input cannot be read")
    );
}

#[test]
fn what_is_released_or_not_looked_at_goes_as_it_is() {
    let wrong = || Made::result().with(0x0010_0020, "A2");
    let scene = Scene::new(&[Made::input(1)], &[("r.dcm", wrong())], GateMode::Off, 1);
    assert_eq!(scene.copies(), []);
    let scene = one(wrong());
    assert_eq!(scene.held().len(), 1);
    let delivery = scene.delivery(0);
    let (store, now) = (&scene.store, Timestamp::now());
    assert!(
        store
            .delivery_begins(delivery.id, crate::model::RunTime(0))
            .wait()
            .unwrap()
    );
    let event = crate::model::DeliveryEvent::GaveUp;
    store
        .delivery_ends(&delivery, crate::store::AttemptEnd::last(event, None), now)
        .wait()
        .unwrap();
    let who = "anna".to_owned();
    store
        .gate_release(&scene.job, delivery.id, who, now)
        .wait()
        .unwrap();
    assert_eq!(scene.copies(), []);
}

#[test]
fn each_destination_is_decided_on_and_the_copies_are_the_same() {
    let scene = Scene::new(
        &[Made::input(1)],
        &[("r.dcm", Made::result())],
        GateMode::Repair,
        2,
    );
    let first = scene.copies();
    assert!(matches!(scene.pass(1).unwrap(), Passage::Open(copies) if copies.len() == 1));
    assert_eq!(scene.copies(), first);
}

#[test]
fn what_is_decided_once_is_decided_for_all_who_get_the_same() {
    let results = [("a.dcm", Made::result().without(0x0010_0020))];
    let scene = Scene::new(&[Made::input(1)], &results, GateMode::Repair, 3);
    let open = |number: usize| match scene.pass(number).unwrap() {
        Passage::Open(copies) => copies,
        Passage::Held(why) => panic!("{why}"),
    };
    let first = open(0);
    // Nobody reads it again: it would be held.
    std::fs::write(scene.place("OUTPUT/a.dcm"), b"no DICOM").unwrap();
    assert_eq!(open(1), first);
    let found = |number: usize| scene.store.gate_findings(scene.delivery(number).id).unwrap();
    assert_eq!(found(1), found(0));
    assert!(!found(0).is_empty());
    let told = scene.store.events(&scene.job).unwrap();
    for to in ["to PACS0: filled", "to PACS1: filled"] {
        assert!(told.iter().any(|e| e.text.starts_with(to)), "{to}: {told:#?}");
    }
    // What gets something else is looked at for itself.
    let other = scene.delivery(2).id;
    let change = scene
        .store
        .write(move |db| Ok(db.execute("UPDATE deliveries SET gate = 'strict' WHERE id = ?1", [other])?));
    change.wait().unwrap();
    assert!(matches!(scene.pass(2).unwrap(), Passage::Held(_)));
}

#[test]
fn a_rule_that_chooses_among_the_files_has_a_decision_of_its_own() {
    let results = [("a.dcm", Made::result()), ("b.dcm", named("2.25.80"))];
    let scene = Scene::new(&[Made::input(1)], &results, GateMode::Repair, 2);
    assert_eq!(scene.copies().len(), 2);
    let fewer = scene.delivery(1).id;
    let change = scene.store.write(move |db| {
        Ok(db.execute(
            "DELETE FROM delivery_instances WHERE delivery = ?1 AND file = 'a.dcm'",
            [fewer],
        )?)
    });
    change.wait().unwrap();
    std::fs::write(scene.place("OUTPUT/b.dcm"), b"no DICOM").unwrap();
    assert!(matches!(scene.pass(1).unwrap(), Passage::Held(_)));
}

#[test]
fn a_node_that_stops_decides_nothing() {
    let scene = one(Made::result());
    let delivery = scene.delivery(0);
    let stop = Stop::default();
    stop.raise();
    let gate = Gate {
        store: &scene.store,
        layout: &scene.layout,
        stop: &stop,
        delivery: &delivery,
    };
    let instances = scene.store.delivery_instances(delivery.id).unwrap();
    assert!(matches!(gate.pass(&instances), Err(GateError::Stopping)));
    assert_eq!(scene.delivery(0).gate_state, GateState::Open);
}

#[test]
fn a_result_that_becomes_another_patients_after_it_was_looked_at_is_not_copied() {
    let scene = one(Made::result());
    let (delivery, stop) = (scene.delivery(0), Stop::default());
    let gate = Gate {
        store: &scene.store,
        layout: &scene.layout,
        stop: &stop,
        delivery: &delivery,
    };
    let instances = scene.store.delivery_instances(delivery.id).unwrap();
    let row = scene.store.job(&scene.job).unwrap().unwrap();
    let equipment = Equipment::of("node", &row, None, COPIES_BY);
    let mut round = Round::new(&gate, row, equipment);
    std::fs::create_dir_all(scene.place("outgoing")).unwrap();
    round.look_at(&instances).unwrap();
    assert!(!round.is_held());
    let other = Made::result()
        .with(0x0010_0020, "A2")
        .write(&scene.place("OUTPUT"));
    std::fs::rename(other, scene.place("OUTPUT/r.dcm")).unwrap();
    assert!(matches!(round.copy(&instances), Err(GateError::Io { .. })));
    assert!(!scene.place("outgoing/2.25.77.dcm").exists());
}
