//! Buckets come as files and from other machines, on after every break; versions wait for runs, and come back.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::needs;
use crate::support::PATIENCE;
use crate::support::daemon::Daemon;
use crate::support::images::{Bucket, docker};
use crate::support::kit::{Made, begin, buckets, done, file_of, gzip, line_that_breaks, listed, refused};
use crate::support::node::images_named;
use crate::support::part10::{Object, uid, write_all};
use crate::support::peers::skip;
use crate::support::senders;
use crate::support::under_test::{BUCKETS, TestNode, run, scratch};
use crate::support::wait::wait_until;

const MIB: usize = 1 << 20;

/// A bucket that no other test has: its image is not on the engine before.
pub fn copy(title: &str) -> Bucket {
    Bucket::fixture("copy").called(title).with("test", uid())
}

#[track_caller]
pub fn send(node: &TestNode, title: &str) -> String {
    let series = Object::series(2);
    let directory = node.scratch(&format!("study-{}", series[0].study));
    write_all(&series, &directory);
    let said = senders::storescu(node.dicom_port(), title, &directory);
    assert_eq!(said.stored(), 2, "{}", said.text);
    series[0].study.clone()
}

pub fn parts(node: &TestNode) -> Vec<(String, u64)> {
    let entries = fs::read_dir(node.data().join("uploads"))
        .into_iter()
        .flatten()
        .flatten();
    let about = |e: fs::DirEntry| Some((e.file_name().into_string().ok()?, e.metadata().ok()?.len()));
    entries.filter_map(about).collect()
}

fn names_of_node(node: &TestNode) -> Vec<String> {
    let db = rusqlite::Connection::open(node.data().join("store/magickbox.sqlite")).unwrap();
    let sql = "SELECT value FROM node WHERE key = 'id'";
    let id: String = db.query_row(sql, [], |row| row.get(0)).unwrap();
    images_named(&format!("magickbox/node-{id}"))
}

pub fn image_id(reference: &str) -> String {
    let said = Command::new("docker")
        .args(["image", "inspect", "--format", "{{.Id}}", reference])
        .output()
        .unwrap();
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

#[test]
fn what_docker_saved_or_exported_is_installed_packed_or_not_and_names_nothing_on_the_engine() {
    needs!(Docker, Dcmtk);
    let node = TestNode::start("");
    for (made, packed) in [
        (Made::Save, false),
        (Made::Save, true),
        (Made::Export, false),
        (Made::Export, true),
    ] {
        let title = format!("{made:?}{packed}");
        let image = copy(&title).image();
        let mut file = file_of(&image, made, &node.scratch(&format!("{title}.tar")), 0);
        if packed {
            file = gzip(&file);
        }
        assert!(docker(&["rmi", &image]));
        let said = done(&node, &["install", file.to_str().unwrap()]);
        assert!(said.stdout.contains(&format!("as {title}")), "{said:#?}");
        assert!(
            !docker(&["image", "inspect", &image]),
            "the file's name for it is not taken over"
        );
        send(&node, &title);
        let job = node.wait_for_end(&title);
        assert_eq!(job.outcome.as_deref(), Some("success"), "{job:#?}");
        assert_eq!(
            fs::read_to_string(node.bucket(&title).join("memory/seed")).unwrap(),
            "what the image brings along\n"
        );
    }
    assert_eq!(
        names_of_node(&node).len(),
        4,
        "each has a name, and is no garbage"
    );
    assert_eq!(parts(&node), [], "what was uploaded is not kept twice");
}

#[test]
fn an_upload_goes_on_after_its_client_and_its_node_were_killed() {
    needs!(Docker);
    let mut node = TestNode::start_in(scratch(), "", &[("MAGICKBOX_FAILPOINT", "upload-written:20")]);
    let image = copy("Resumed").image();
    let file = file_of(&image, Made::Export, &node.scratch("large.tar"), 48 * MIB);
    let arguments = ["install", file.to_str().unwrap()];
    let mut client = begin(&node.ready().http, &arguments, &node.scratch("client.log"));
    wait_until(PATIENCE, "the node's death", || node.is_dead().then_some(())).unwrap();
    wait_until(PATIENCE, "the client to notice", || {
        client.log().contains("trying again").then_some(())
    })
    .unwrap();
    client.kill().unwrap();
    node.restart().unwrap();
    let there = parts(&node).iter().map(|(_, bytes)| *bytes).max().unwrap();
    assert!((20 * MIB as u64..48 * MIB as u64).contains(&there), "{there}");

    let said = done(&node, &arguments);
    assert!(
        said.stderr.contains("sending large.tar: going on after 2"),
        "{said:#?}"
    );
    assert_eq!(listed(&node)["ae_title"], "Resumed");
    assert_eq!(parts(&node), []);
}

#[test]
fn an_image_of_this_machine_is_sent_to_a_node_whose_engine_does_not_have_it_and_only_then() {
    needs!(Docker);
    if !rustix::process::getuid().is_root() {
        return skip(module_path!(), "a daemon of its own needs root");
    }
    let daemon = match Daemon::start(false) {
        Ok(daemon) => daemon,
        Err(why) => return skip(module_path!(), &why),
    };
    let node = TestNode::start(&format!("[engine]\ndocker = {:?}\n", daemon.socket()));
    let image = copy("Afar").image();
    let said = done(&node, &["install", &image]);
    assert!(said.stderr.contains(&format!("sending {image}")), "{said:#?}");
    let bucket = listed(&node);
    assert_eq!(bucket["image"], image.as_str());
    let there = daemon.run(&["images", "--format", "{{.Repository}}"]).unwrap();
    assert!(
        !there.is_empty() && there.lines().all(|name| name.starts_with("magickbox/node-")),
        "{there}"
    );
    // It is there by now: nothing is sent twice.
    let said = done(&node, &["install", "-f", &image]);
    assert!(!said.stderr.contains("sending"), "{said:#?}");
    let said = refused(&node, &["install", "nobody-has-it"]);
    assert!(
        said.contains("neither on this machine nor on that of the node"),
        "{said}"
    );
}

#[test]
fn a_line_that_breaks_is_taken_up_by_the_client_itself() {
    needs!(Docker);
    let node = TestNode::start("");
    let image = copy("Broken").image();
    let file = file_of(&image, Made::Export, &node.scratch("b.tar"), 24 * MIB);
    let url = line_that_breaks(&node.ready().http, 13 * MIB as u64);
    let said = run(BUCKETS, &["install", file.to_str().unwrap(), "--node", &url]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(said.stderr.contains("trying again"), "{said:#?}");
    assert_eq!(listed(&node)["ae_title"], "Broken");
}

#[test]
fn a_node_that_dies_while_a_version_waits_replaces_it_after_its_next_start() {
    needs!(Docker);
    let home = scratch();
    let mut node = TestNode::start_in(home, "", &[("MAGICKBOX_FAILPOINT", "version-waits")]);
    done(&node, &["install", &copy("Dies").image()]);
    let second = copy("Dies").with("version", "2.0.0").image();
    assert_ne!(buckets(&node, &["install", "-f", &second]).code, Some(0));
    wait_until(PATIENCE, "the node's death", || node.is_dead().then_some(())).unwrap();
    node.restart().unwrap();
    wait_until(PATIENCE, "the second version", || {
        let bucket = listed(&node);
        (bucket["version"] == "2.0.0" && bucket["next"].is_null()).then_some(())
    })
    .unwrap();
    assert_eq!(listed(&node)["previous"]["version"], "1.0.0");
}

#[test]
fn what_is_no_bucket_is_refused_by_name_and_leaves_nothing() {
    needs!(Docker);
    let node = TestNode::start("[http]\nlargest_upload = \"8MiB\"\n");
    let file = |name: &str| node.scratch(name).to_str().unwrap().to_owned();
    let (one, other) = (copy("One").image(), copy("Other").image());
    assert!(docker(&["save", "-o", &file("two.tar"), &one, &other]));
    let said = refused(&node, &["install", &file("two.tar")]);
    assert!(
        said.contains("two.tar") && said.contains("2 images") && said.contains(&one) && said.contains(&other),
        "{said}"
    );

    for made in [Made::Save, Made::Export] {
        let none = Bucket::fixture("copy")
            .with_file("name", &uid())
            .without_info()
            .image();
        let tar = file(&format!("none-{made:?}.tar"));
        file_of(&none, made, Path::new(&tar), 0);
        let id = image_id(&none);
        assert!(docker(&["rmi", &none]));
        let said = refused(&node, &["install", &tar]);
        let expected = format!("\"none-{made:?}.tar\" has no /root/storage/info.json");
        assert!(said.contains(&expected), "{said}");
        assert!(
            !docker(&["image", "inspect", &id]),
            "{made:?}: the image is gone again"
        );
    }

    fs::write(file("text.tar"), "no tar").unwrap();
    let said = refused(&node, &["install", &file("text.tar")]);
    assert!(
        said.contains("text.tar is no bucket") && said.contains("docker save"),
        "{said}"
    );
    let said = refused(&node, &["install", &file("gone.tar")]);
    assert!(said.contains("gone.tar"), "{said}");
    file_of(&one, Made::Export, Path::new(&file("large.tar")), 9 * MIB);
    let said = refused(&node, &["install", &file("large.tar")]);
    assert!(said.contains("largest_upload"), "{said}");
    assert_eq!(parts(&node), []);
    assert_eq!(names_of_node(&node), [""; 0]);
}
