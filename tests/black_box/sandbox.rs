//! What a bucket can see and do while it runs.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::needs;
use crate::support::api::Job;
use crate::support::images::{Bucket, containers_of};
use crate::support::part10::{Object, files};
use crate::support::senders;
use crate::support::under_test::TestNode;

#[test]
fn a_bucket_finds_its_surroundings_as_the_contract_says() {
    needs!(Docker, Dcmtk);
    let node = TestNode::with(
        &Bucket::fixture("looks"),
        "[bucket.Looks]\narguments = \"--quick 'two words'\"\n",
    );
    let object = Object::new();
    object.write(&node.scratch("sent"));
    assert!(senders::storescu(node.dicom_port(), "Looks", &node.scratch("sent")).success);
    let job = node.wait_for_end("Looks");
    let log = node.api().log(&job.id).unwrap();
    let study = format!("MB_STUDY_INSTANCE_UID={}", object.study);
    let id = format!("MB_JOB={}", job.id);
    for line in [
        "input: read-only",
        "memory: seed",
        "networks: lo ",
        "tmp: executable",
        "on its error stream",
        "MB_AETITLE_CALLED=Looks",
        "MB_AETITLE_CALLER=SENDER",
        "MB_ARGUMENTS=--quick 'two words'",
        "MERCURE_IN_DIR=/input",
        "MERCURE_OUT_DIR=/output",
        "MONAI_INPUTPATH=/input",
        "MONAI_OUTPUTPATH=/output",
        "HOLOSCAN_INPUT_PATH=/input",
        "HOLOSCAN_OUTPUT_PATH=/output",
        &study,
        &id,
    ] {
        assert!(log.lines().any(|l| l == line), "no line `{line}` in:\n{log}");
    }
    assert!(log.contains("MB_CPUS=1") && log.contains("MB_MEMORY="), "{log}");
}

/// Sends a small study and waits for the end of its job.
fn process(node: &TestNode, title: &str) -> Job {
    let directory = node.scratch(&format!("sent to {title}"));
    let object = Object::new();
    object.write(&directory);
    assert!(senders::storescu(node.dicom_port(), title, &directory).success);
    node.wait_for(title, "the end of the job", |job| {
        job.study_instance_uid == object.study && job.is_over()
    })
}

/// A bucket of that script.
fn script(lines: &str) -> Bucket {
    Bucket::fixture("looks").with_file("work.sh", &format!("#!/bin/sh\n{lines}\n"))
}

#[test]
fn no_way_out_of_a_container_that_a_program_can_try_goes_anywhere() {
    needs!(Docker, Dcmtk);
    let node = TestNode::start("");
    let node_at = node.ready().http.replace("127.0.0.1", "172.17.0.1");
    node.install(&Bucket::fixture("probes").with("arguments", node_at));
    let job = process(&node, "Probes");
    let log = node.api().log(&job.id).unwrap();
    for line in [
        // CHOWN, DAC_OVERRIDE, FOWNER.
        "capabilities 000000000000000b of 000000000000000b",
        "no new privileges 1, seccomp 2",
        "processes 4096",
        "interfaces lo ",
        "routes 0",
        "devices full null random tty urandom zero ",
        "process 1 /sbin/docker-init",
        "write to its own root: done",
        "end",
    ] {
        assert!(
            log.lines().any(|l| l.trim_start() == line),
            "no line `{line}` in:\n{log}"
        );
    }
    let went: Vec<_> = log.lines().filter(|l| l.ends_with(": done")).collect();
    assert_eq!(went, ["write to its own root: done"], "{log}");
    assert!(
        log.lines().filter(|l| l.ends_with(": refused")).count() >= 21,
        "{log}"
    );
    // What it left in the output is looked at without being followed.
    assert_eq!(job.outcome.as_deref(), Some("success"), "{job:#?}");
    let record = fs::read_to_string(Path::new(&job.directory).join("record.json")).unwrap();
    assert!(!record.contains("shadow"), "{record}");
    assert_eq!(files(&Path::new(&job.directory).join("INPUT")).len(), 1);
}

#[test]
fn read_only_a_bucket_writes_to_output_memory_and_tmp_alone_and_gets_the_capabilities_it_names() {
    needs!(Docker, Dcmtk);
    let tries = "for d in / /root /var /etc /input /output /memory /tmp /dev/shm; do
                   touch $d/x 2>/dev/null && echo \"writes $d\"; done
                 cp /bin/busybox /tmp/true && /tmp/true && echo executes
                 sed -n 's/^CapEff:[[:space:]]*/capabilities /p' /proc/self/status";
    let bucket = script(tries)
        .with("root", "read-only")
        .with("capabilities", json!(["SETUID", "SETGID"]));
    let node = TestNode::with(&bucket, "");
    let job = process(&node, "Looks");
    let log = node.api().log(&job.id).unwrap();
    assert_eq!(
        log,
        "writes /output\nwrites /memory\nwrites /tmp\nwrites /dev/shm\nexecutes\ncapabilities 00000000000000cb\n"
    );
    let record = fs::read_to_string(Path::new(&job.directory).join("record.json")).unwrap();
    assert!(
        record.contains("\"root\": \"read-only\"") && record.contains("\"SETUID\""),
        "{record}"
    );
}

#[test]
fn what_the_site_forbids_is_refused_at_install_unless_the_site_itself_says_so_for_the_bucket() {
    needs!(Docker);
    let forbids = "[engine]\nforbid = [\"network\", \"capabilities\", \"user\", \"writable-root\"]\n";
    let node = TestNode::start(&format!("{forbids}[bucket.Let]\nnetwork = \"bridge\"\n"));
    let rule = Bucket::fixture("looks").with("root", "read-only");
    for (bucket, asked) in [
        (rule.clone().with("network", "bridge"), "\"network\": \"bridge\""),
        (
            rule.clone().with("capabilities", json!(["KILL"])),
            "\"capabilities\": [\"KILL\"]",
        ),
        (rule.clone().with("user", "7:7"), "\"user\": \"7:7\""),
        (Bucket::fixture("looks"), "\"root\": \"writable\""),
    ] {
        let refused = node.api().install(&bucket.image(), false).unwrap();
        assert_eq!(refused.status, 422, "{refused:?}");
        let why = refused.detail();
        assert!(
            why.contains(&format!("Looks asks for {asked}")) && why.contains("[engine] forbid"),
            "{why}"
        );
    }
    let made_up = rule.clone().with("capabilities", json!(["SYS_ADMIN"]));
    let refused = node.api().install(&made_up.image(), false).unwrap();
    assert!(
        refused
            .detail()
            .contains("capabilities[0]: \"SYS_ADMIN\": one of: FSETID"),
        "{refused:?}"
    );
    node.install(&rule);
    node.install(&rule.called("Let"));
}

#[test]
fn what_is_forbidden_after_the_bucket_was_installed_is_not_run_and_the_job_says_why() {
    needs!(Docker, Dcmtk);
    let mut node = TestNode::with(&script("echo ran").with("network", "bridge"), "");
    assert_eq!(process(&node, "Looks").outcome.as_deref(), Some("success"));
    node.terminate().unwrap();
    fs::write(node.scratch("node.toml"), "[engine]\nforbid = [\"network\"]\n").unwrap();
    node.restart().unwrap();
    let job = process(&node, "Looks");
    assert_eq!(job.outcome.as_deref(), Some("failed"), "{job:#?}");
    let reason = job.reason.as_deref().unwrap_or_default();
    assert!(
        reason.contains("Looks asks for \"network\": \"bridge\", which this node forbids"),
        "{reason}"
    );
}

#[test]
fn a_fork_bomb_ends_in_its_own_container_and_the_node_goes_on() {
    needs!(Docker, Dcmtk);
    let bomb = script("b() { b | b & }\nb\nwhile :; do sleep 1; done")
        .called("Bomb")
        .with("resources", json!({ "cpus": 1, "memory": "512MiB" }))
        .with("timeout", "8s");
    let node = TestNode::with(&bomb, "[engine]\ncpus = 2\n");
    node.install(&Bucket::fixture("copy"));
    let object = Object::new();
    object.write(&node.scratch("bomb"));
    assert!(senders::storescu(node.dicom_port(), "Bomb", &node.scratch("bomb")).success);
    let job = node.wait_for_state("Bomb", "running");
    // Meanwhile another study goes all its way.
    let other = process(&node, "Copy");
    assert_eq!(other.outcome.as_deref(), Some("success"), "{other:#?}");
    let job = node.wait_for("Bomb", "the end of the bomb", |j| j.id == job.id && j.is_over());
    assert_eq!(job.outcome.as_deref(), Some("failed"), "{job:#?}");
    assert_eq!(containers_of(&job.id), Vec::<String>::new());
}

#[test]
fn a_bucket_that_ignores_sigterm_is_killed_when_its_grace_is_over() {
    needs!(Docker, Dcmtk);
    let stubborn = script("trap 'echo asked' TERM; while :; do sleep 1; done").with("timeout", "2s");
    let node = TestNode::with(&stubborn, "");
    let job = process(&node, "Looks");
    assert_eq!(
        (job.outcome.as_deref(), job.exit_status),
        (Some("failed"), Some(137)),
        "{job:#?}"
    );
    assert!(
        job.timed_out
            && job
                .reason
                .as_deref()
                .unwrap_or_default()
                .contains("time limit of 2s"),
        "{job:#?}"
    );
    assert_eq!(node.api().log(&job.id).unwrap(), "asked\n");
    assert_eq!(containers_of(&job.id), Vec::<String>::new());
}

#[test]
fn a_bucket_that_fills_the_engines_disk_outside_its_output_is_stopped() {
    needs!(Docker, Dcmtk);
    let fills = script(
        "while :; do dd if=/dev/zero of=/var-$((n += 1)) bs=64k count=16 2>/dev/null; sleep 0.2; done",
    )
    .with("resources", json!({ "memory": "64MiB", "scratch": "8MiB" }))
    .with("timeout", "10m");
    let node = TestNode::with(&fills, "");
    let job = process(&node, "Looks");
    assert_eq!(job.outcome.as_deref(), Some("failed"), "{job:#?}");
    let reason = job.reason.as_deref().unwrap_or_default();
    assert!(
        reason.contains("more than its limit of 8.0 MiB outside /output and /memory"),
        "{reason}"
    );
}

#[test]
fn a_memory_has_one_writer_so_that_with_several_runs_at_once_it_is_read_only() {
    needs!(Docker, Dcmtk);
    let writes = "touch /memory/mine 2>/dev/null && echo writes || echo reads; cat /memory/seed";
    for (parallel, says) in [(1, "writes\nseed\n"), (2, "reads\nseed\n")] {
        let node = TestNode::with(&script(writes).with("parallel", parallel), "");
        let job = process(&node, "Looks");
        assert_eq!(node.api().log(&job.id).unwrap(), says, "parallel {parallel}");
    }
}
