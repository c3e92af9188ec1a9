//! `magickbox verify` finds what is not as it was stored, and nothing else.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::needs;
use crate::support::images::Bucket;
use crate::support::parrot::Parrot;
use crate::support::parrot::pdu::Request;
use crate::support::part10::{EXPLICIT_LITTLE, MR, Object, files};
use crate::support::under_test::{MAGICKBOX, Ran, TestNode, run, scratch};

fn verify(node: &TestNode, more: &[&str]) -> Ran {
    let data = node.data();
    let arguments = [&["verify", "--data", data.to_str().unwrap()], more].concat();
    run(MAGICKBOX, &arguments)
}

fn flip_last_byte(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn every_file_is_held_against_its_hash_while_the_node_runs_and_when_it_does_not() {
    needs!(Docker);
    // A set that stays open, beside a job that is over.
    let config = "[bucket.Count]\ncomplete = { quiet = \"10m\", cap = \"20m\" }\n";
    let mut node = TestNode::with(&Bucket::fixture("copy"), config);
    node.install(&Bucket::fixture("count"));
    let send = |node: &TestNode, called: &str, objects: &[Object]| {
        let request = Request::new(called).context(1, MR, &[EXPLICIT_LITTLE]);
        let mut parrot = Parrot::associate(node.dicom_port(), &request);
        for object in objects {
            assert_eq!(parrot.store(1, object), 0x0000);
        }
        parrot.release();
    };
    let (sent, open) = (Object::series(3), Object::series(2));
    send(&node, "Copy", &sent);
    send(&node, "Count", &open);
    let job = node.wait_for_end("Copy");
    let receiving = node.wait_for_state("Count", "receiving");

    let clean = verify(&node, &[]);
    assert_eq!(clean.code, Some(0), "{clean:#?}");
    for line in [
        ("jobs", 2),
        ("objects", 5),
        ("outputs", 4),
        ("changed", 0),
        ("missing", 0),
        ("unknown", 0),
    ] {
        let (what, number) = line;
        assert!(
            clean.stdout.contains(&format!("{what:<14}{number:>12}\n")),
            "{what} {number} not in\n{}",
            clean.stdout
        );
    }

    assert!(node.terminate().unwrap().success());
    let directory = Path::new(&job.directory);
    let input = |o: &Object| directory.join("INPUT").join(format!("{}.dcm", o.sop_instance));
    flip_last_byte(&input(&sent[0]));
    fs::remove_file(input(&sent[1])).unwrap();
    fs::write(directory.join("INPUT/Patient^Name.dcm"), "a stranger").unwrap();
    let output = files(&directory.join("OUTPUT"));
    flip_last_byte(&output[0]);
    fs::remove_file(&output[1]).unwrap();
    fs::write(directory.join("OUTPUT/Patient^Name.txt"), "a stranger").unwrap();
    let set = files(&node.bucket("Count").join("incoming").join(&receiving.id));
    flip_last_byte(&set[0]);
    fs::create_dir(node.bucket("Copy").join("jobs/20200101-000000-00000000")).unwrap();

    let told = verify(&node, &[]);
    assert_eq!(told.code, Some(1), "{told:#?}");
    assert!(
        told.stderr.contains("8 files are not as they were stored"),
        "{}",
        told.stderr
    );
    assert!(!told.stdout.contains("Patient"), "{}", told.stdout);
    let report: Value = serde_json::from_str(&verify(&node, &["--json"]).stdout).unwrap();
    let mut found: Vec<_> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| ["job", "problem", "file"].map(|key| f[key].as_str().unwrap().to_owned()))
        .collect();
    let name = |file: &Path| file.file_name().unwrap().to_str().unwrap().to_owned();
    let mut expected = vec![
        ("changed", format!("INPUT/{}.dcm", sent[0].sop_instance)),
        ("missing", format!("INPUT/{}.dcm", sent[1].sop_instance)),
        ("unknown", "INPUT/(unknown name 1)".to_owned()),
        ("unknown", "OUTPUT/(unknown name 1)".to_owned()),
    ]
    .into_iter()
    .map(|(problem, file)| [job.id.clone(), problem.to_owned(), file])
    .collect::<Vec<_>>();
    expected.push([
        receiving.id.clone(),
        "changed".to_owned(),
        format!("set/{}", name(&set[0])),
    ]);
    expected.push(["20200101-000000-00000000", "unknown", ""].map(str::to_owned));
    found.sort();
    expected.sort();
    let outputs: Vec<_> = found
        .extract_if(.., |[_, _, file]| file.starts_with("OUTPUT, record.json output["))
        .map(|[_, problem, _]| problem)
        .collect();
    assert_eq!(outputs, ["changed", "missing"]);
    assert_eq!(found, expected);
}

#[test]
fn a_directory_that_is_none_of_a_node_is_refused_by_name() {
    let home = scratch();
    let ran = run(MAGICKBOX, &["verify", "--data", home.path().to_str().unwrap()]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("is no data directory of a node"),
        "{}",
        ran.stderr
    );
}
