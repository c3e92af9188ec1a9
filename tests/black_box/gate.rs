//! The gate between a bucket and a PACS: what is of another patient stays here, what is missing is filled in, what the
//! bucket handed back is not touched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::{DefaultDicomObject, open_file};
use serde_json::Value;

use crate::needs;
use crate::support::PATIENCE;
use crate::support::api::Job;
use crate::support::images::Bucket;
use crate::support::orthanc::Address;
use crate::support::part10::{Object, data_set, write_all};
use crate::support::senders;
use crate::support::under_test::{MAGICKBOX, TestNode, TestPacs, results_to, run, scratch};
use crate::support::wait::wait_until;

/// A study of two images, and results as a bucket would make them of it.
pub(crate) struct Study {
    images: Vec<Object>,
    results: Vec<(Object, Vec<u8>)>,
}

/// What a test changes of a result.
pub(crate) type Change<'a> = &'a dyn Fn(&mut DefaultDicomObject);

fn put(object: &mut DefaultDicomObject, tag: Tag, vr: VR, text: &str) {
    object.put(DataElement::new(tag, vr, PrimitiveValue::from(text)));
}

/// All that says whose it is.
pub(crate) fn anonymous(object: &mut DefaultDicomObject) {
    for tag in [
        tags::PATIENT_NAME,
        tags::PATIENT_ID,
        tags::STUDY_DATE,
        tags::STUDY_INSTANCE_UID,
        tags::SERIES_INSTANCE_UID,
    ] {
        object.remove_element(tag);
    }
}

impl Study {
    /// Results in a series of their own, each with its change.
    pub(crate) fn new(changes: &[Change<'_>]) -> Self {
        let scratch = scratch();
        let images = Object::series(2);
        let first = Object {
            study: images[0].study.clone(),
            ..Object::new()
        };
        let made = changes.iter().map(|change| {
            let made = Object {
                sop_instance: crate::support::part10::uid(),
                ..first.clone()
            };
            let path = made.write(scratch.path());
            let mut object = open_file(&path).unwrap();
            change(&mut object);
            let path = scratch.path().join("changed.dcm");
            object.write_to_file(&path).unwrap();
            (made, fs::read(path).unwrap())
        });
        let results = made.collect();
        Self { images, results }
    }

    /// A bucket that leaves these results.
    pub(crate) fn bucket(&self) -> Bucket {
        let work = "#!/bin/sh\nmkdir \"$2/series\" && cp /root/results/*.dcm \"$2/series/\"\n";
        let bucket = Bucket::fixture("copy").with_file("work.sh", work);
        let results = self.results.iter().enumerate();
        results.fold(bucket, |bucket, (number, (_, bytes))| {
            bucket.with_bytes(&format!("results/{number}.dcm"), bytes)
        })
    }

    pub(crate) fn send(&self, node: &TestNode) {
        let directory = node.scratch("sent");
        write_all(&self.images, &directory);
        assert!(senders::storescu(node.dicom_port(), "Copy", &directory).success);
    }
}

/// What the gate found: action, attribute, the result's value, the input's.
fn findings(job: &Job) -> Vec<(String, String, Value, Value)> {
    let found = job.deliveries[0].gate["findings"].as_array().unwrap();
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let one = |f: &Value| {
        (
            text(&f["action"]),
            text(&f["attribute"]),
            f["result"].clone(),
            f["input"].clone(),
        )
    };
    found.iter().map(one).collect()
}

fn gate_state(job: &Job) -> &str {
    job.deliveries[0].gate["state"].as_str().unwrap()
}

fn output(job: &Job) -> PathBuf {
    Path::new(&job.directory).join("OUTPUT/series")
}

/// An object as the PACS has it.
fn arrived(pacs: &TestPacs, directory: &Path, object: &Object) -> (DefaultDicomObject, PathBuf, Vec<u8>) {
    let bytes = pacs.orthanc.file(&object.sop_instance).unwrap();
    let path = directory.join("arrived.dcm");
    fs::write(&path, &bytes).unwrap();
    (open_file(&path).unwrap(), path, bytes)
}

fn text(object: &DefaultDicomObject, tag: Tag) -> String {
    object
        .element(tag)
        .unwrap()
        .to_str()
        .unwrap()
        .trim_end_matches([' ', '\0'])
        .to_owned()
}

#[test]
fn a_result_of_another_patient_is_held_until_somebody_has_looked_at_it() {
    needs!(Docker, Dcmtk, Orthanc);
    let pacs = TestPacs::start(Address::reserve("PACS"));
    let study = Study::new(&[&|_| {}, &|object| {
        put(object, tags::PATIENT_ID, VR::LO, "WRONG7");
        put(object, tags::PATIENT_NAME, VR::PN, "Somebody^Else");
    }]);
    let node = TestNode::with(&study.bucket(), &results_to(pacs.orthanc.address()));
    study.send(&node);
    let job = node.wait_for_end("Copy");
    assert_eq!(
        (job.deliveries[0].state.as_str(), gate_state(&job)),
        ("held", "held"),
        "{job:#?}"
    );
    let held: Vec<_> = findings(&job)
        .into_iter()
        .filter(|(action, ..)| action == "held")
        .collect();
    assert_eq!(
        held,
        [
            (
                "held".into(),
                "Patient ID (0010,0020)".into(),
                "WRONG7".into(),
                "T1".into()
            ),
            (
                "held".into(),
                "Patient's Name (0010,0010)".into(),
                "Somebody^Else".into(),
                "Test^Object".into()
            ),
        ]
    );
    assert_eq!(
        pacs.orthanc.holdings().unwrap().instances,
        0,
        "half a result is none"
    );

    // Tried again it is looked at again, and nothing has changed.
    assert_eq!(node.api().act(&job.id, "retry").unwrap().status, 200);
    let again = node.wait_for("Copy", "the second look", |job| {
        job.is_over() && job.deliveries[0].attempts == 2
    });
    assert_eq!(gate_state(&again), "held");
    assert_eq!(pacs.orthanc.holdings().unwrap().instances, 0);
    // Its values are for the API alone.
    let record = fs::read_to_string(Path::new(&job.directory).join("record.json")).unwrap();
    let events = serde_json::to_string(&again.events).unwrap();
    for (place, text) in [("log", node.log()), ("record.json", record), ("events", events)] {
        for value in ["WRONG7", "Somebody", "Test^Object"] {
            assert!(!text.contains(value), "{value} in {place}");
        }
        assert!(text.contains("held"), "{place}");
    }

    let delivery = job.deliveries[0].id;
    let release = format!("deliveries/{delivery}/release");
    let refused = node
        .api()
        .act(&job.id, &format!("deliveries/{}/release", delivery + 1))
        .unwrap();
    assert_eq!(refused.status, 409, "{refused:?}");
    let number = delivery.to_string();
    let http = &node.ready().http;
    let released = run(
        MAGICKBOX,
        &["job", "--node", http, "release", &job.id, "--delivery", &number],
    );
    assert_eq!(released.code, Some(0), "{released:#?}");
    let sent = node.wait_for("Copy", "the delivery", |job| {
        job.deliveries.iter().any(|d| d.state == "sent")
    });
    assert_eq!(gate_state(&sent), "released");
    let told = serde_json::to_string(&sent.events).unwrap();
    assert!(told.contains("released by 127.0.0.1"), "{told}");
    for (object, bytes) in &study.results {
        let (_, _, there) = arrived(&pacs, &node.scratch("sent"), object);
        assert_eq!(data_set(&there), data_set(bytes), "as the bucket made it");
    }
    assert_eq!(node.api().act(&job.id, &release).unwrap().status, 409, "once");
}

#[test]
fn what_is_missing_is_filled_in_and_arrives_with_its_origin() {
    needs!(Docker, Dcmtk, Orthanc);
    let pacs = TestPacs::start(Address::reserve("PACS"));
    let study = Study::new(&[&anonymous, &|_| {}]);
    let node = TestNode::with(&study.bucket(), &results_to(pacs.orthanc.address()));
    study.send(&node);
    let job = node.wait_for_end("Copy");
    assert_eq!(
        (job.deliveries[0].state.as_str(), gate_state(&job)),
        ("sent", "passed"),
        "{job:#?}"
    );
    let (object, path, _) = arrived(&pacs, &node.scratch("sent"), &study.results[0].0);
    for (tag, value) in [
        (tags::PATIENT_ID, "T1"),
        (tags::PATIENT_NAME, "Test^Object"),
        (tags::STUDY_DATE, "20240229"),
        (tags::STUDY_INSTANCE_UID, study.images[0].study.as_str()),
    ] {
        assert_eq!(text(&object, tag), value);
    }
    let series = text(&object, tags::SERIES_INSTANCE_UID);
    assert!(series.starts_with("2.25."), "{series}");
    let (made, judged, _) = arrived(&pacs, &node.scratch("sent"), &study.results[1].0);
    let equipment = made
        .element(tags::CONTRIBUTING_EQUIPMENT_SEQUENCE)
        .unwrap()
        .items()
        .unwrap();
    assert_eq!(equipment.len(), 1);
    let described = equipment[0]
        .element(tags::CONTRIBUTION_DESCRIPTION)
        .unwrap()
        .to_str()
        .unwrap();
    assert!(
        described.contains("bucket copy (Copy) version 1.0.0, image sha256:"),
        "{described}"
    );
    let sources = made
        .element(tags::SOURCE_IMAGE_SEQUENCE)
        .unwrap()
        .items()
        .unwrap();
    assert_eq!(sources.len(), 2);
    for file in [&path, &judged] {
        let about = complaints(file);
        assert!(
            !about
                .iter()
                .any(|line| line.contains("Contribut") || line.contains("SourceImage")),
            "{about:#?}"
        );
    }
    assert_eq!(
        pacs.orthanc.holdings().unwrap(),
        crate::support::orthanc::Holdings {
            patients: 1,
            studies: 1,
            series: 2,
            instances: 2
        }
    );
    // What the bucket made stays as it was, and each repair is an event.
    for (number, (_, bytes)) in study.results.iter().enumerate() {
        assert_eq!(
            &fs::read(output(&job).join(format!("{number}.dcm"))).unwrap(),
            bytes
        );
    }
    let told = serde_json::to_string(&job.events).unwrap();
    assert!(told.contains("filled: Patient ID (0010,0020)"), "{told}");
    let verified = run(MAGICKBOX, &["verify", "--data", node.data().to_str().unwrap()]);
    assert_eq!(verified.code, Some(0), "{verified:#?}");
}

/// Errors that dciodvfy, where it is installed, has about an object.
fn complaints(file: &Path) -> Vec<String> {
    let Ok(judged) = Command::new("dciodvfy").arg(file).output() else {
        return Vec::new();
    };
    let words = String::from_utf8_lossy(&judged.stderr).into_owned();
    words
        .lines()
        .filter(|line| line.starts_with("Error"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_study_that_is_handed_back_is_not_touched() {
    needs!(Docker, Dcmtk, Orthanc);
    let pacs = TestPacs::start(Address::reserve("PACS"));
    let node = TestNode::with(&Bucket::fixture("copy"), &results_to(pacs.orthanc.address()));
    let study = Study::new(&[]);
    study.send(&node);
    let job = node.wait_for_end("Copy");
    assert_eq!(
        (job.deliveries[0].state.as_str(), gate_state(&job)),
        ("sent", "passed"),
        "{job:#?}"
    );
    assert_eq!(findings(&job), []);
    for image in &study.images {
        let (_, _, there) = arrived(&pacs, &node.scratch("sent"), image);
        assert_eq!(data_set(&there), image.data_set());
    }
}

#[test]
fn of_a_study_of_two_patients_nothing_the_bucket_made_goes() {
    needs!(Docker, Dcmtk, Orthanc);
    let pacs = TestPacs::start(Address::reserve("PACS"));
    let study = Study::new(&[&|_| {}]);
    let node = TestNode::with(&study.bucket(), &results_to(pacs.orthanc.address()));
    let directory = node.scratch("sent");
    let path = study.images[1].write(&directory);
    let mut other = open_file(&path).unwrap();
    put(&mut other, tags::PATIENT_ID, VR::LO, "T2");
    other.write_to_file(&path).unwrap();
    study.images[0].write(&directory);
    assert!(senders::storescu(node.dicom_port(), "Copy", &directory).success);
    let job = node.wait_for_end("Copy");
    assert_eq!(gate_state(&job), "held", "{job:#?}");
    let (_, attribute, result, input) = findings(&job).remove(0);
    assert_eq!(
        (attribute.as_str(), result),
        ("Patient ID (0010,0020)", "T1".into())
    );
    assert!(["T1 and T2", "T2 and T1"].contains(&input.as_str().unwrap()));
    assert_eq!(pacs.orthanc.holdings().unwrap().instances, 0);
}

#[test]
fn the_same_results_may_be_made_again_but_not_for_another_study() {
    needs!(Docker, Dcmtk, Orthanc);
    let pacs = TestPacs::start(Address::reserve("PACS"));
    let study = Study::new(&[&anonymous]);
    let node = TestNode::with(&study.bucket(), &results_to(pacs.orthanc.address()));
    study.send(&node);
    let job = node.wait_for_end("Copy");
    assert_eq!(gate_state(&job), "passed", "{job:#?}");
    let again = node.api().act(&job.id, "restart").unwrap();
    assert_eq!(again.status, 200, "{again:?}");
    let made = |id: &str, what: &str, wanted: &dyn Fn(&Job) -> bool| {
        node.wait_for("Copy", what, |job| job.id != id && wanted(job))
    };
    let second = made(&job.id, "the same results", &Job::is_over);
    assert_eq!(gate_state(&second), "passed", "{second:#?}");

    // A bucket that gives its results the same names whatever it is given.
    let other = Study {
        results: Vec::new(),
        ..Study::new(&[])
    };
    let directory = node.scratch("other");
    write_all(&other.images, &directory);
    assert!(senders::storescu(node.dicom_port(), "Copy", &directory).success);
    let third = node.wait_for("Copy", "results of another study", |job| {
        job.study_instance_uid == other.images[0].study && job.is_over()
    });
    // The bytes are the same; whose they are is not, as soon as it is filled in.
    assert_eq!(gate_state(&third), "held", "{third:#?}");
}

#[test]
fn a_route_says_how_strict_the_gate_is() {
    needs!(Docker, Dcmtk, Orthanc);
    let pacs = TestPacs::start(Address::reserve("PACS"));
    let address = pacs.orthanc.address();
    let mut config = String::new();
    for mode in ["strict", "repair", "off"] {
        let title = mode.to_uppercase();
        config += &format!(
            "[[remote_ae]]\nae_title = \"{title}\"\naddress = \"127.0.0.1:{}\"\n\
             [[route]]\nname = \"{mode}\"\nto = [\"{title}\"]\ngate = \"{mode}\"\n",
            address.dicom_port
        );
    }
    let study = Study::new(&[&|object| {
        object.remove_element(tags::PATIENT_ID);
    }]);
    let node = TestNode::with(&study.bucket(), &config);
    study.send(&node);
    let job = node.wait_for_end("Copy");
    let gates: Vec<_> = job
        .deliveries
        .iter()
        .map(|d| {
            (
                d.destination.as_str(),
                d.gate["state"].as_str().unwrap(),
                d.gate["mode"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        gates,
        [
            ("STRICT", "held", "strict"),
            ("REPAIR", "passed", "repair"),
            ("OFF", "open", "off")
        ],
        "{job:#?}"
    );
}

#[test]
fn a_node_that_dies_between_copy_and_sending_sends_the_same_object_once() {
    needs!(Docker, Dcmtk, Orthanc);
    for point in ["results-copied", "gate-passed"] {
        let pacs = TestPacs::start(Address::reserve("PACS"));
        let study = Study::new(&[&anonymous, &|_| {}]);
        let home = scratch();
        let config = results_to(pacs.orthanc.address());
        let mut node = TestNode::start_in(home, &config, &[("MAGICKBOX_FAILPOINT", point)]);
        node.install(&study.bucket());
        study.send(&node);
        wait_until(PATIENCE, "the node to die", || node.is_dead().then_some(())).unwrap();
        let copies = copies(&node.data());
        assert_eq!(copies.len(), 2, "{point}");
        node.restart().unwrap();
        let job = node.wait_for_end("Copy");
        assert_eq!(
            (job.deliveries[0].state.as_str(), gate_state(&job)),
            ("sent", "passed"),
            "{job:#?}"
        );
        for (object, _) in &study.results {
            let (_, _, there) = arrived(&pacs, &node.scratch("sent"), object);
            let copy = &copies[&format!("{}.dcm", object.sop_instance)];
            assert_eq!(data_set(&there), data_set(copy), "{point}");
        }
    }
}

/// Copies in `outgoing/` of the one job there is, by name.
fn copies(data: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let jobs = data.join("streams/bucketCopy/jobs");
    let job = fs::read_dir(jobs).unwrap().next().unwrap().unwrap().path();
    let entries = fs::read_dir(job.join("outgoing")).unwrap();
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.unwrap();
        (
            entry.file_name().into_string().unwrap(),
            fs::read(entry.path()).unwrap(),
        )
    };
    entries.map(read).collect()
}
