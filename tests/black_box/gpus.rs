//! Graphics processors: what a node without a driver for them, or with none to give, says.

use std::fs;
use std::io::Write;

use crate::needs;
use crate::support::PATIENCE;
use crate::support::images::{Bucket, containers_of};
use crate::support::part10::{Object, write_all};
use crate::support::senders;
use crate::support::under_test::{BUCKETS, Ran, TestNode, run, scratch};
use crate::support::wait::wait_until;

fn bucket(gpus: u32) -> Bucket {
    let resources = serde_json::json!({ "cpus": 0.5, "memory": "64MiB", "gpus": gpus });
    Bucket::fixture("copy")
        .called("Brain")
        .with("resources", resources)
}

fn install(node: &TestNode, bucket: &Bucket) -> Ran {
    run(
        BUCKETS,
        &["install", &bucket.image(), "--node", &node.ready().http],
    )
}

/// Whether this machine's engine has a driver for graphics processors: the stories here are about one that has none.
fn has_driver() -> bool {
    let info = std::process::Command::new("docker")
        .args(["info", "--format", "{{json .Runtimes}}"])
        .output();
    let found = info.is_ok_and(|info| String::from_utf8_lossy(&info.stdout).contains("nvidia"));
    if found {
        // Past the capture of output; no peer is missing here, so that it is no failure of CI.
        let _ =
            std::io::stderr().write_all(b"SKIPPED gpus: the engine of this machine has a driver for them\n");
    }
    found
}

#[test]
fn a_bucket_that_asks_for_more_gpus_than_the_node_has_is_not_installed() {
    needs!(Docker);
    let node = TestNode::start("");
    let refused = install(&node, &bucket(1));
    assert_ne!(refused.code, Some(0), "{refused:#?}");
    for part in [
        "Brain asks for 1 gpus",
        "this node has none to give",
        "[engine] gpus",
    ] {
        assert!(refused.stderr.contains(part), "{part} is not in {refused:#?}");
    }

    let node = TestNode::start("[engine]\ngpus = [\"0\"]\n");
    let refused = install(&node, &bucket(2));
    assert_ne!(refused.code, Some(0), "{refused:#?}");
    assert!(
        refused
            .stderr
            .contains("asks for 2 gpus, this node has 1 to give"),
        "{refused:#?}"
    );
    let installed = install(&node, &bucket(1));
    assert_eq!(installed.code, Some(0), "{installed:#?}");
}

#[test]
fn where_the_engine_has_no_gpu_driver_the_job_fails_and_says_so_and_others_go_on() {
    needs!(Docker, Dcmtk);
    if has_driver() {
        return;
    }
    let node = TestNode::with(&bucket(1), "[engine]\ngpus = [\"0\"]\n");
    node.install(&Bucket::fixture("copy"));
    for stream in ["Brain", "Copy"] {
        let object = Object::new();
        let directory = node.scratch(&object.study);
        object.write(&directory);
        assert!(senders::storescu(node.dicom_port(), stream, &directory).success);
    }
    let failed = node.wait_for_end("Brain");
    assert_eq!(failed.state, "failed", "{failed:#?}");
    let reason = failed.reason.clone().unwrap();
    for part in [
        "bucket Brain asks for gpus and was promised 0",
        "could not select device driver",
        "install a GPU driver",
    ] {
        assert!(reason.contains(part), "{part} is not in {reason}");
    }
    assert_eq!(failed.attempt, 1, "the same would happen again");
    wait_until(PATIENCE, "no container of it to be left", || {
        containers_of(&failed.id).is_empty().then_some(())
    })
    .unwrap();
    assert_eq!(node.wait_for_end("Copy").outcome.as_deref(), Some("success"));
}

#[test]
fn run_takes_the_gpus_it_is_given_or_says_why_not() {
    needs!(Docker);
    if has_driver() {
        return;
    }
    let home = scratch();
    let input = home.path().join("in");
    write_all(&Object::series(1), &input);
    let image = bucket(1).image();
    let run = |out: &str, more: &[&str]| {
        let output = home.path().join(out);
        fs::create_dir(&output).unwrap();
        let start = ["run", &image, input.to_str().unwrap(), output.to_str().unwrap()];
        run(BUCKETS, &[&start, more].concat())
    };
    for (out, more, promised) in [
        ("first", &[][..], "promised 0,"),
        ("third", &["--gpus", "3"], "promised 3,"),
    ] {
        let ran = run(out, more);
        assert_ne!(ran.code, Some(0), "{ran:#?}");
        for part in ["bucket Brain asks for gpus", promised, "install a GPU driver"] {
            assert!(ran.stderr.contains(part), "{part} is not in {ran:#?}");
        }
    }
    for (out, gpus, why) in [
        ("many", "0,1", "--gpus names 2 and the bucket asks for 1"),
        ("wrong", "all", "a GPU is named by its index"),
    ] {
        let ran = run(out, &["--gpus", gpus]);
        assert!(ran.code != Some(0) && ran.stderr.contains(why), "{ran:#?}");
    }
}
