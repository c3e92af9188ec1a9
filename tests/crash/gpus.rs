//! The node is killed while runs have graphics processors: they keep the same ones, and nobody else gets them.
//!
//! The daemon is real; its GPU driver does nothing but tell each container, in `NVIDIA_VISIBLE_DEVICES`, which devices it has.

use std::collections::BTreeSet;
use std::fs;

use super::showed;
use super::study::{send, study};
use crate::needs;
use crate::support::PATIENCE;
use crate::support::daemon::Daemon;
use crate::support::images::Bucket;
use crate::support::peers::skip;
use crate::support::under_test::{TestNode, scratch};
use crate::support::wait::wait_until;

/// A bucket that writes down its devices and waits at its gate.
fn bucket(ae_title: &str, gpus: u32) -> Bucket {
    let script = "#!/bin/sh\necho \"${NVIDIA_VISIBLE_DEVICES-none}\" >/memory/gpu.part\n\
                  mv /memory/gpu.part /memory/gpu\nwhile [ ! -e /memory/go ]; do sleep 0.1; done\n";
    let resources = serde_json::json!({ "cpus": 0.2, "memory": "64MiB", "gpus": gpus });
    Bucket::fixture("copy")
        .called(ae_title)
        .with("resources", resources)
        .with_file("work.sh", script)
}

/// The devices that a run of that bucket sees, once it has begun.
#[track_caller]
fn devices(node: &TestNode, stream: &str) -> String {
    let file = node.bucket(stream).join("memory/gpu");
    wait_until(PATIENCE, &format!("a run of {stream}"), || {
        fs::read_to_string(&file).ok()
    })
    .unwrap()
    .trim()
    .to_owned()
}

fn open_gate(node: &TestNode, stream: &str) {
    fs::write(node.bucket(stream).join("memory/go"), "").unwrap();
}

#[test]
fn runs_keep_their_gpus_when_the_node_is_killed_and_nobody_else_gets_them() {
    needs!(Docker);
    if !rustix::process::getuid().is_root() {
        return skip(module_path!(), "a daemon of its own needs root");
    }
    let daemon = match Daemon::with_gpu_driver() {
        Ok(daemon) => daemon,
        Err(why) => return skip(module_path!(), &why),
    };
    let config = format!(
        "[engine]\ndocker = \"{}\"\ngpus = [\"4\", \"7\"]\n",
        daemon.socket()
    );
    let mut node = TestNode::start_in(scratch(), &config, &[]);
    let streams = [("Left", 1), ("Right", 1), ("Next", 1), ("Plain", 0)];
    for (stream, gpus) in streams {
        let image = bucket(stream, gpus).image();
        daemon.load(&image);
        let answer = node.api().install(&image, false).unwrap();
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    let begin = |node: &TestNode, stream| {
        send(node.dicom_port(), stream, &study(1, 512), &mut BTreeSet::new()).unwrap();
    };
    begin(&node, "Left");
    assert_eq!(devices(&node, "Left"), "4");
    begin(&node, "Right");
    assert_eq!(devices(&node, "Right"), "7");
    begin(&node, "Next");
    node.wait_for_state("Next", "queued");
    begin(&node, "Plain");
    assert_eq!(devices(&node, "Plain"), "none", "it needs none and does not wait");

    node.kill().unwrap();
    node.restart().unwrap();
    // Had the node forgotten who has which, the next one would begin at once, with the first of the list.
    open_gate(&node, "Right");
    assert_eq!(devices(&node, "Next"), "7", "Left still has 4");
    for (stream, _) in streams {
        open_gate(&node, stream);
        assert_eq!(node.wait_for_end(stream).outcome.as_deref(), Some("success"));
    }
    assert_eq!(daemon.containers(), "");
    showed(
        "node killed, runs with gpus",
        "each run kept its own, the next one began with the one that became free",
    );
    node.terminate().unwrap();
}
