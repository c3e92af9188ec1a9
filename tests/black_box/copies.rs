//! Results that are sent with repairs lie on the disk a second time only while they are sent, and go again as they went.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::gate::{Study, anonymous};
use crate::needs;
use crate::support::PATIENCE;
use crate::support::api::Job;
use crate::support::pacs::Pacs;
use crate::support::under_test::{MAGICKBOX, TestNode, run, scratch};
use crate::support::wait::wait_until;

/// A PACS that refuses the first of so many objects, and keeps what it was sent of each object last.
fn pacs(home: &Path, statuses: &str) -> (Pacs, PathBuf) {
    let directory = home.join("stored");
    fs::create_dir(&directory).unwrap();
    let options = ["--statuses", statuses, "--store", directory.to_str().unwrap()];
    (Pacs::start("PACS", &home.join("pacs.log"), &options), directory)
}

fn config(pacs: &Pacs) -> String {
    format!(
        "[[remote_ae]]\nae_title = \"PACS\"\naddress = \"127.0.0.1:{}\"\n\
         [[route]]\nname = \"results\"\nto = [\"PACS\"]\n",
        pacs.port
    )
}

/// What a PACS has, by SOP Instance UID.
fn stored(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    let read = |e: fs::DirEntry| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap());
    entries.map(read).collect()
}

fn outgoing(job: &Job) -> PathBuf {
    Path::new(&job.directory).join("outgoing")
}

#[track_caller]
fn wait_until_gone(job: &Job) {
    let is_gone = || (!outgoing(job).exists()).then_some(());
    wait_until(PATIENCE, "the copies to go", is_gone).unwrap();
}

#[track_caller]
fn assert_in_order(node: &TestNode) {
    let verified = run(MAGICKBOX, &["verify", "--data", node.data().to_str().unwrap()]);
    assert_eq!(verified.code, Some(0), "{verified:#?}");
}

#[test]
fn when_nothing_is_sent_any_more_results_are_there_once_and_sent_again_they_are_the_same_objects() {
    needs!(Docker, Dcmtk, Pynetdicom);
    let home = scratch();
    let (pacs, directory) = pacs(home.path(), "C123,0000");
    let study = Study::new(&[&anonymous, &|_| {}]);
    let node = TestNode::with(&study.bucket(), &config(&pacs));
    study.send(&node);
    let job = node.wait_for_end("Copy");
    assert_eq!(job.deliveries[0].state, "refused", "{job:#?}");
    wait_until_gone(&job);
    let first = stored(&directory);
    assert_eq!((first.len(), pacs.stored().len()), (2, 2));
    assert_in_order(&node);

    assert_eq!(node.api().act(&job.id, "retry").unwrap().status, 200);
    let job = node.wait_for("Copy", "the rest", |job| {
        job.deliveries[0].state == "sent" && job.is_over()
    });
    wait_until_gone(&job);
    assert_eq!(pacs.stored().len(), 3, "the refused one alone");
    assert_eq!(stored(&directory), first, "bit by bit");
    assert_in_order(&node);
}

#[test]
fn a_kill_9_while_copies_go_or_are_made_again_leaves_none_behind_and_changes_no_object() {
    needs!(Docker, Dcmtk, Pynetdicom);
    let home = scratch();
    let (pacs, directory) = pacs(home.path(), "C123,0000");
    let study = Study::new(&[&anonymous, &|_| {}]);
    let variable = |point| [("MAGICKBOX_FAILPOINT", point)];
    let mut node = TestNode::start_in(scratch(), &config(&pacs), &variable("copies-removed"));
    node.install(&study.bucket());
    study.send(&node);
    let die = |node: &mut TestNode, point: &str| {
        wait_until(PATIENCE, &format!("the node to die: {point}"), || {
            node.is_dead().then_some(())
        })
        .unwrap();
    };
    die(&mut node, "copies-removed");
    let first = stored(&directory);
    for point in ["results-copied", "gate-passed", "object-taken"] {
        node.restart_with(&variable(point)).unwrap();
        let job = node.wait_for_end("Copy");
        assert_eq!(job.deliveries[0].state, "refused", "{point}: {job:#?}");
        wait_until_gone(&job);
        assert_in_order(&node);
        // One is refused again and again until the last time.
        node.api().act(&job.id, "retry").unwrap();
        die(&mut node, point);
        assert!(outgoing(&job).exists(), "{point}");
        node.restart().unwrap();
        let job = node.wait_for("Copy", "the rest", |job| {
            job.deliveries[0].state == "sent" && job.is_over()
        });
        wait_until_gone(&job);
        assert_eq!(stored(&directory), first, "{point}");
        assert_in_order(&node);
        if point != "object-taken" {
            lose(&mut node, &job);
        }
    }
}

/// As if the destination had refused one object.
fn lose(node: &mut TestNode, job: &Job) {
    node.kill().unwrap();
    let store = rusqlite::Connection::open(node.data().join("store/magickbox.sqlite")).unwrap();
    let uid = &job.deliveries[0].instances[0].sop_instance_uid;
    let refuse =
        "UPDATE delivery_instances SET state = 'refused', status = 49443 WHERE sop_instance_uid = ?1";
    store.execute(refuse, [uid]).unwrap();
    store
        .execute("UPDATE deliveries SET state = 'refused'", [])
        .unwrap();
}
