//! SIGKILL in mid-send to a directory and to a DICOMweb server: none is missing, none is there with another content, no
//! file is half.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use serde_json::json;

use magickbox::failpoint::VARIABLE;

use super::account::{Digest, assert_ended_well, assert_in_order, below, data_sets, digest, sent};
use super::scene::{TITLE, node, runs, wait_for_death};
use super::study::{Sent, send, study};
use super::{is_full, showed};
use crate::needs;
use crate::support::PATIENCE;
use crate::support::http_script::{Asked, HttpScript, Said};
use crate::support::part10::data_set;
use crate::support::under_test::{TestNode, scratch};
use crate::support::wait::wait_until;

const OBJECTS: usize = 3;

/// Points between the first byte of the first object and the last row of a delivery.
const POINTS: [&str; 5] = [
    "object-taken:2",
    "object-sent",
    "delivery-before-settle",
    "object-taken",
    "delivery-begun",
];

fn points() -> impl Iterator<Item = &'static str> {
    POINTS.into_iter().take(if is_full() { POINTS.len() } else { 2 })
}

/// A configuration: results go there.
fn config(destination: &str) -> String {
    format!(
        "[delivery]\nfirst_retry = \"1s\"\nlongest_retry = \"2s\"\nresponse = \"10s\"\n\
         [bucket.{TITLE}]\ncomplete = {{ level = \"study\", quiet = \"1s\", cap = \"90m\" }}\n{destination}\
         [[route]]\nname = \"out\"\nto = [\"OUT\"]\n"
    )
}

/// As if nothing had happened.
#[track_caller]
fn assert_over(node: &TestNode, objects: &[Sent]) {
    let job = node.wait_for_end(TITLE);
    assert_ended_well(node, &job, objects);
    assert_eq!((job.attempt, runs(node)), (1, 1));
    assert_in_order(node, objects.len());
}

#[track_caller]
fn deliver(node: &TestNode, objects: &[Sent]) {
    send(node.dicom_port(), TITLE, objects, &mut BTreeSet::new()).unwrap();
}

fn folder(path: &Path, more: &str) -> String {
    config(&format!(
        "[[folder]]\nname = \"OUT\"\npath = {}\n{more}",
        json!(path)
    ))
}

/// The files that others see as objects.
fn visible(folder: &Path) -> Vec<PathBuf> {
    let mut found = below(folder);
    found.retain(|path| path.extension().is_some_and(|e| e == "dcm"));
    found
}

#[track_caller]
fn assert_whole(folder: &Path, objects: &[Sent]) {
    let expected = sent(objects);
    for path in visible(folder) {
        let file = std::fs::read(&path).unwrap();
        let uid = path.file_stem().unwrap().to_str().unwrap();
        assert!(data_set(&file) == expected[uid], "{uid} is not what was sent");
    }
}

#[test]
fn a_directory_has_each_file_once_and_whole_wherever_the_node_dies() {
    needs!(Docker);
    for point in points() {
        let home = scratch();
        let path = home.path().join("out");
        std::fs::create_dir(&path).unwrap();
        let mut node = node(scratch(), &folder(&path, ""), &[(VARIABLE, point)]);
        let objects = study(OBJECTS, 4096);
        deliver(&node, &objects);
        wait_for_death(&mut node, point);
        assert_whole(&path, &objects);
        let before = visible(&path).len();
        node.restart().unwrap();
        assert_over(&node, &objects);
        assert!(data_sets(&path) == sent(&objects), "{point}");
        assert_eq!(below(&path).len(), OBJECTS, "{point}: nothing beside them");
        showed(
            &format!("folder, {point}"),
            &format!("{before} of {OBJECTS} there before; each once, whole, in the end"),
        );
    }
}

#[test]
fn a_file_that_is_half_written_when_the_node_dies_is_never_seen_and_is_whole_afterwards() {
    needs!(Docker);
    let home = scratch();
    let path = home.path().join("out");
    std::fs::create_dir(&path).unwrap();
    let mut node = node(scratch(), &folder(&path, "bandwidth = \"1MiB\"\n"), &[]);
    let objects = study(2, 2 << 20);
    deliver(&node, &objects);
    let half = || {
        let all = below(&path);
        let part = all.iter().find(|p| p.extension().is_some_and(|e| e == "part"))?;
        let bytes = part.metadata().ok()?.len();
        (bytes > 0 && bytes < 2 << 20).then_some(bytes)
    };
    let bytes = wait_until(PATIENCE, "a file that is half written", half).unwrap();
    node.kill().unwrap();
    assert_whole(&path, &objects);
    assert!(visible(&path).len() < 2);
    node.restart().unwrap();
    assert_over(&node, &objects);
    assert!(data_sets(&path) == sent(&objects));
    assert_eq!(below(&path).len(), 2);
    showed(
        "folder, in mid-file",
        &format!("{bytes} bytes of a file were hidden; whole in the end"),
    );
}

/// What a DICOMweb server has taken: the digest of every data set, by SOP Instance UID, as often as it came.
type Taken = Arc<Mutex<BTreeMap<String, Vec<Digest>>>>;

/// Stores what a request carries, and says so.
fn store(asked: &Asked, known: &BTreeMap<Digest, String>, taken: &Taken) -> Said {
    let kind = asked.header("content-type").unwrap_or_default();
    let boundary = kind.split("boundary=").nth(1).unwrap_or_default();
    let mut stored = Vec::new();
    for part in split(&asked.body, format!("--{boundary}").as_bytes()) {
        let Some(begin) = find(part, b"\r\n\r\n") else {
            continue;
        };
        // The line end before the next boundary is not the part's.
        let file = &part[begin + 4..part.len() - 2];
        let own = digest(data_set(file));
        let uid = known
            .get(&own)
            .cloned()
            .unwrap_or_else(|| "another object".to_owned());
        taken.lock().unwrap().entry(uid.clone()).or_default().push(own);
        stored.push(json!({ "00081155": { "vr": "UI", "Value": [uid] } }));
    }
    Said::json(&json!({ "00081199": { "vr": "SQ", "Value": stored } }))
}

fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len()).position(|window| window == needle)
}

fn split<'t>(mut text: &'t [u8], boundary: &[u8]) -> Vec<&'t [u8]> {
    let mut parts = Vec::new();
    while let Some(end) = find(text, boundary) {
        parts.push(&text[..end]);
        text = &text[end + boundary.len()..];
    }
    parts
}

/// A server, what it has taken, and what it hears when the first request has come; that one is answered when the test says so.
fn server(
    objects: &[Sent],
    holds: Option<(std::sync::mpsc::Sender<()>, Receiver<()>)>,
) -> (HttpScript, Taken) {
    let known: BTreeMap<_, _> = sent(objects)
        .into_iter()
        .map(|(uid, bytes)| (digest(&bytes), uid))
        .collect();
    let taken = Taken::default();
    let own = taken.clone();
    let holds = Mutex::new(holds);
    let server = HttpScript::start(move |asked| {
        let said = store(asked, &known, &own);
        if let Some((came, goes_on)) = holds.lock().unwrap().take() {
            came.send(()).unwrap();
            let _ = goes_on.recv_timeout(PATIENCE);
        }
        said
    });
    (server, taken)
}

fn web(server: &HttpScript, more: &str) -> String {
    config(&format!(
        "[[dicomweb]]\nname = \"OUT\"\nurl = \"{}/web\"\n{more}",
        server.url()
    ))
}

/// Each object came, and never as another one; answers how many came more often than once.
#[track_caller]
fn assert_taken(taken: &Taken, objects: &[Sent]) -> usize {
    let taken = taken.lock().unwrap();
    let expected = sent(objects);
    assert!(taken.keys().eq(expected.keys()), "{:?}", taken.keys());
    taken.values().map(|copies| copies.len() - 1).sum()
}

#[test]
fn a_dicomweb_server_has_each_object_and_none_as_another_wherever_the_node_dies() {
    needs!(Docker);
    for point in points() {
        let objects = study(OBJECTS, 4096);
        let (server, taken) = server(&objects, None);
        let mut node = node(scratch(), &web(&server, ""), &[(VARIABLE, point)]);
        deliver(&node, &objects);
        wait_for_death(&mut node, point);
        node.restart().unwrap();
        assert_over(&node, &objects);
        let again = assert_taken(&taken, &objects);
        assert!(again <= OBJECTS, "{point}: {again} sent again");
        showed(
            &format!("STOW-RS, {point}"),
            &format!("each there, none as another object, {again} re-sent"),
        );
    }
}

#[test]
fn a_dicomweb_server_that_stored_what_nobody_heard_of_gets_the_same_objects_again() {
    needs!(Docker);
    let objects = study(OBJECTS, 4096);
    let ((came, comes), (go_on, goes_on)) = (channel(), channel());
    let (server, taken) = server(&objects, Some((came, goes_on)));
    let mut node = node(scratch(), &web(&server, ""), &[]);
    deliver(&node, &objects);
    comes.recv_timeout(PATIENCE).unwrap();
    node.kill().unwrap();
    go_on.send(()).unwrap();
    node.restart().unwrap();
    assert_over(&node, &objects);
    assert_eq!(assert_taken(&taken, &objects), OBJECTS, "each once more");
    showed(
        "STOW-RS, before the answer",
        "stored, not heard of; the same objects once more",
    );
}

#[test]
fn a_request_that_breaks_off_in_the_middle_is_made_again_whole() {
    needs!(Docker);
    let objects = study(OBJECTS, 1 << 20);
    let (server, taken) = server(&objects, None);
    let mut node = node(scratch(), &web(&server, "bandwidth = \"1MiB\"\n"), &[]);
    deliver(&node, &objects);
    node.wait_for(TITLE, "a request under way", |job| {
        job.deliveries.iter().any(|d| d.state == "sending")
    });
    node.kill().unwrap();
    assert!(taken.lock().unwrap().is_empty(), "half a request was taken");
    node.restart().unwrap();
    assert_over(&node, &objects);
    assert_eq!(assert_taken(&taken, &objects), 0);
    showed("STOW-RS, in mid-request", "nothing taken before; each once");
}
