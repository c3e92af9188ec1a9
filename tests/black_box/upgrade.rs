//! Stores of earlier and later versions; backups, and what becomes of them.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::Value;

use crate::needs;
use crate::support::PATIENCE;
use crate::support::images::Bucket;
use crate::support::node::Node;
use crate::support::part10::{Object, write_all};
use crate::support::senders;
use crate::support::under_test::{MAGICKBOX, Ran, TestNode, run, scratch};
use crate::support::wait::wait_until;

/// Every file of migrations, oldest first.
fn migrations() -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/migrations");
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|f| fs::read_to_string(f).unwrap()).collect()
}

fn store_of(home: &Path) -> PathBuf {
    home.join("data/store/magickbox.sqlite")
}

/// A store as a version with only the first so many migrations left it: a job that is done, with all that belongs to it,
/// and one that waits for its bucket.
fn make_store(home: &Path, schema: usize) -> Connection {
    let file = store_of(home);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let db = Connection::open(file).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    for migration in &migrations()[..schema] {
        db.execute_batch(migration).unwrap();
    }
    db.pragma_update(None, "user_version", schema).unwrap();
    db.execute_batch(
        "INSERT INTO node VALUES ('id', '0123456789abcdef');
         INSERT INTO jobs (seq, id, stream, state, group_key, outcome, calling_ae_title, caller_address,
             study_instance_uid, instances, bytes, received_at, last_object_at, queued_at, started_at, run_ended_at,
             ended_at, attempt, exit_status)
         VALUES (1, 'old-1', 'Gone', 'done', '1.2.3', 'success', 'SCANNER', '10.0.0.1', '1.2.3', 1, 10, 1000, 2000,
                 3000, 4000, 5000, 6000, 1, 0),
                (2, 'old-2', 'Gone', 'queued', '1.2.4', NULL, 'SCANNER', '10.0.0.1', '1.2.4', 1, 10, 1000, 2000,
                 3000, NULL, NULL, NULL, 0, NULL);
         INSERT INTO instances (job, sop_instance_uid, sop_class_uid, transfer_syntax_uid, series_instance_uid, file,
             bytes, hash, received_at)
         VALUES (1, '1.2.3.1', '1.2', '1.2.840.10008.1.2.1', '1.2.3.0', 'a.dcm', 10, x'00', 1000),
                (2, '1.2.4.1', '1.2', '1.2.840.10008.1.2.1', '1.2.4.0', 'b.dcm', 10, x'00', 1000);
         INSERT INTO measures (job, file, source, name, value, unit) VALUES (1, 'measures.json', 'bucket', 'volume', '12.5', 'ml');
         INSERT INTO deliveries (id, job, destination, route, direction, state, attempts, created_at)
         VALUES (1, 1, 'PACS', 'results', 'output', 'sent', 1, 5000);
         INSERT INTO delivery_instances (delivery, file, sop_class_uid, sop_instance_uid, transfer_syntax_uid, state,
             status)
         VALUES (1, 'r.dcm', '1.2', '1.2.3.9', '1.2.840.10008.1.2.1', 'sent', 0);
         INSERT INTO events (job, at, kind, text) VALUES (1, 1000, 'receiving', 'first object from SCANNER');",
    )
    .unwrap();
    db
}

#[test]
fn a_store_of_every_earlier_schema_is_taken_over_with_all_its_rows() {
    needs!(Docker);
    for schema in 1..=migrations().len() {
        let home = scratch();
        make_store(home.path(), schema)
            .execute_batch(
                "INSERT INTO buckets (ae_title, image, digest, info, has_plugin, installed_at)
                 VALUES ('Old', 'old:1', 'sha256:' || hex(zeroblob(32)), '{\"AETitle\": \"Old\", \"version\": 7}', 0, 1000)",
            )
            .unwrap();
        let node = Node::start(Path::new(MAGICKBOX), home.path(), "").unwrap();
        let buckets: Value = node.api().get("/api/v1/buckets").unwrap();
        let bucket = &buckets[0];
        assert_eq!(
            (&bucket["ae_title"], &bucket["version"], &bucket["enabled"]),
            (&"Old".into(), &"7".into(), &true.into()),
            "schema {schema}"
        );
        assert!(
            bucket["previous"].is_null() && bucket["next"].is_null(),
            "{bucket}"
        );
        let jobs = node.api().jobs().unwrap();
        let listed: Vec<_> = jobs.iter().map(|j| (j.id.as_str(), j.state.as_str())).collect();
        assert_eq!(
            listed,
            [("old-2", "queued"), ("old-1", "done")],
            "schema {schema}"
        );
        let job = node.api().job("old-1").unwrap();
        assert_eq!((job.instances, job.outcome.as_deref()), (1, Some("success")));
        assert_eq!(job.measures[0].value, 12.5, "schema {schema}");
        assert_eq!(job.deliveries[0].instances[0].sop_instance_uid, "1.2.3.9");
        assert_eq!(job.events[0]["kind"], "receiving");
        let db = Connection::open(store_of(home.path())).unwrap();
        let version: usize = db
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap();
        assert_eq!(version, migrations().len(), "schema {schema}");
        for (table, rows) in [("jobs", 2), ("instances", 2), ("measures", 1), ("deliveries", 1)] {
            let sql = format!("SELECT count(*) FROM {table}");
            let found: u32 = db.query_row(&sql, [], |row| row.get(0)).unwrap();
            assert_eq!(found, rows, "{table} of schema {schema}");
        }
    }
}

#[test]
fn a_node_that_was_taken_over_goes_on_with_what_was_queued() {
    needs!(Docker, Dcmtk);
    let home = scratch();
    drop(make_store(home.path(), 1));
    let mut node = Node::start(Path::new(MAGICKBOX), home.path(), "").unwrap();
    let set = home.path().join("data/streams/bucketGone/incoming/old-2");
    fs::create_dir_all(&set).unwrap();
    Object::new().write(&set);
    let file = fs::read_dir(&set).unwrap().next().unwrap().unwrap().path();
    fs::rename(file, set.join("b.dcm")).unwrap();
    let answer = node
        .api()
        .install(&Bucket::fixture("count").called("Gone").image(), false)
        .unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    // A start looks at the queue at once; an install leaves it for its next look.
    node.terminate().unwrap();
    node.restart().unwrap();
    let job = node
        .api()
        .wait_for_job(crate::support::PATIENCE, "the end of the old job", |job| {
            job.id == "old-2" && job.is_over()
        })
        .unwrap();
    assert_eq!(job.outcome.as_deref(), Some("success"), "{job:#?}");
}

#[test]
fn a_store_of_a_newer_version_is_refused_by_name_and_left_alone() {
    let home = scratch();
    let newer = migrations().len() + 1;
    let db = make_store(home.path(), migrations().len());
    db.pragma_update(None, "user_version", newer).unwrap();
    drop(db);
    let before = fs::read(store_of(home.path())).unwrap();
    let data = home.path().join("data");
    let addresses = ["--dicom", "127.0.0.1:0", "--http", "127.0.0.1:0"];
    let mut arguments = vec!["serve", "--data", data.to_str().unwrap()];
    arguments.extend(addresses);
    let said = run(MAGICKBOX, &arguments);
    assert_eq!(said.code, Some(1), "{said:#?}");
    for expected in ["magickbox.sqlite", &format!("schema {newer}"), "restore a backup"] {
        assert!(
            said.stderr.contains(expected),
            "{expected} not in {}",
            said.stderr
        );
    }
    let said = backup(home.path(), &home.path().join("b"));
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(
        said.stderr.contains(&format!("schema {newer}")),
        "{}",
        said.stderr
    );
    assert!(!home.path().join("b").exists());
    assert_eq!(fs::read(store_of(home.path())).unwrap(), before);
}

#[test]
fn jobs_are_listed_page_by_page_each_once() {
    needs!(Docker);
    let home = scratch();
    let db = make_store(home.path(), migrations().len());
    db.execute_batch(
        "WITH RECURSIVE n (n) AS (SELECT 3 UNION ALL SELECT n + 1 FROM n WHERE n < 25)
         INSERT INTO jobs (seq, id, stream, state, group_key, outcome, calling_ae_title, caller_address,
             study_instance_uid, received_at, last_object_at)
         SELECT n, 'old-' || n, 'Gone', 'done', n, 'success', 'S', '10.0.0.1', '1.2', n, n FROM n;
         INSERT INTO measures (job, file, source, name, value, unit) SELECT seq, 'm', 'bucket', 'number', seq, NULL FROM jobs WHERE seq > 2",
    )
    .unwrap();
    drop(db);
    let node = Node::start(Path::new(MAGICKBOX), home.path(), "").unwrap();
    let mut path = "/api/v1/jobs?state=done&limit=6".to_owned();
    let (mut seen, mut pages) = (Vec::new(), 0);
    loop {
        let page: Value = node.api().get(&path).unwrap();
        pages += 1;
        for job in page["jobs"].as_array().unwrap() {
            let id = job["id"].as_str().unwrap().to_owned();
            if id != "old-1" {
                assert_eq!(id, format!("old-{}", job["measures"][0]["value"]), "{job}");
            }
            seen.push(id);
        }
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/jobs?state=done&limit=6&before={next}");
    }
    let mut expected: Vec<_> = (3..=25).rev().map(|n| format!("old-{n}")).collect();
    expected.push("old-1".to_owned());
    assert_eq!((seen, pages), (expected, 4));
    let refused = node
        .api()
        .get::<Value>("/api/v1/jobs?before=nothing")
        .unwrap_err();
    assert!(refused.to_string().contains("400"), "{refused}");
}

fn backup(home: &Path, to: &Path) -> Ran {
    tool("backup", home, to, &[])
}

fn tool(command: &str, home: &Path, directory: &Path, more: &[&str]) -> Ran {
    let (data, config) = (home.join("data"), home.join("node.toml"));
    let mut arguments = vec![
        command,
        directory.to_str().unwrap(),
        "--data",
        data.to_str().unwrap(),
    ];
    if config.exists() {
        arguments.extend(["--config", config.to_str().unwrap()]);
    }
    arguments.extend(more);
    run(MAGICKBOX, &arguments)
}

/// Sends a study and answers its Study Instance UID.
#[track_caller]
fn send(node: &TestNode, name: &str, objects: usize) -> String {
    let series = Object::series(objects);
    write_all(&series, &node.scratch(name));
    let said = senders::storescu(node.dicom_port(), "Count", &node.scratch(name));
    assert_eq!(said.stored(), objects, "{}", said.text);
    series[0].study.clone()
}

#[test]
fn a_backup_of_a_running_node_comes_back_and_what_came_after_it_is_taken_in() {
    needs!(Docker, Dcmtk);
    let quiet = |time| format!("[bucket.Count]\ncomplete = {{ level = \"study\", quiet = \"{time}\" }}\n");
    let mut node = TestNode::with(&Bucket::fixture("count"), &quiet("1s"));
    let home = node.scratch("");
    let early = send(&node, "early", 2);
    let early_job = node.wait_for_end("Count");
    let copy = node.scratch("copies/monday");
    let rules = r#"{ "routing": [ { "name": "kept", "send": [ { "success": { "IP": "192.0.2.1", "PORT": 104,
        "AETitleSender": "ME", "AETitleTo": "PACS" } } ] } ] }"#;
    fs::write(node.data().join("routing.json"), rules).unwrap();
    let in_force =
        |node: &TestNode| node.api().get::<Value>("/api/v1/routes").unwrap()["rules"][0]["name"] == "kept";
    wait_until(PATIENCE, "the rules to be in force", || {
        in_force(&node).then_some(())
    })
    .unwrap();

    let said = backup(&home, &copy);
    assert_eq!(said.code, Some(0), "{said:#?}");
    let manifest: Value = serde_json::from_slice(&fs::read(copy.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(
        (&manifest["jobs"], &manifest["instances"]),
        (&1.into(), &2.into())
    );
    assert_eq!(manifest["schema"], migrations().len());
    let beside: Vec<_> = fs::read_dir(copy.parent().unwrap()).unwrap().collect();
    assert_eq!(beside.len(), 1, "{beside:?}");
    let again = backup(&home, &copy);
    assert!(again.stderr.contains("exists already"), "{again:#?}");

    // One job ends after the backup, and objects are answered that are no job yet when the node dies.
    let between = send(&node, "between", 3);
    let between_job = node.wait_for("Count", "the end of a job the backup does not know", |job| {
        job.study_instance_uid == between && job.is_over()
    });
    // However long the rest takes: they are no job before the node is started for the third time.
    node.terminate().unwrap();
    fs::write(node.scratch("node.toml"), quiet("30m")).unwrap();
    node.restart().unwrap();
    let late = send(&node, "late", 4);

    let refused = tool("restore", &home, &copy, &["--force"]);
    assert!(
        refused.stderr.contains("in use by another magickbox"),
        "{refused:#?}"
    );
    node.kill().unwrap();
    for lost in ["routing.json", "store/routing.json"] {
        fs::remove_file(node.data().join(lost)).unwrap();
    }
    let refused = tool("restore", &home, &copy, &[]);
    assert!(refused.stderr.contains("--force"), "{refused:#?}");
    let said = tool("restore", &home, &copy, &["--force"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(said.stdout.contains("1 sets of objects"), "{said:#?}");
    assert!(said.stdout.contains(&between_job.id), "{said:#?}");

    fs::write(node.scratch("node.toml"), quiet("1s")).unwrap();
    node.restart().unwrap();
    assert!(in_force(&node), "the rules of the backup");
    let job = node.wait_for("Count", "the study that came after the backup", |job| {
        job.study_instance_uid == late && job.is_over()
    });
    assert_eq!(
        (job.outcome.as_deref(), job.instances),
        (Some("success"), 4),
        "{job:#?}"
    );
    let known = node.api().job(&early_job.id).unwrap();
    assert_eq!((known.study_instance_uid, known.state), (early, early_job.state));
    assert!(
        Path::new(&between_job.directory).join("INPUT").exists(),
        "its files stay"
    );
    // It takes more, as before.
    let next = send(&node, "next", 1);
    node.wait_for("Count", "the end of a new job", |job| {
        job.study_instance_uid == next && job.outcome.as_deref() == Some("success")
    });
}

#[test]
fn a_backup_that_was_changed_is_not_restored() {
    let home = scratch();
    drop(make_store(home.path(), migrations().len()));
    let copy = home.path().join("copy");
    assert_eq!(backup(home.path(), &copy).code, Some(0));
    let file = copy.join("magickbox.sqlite");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let other = scratch();
    let refused = tool("restore", other.path(), &copy, &[]);
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(refused.stderr.contains("its hash differs"), "{refused:#?}");
    assert!(!store_of(other.path()).exists());
}
