//! Buckets as people have them, on a node: one that remembers, and one made by the original's recipe. They are also what
//! the rule for containers was decided with (`src/engine/run.rs`): what it says of them is held here.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::needs;
use crate::support::api::Job;
use crate::support::images::{REPOSITORY, digest_of, docker};
use crate::support::phantom;
use crate::support::senders;
use crate::support::under_test::{BUCKETS, TestNode, run, scratch};

const QUIET: &str = "complete = { level = \"study\", quiet = \"1s\" }\n";

/// Runs a script of `docker/`, one at a time: each makes the base image where that is missing.
fn build(script: &str, arguments: &[&str]) {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docker").join(script);
    let built = Command::new(path)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
}

/// The bucket with norms.
fn qanorms() -> &'static str {
    build("buckets/build.sh", &["qanorms"]);
    "qanorms"
}

/// The bucket of the original's recipe, under a name of these tests: made anew where the recipe is another.
fn original() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docker/buckets/original");
    let name = format!("{REPOSITORY}/original:{}", &digest_of(&folder)[..16]);
    // A name that is given anew is not old.
    if !docker(&["tag", &name, &name]) {
        build("buckets/original/make.sh", &[&name]);
    }
    name
}

fn install(node: &TestNode, image: &str) {
    let installed = run(BUCKETS, &["install", image, "--node", &node.ready().http]);
    assert_eq!(installed.code, Some(0), "{installed:#?}");
}

/// Sends a phantom of its own and waits for the end of its job.
fn process(node: &TestNode, title: &str, seed: u64) -> Job {
    let directory = node.scratch(&format!("study {seed}"));
    phantom::write_seeded(&directory, 6, seed);
    assert!(senders::storescu(node.dicom_port(), title, &directory).success);
    let before: Vec<_> = node
        .api()
        .jobs()
        .unwrap()
        .into_iter()
        .filter(Job::is_over)
        .map(|j| j.id)
        .collect();
    node.wait_for(title, "the end of the job", |job| {
        job.is_over() && !before.contains(&job.id)
    })
}

fn measure(job: &Job, name: &str) -> f64 {
    let found = job.measures.iter().find(|m| m.name == name);
    found
        .and_then(|m| m.value.as_f64())
        .unwrap_or_else(|| panic!("no {name} in {job:#?}"))
}

#[test]
fn a_table_of_norms_grows_with_each_study_and_the_next_is_held_against_it() {
    needs!(Docker, Dcmtk);
    let node = TestNode::start(&format!("[bucket.ProcQA]\n{QUIET}"));
    install(&node, qanorms());
    let (first, second) = (process(&node, "ProcQA", 1), process(&node, "ProcQA", 2));
    for (job, norms) in [(&first, 20.0), (&second, 21.0)] {
        assert_eq!(job.outcome.as_deref(), Some("success"), "{job:#?}");
        assert!((measure(job, "norms") - norms).abs() < 0.1, "{job:#?}");
    }
    // The same phantom with other noise: nearly the same ratio, held against other norms.
    let [snr_1, snr_2] = [&first, &second].map(|job| measure(job, "snr"));
    assert!((snr_1 - snr_2).abs() / snr_1 < 0.05, "{snr_1} {snr_2}");
    let [z_1, z_2] = [&first, &second].map(|job| measure(job, "snr_z"));
    assert!((z_1 - z_2).abs() > 1e-4, "{z_1} {z_2}");
    assert!(node.bucket("ProcQA").join("memory/norms.sqlite").exists());
    // An installation anew keeps it.
    let again = run(
        BUCKETS,
        &["install", "qanorms", "-f", "--node", &node.ready().http],
    );
    assert_eq!(again.code, Some(0), "{again:#?}");
    let third = process(&node, "ProcQA", 3);
    assert!((measure(&third, "norms") - 22.0).abs() < 0.1, "{third:#?}");
}

#[test]
fn a_bucket_of_the_originals_recipe_is_installed_and_runs_as_it_is() {
    needs!(Docker, Dcmtk);
    let node = TestNode::start(&format!("[bucket.ProcOriginal]\n{QUIET}"));
    install(&node, &original());
    for (seed, runs) in [(1, 1.0), (2, 2.0)] {
        let job = process(&node, "ProcOriginal", seed);
        assert_eq!(job.outcome.as_deref(), Some("success"), "{job:#?}");
        assert!(
            (measure(&job, "files") - 6.0).abs() < 0.1 && (measure(&job, "runs") - runs).abs() < 0.1,
            "{job:#?}"
        );
        let log = node.api().log(&job.id).unwrap();
        assert!(
            log.contains(&format!(
                "run {runs} of this bucket, 6 files, seeded from the image"
            )),
            "{log}"
        );
    }
}

#[test]
fn read_only_the_bucket_with_norms_runs_and_the_originals_does_not_so_that_writable_is_the_rule() {
    needs!(Docker, Dcmtk);
    let read_only = |title: &str| format!("[bucket.{title}]\nroot = \"read-only\"\n{QUIET}");
    let node = TestNode::start(&[read_only("ProcQA"), read_only("ProcOriginal")].concat());
    install(&node, qanorms());
    install(&node, &original());
    let norms = process(&node, "ProcQA", 1);
    assert_eq!(norms.outcome.as_deref(), Some("success"), "{norms:#?}");
    let original = process(&node, "ProcOriginal", 2);
    let log = node.api().log(&original.id).unwrap();
    assert!(log.contains("Read-only file system"), "{log}");
}

#[test]
fn no_other_user_than_the_images_root_gets_into_its_root_directory_so_that_root_is_the_rule() {
    needs!(Docker, Dcmtk);
    let node = TestNode::start(&format!("[bucket.ProcOriginal]\nuser = \"1000:1000\"\n{QUIET}"));
    install(&node, &original());
    let job = process(&node, "ProcOriginal", 1);
    assert_eq!(
        (job.outcome.as_deref(), job.exit_status),
        (Some("failed"), Some(126)),
        "{job:#?}"
    );
}

#[test]
fn the_bucket_with_norms_keeps_them_under_buckets_run_too() {
    needs!(Docker);
    let home = scratch();
    let studies: Vec<PathBuf> = [1, 2, 3]
        .map(|seed| home.path().join(format!("case{seed}")))
        .into();
    for (seed, study) in (1..).zip(&studies) {
        phantom::write_seeded(study, 6, seed);
    }
    let path = |p: &Path| p.to_str().unwrap().to_owned();
    let mut arguments = vec!["run".to_owned(), qanorms().to_owned()];
    arguments.extend(studies.iter().map(|s| path(s)));
    arguments.extend(["--out".to_owned(), path(&home.path().join("out"))]);
    arguments.extend(["--memory".to_owned(), path(&home.path().join("memory"))]);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let ran = run(BUCKETS, &arguments);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    for (case, norms) in [("case1", "20"), ("case2", "21"), ("case3", "22")] {
        let row = ran.stdout.lines().find(|l| l.starts_with(case)).unwrap();
        assert!(row.split_whitespace().any(|cell| cell == norms), "{}", ran.stdout);
    }
}
