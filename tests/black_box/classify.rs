//! What series are, told while they arrive, and buckets that take some of them.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::needs;
use crate::support::PATIENCE;
use crate::support::api::Job;
use crate::support::images::Bucket;
use crate::support::part10::{Object, files, uid, write_all};
use crate::support::phantom;
use crate::support::senders;
use crate::support::under_test::{BUCKETS, MAGICKBOX, TestNode, run};
use crate::support::wait::wait_until;

/// A set stays open until somebody completes it.
const OPEN: &str = "[bucket.Count]\ncomplete = { level = \"study\", quiet = \"30m\", cap = \"90m\" }\n";

/// A study of series with these descriptions, so many objects each.
fn study(descriptions: &[&'static str], objects: usize) -> Vec<Object> {
    let study = uid();
    let series = |description: &&'static str| {
        let of_series = Object::series(objects).into_iter();
        let (study, description) = (study.clone(), *description);
        of_series.map(move |object| Object {
            study: study.clone(),
            description,
            ..object
        })
    };
    descriptions.iter().flat_map(series).collect()
}

#[track_caller]
fn send(node: &TestNode, objects: &[Object]) {
    let directory = node.scratch(&uid());
    write_all(objects, &directory);
    let said = senders::storescu(node.dicom_port(), "Count", &directory);
    assert_eq!(said.stored(), objects.len(), "{}", said.text);
}

fn series(node: &TestNode, job: &Job) -> Vec<Value> {
    let said: Value = node
        .api()
        .get(&format!("/api/v1/jobs/{}/series", job.id))
        .unwrap();
    said["series"].as_array().unwrap().clone()
}

fn types(series: &[Value]) -> Vec<(String, Value, String)> {
    let text = |one: &Value, key: &str| one[key].as_str().unwrap_or_default().to_owned();
    let mut all: Vec<_> = series
        .iter()
        .map(|s| {
            (
                text(s, "SeriesDescription"),
                s["ClassifyType"].clone(),
                text(s, "NumFiles"),
            )
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn row(description: &str, types: &[&str], files: usize) -> (String, Value, String) {
    (description.to_owned(), json!(types), files.to_string())
}

fn texts(job: &Job, kind: &str) -> Vec<String> {
    let of_kind = job.events.iter().filter(|event| event["kind"] == kind);
    of_kind
        .map(|event| event["text"].as_str().unwrap().to_owned())
        .collect()
}

fn read(job: &Job, name: &str) -> Value {
    let path = Path::new(&job.directory).join(name);
    serde_json::from_slice(&fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).unwrap()
}

fn count(job: &Job, directory: &str) -> usize {
    let path = Path::new(&job.directory).join(directory);
    if path.exists() { files(&path).len() } else { 0 }
}

#[test]
fn types_are_told_while_the_study_arrives_and_are_the_same_after_a_kill_9() {
    needs!(Docker, Dcmtk);
    let mut node = TestNode::with(&Bucket::fixture("count"), OPEN);
    let objects = study(&["t1_mprage", "t2_flair"], 4);
    send(&node, &objects[..6]);
    let open = node.wait_for_state("Count", "receiving");
    let so_far = [
        row("t1_mprage", &["MR", "T1"], 4),
        row("t2_flair", &["MR", "FLAIR"], 2),
    ];
    wait_until(PATIENCE, "the types of what came", || {
        (types(&series(&node, &open)) == so_far).then_some(())
    })
    .unwrap();
    node.kill().unwrap();
    node.restart().unwrap();
    assert_eq!(types(&series(&node, &open)), so_far);
    send(&node, &objects[6..]);
    assert_eq!(node.api().act(&open.id, "complete").unwrap().status, 200);
    let job = node.wait_for_end("Count");
    assert_eq!(job.outcome.as_deref(), Some("success"), "{job:#?}");
    let whole = [
        row("t1_mprage", &["MR", "T1"], 4),
        row("t2_flair", &["MR", "FLAIR"], 4),
    ];
    assert_eq!(types(&series(&node, &job)), whole);
    let written = read(&job, &format!("series/{}.json", objects[0].series));
    assert_eq!(written["PatientName"], "Test^Object");
    assert_eq!(written["StudyInstanceUID"], objects[0].study.as_str());
    assert_eq!(written.get("Accepted"), None);
    assert!(!node.log().contains("Test^Object") && !node.log().contains("mprage"));
}

#[test]
fn a_bucket_gets_the_series_it_accepts_and_what_was_left_out_is_said() {
    needs!(Docker, Dcmtk);
    let bucket = Bucket::fixture("count").with(
        "accept",
        json!(["T1", { "tag": ["SeriesDescription"], "value": "^asl" }]),
    );
    let node = TestNode::with(&bucket, "");
    let objects = study(&["t1_mprage", "t2_flair", "asl", "localizer"], 2);
    send(&node, &objects);
    let job = node.wait_for_end("Count");
    assert_eq!(job.outcome.as_deref(), Some("success"), "{job:#?}");
    assert_eq!(
        (count(&job, "INPUT"), count(&job, "left-out"), job.instances),
        (4, 4, 8)
    );
    let said = texts(&job, "sorted");
    assert_eq!(
        said,
        [
            "2 of 4 series are of what the bucket accepts (T1, a rule of its own); left out: 1 MR FLAIR (2 objects), \
          1 MR localizer (2 objects)"
        ]
    );
    let accepted: Vec<_> = series(&node, &job)
        .into_iter()
        .map(|s| (s["SeriesDescription"].clone(), s["Accepted"].clone()))
        .collect();
    for (description, expected) in [
        ("t1_mprage", true),
        ("asl", true),
        ("t2_flair", false),
        ("localizer", false),
    ] {
        assert!(
            accepted.contains(&(json!(description), json!(expected))),
            "{description} {accepted:?}"
        );
    }
    let record = read(&job, "record.json");
    assert_eq!(record["input"].as_array().unwrap().len(), 4);
    let left: Vec<_> = record["left_out"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["ClassifyType"].clone())
        .collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left.contains(&json!(["MR", "FLAIR"])) && left.contains(&json!(["MR", "localizer"])));
    // Nothing is lost, nothing is strange.
    let verified = run(MAGICKBOX, &["verify", "--data", node.data().to_str().unwrap()]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
}

#[test]
fn a_study_with_nothing_for_its_bucket_ends_without_a_run_and_says_so() {
    needs!(Docker, Dcmtk);
    let config = "[bucket.Count]\naccept = [\"DWI\"]\n";
    let node = TestNode::with(&Bucket::fixture("count"), config);
    send(&node, &study(&["t1_mprage", "unknown"], 2));
    let job = node.wait_for_end("Count");
    assert_eq!(
        (job.state.as_str(), job.outcome.as_deref()),
        ("done", Some("not accepted")),
        "{job:#?}"
    );
    let why =
        "0 of 2 series are of what the bucket accepts (DWI); left out: 1 MR (2 objects), 1 MR T1 (2 objects)";
    assert_eq!(job.reason.as_deref(), Some(why));
    assert_eq!((job.attempt, job.exit_status), (0, None));
    assert_eq!((count(&job, "INPUT"), count(&job, "left-out")), (0, 4));
    assert_eq!(read(&job, "record.json")["outcome"], "not accepted");
    // Its objects are there for another try.
    let again = node.api().act(&job.id, "restart").unwrap();
    assert_eq!(again.status, 200, "{again:?}");
    let second = node.wait_for("Count", "the end of the second job", |j| {
        j.id != job.id && j.is_over()
    });
    assert_eq!(
        (second.instances, second.outcome.as_deref()),
        (4, Some("not accepted"))
    );
    assert_eq!((count(&second, "left-out"), count(&job, "left-out")), (4, 4));
}

#[test]
fn a_site_has_its_own_rules_and_a_wrong_file_is_refused_with_every_finding() {
    needs!(Docker, Dcmtk);
    let directory = crate::support::under_test::scratch();
    let path = directory.path().join("classifyRules.json");
    fs::write(
        &path,
        r#"[ { "type": "ours", "rules": [ { "tag": ["0x08","0x103e"], "value": "^t1" } ] } // a site's
    ]"#,
    )
    .unwrap();
    let config = format!("[classify]\nrules = \"{}\"\n", path.display());
    let node = TestNode::with(&Bucket::fixture("count"), &config);
    send(&node, &study(&["t1_mprage"], 1));
    let job = node.wait_for_end("Count");
    assert_eq!(types(&series(&node, &job)), [row("t1_mprage", &["ours"], 1)]);
    drop(node);
    fs::write(
        &path,
        r#"[ { "type": "A", "rules": [ { "tag": 1 }, { "rule": "B" } ] } ]"#,
    )
    .unwrap();
    let config_path = directory.path().join("node.toml");
    fs::write(&config_path, config).unwrap();
    let data = directory.path().join("data");
    let ran = run(
        MAGICKBOX,
        &[
            "serve",
            "--config",
            config_path.to_str().unwrap(),
            "--data",
            data.to_str().unwrap(),
        ],
    );
    assert_ne!(ran.code, Some(0));
    for expected in [
        "classifyRules.json: ",
        "[0].rules[0].tag: a tag is",
        "[0].rules[1].rule: \"B\" is the id of no type",
    ] {
        assert!(ran.stderr.contains(expected), "{expected} not in {}", ran.stderr);
    }
}

#[test]
fn buckets_run_leaves_out_what_a_node_would() {
    needs!(Docker);
    let directory = crate::support::under_test::scratch();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    phantom::write(&directory.path().join("in"), 2);
    write_all(&study(&["t2_flair"], 3), &directory.path().join("in"));
    let bucket = Bucket::fixture("count").with("accept", json!(["T1"]));
    let ran = run(BUCKETS, &["run", &bucket.image(), &path("in"), &path("out")]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(
        said.contains("1 of 2 series are of what the bucket accepts (T1); left out: 1 MR FLAIR (3 objects)"),
        "{said}"
    );
    let bucket = bucket.with("accept", json!(["DWI"]));
    let ran = run(BUCKETS, &["run", &bucket.image(), &path("in"), &path("other")]);
    assert_ne!(ran.code, Some(0));
    assert!(
        ran.stderr.contains("a node would not run it: 0 of 2 series"),
        "{}",
        ran.stderr
    );
}
