//! A study sent over DICOM is processed in a container, and its result comes back.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::needs;
use crate::support::api::Job;
use crate::support::images::Bucket;
use crate::support::node::Node;
use crate::support::orthanc::Address;
use crate::support::part10::{data_set, files, identity};
use crate::support::under_test::{TestNode, TestPacs, results_to};
use crate::support::{phantom, senders};

const SLICES: u32 = 12;

#[test]
fn a_series_sent_by_storescu_comes_back_to_the_pacs() {
    needs!(Docker, Dcmtk, Orthanc);
    let pacs = TestPacs::start(Address::reserve("PACS"));
    let node = TestNode::with(&Bucket::fixture("copy"), &results_to(pacs.orthanc.address()));
    let sent = phantom::write(&node.scratch("phantom"), SLICES);

    let said = senders::storescu(node.dicom_port(), "Copy", &node.scratch("phantom"));
    assert!(said.success && said.stored() == SLICES as usize, "{}", said.text);

    let job = node.wait_for_end("Copy");
    assert_eq!(
        (job.state.as_str(), job.outcome.as_deref()),
        ("done", Some("success")),
        "{job:#?}"
    );
    assert_eq!(
        (job.called_ae_title.as_str(), job.calling_ae_title.as_str()),
        ("Copy", "SENDER")
    );
    assert_eq!(
        (job.instances, job.attempt, job.exit_status),
        (u64::from(SLICES), 1, Some(0))
    );
    assert!(
        job.events.len() >= 5,
        "received, queued, running, harvested, delivered: {:#?}",
        job.events
    );
    assert!(
        !job.oom_killed && !job.timed_out && job.reason.is_none(),
        "{job:#?}"
    );

    let uids: BTreeSet<_> = sent.iter().map(|file| identity(file).0).collect();
    assert_eq!(
        pacs.orthanc.sop_instance_uids().unwrap(),
        uids,
        "{}",
        pacs.orthanc.log()
    );
    every_object_was_returned(&job, &uids);
    input_is_what_was_sent(&job, &sent);
    nothing_is_on_the_disk_twice(&node, &job);
    measures_are_kept(&job, &uids);
    papers_are_in_order(&job, &uids);
    assert_eq!(
        node.api().log(&job.id).unwrap(),
        format!("copied {SLICES} objects\n")
    );
}

fn every_object_was_returned(job: &Job, uids: &BTreeSet<String>) {
    let [delivery] = &job.deliveries[..] else {
        panic!("{job:#?}")
    };
    assert_eq!(
        (
            delivery.destination.as_str(),
            delivery.route.as_str(),
            delivery.state.as_str(),
            delivery.attempts
        ),
        ("PACS", "results", "sent", 1)
    );
    let returned: BTreeSet<_> = delivery
        .instances
        .iter()
        .map(|i| i.sop_instance_uid.clone())
        .collect();
    assert_eq!(&returned, uids);
    for instance in &delivery.instances {
        assert_eq!(
            (instance.state.as_str(), instance.status.as_deref()),
            ("sent", Some("0000"))
        );
    }
}

/// dcmtk writes data sets anew when it sends; a phantom is written the way dcmtk would.
fn input_is_what_was_sent(job: &Job, sent: &[PathBuf]) {
    let input = Path::new(&job.directory).join("INPUT");
    assert_eq!(files(&input).len(), sent.len());
    for file in sent {
        let (uid, _) = identity(file);
        let (kept, original) = (
            fs::read(input.join(format!("{uid}.dcm"))).unwrap(),
            fs::read(file).unwrap(),
        );
        assert!(
            data_set(&kept) == data_set(&original),
            "{uid} was changed on its way"
        );
    }
}

/// INPUT holds hard links: another file of that name must be the same file.
fn nothing_is_on_the_disk_twice(node: &Node, job: &Job) {
    let input = Path::new(&job.directory).join("INPUT");
    let output = Path::new(&job.directory).join("OUTPUT");
    for path in walk(&node.data()).into_iter().filter(|p| !p.starts_with(&output)) {
        let here = input.join(path.file_name().unwrap());
        if here.exists() {
            assert_eq!(
                here.metadata().unwrap().ino(),
                path.metadata().unwrap().ino(),
                "{}",
                path.display()
            );
        }
    }
}

fn measures_are_kept(job: &Job, uids: &BTreeSet<String>) {
    let of = |source: &str| {
        job.measures
            .iter()
            .filter(|m| m.source == source)
            .collect::<Vec<_>>()
    };
    let [count] = of("measures.json")[..] else {
        panic!("{:#?}", job.measures)
    };
    assert_eq!(
        (count.name.as_str(), count.value.as_u64()),
        ("objects", Some(u64::from(SLICES)))
    );
    assert_eq!(count.unit, None, "a plain number has no unit");

    let of_plugin = of("db-plugin");
    let measured: BTreeSet<_> = of_plugin
        .iter()
        .map(|m| m.file.trim_end_matches(".dcm").to_owned())
        .collect();
    assert_eq!(&measured, uids, "once per output file");
    for measure in of_plugin {
        let size = Path::new(&job.directory)
            .join("OUTPUT")
            .join(&measure.file)
            .metadata()
            .unwrap()
            .len();
        assert_eq!(
            (measure.name.as_str(), measure.value.as_u64()),
            ("bytes", Some(size))
        );
    }
}

fn papers_are_in_order(job: &Job, uids: &BTreeSet<String>) {
    let read = |name: &str| fs::read_to_string(Path::new(&job.directory).join(name)).unwrap();
    let json = |name: &str| serde_json::from_str::<Value>(&read(name)).unwrap();

    let info = json("info.json");
    assert_eq!(
        (&info["AETitleCalled"], &info["AETitleCaller"]),
        (&"Copy".into(), &"SENDER".into())
    );
    assert_eq!(info["CallerIP"], "127.0.0.1");
    assert_eq!(json("proc.json")[0]["success"], "success");
    assert!(read("measures.json").contains("objects"));
    assert_eq!(read("processing.log"), format!("copied {SLICES} objects\n"));

    let record = read("record.json");
    assert!(
        record.contains("sha256:"),
        "the image's digest is missing: {record}"
    );
    for uid in uids {
        assert!(record.contains(uid), "{uid} is missing: {record}");
    }
    let record = json("record.json").to_string();
    assert!(
        record.contains("\"PACS\""),
        "what became of the delivery is missing: {record}"
    );
}

fn walk(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path());
    entries
        .flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] })
        .collect()
}
