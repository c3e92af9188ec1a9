//! `magickbox adopt`: the data directory of the original becomes a node's.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::json;

use crate::needs;
use crate::support::PATIENCE;
use crate::support::images::Bucket;
use crate::support::part10::{Object, files, uid, write_all};
use crate::support::under_test::{MAGICKBOX, Ran, TestNode, run, scratch};

/// A data directory as the original left it.
struct Original(PathBuf);

impl Original {
    fn new(root: PathBuf) -> Self {
        for directory in ["streams/bucket01", "scratch", "code/bin", "logs"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        fs::write(root.join("streams/bucket01/work.sh"), "#!/bin/bash\n").unwrap();
        Self(root)
    }

    /// An installed bucket: what its `buckets install` wrote.
    fn bucket(&self, title: &str, image: &str, enabled: u8) -> PathBuf {
        let stream = self.0.join(format!("streams/bucket{title}"));
        fs::create_dir_all(stream.join("memory")).unwrap();
        let info = json!({ "name": title, "AETitle": title, "version": "0.1", "enabled": enabled });
        fs::write(stream.join("info.json"), info.to_string()).unwrap();
        let work = format!(
            "#!/bin/bash -l\nJOB=$(sudo /usr/bin/docker run -d -v \"${{DATA}}\":/input -v \"${{OUTPUT}}\":/output \
             -v `dirname $0`/memory:/memory {image} /bin/bash -l -c \"/root/work.sh /input /output\" )\n"
        );
        fs::write(stream.join("work.sh"), work).unwrap();
        stream
    }

    /// A job; one that is over has a proc.json.
    fn job(&self, name: &str, title: &str, objects: &[Object], over: bool) -> PathBuf {
        let job = self.0.join("scratch").join(name);
        for directory in ["INPUT/some-study", "OUTPUT/below"] {
            fs::create_dir_all(job.join(directory)).unwrap();
        }
        write_all(objects, &job.join("INPUT/some-study"));
        fs::write(job.join("INPUT/some-study/notes.txt"), "no DICOM").unwrap();
        fs::write(job.join("OUTPUT/below/volumes.csv"), "1,2\n").unwrap();
        fs::write(job.join("processing.log"), "it ran\n").unwrap();
        let info = format!(
            "{{\n   \"CallerIP\":\"192.0.2.7\",\n   \"AETitleCalled\":\"{title}\",\n   \"AETitleCaller\":\"OSIRIX\",\n   \
             \"received\":\"Mon Jan  5 10:11:12 PST 2015\"\n}}\n"
        );
        fs::write(job.join("info.json"), info).unwrap();
        if over {
            fs::write(job.join("proc.json"), r#"[{"success": "success","message": ""}]"#).unwrap();
        }
        job
    }

    fn adopt(&self, data: &Path, more: &[&str]) -> Ran {
        let (from, data) = (self.0.to_str().unwrap(), data.to_str().unwrap());
        run(MAGICKBOX, &[&["adopt", from, "--data", data], more].concat())
    }

    /// Everything in it: names, contents, modes, times.
    fn all(&self) -> BTreeMap<PathBuf, (Vec<u8>, u32, SystemTime)> {
        let about = |path: PathBuf| {
            let meta = fs::symlink_metadata(&path).unwrap();
            let content = fs::read(&path).unwrap_or_default();
            (
                path,
                (content, meta.permissions().mode(), meta.modified().unwrap()),
            )
        };
        files(&self.0).into_iter().map(about).collect()
    }
}

fn copy(title: &str) -> String {
    Bucket::fixture("copy").called(title).with("test", uid()).image()
}

#[test]
fn buckets_memories_and_finished_jobs_are_taken_over_and_the_source_stays_as_it_is() {
    needs!(Docker);
    let home = scratch();
    let (original, data) = (Original::new(home.path().join("old")), home.path().join("data"));
    let stream = original.bucket("OldCopy", &copy("OldCopy"), 1);
    fs::create_dir_all(stream.join("memory/norms")).unwrap();
    fs::write(stream.join("memory/norms/table.csv"), "27 rows").unwrap();
    original.bucket("Asleep", &copy("Asleep"), 0);
    let study = Object::series(3);
    original.job("tmp.Yx8Kq2WnPz", "OldCopy", &study, true);
    original.job("tmp.unfinished", "OldCopy", &Object::series(1), false);
    fs::write(
        original.0.join("code/bin/routing.json"),
        r#"{ "routing": [] } // none"#,
    )
    .unwrap();
    let before = original.all();

    let shown = original.adopt(&data, &[]);
    assert_eq!(shown.code, Some(0), "{shown:#?}");
    for expected in [
        "would be installed",
        "OldCopy",
        "Asleep",
        "Finished jobs    1",
        "Nothing was changed",
        "--yes",
    ] {
        assert!(shown.stdout.contains(expected), "{expected}: {}", shown.stdout);
    }
    assert!(!data.exists(), "looking makes nothing");

    let done = original.adopt(&data, &["--yes"]);
    assert_eq!(done.code, Some(0), "{done:#?}");
    assert!(done.stdout.contains("disabled, as it was"), "{}", done.stdout);
    assert_eq!(original.all(), before, "the source is as it was");
    assert!(done.stdout.contains("Routing rules    0"), "{}", done.stdout);
    assert!(
        fs::read_to_string(data.join("routing.json"))
            .unwrap()
            .ends_with("// none")
    );

    let again = original.adopt(&data, &["--yes"]);
    assert_eq!(again.code, Some(1), "both buckets are there already: {again:#?}");
    assert!(again.stdout.contains("1 were here already"), "{}", again.stdout);

    let node = TestNode::start_in(home, "", &[]);
    let table = node.bucket("OldCopy").join("memory/norms/table.csv");
    assert_eq!(fs::read_to_string(table).unwrap(), "27 rows");
    let job = node.api().job("Yx8Kq2WnPz").unwrap();
    assert_eq!(
        (job.state.as_str(), job.outcome.as_deref()),
        ("done", Some("success"))
    );
    assert_eq!((job.instances, &job.study_instance_uid), (3, &study[0].study));
    assert_eq!(job.calling_ae_title, "OSIRIX");
    let told: serde_json::Value = node
        .api()
        .get("/api/v1/audit?job=Yx8Kq2WnPz&kind=imported")
        .unwrap();
    let events = told["events"].as_array().unwrap();
    assert_eq!(events.len(), 1, "{events:#?}");
    assert_eq!(events[0]["study"]["uid"], json!(study[0].study));
    assert_eq!(events[0]["study"]["patient_id"], "T1");
    assert_eq!(node.api().log("Yx8Kq2WnPz").unwrap(), "it ran\n");
    let output = node
        .bucket("OldCopy")
        .join("jobs/Yx8Kq2WnPz/OUTPUT/below/volumes.csv");
    assert_eq!(fs::read_to_string(output).unwrap(), "1,2\n");
    let verified = run(MAGICKBOX, &["verify", "--data", node.data().to_str().unwrap()]);
    assert_eq!(verified.code, Some(0), "{verified:#?}");

    let restarted = node.api().act("Yx8Kq2WnPz", "restart").unwrap();
    assert_eq!(restarted.status, 200, "{restarted:?}");
    let ran = node
        .api()
        .wait_for_job(PATIENCE, "the run of the restarted job", |job| {
            job.id != "Yx8Kq2WnPz" && job.is_over()
        });
    let ran = ran.unwrap();
    assert_eq!(
        (ran.outcome.as_deref(), ran.instances),
        (Some("success"), 3),
        "{ran:#?}"
    );
}

#[test]
fn what_cannot_be_taken_over_is_named_and_keeps_nothing_else_from_it() {
    needs!(Docker);
    let home = scratch();
    let (original, data) = (Original::new(home.path().join("old")), home.path().join("data"));
    original.bucket("Fine", &copy("Fine"), 1);
    original.bucket("Gone", "magickbox-test/never-made", 1);
    original.bucket("Turned", &copy("Other"), 1);
    original.bucket("Vague", "$IMAGE", 1);
    original.job("tmp.a1", "Fine", &Object::series(1), true);
    let rules = r#"{ "routing": [ { "name": "odd", "AETitleIn": "(", "send": [] } ] }"#;
    fs::write(original.0.join("code/bin/routing.json"), rules).unwrap();
    let shown = original.adopt(&data, &[]);
    assert_eq!(shown.code, Some(1), "{shown:#?}");
    for expected in [
        "no image \"magickbox-test/never-made\"",
        "answers to Other",
        "--image \"Vague=IMAGE\"",
        "Routing rules    NOT",
        "AETitleIn",
    ] {
        assert!(shown.stdout.contains(expected), "{expected}: {}", shown.stdout);
    }
    let named = format!("Vague={}", copy("Vague"));
    let done = original.adopt(&data, &["--yes", "--image", &named, "--without-input"]);
    assert_eq!(done.code, Some(1), "two are still missing: {done:#?}");
    let mut node = TestNode::start_in(home, "", &[]);
    let list: serde_json::Value = node.api().get("/api/v1/buckets").unwrap();
    let titles: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["ae_title"].as_str().unwrap())
        .collect();
    assert_eq!(titles, ["Fine", "Vague"], "{list}");
    let refused = node.api().act("a1", "restart").unwrap();
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(refused.detail().contains("no objects here"), "{refused:?}");

    let running = original.adopt(&node.data(), &["--yes"]);
    assert_eq!(running.code, Some(1), "{running:#?}");
    assert!(
        running.stderr.contains("in use by another magickbox"),
        "{}",
        running.stderr
    );
    node.terminate().unwrap();
    let none = run(
        MAGICKBOX,
        &["adopt", node.data().to_str().unwrap(), "--data", "/nowhere"],
    );
    assert!(
        none.stderr.contains("no data directory of the original"),
        "{none:#?}"
    );
}

#[test]
fn what_is_damaged_is_named_and_keeps_nothing_else_from_being_taken() {
    needs!(Docker);
    let home = scratch();
    let (original, data) = (Original::new(home.path().join("old")), home.path().join("data"));
    let stream = original.bucket("OldCopy", &copy("OldCopy"), 1);
    fs::write(stream.join("info.json"), "{ \"name\": ").unwrap();
    let nameless = original.bucket("much too long an AE title", "x", 1);
    fs::write(nameless.join("info.json"), "").unwrap();
    // Oldest first: the damaged ones come before the whole one.
    let broken = original.job("tmp.aBroken", "OldCopy", &Object::series(1), true);
    fs::remove_dir_all(broken.join("INPUT")).unwrap();
    fs::write(broken.join("INPUT"), "a file where a directory was").unwrap();
    let torn = original.job("tmp.bTorn", "OldCopy", &Object::series(1), true);
    fs::write(torn.join("proc.json"), "[{\"succ").unwrap();
    let lost = original.job("tmp.cLost", "OldCopy", &Object::series(1), true);
    fs::remove_file(lost.join("info.json")).unwrap();
    original.job("tmp.dWhole", "OldCopy", &Object::series(2), true);

    let shown = original.adopt(&data, &[]);
    assert_eq!(shown.code, Some(1), "{shown:#?}");
    let done = original.adopt(&data, &["--yes"]);
    assert_eq!(done.code, Some(1), "{done:#?}");
    for expected in [
        "streams/bucketmuch too long an AE title: its info.json has no AE title",
        "installed  OldCopy",
        "Finished jobs    1\n",
        "NOT: take ",
        "tmp.aBroken over",
        "Jobs left        2 ",
    ] {
        assert!(done.stdout.contains(expected), "{expected}: {done:#?}");
    }
    let jobs = data.join("streams/bucketOldCopy/jobs");
    assert!(jobs.join("dWhole").is_dir());
    assert!(
        !jobs.join("aBroken").exists(),
        "what was copied of it belongs to no job"
    );
}
