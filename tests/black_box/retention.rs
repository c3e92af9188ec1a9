//! Jobs that are over lose their files by age or for room, and nothing else does.

use std::fs;
use std::path::Path;

use crate::needs;
use crate::support::PATIENCE;
use crate::support::api::Job;
use crate::support::images::Bucket;
use crate::support::parrot::Parrot;
use crate::support::parrot::pdu::Request;
use crate::support::part10::{EXPLICIT_LITTLE, MR, Object};
use crate::support::under_test::TestNode;
use crate::support::wait::wait_until;

#[track_caller]
fn run_one(node: &TestNode, called: &str, object: &Object) -> Job {
    let request = Request::new(called).context(1, MR, &[EXPLICIT_LITTLE]);
    let mut parrot = Parrot::associate(node.dicom_port(), &request);
    assert_eq!(parrot.store(1, object), 0x0000);
    parrot.release();
    let study = object.study.clone();
    node.wait_for(called, "the end of the job", |job| {
        job.study_instance_uid == study && job.is_over()
    })
}

fn is_there(job: &Job) -> bool {
    Path::new(&job.directory).exists()
}

#[track_caller]
fn wait_for_removal(node: &TestNode, job: &Job) -> Job {
    wait_until(PATIENCE, "the removal of the job", || {
        let now = node.api().job(&job.id).unwrap();
        now.removed_at.is_some().then_some(now)
    })
    .unwrap()
}

#[test]
fn by_age_the_files_go_and_the_job_stays_in_the_history() {
    needs!(Docker);
    // Ages are looked at when the node starts, then every minute.
    let config = "[storage]\nkeep = \"1ms\"\n[bucket.Copy]\nkeep = \"forever\"\n";
    let mut node = TestNode::with(&Bucket::fixture("count"), config);
    node.install(&Bucket::fixture("copy"));
    let [gone, kept] = ["Count", "Copy"].map(|called| run_one(&node, called, &Object::new()));
    assert!(node.terminate().unwrap().success());
    node.restart().unwrap();
    let removed = wait_for_removal(&node, &gone);
    assert!(!is_there(&gone));
    assert_eq!(removed.removed_why.as_deref(), Some("over for more than 1ms"));
    assert_eq!((removed.state, removed.instances), ("done".to_owned(), 1));
    assert!(!removed.measures.is_empty(), "what it measured is history");
    assert_eq!(removed.events.last().unwrap()["kind"], "removed");
    assert!(is_there(&kept) && node.api().job(&kept.id).unwrap().removed_at.is_none());
    assert_eq!(node.api().metric("jobs_removed_total").unwrap(), Some(1));
}

#[test]
fn a_removal_that_was_cut_off_by_a_kill_9_is_finished_by_the_next_start() {
    needs!(Docker);
    let mut node = TestNode::with(&Bucket::fixture("copy"), "[storage]\nkeep = \"forever\"\n");
    let job = run_one(&node, "Copy", &Object::new());
    node.kill().unwrap();
    // As it stands between two steps: the store says that it goes, some of its files are gone.
    let store = rusqlite::Connection::open(node.data().join("store/magickbox.sqlite")).unwrap();
    let changed = store
        .execute("UPDATE jobs SET removed_why = 'cut off' WHERE id = ?1", [&job.id])
        .unwrap();
    assert_eq!(changed, 1);
    drop(store);
    fs::remove_dir_all(Path::new(&job.directory).join("INPUT")).unwrap();
    node.restart().unwrap();
    let removed = wait_for_removal(&node, &job);
    assert!(!is_there(&job));
    assert_eq!(removed.removed_why.as_deref(), Some("cut off"));
}

#[test]
fn a_job_whose_results_were_not_delivered_keeps_its_files() {
    needs!(Docker);
    // Nobody listens there.
    let config = "[storage]\nkeep = \"1ms\"\n[delivery]\nfirst_retry = \"50ms\"\ngive_up = \"100ms\"\n\
                  [[remote_ae]]\nae_title = \"PACS\"\naddress = \"127.0.0.1:9\"\n\
                  [[route]]\nname = \"results\"\ncalled = \"Copy\"\nto = [\"PACS\"]\n";
    let mut node = TestNode::with(&Bucket::fixture("copy"), config);
    node.install(&Bucket::fixture("count"));
    let held = run_one(&node, "Copy", &Object::new());
    assert_eq!(held.deliveries[0].state, "held", "{held:#?}");
    let gone = run_one(&node, "Count", &Object::new());
    assert!(node.terminate().unwrap().success());
    node.restart().unwrap();
    wait_for_removal(&node, &gone);
    assert!(is_there(&held));
    assert!(node.api().job(&held.id).unwrap().removed_at.is_none());
}

#[test]
fn for_room_the_oldest_jobs_go_and_no_more_than_it_takes() {
    needs!(Docker);
    let config = "[storage]\nreserve = 1\nreserve_files = 1\nmake_room = \"24MiB\"\n";
    let Some(node) = TestNode::on_disk(module_path!(), "size=64m", &Bucket::fixture("count"), config) else {
        return;
    };
    let object = || Object {
        pixels: 8 << 20,
        ..Object::new()
    };
    let jobs = [0; 4].map(|_| run_one(&node, "Count", &object()));
    assert!(jobs.iter().all(is_there), "{} bytes are free", node.disk().free());
    node.disk().fill(20 << 20);
    wait_for_removal(&node, &jobs[0]);
    assert!(node.disk().free() >= 24 << 20);
    assert!(!is_there(&jobs[0]) && jobs[1..].iter().all(is_there));
    node.disk().fill(10 << 20);
    let removed = wait_for_removal(&node, &jobs[2]);
    assert_eq!(removed.removed_why.as_deref(), Some("removed to make room"));
    assert!(!is_there(&jobs[1]) && is_there(&jobs[3]));
}
