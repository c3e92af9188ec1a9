//! Versions of a bucket wait for runs and come back; it is enabled, disabled, removed, read.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::install::{copy, image_id, parts, send};
use crate::needs;
use crate::support::PATIENCE;
use crate::support::images::{Bucket, docker};
use crate::support::kit::{Made, begin, buckets, done, file_of, listed, refused};
use crate::support::part10::uid;
use crate::support::senders;
use crate::support::under_test::TestNode;
use crate::support::wait::wait_until;

#[test]
fn a_version_is_replaced_when_the_run_under_way_has_ended_and_comes_back() {
    needs!(Docker, Dcmtk);
    let mut node = TestNode::start("");
    let gate = |version: &str| {
        let gate = Bucket::fixture("gate")
            .with("test", uid())
            .with("version", version);
        (image_id(&gate.image()), gate.image())
    };
    let (first, second) = (gate("1.0.0"), gate("2.0.0"));
    done(&node, &["install", &first.1]);
    let running = send(&node, "Gate");
    node.wait_for("Gate", "a run under way", |job| {
        job.study_instance_uid == running && job.state == "running"
    });

    let log = node.scratch("client.log");
    let mut client = begin(&node.ready().http, &["install", "-f", &second.1], &log);
    let waits = "waits for 1 run of Gate";
    wait_until(PATIENCE, waits, || client.log().contains(waits).then_some(())).unwrap();
    let bucket = listed(&node);
    assert_eq!(
        (&bucket["version"], &bucket["next"]["version"]),
        (&"1.0.0".into(), &"2.0.0".into())
    );
    let waiting = send(&node, "Gate");
    node.wait_for("Gate", "a job that waits", |job| {
        job.study_instance_uid == waiting && job.state == "queued"
    });
    assert!(client.ended().is_none());

    // The node that dies meanwhile goes on with it; so does a client that looks away.
    client.kill().unwrap();
    node.kill().unwrap();
    node.restart().unwrap();
    assert_eq!(listed(&node)["next"]["version"], "2.0.0");
    fs::write(node.bucket("Gate").join("memory/go"), "").unwrap();
    for (study, image) in [(&running, &first.0), (&waiting, &second.0)] {
        let job = node.wait_for("Gate", "the end of a job", |job| {
            job.study_instance_uid == *study && job.is_over()
        });
        assert_eq!(job.outcome.as_deref(), Some("success"), "{job:#?}");
        let started: Vec<_> = job.events.iter().filter(|e| e["kind"] == "started").collect();
        assert!(
            started.last().unwrap()["text"].as_str().unwrap().contains(image),
            "{started:?}"
        );
    }
    let bucket = listed(&node);
    assert_eq!(
        (&bucket["version"], &bucket["next"]),
        (&"2.0.0".into(), &serde_json::Value::Null)
    );
    assert_eq!(bucket["previous"]["digest"], first.0.as_str());

    // Whoever tidies up the engine does not take the version before.
    assert!(docker(&["rmi", &first.1]));
    let said = done(&node, &["rollback", "Gate"]);
    assert!(said.stdout.contains("1.0.0 again"), "{said:#?}");
    assert_eq!(listed(&node)["digest"], first.0.as_str());
    assert!(done(&node, &["list"]).stdout.contains("2.0.0"));
    done(&node, &["rollback", "Gate"]);
    assert_eq!(listed(&node)["digest"], second.0.as_str());

    // A third one: the first is nobody's version any more.
    done(&node, &["install", "-f", &gate("3.0.0").1]);
    wait_until(PATIENCE, "the first image to go", || {
        (!docker(&["image", "inspect", &first.0])).then_some(())
    })
    .unwrap();
    assert!(docker(&["image", "inspect", &second.0]));
    let said = fs::read_to_string(node.bucket("Gate").join("memory/diary")).unwrap();
    assert_eq!(
        said.lines().count(),
        4,
        "the memory stays over all versions: {said}"
    );
}

#[test]
fn a_bucket_without_a_version_before_is_not_rolled_back() {
    needs!(Docker);
    let node = TestNode::start("");
    done(&node, &["install", &copy("Once").image()]);
    let said = refused(&node, &["rollback", "Once"]);
    assert!(said.contains("no version before"), "{said}");
    let said = refused(&node, &["rollback", "Nobody"]);
    assert!(
        said.contains("no bucket is installed for AE title Nobody"),
        "{said}"
    );
}

#[test]
fn a_disabled_bucket_takes_no_studies_until_it_is_enabled_also_after_a_restart_and_an_install() {
    needs!(Docker, Dcmtk);
    let mut node = TestNode::start("");
    done(&node, &["install", &copy("Switched").image()]);
    done(&node, &["disable", "Switched"]);
    node.terminate().unwrap();
    node.restart().unwrap();
    assert_eq!(listed(&node)["enabled"], false);
    let said = senders::echoscu(node.dicom_port(), "Switched");
    assert!(
        said.text.contains("Called AE Title Not Recognized"),
        "{}",
        said.text
    );
    let said = done(&node, &["install", "-f", &copy("Switched").image()]);
    assert!(said.stdout.contains("buckets enable Switched"), "{said:#?}");
    done(&node, &["enable", "Switched"]);
    send(&node, "Switched");
    assert_eq!(node.wait_for_end("Switched").outcome.as_deref(), Some("success"));
    let said = refused(&node, &["disable", "Nobody"]);
    assert!(said.contains("Nobody"), "{said}");
}

#[test]
fn remove_keeps_history_and_image() {
    needs!(Docker, Dcmtk);
    let node = TestNode::start("");
    let image = copy("Removed").image();
    let id = image_id(&image);
    let file = file_of(&image, Made::Save, &node.scratch("r.tar"), 0);
    assert!(docker(&["rmi", &image]));
    done(&node, &["install", file.to_str().unwrap()]);
    send(&node, "Removed");
    let job = node.wait_for_end("Removed");
    let said = refused(&node, &["remove", "Removed"]);
    assert!(said.contains("say -y to mean it"), "{said}");
    done(&node, &["remove", "Removed", "-y"]);
    assert!(!node.bucket("Removed").exists());
    assert_eq!(
        node.api().job(&job.id).unwrap().outcome.as_deref(),
        Some("success")
    );
    assert!(docker(&["image", "inspect", &id]));
}

#[test]
fn the_log_of_a_bucket_is_shown_and_followed() {
    needs!(Docker, Dcmtk);
    let node = TestNode::start("");
    done(&node, &["install", &copy("Logged").image()]);
    let said = done(&node, &["logs", "Logged"]);
    assert!(said.stdout.contains("installed"), "{said:#?}");
    let log = node.scratch("follow.log");
    let mut follower = begin(&node.ready().http, &["logs", "Logged", "-f"], &log);
    send(&node, "Logged");
    let job = node.wait_for_end("Logged");
    let wanted = [
        format!("{} attempt 1 started, 2 objects", job.id),
        format!("{} ended, exit status 0", job.id),
    ];
    wait_until(PATIENCE, "the lines of a run", || {
        wanted
            .iter()
            .all(|line| follower.log().matches(line.as_str()).count() == 1)
            .then_some(())
    })
    .unwrap();
    assert!(follower.ended().is_none());
    let said = refused(&node, &["logs", "Nobody"]);
    assert!(said.contains("no bucket"), "{said}");
}

#[test]
fn a_memory_is_taken_out_and_put_back_but_not_under_a_run_and_nothing_hostile() {
    needs!(Docker, Dcmtk);
    let node = TestNode::start("");
    done(
        &node,
        &["install", &Bucket::fixture("gate").with("test", uid()).image()],
    );
    let memory = node.bucket("Gate").join("memory");
    fs::create_dir_all(memory.join("norms")).unwrap();
    fs::write(memory.join("norms/table.csv"), "1,2").unwrap();
    let file = |name: &str| node.scratch(name).to_str().unwrap().to_owned();
    done(&node, &["memory", "Gate", "export", &file("m.tar")]);
    let said = refused(&node, &["memory", "Gate", "export", &file("m.tar")]);
    assert!(said.contains("exists already"), "{said}");

    fs::write(memory.join("norms/table.csv"), "worse").unwrap();
    fs::write(memory.join("added"), "later").unwrap();
    let said = refused(&node, &["memory", "Gate", "import", &file("m.tar")]);
    assert!(said.contains("say -y to mean it"), "{said}");
    done(&node, &["memory", "Gate", "import", &file("m.tar"), "-y"]);
    assert_eq!(fs::read_to_string(memory.join("norms/table.csv")).unwrap(), "1,2");
    assert!(!memory.join("added").exists());

    let link = node.scratch("link");
    fs::create_dir_all(&link).unwrap();
    std::os::unix::fs::symlink("/etc", link.join("out")).unwrap();
    let packed = Command::new("tar")
        .args(["-cf", &file("evil.tar"), "-C", link.to_str().unwrap(), "."])
        .status();
    assert!(packed.unwrap().success());
    let said = refused(&node, &["memory", "Gate", "import", &file("evil.tar"), "-y"]);
    assert!(
        said.contains("out") && said.contains("link out of the memory"),
        "{said}"
    );
    assert_eq!(fs::read_to_string(memory.join("norms/table.csv")).unwrap(), "1,2");

    send(&node, "Gate");
    node.wait_for_state("Gate", "running");
    for refusal in [
        refused(&node, &["memory", "Gate", "import", &file("m.tar"), "-y"]),
        refused(&node, &["memory", "Gate", "export", &file("n.tar")]),
    ] {
        assert!(refusal.contains("a run of Gate is under way"), "{refusal}");
    }
    fs::write(memory.join("go"), "").unwrap();
    assert_eq!(node.wait_for_end("Gate").outcome.as_deref(), Some("success"));
    wait_until(Duration::from_secs(30), "the run to be harvested", || {
        (buckets(&node, &["memory", "Gate", "import", &file("m.tar"), "-y"]).code == Some(0)).then_some(())
    })
    .unwrap();
    assert_eq!(parts(&node), []);
}
