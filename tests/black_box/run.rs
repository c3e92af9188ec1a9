//! `buckets run`, as the developer of a bucket uses it: what it leaves, what it keeps, and how it ends.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::needs;
use crate::support::PATIENCE;
use crate::support::images::Bucket;
use crate::support::part10::{Object, write_all};
use crate::support::process::Process;
use crate::support::under_test::{BUCKETS, Ran, TestNode, run, scratch};
use crate::support::wait::wait_until;

/// A developer's directory with studies in it.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(scratch())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn study(&self, name: &str, objects: usize) -> String {
        write_all(&Object::series(objects), &self.0.path().join(name));
        self.path(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).unwrap()
    }
}

fn buckets_run(bucket: &Bucket, arguments: &[&str]) -> Ran {
    run(BUCKETS, &[&["run", &bucket.image()], arguments].concat())
}

/// A bucket of that script.
fn script(lines: &str) -> Bucket {
    Bucket::fixture("looks").with_file("work.sh", &format!("#!/bin/sh\n{lines}\n"))
}

/// The containers of a process of `buckets run`, one a line as `NAME STATE OWNER`.
fn containers_of(process: u32) -> Vec<String> {
    let shown = Command::new("docker")
        .args(["ps", "-a", "--filter", "label=magickbox.node=buckets-run"])
        .args(["--format", "{{.Names}} {{.State}} {{.Label \"magickbox.owner\"}}"])
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let owner = format!(" {process} ");
    let lines = String::from_utf8(shown.stdout).unwrap();
    lines
        .lines()
        .filter(|l| l.contains(&owner))
        .map(str::to_owned)
        .collect()
}

/// `buckets run` of a bucket that does not end by itself, once it runs.
fn running(desk: &Desk, out: &str) -> Process {
    let (input, out) = (desk.study(&format!("study of {out}"), 1), desk.path(out));
    let image = Bucket::fixture("sleeps").image();
    let log = PathBuf::from(format!("{out}.log"));
    let mut command = Command::new(BUCKETS);
    command.args(["run", &image, &input, &out]);
    let process = Process::start("buckets run", &mut command, &log).unwrap();
    wait_until(PATIENCE, "the bucket's first words", || {
        process.log().contains("asleep").then_some(())
    })
    .unwrap();
    assert_eq!(containers_of(process.id()).len(), 1);
    process
}

#[test]
fn ctrl_c_and_sigterm_leave_no_container() {
    needs!(Docker);
    let desk = Desk::new();
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let mut process = running(&desk, &format!("out{status}"));
        let id = process.id();
        kill_process(Pid::from_raw(i32::try_from(id).unwrap()).unwrap(), signal).unwrap();
        let ended = wait_until(PATIENCE, "the end of buckets run", || process.ended()).unwrap();
        assert_eq!(ended.code(), Some(status), "{}", process.log());
        assert_eq!(containers_of(id), Vec::<String>::new());
    }
}

#[test]
fn what_a_kill_9_leaves_the_next_run_removes_and_no_other_runs_container() {
    needs!(Docker);
    let desk = Desk::new();
    let alive = running(&desk, "alive");
    let mut killed = running(&desk, "killed");
    // It runs, and who was killed removes nothing; whoever is the next does: this test, or another beside it.
    killed.kill().unwrap();
    let next = buckets_run(&script("exit 0"), &[&desk.study("in", 1), &desk.path("out")]);
    assert_eq!(next.code, Some(0), "{next:#?}");
    assert_eq!(containers_of(killed.id()), Vec::<String>::new());
    let still = containers_of(alive.id());
    assert!(still.len() == 1 && still[0].contains(" running "), "{still:?}");
}

#[test]
fn a_bucket_that_writes_too_much_is_stopped_and_it_is_no_success() {
    needs!(Docker);
    let desk = Desk::new();
    let floods = script("while :; do dd if=/dev/zero of=$2/$((n += 1)) bs=64k count=16 2>/dev/null; done")
        .with(
            "resources",
            serde_json::json!({ "memory": "64MiB", "output": "4MiB" }),
        );
    let ran = buckets_run(&floods, &[&desk.study("in", 1), &desk.path("out")]);
    assert_eq!(ran.code, Some(143), "it was stopped with SIGTERM: {ran:#?}");
    assert!(
        ran.stdout
            .contains("it wrote more than its limit of 4.0 MiB into /output"),
        "{ran:#?}"
    );
    assert!(desk.read("out/record.json").contains("more than its limit"));
}

#[test]
fn a_bucket_that_ignores_sigterm_is_killed_when_its_time_is_over() {
    needs!(Docker);
    let desk = Desk::new();
    let stubborn = script("trap '' TERM; echo begun; while :; do sleep 1; done").with("timeout", "2s");
    let ran = buckets_run(&stubborn, &[&desk.study("in", 1), &desk.path("out")]);
    assert_eq!(ran.code, Some(137), "{ran:#?}");
    assert!(
        ran.stdout.contains("begun\n") && ran.stdout.contains("time limit of 2s"),
        "{ran:#?}"
    );
}

#[test]
fn every_run_begins_with_the_memory_of_the_image_unless_it_is_kept() {
    needs!(Docker);
    let desk = Desk::new();
    let counts = script("echo x >>/memory/runs; echo \"runs $(wc -l </memory/runs), $(cat /memory/seed)\"");
    let (input, memory) = (desk.study("in", 1), desk.path("memory"));
    let says = |out: &str, more: &[&str]| {
        let ran = buckets_run(&counts, &[&[&input, &*desk.path(out)], more].concat());
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        ran.stdout
    };
    for out in ["a", "b"] {
        assert!(says(out, &[]).contains("runs 1, seed"), "{out}");
    }
    for (out, runs) in [("c", "runs 1,"), ("d", "runs 2,")] {
        assert!(says(out, &["--memory", &memory]).contains(runs), "{out}");
    }
    assert_eq!(desk.read("memory/runs"), "x\nx\n");
    let held = fs::File::open(&memory).unwrap();
    held.lock().unwrap();
    let refused = buckets_run(&counts, &[&input, &desk.path("e"), "--memory", &memory]);
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(
        refused.stderr.contains("is in use by another run"),
        "{refused:#?}"
    );
}

#[test]
fn a_kept_container_can_be_looked_into_and_no_sweep_takes_it() {
    needs!(Docker);
    let desk = Desk::new();
    let input = desk.study("in", 1);
    let ran = buckets_run(
        &script("echo mark >/root/left"),
        &[&input, &desk.path("out"), "--keep"],
    );
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let name = ran
        .stdout
        .lines()
        .find_map(|l| l.strip_prefix("kept container "))
        .unwrap();
    let again = buckets_run(&script("exit 0"), &[&input, &desk.path("again")]);
    assert_eq!(again.code, Some(0), "{again:#?}");
    let looks = |word: &str| {
        ran.stdout
            .lines()
            .find_map(|l| Some(&l[l.find(word)?..]))
            .unwrap()
            .to_owned()
    };
    let diff = Command::new("sh")
        .args(["-c", &looks("docker diff")])
        .output()
        .unwrap();
    assert!(
        String::from_utf8_lossy(&diff.stdout).contains("A /root/left"),
        "{diff:?} {name}"
    );
    let removed = Command::new("sh")
        .args(["-c", &looks("docker rm")])
        .output()
        .unwrap();
    assert!(removed.status.success(), "{removed:?}");
}

#[test]
fn a_nodes_overrides_are_the_limits_of_a_run() {
    needs!(Docker);
    let desk = Desk::new();
    let says = script("echo \"arguments $MB_ARGUMENTS, memory $MB_MEMORY\"");
    let node = TestNode::with(
        &says,
        "[bucket.Looks]\narguments = \"of the site\"\nresources = { memory = \"32MiB\" }\n",
    );
    let (input, url) = (desk.study("in", 1), node.ready().http.clone());
    let ran = buckets_run(&says, &[&input, &desk.path("out"), "--node-limits", &url]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(
        ran.stdout.contains("arguments of the site, memory 33554432"),
        "{ran:#?}"
    );
    let own = buckets_run(
        &says,
        &[
            &input,
            &desk.path("own"),
            "--node-limits",
            &url,
            "--arguments",
            "mine",
        ],
    );
    assert!(own.stdout.contains("arguments mine, memory 33554432"), "{own:#?}");
    for (bucket, node, reason) in [
        (
            says.clone().called("Other"),
            url.as_str(),
            "no bucket is installed for AE title Other",
        ),
        (says, "http://127.0.0.1:9", "127.0.0.1:9"),
    ] {
        let refused = buckets_run(&bucket, &[&input, &desk.path("refused"), "--node-limits", node]);
        assert_eq!(refused.code, Some(1), "{refused:#?}");
        assert!(refused.stderr.contains(reason), "{refused:#?}");
    }
}

#[test]
fn of_many_studies_one_that_fails_stops_none_and_a_table_sums_up() {
    needs!(Docker);
    let desk = Desk::new();
    // Fails at the study with two objects.
    let bucket =
        script("n=$(ls $1 | wc -l); echo \"{\\\"objects\\\": $n}\" >$2/measures.json; [ $n != 2 ] || exit 4");
    let studies = [desk.study("one", 1), desk.study("two", 2), desk.study("three", 3)];
    fs::create_dir(desk.path("none")).unwrap();
    let none = desk.path("none");
    for parallel in ["1", "3"] {
        let out = desk.path(&format!("out{parallel}"));
        let [one, two, three] = &studies;
        let ran = buckets_run(
            &bucket,
            &[one, two, &none, three, "--out", &out, "--parallel", parallel],
        );
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        let rows: Vec<Vec<_>> = ran
            .stdout
            .lines()
            .map(|l| l.split_whitespace().collect())
            .collect();
        let row = |name: &str| rows.iter().find(|r| r.first() == Some(&name)).unwrap().clone();
        assert_eq!(
            row("STUDY"),
            ["STUDY", "OBJECTS", "OUTCOME", "SECONDS", "objects"]
        );
        for (name, objects, outcome) in [
            ("one", "1", "success"),
            ("two", "2", "failed"),
            ("three", "3", "success"),
        ] {
            let row = row(name);
            assert_eq!([row[1], row[2], row[4]], [objects, outcome, objects], "{ran:#?}");
            assert!(PathBuf::from(&out).join(name).join("record.json").exists());
        }
        assert!(ran.stdout.contains("4 studies, 2 failed"), "{ran:#?}");
        assert!(
            ran.stderr.contains("none  not run: there is no DICOM file in"),
            "{ran:#?}"
        );
    }
    let well = buckets_run(&bucket, &[&studies[0], &studies[2], "--out", &desk.path("well")]);
    assert_eq!(well.code, Some(0), "{well:#?}");
}

#[test]
fn results_in_the_input_or_over_other_results_are_refused() {
    needs!(Docker);
    let desk = Desk::new();
    let input = desk.study("in", 1);
    for (out, reason) in [
        (format!("{input}/out"), "lies in the input"),
        (input.clone(), "is not empty"),
    ] {
        let refused = buckets_run(&Bucket::fixture("copy"), &[&input, &out]);
        assert_eq!(refused.code, Some(1), "{refused:#?}");
        assert!(refused.stderr.contains(reason), "{refused:#?}");
    }
    let twice = [desk.study("a/same", 1), desk.study("b/same", 1)];
    let refused = buckets_run(
        &Bucket::fixture("copy"),
        &[&twice[0], &twice[1], "--out", &desk.path("out")],
    );
    assert!(
        refused.stderr.contains("two studies are called same"),
        "{refused:#?}"
    );
}

#[test]
fn the_log_is_seen_while_the_bucket_runs_and_does_nothing_to_the_terminal() {
    needs!(Docker);
    let desk = Desk::new();
    let bucket =
        script("printf 'first\\033[2J\\n'; while [ ! -e /memory/go ]; do sleep 0.1; done; echo last");
    let (input, memory) = (desk.study("in", 1), desk.path("memory"));
    fs::create_dir(&memory).unwrap();
    let mut command = Command::new(BUCKETS);
    command.args([
        "run",
        &bucket.image(),
        &input,
        &desk.path("out"),
        "--memory",
        &memory,
    ]);
    let mut process = Process::start("buckets run", &mut command, &PathBuf::from(desk.path("log"))).unwrap();
    wait_until(PATIENCE, "the first line", || {
        process.log().contains("first").then_some(())
    })
    .unwrap();
    assert!(!process.log().contains("last"));
    fs::write(PathBuf::from(&memory).join("go"), "").unwrap();
    let ended = wait_until(Duration::from_secs(60), "the end", || process.ended()).unwrap();
    assert!(ended.success());
    let log = process.log();
    assert!(log.contains("first[2J\nlast\n") && !log.contains('\x1b'), "{log}");
}
