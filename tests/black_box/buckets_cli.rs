//! The program `buckets`, as the developer of a bucket uses it.

use std::fs;

use serde_json::Value;

use crate::needs;
use crate::support::images::Bucket;
use crate::support::part10::{Object, files, write_all};
use crate::support::under_test::{BUCKETS, Ran, TestNode, run, scratch};

/// `buckets` with a node.
fn buckets(node: &TestNode, arguments: &[&str]) -> Ran {
    run(BUCKETS, &[arguments, &["--node", &node.ready().http]].concat())
}

#[test]
fn a_bucket_is_installed_listed_and_removed() {
    needs!(Docker);
    let node = TestNode::start("");
    let bucket = Bucket::fixture("copy");
    let image = bucket.image();

    let installed = buckets(&node, &["install", &image]);
    assert_eq!(installed.code, Some(0), "{installed:#?}");
    assert!(installed.stdout.contains("Copy"), "{installed:#?}");
    let directory = node.bucket("Copy");
    assert_eq!(
        fs::read_to_string(directory.join("memory/seed")).unwrap(),
        "what the image brings along\n"
    );
    let info: Value = serde_json::from_slice(&fs::read(directory.join("info.json")).unwrap()).unwrap();
    assert_eq!(info["AETitle"], "Copy");

    let listed = buckets(&node, &["list"]);
    assert_eq!(listed.code, Some(0));
    for word in ["Copy", "1.0.0"] {
        assert!(listed.stdout.contains(word), "{listed:#?}");
    }
    let listed = buckets(&node, &["list", "--json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(
        (&listed[0]["ae_title"], &listed[0]["image"]),
        (&"Copy".into(), &image.as_str().into())
    );

    let removed = buckets(&node, &["remove", "Copy", "-y"]);
    assert_eq!(removed.code, Some(0), "{removed:#?}");
    assert!(!directory.exists(), "the node's files of it are gone");
    assert_eq!(buckets(&node, &["list", "--json"]).stdout.trim(), "[]");
    assert_ne!(
        buckets(&node, &["remove", "Copy", "-y"]).code,
        Some(0),
        "there is nothing to remove"
    );
}

#[test]
fn a_refusal_names_its_reason_and_the_exit_status_tells() {
    needs!(Docker);
    let node = TestNode::with(&Bucket::fixture("copy"), "");
    let taken = Bucket::fixture("count").called("Copy").image();
    for (image, reason) in [
        ("magickbox-test/none:none", "magickbox-test/none:none"),
        (taken.as_str(), "Copy"),
    ] {
        let refused = buckets(&node, &["install", image]);
        assert_ne!(refused.code, Some(0), "{refused:#?}");
        assert!(refused.stderr.contains(reason), "{refused:#?}");
    }
    let replaced = buckets(&node, &["install", &taken, "-f"]);
    assert_eq!(replaced.code, Some(0), "{replaced:#?}");

    let nobody = run(BUCKETS, &["list", "--node", "http://127.0.0.1:9"]);
    assert_ne!(nobody.code, Some(0));
    assert!(nobody.stderr.contains("127.0.0.1:9"), "{nobody:#?}");
}

#[test]
fn run_does_what_a_node_does_and_needs_none() {
    needs!(Docker);
    let home = scratch();
    let (input, output) = (home.path().join("in"), home.path().join("out"));
    let sent = write_all(&Object::series(3), &input);
    fs::create_dir(&output).unwrap();
    let image = Bucket::fixture("copy").image();
    let ran = run(
        BUCKETS,
        &["run", &image, input.to_str().unwrap(), output.to_str().unwrap()],
    );
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    // Where in OUT the parts of a job lie is what `run` says; that they are there is what matters here.
    let found = everything_below(&output);
    let has = |name: &str| found.iter().any(|f| f.ends_with(name));
    assert_eq!(
        found
            .iter()
            .filter(|f| f.contains("/OUTPUT/") && f.ends_with(".dcm"))
            .count(),
        sent.len(),
        "{found:#?}"
    );
    assert!(
        [
            "processing.log",
            "proc.json",
            "measures.json",
            "record.json",
            "out/info.json"
        ]
        .iter()
        .all(|n| has(n)),
        "{found:#?}"
    );
    let record: serde_json::Value =
        serde_json::from_slice(&fs::read(output.join("record.json")).unwrap()).unwrap();
    assert_eq!(
        record["input"].as_array().unwrap().len(),
        sent.len(),
        "{record:#}"
    );
    assert_eq!(record["outcome"], "success");
    assert_eq!(files(&input).len(), 3, "the input is as it was");
}

#[test]
fn run_ends_with_the_exit_status_of_the_bucket() {
    needs!(Docker);
    let home = scratch();
    let (input, output) = (home.path().join("in"), home.path().join("out"));
    write_all(&Object::series(1), &input);
    fs::create_dir(&output).unwrap();
    let image = Bucket::fixture("fails").image();
    let ran = run(
        BUCKETS,
        &["run", &image, input.to_str().unwrap(), output.to_str().unwrap()],
    );
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(
        format!("{}{}", ran.stdout, ran.stderr).contains("this will not end well"),
        "{ran:#?}"
    );
}

fn everything_below(directory: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().map(|e| e.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                everything_below(&path)
            } else {
                vec![path.display().to_string()]
            }
        })
        .collect()
}
