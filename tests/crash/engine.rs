//! The container engine is killed and comes back: an own daemon in a network of its own, so that no other is disturbed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::account::{data_sets, sent};
use super::scene::TITLE;
use super::study::{send, study};
use super::{is_full, showed};
use crate::needs;
use crate::support::PATIENCE;
use crate::support::daemon::Daemon;
use crate::support::images::Bucket;
use crate::support::peers::skip;
use crate::support::process::Process;
use crate::support::under_test::{MAGICKBOX, TestNode, scratch};
use crate::support::wait::wait_until;

/// A bucket that hands the study back once the gate is open; a line in its memory for each run.
fn gate() -> Bucket {
    let script = "#!/bin/sh\nset -e\necho begin >>/memory/diary\necho \"at the gate\"\n\
                  while [ ! -e /memory/go ]; do sleep 0.1; done\ncp \"$1\"/*.dcm \"$2\"/\n\
                  printf '{ \"objects\": %s }\\n' \"$(ls \"$2\" | wc -l)\" >\"$2/measures.json\"\necho \"through the gate\"\n";
    Bucket::fixture("copy").with_file("work.sh", script)
}

/// When the daemon is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// While a container runs.
    Running,
    /// Before the node has created its container: the set is complete while nobody answers.
    Creating,
    /// While neither node nor daemon are there; the node is started first.
    NodeStart,
}

#[test]
fn an_engine_that_is_killed_and_comes_back_ends_its_jobs_well() {
    needs!(Docker);
    if !rustix::process::getuid().is_root() {
        return skip(module_path!(), "a daemon of its own needs root");
    }
    let cases = [
        (At::Running, false),
        (At::Running, true),
        (At::Creating, false),
        (At::NodeStart, false),
    ];
    for (at, live_restore) in cases.into_iter().take(if is_full() { 4 } else { 1 }) {
        let daemon = match Daemon::start(live_restore) {
            Ok(daemon) => daemon,
            Err(why) => return skip(module_path!(), &why),
        };
        killed(daemon, at);
    }
}

fn killed(mut daemon: Daemon, at: At) {
    let image = gate().image();
    daemon.load(&image);
    let config = format!("[engine]\ndocker = \"{}\"\n", daemon.socket());
    let mut node = TestNode::start_in(scratch(), &config, &[]);
    let answer = node.api().install(&image, false).unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    let study = study(3, 4096);
    let diary =
        |node: &TestNode| fs::read_to_string(node.bucket(TITLE).join("memory/diary")).unwrap_or_default();
    if at == At::Creating {
        daemon.kill();
    }
    send(node.dicom_port(), TITLE, &study, &mut BTreeSet::new()).unwrap();
    if at == At::Creating {
        node.wait_for_state(TITLE, "queued");
    } else {
        wait_until(PATIENCE, "the container at the gate", || {
            (!diary(&node).is_empty()).then_some(())
        })
        .unwrap();
        // An engine that is killed between the start of a container and its own note of it knows nothing of the run when
        // it is back, and is asked to start it once more. It lists what it has noted.
        wait_until(PATIENCE, "the engine to note the start", || {
            daemon.containers().contains("running").then_some(())
        })
        .unwrap();
    }
    let mut refused = String::new();
    match at {
        At::Running => daemon.kill(),
        At::Creating => {}
        At::NodeStart => {
            node.kill().unwrap();
            daemon.kill();
            refused = start_without_an_engine(&node);
        }
    }
    daemon.start_docker().unwrap();
    if at == At::NodeStart {
        node.restart().unwrap();
    }
    fs::write(node.bucket(TITLE).join("memory/go"), "").unwrap();
    let job = node.wait_for_end(TITLE);
    let end = (job.state.as_str(), job.outcome.as_deref());
    assert_eq!(end, ("done", Some("success")), "{at:?}: {job:#?}");
    assert!(
        data_sets(&Path::new(&job.directory).join("OUTPUT")) == sent(&study),
        "{at:?}: the results"
    );
    let log = node.api().log(&job.id).unwrap();
    assert!(log.ends_with("through the gate\n"), "{at:?}: {log:?}");
    assert_eq!(daemon.containers(), "", "{at:?}");
    let live = if daemon.live_restore { ", live-restore" } else { "" };
    let runs = diary(&node).lines().count();
    assert_eq!(runs, job.attempt as usize, "{at:?}{live}: {}", diary(&node));
    showed(
        &format!("dockerd killed, {at:?}{live}"),
        &format!(
            "done after {} attempts, {runs} runs, log complete, no container left{refused}",
            job.attempt
        ),
    );
    node.terminate().unwrap();
}

/// A node that is started while nobody answers: it waits or says so, and nothing of its data changes.
fn start_without_an_engine(node: &TestNode) -> String {
    let home = node.data();
    let home = home.parent().unwrap();
    let mut command = Command::new(MAGICKBOX);
    command.args([
        "serve",
        "--dicom",
        "127.0.0.1:0",
        "--http",
        "127.0.0.1:0",
        "--config",
    ]);
    command
        .arg(home.join("node.toml"))
        .arg("--data")
        .arg(home.join("data"));
    let log = home.join("alone.log");
    let mut alone = Process::start("a node without an engine", &mut command, &log).unwrap();
    let said = wait_until(PATIENCE, "a word about the engine", || {
        let log = alone.log();
        (alone.ended().is_some() || log.contains("docker")).then_some(log)
    })
    .unwrap();
    let ended = alone.ended().is_some();
    alone.kill().unwrap();
    assert!(said.contains("d.sock"), "{said}");
    if ended {
        "; a node without it refuses to start, naming the socket"
    } else {
        "; a node without it waits"
    }
    .to_owned()
}
