//! Pushes: in any order, of any size, many at once, killed at any point.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::{FIELDS, bytes_of, client, fields};
use crate::needs;
use crate::support::PATIENCE;
use crate::support::images::Bucket;
use crate::support::legacy::{Client, END, PATIENT, head_of_push, part};
use crate::support::part10::Object;
use crate::support::peers::skip;
use crate::support::under_test::{MAGICKBOX, TestNode, run};
use crate::support::wait::wait_until;
use crate::support::zip::{Entry, zip};

/// Everything below the node's directory that is a file, but for store, log and configuration.
pub(super) fn files(node: &TestNode) -> Vec<String> {
    let root = node.data().parent().unwrap().to_owned();
    let (mut found, mut directories) = (Vec::new(), vec![root.clone()]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            if path.is_dir() && !path.is_symlink() {
                directories.push(path);
            } else if !name.starts_with("data/store")
                && !name.starts_with("node.")
                && !name.starts_with("data/logs")
            {
                found.push(name);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_wrong_ae_title_is_told_with_those_that_exist() {
    needs!(Docker);
    let node = TestNode::with(&Bucket::fixture("copy"), "");
    let client = client(&node);
    let zip = zip(&[Entry::new("a", "text")]);
    for wrong in [
        "copy",
        "",
        "../Copy",
        "a name that is much too long for one",
        "x\0y",
        "Ä",
    ] {
        let mut fields = FIELDS.to_vec();
        fields[0].1 = wrong;
        let reply = client.push(&zip, &fields).unwrap();
        assert_eq!(reply.status, 404, "{wrong:?}: {}", reply.text());
        assert!(reply.text().contains("there are: Copy"), "{}", reply.text());
    }
    // Known before the file comes.
    let early = [("aetitle", b"Nobody".as_slice()), ("theFile", &vec![0; 4 << 20])];
    assert_eq!(client.push_parts(&early).unwrap().status, 404);
    assert_eq!(client.list().len(), 0);
    assert_eq!(spooled(&node), 0);
}

pub(super) fn spooled(node: &TestNode) -> usize {
    fs::read_dir(node.data().join("spool")).map_or(0, Iterator::count)
}

#[test]
fn hundreds_of_small_pushes_at_once_all_become_jobs() {
    needs!(Docker);
    let node = TestNode::with(&Bucket::fixture("gate"), "[storage]\ndurability = \"none\"\n");
    const PUSHES: usize = 500;
    let object = bytes_of(&node, &Object::new());
    let zip = zip(&[Entry::new("a.dcm", object), Entry::new("b.txt", "text")]);
    let done = AtomicUsize::new(0);
    thread::scope(|scope| {
        for sender in 0..24 {
            let (zip, done, url) = (&zip, &done, &node.ready().http);
            scope.spawn(move || {
                let client = Client::new(url, sender);
                while done.fetch_add(1, Ordering::Relaxed) < PUSHES {
                    let reply = client.push(zip, &fields("Gate")).unwrap();
                    assert_eq!(reply.status, 200, "{}", reply.text());
                }
            });
        }
    });
    let client = client(&node);
    let jobs = client.list();
    let names: std::collections::HashSet<_> = jobs
        .iter()
        .map(|job| job["scratchdir"].as_str().unwrap())
        .collect();
    assert_eq!((jobs.len(), names.len()), (PUSHES, PUSHES));
    assert_eq!(spooled(&node), 0);
}

#[test]
fn two_gigabytes_come_through_in_constant_memory() {
    needs!(Docker);
    let node = TestNode::with(&Bucket::fixture("gate"), "[storage]\ndurability = \"none\"\n");
    const SIZE: u32 = (2 << 30) + (1 << 20);
    let disk = rustix::fs::statvfs(node.data()).unwrap();
    if disk.f_bavail.saturating_mul(disk.f_frsize) < 12 << 30 {
        return skip(module_path!(), "less than 12 GiB of the disk are free");
    }
    // Of zeros, stored: one entry, made as it is sent.
    let empty = Entry {
        deflated: false,
        crc: Some(crc_of_zeros(SIZE)),
        claims: Some(SIZE),
        ..Entry::new("zeros", "")
    };
    let around = zip(&[empty]);
    let at = around.windows(4).position(|w| w == b"PK\x07\x08").unwrap();
    let (before, mut after) = (&around[..at], around[at..].to_vec());
    for signature in [b"PK\x07\x08", b"PK\x01\x02"] {
        let at = after.windows(4).position(|w| w == signature).unwrap();
        let packed = if signature[2] == 7 { at + 8 } else { at + 20 };
        after[packed..packed + 4].copy_from_slice(&SIZE.to_le_bytes());
    }
    // The end says where the directory begins.
    let end = after.len() - 6;
    let directory = u32::try_from(at + 16).unwrap() + SIZE;
    after[end..end + 4].copy_from_slice(&directory.to_le_bytes());
    let mut form: Vec<u8> = Vec::new();
    for (name, value) in fields("Gate") {
        form.extend(b"\r\n");
        form.extend(part(name));
        form.extend(value.as_bytes());
    }
    form.extend(b"\r\n");
    form.extend(END);
    let head = part("theFile");
    let length = head.len() + before.len() + after.len() + form.len();
    let client = client(&node);
    let reply = client
        .raw(PATIENT, |stream| {
            stream.write_all(&head_of_push(length as u64 + u64::from(SIZE)))?;
            stream.write_all(&head)?;
            stream.write_all(before)?;
            let zeros = vec![0; 1 << 20];
            for _ in 0..SIZE >> 20 {
                stream.write_all(&zeros)?;
            }
            stream.write_all(&after)?;
            stream.write_all(&form)
        })
        .unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let job = node.wait_for_state("Gate", "running");
    let input = Path::new(&job.directory).join("INPUT/zeros");
    assert_eq!(fs::metadata(input).unwrap().len(), u64::from(SIZE));
    let status = fs::read_to_string(format!("/proc/{}/status", node.ready().pid)).unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 300_000, "the node had {peak} kB");
}

fn crc_of_zeros(bytes: u32) -> u32 {
    let (mut crc, zeros) = (flate2::Crc::new(), vec![0; 1 << 20]);
    for _ in 0..bytes >> 20 {
        crc.update(&zeros);
    }
    crc.sum()
}

#[test]
fn a_node_that_dies_at_any_point_has_the_job_whole_or_not_at_all() {
    needs!(Docker);
    for point in ["push-unpacked", "push-queued"] {
        let mut node = TestNode::with(&Bucket::fixture("copy"), "");
        node.kill().unwrap();
        node.restart_with(&[("MAGICKBOX_FAILPOINT", point)]).unwrap();
        let before = files(&node);
        let zip = zip(&[
            Entry::new("a.dcm", bytes_of(&node, &Object::new())),
            Entry::new("b/c.txt", "text"),
        ]);
        let before: Vec<_> = before
            .into_iter()
            .filter(|name| name.starts_with("data"))
            .collect();
        assert!(client(&node).push(&zip, &FIELDS).is_none(), "{point}: no answer");
        wait_until(PATIENCE, "the node's death", || node.is_dead().then_some(())).unwrap();
        node.restart().unwrap();
        let client = client(&node);
        assert_eq!(spooled(&node), 0, "{point}");
        if point == "push-unpacked" {
            assert_eq!(client.list().len(), 0, "{point}");
            let mut after = files(&node);
            after.retain(|name| name.starts_with("data"));
            assert_eq!(after, before, "{point}");
        } else {
            let ended = node.wait_for_end("Copy");
            assert_eq!(ended.outcome.as_deref(), Some("success"), "{ended:?}");
            let input = Path::new(&ended.directory).join("INPUT");
            assert_eq!(fs::read_to_string(input.join("b/c.txt")).unwrap(), "text");
            assert_eq!(fs::read_dir(&input).unwrap().count(), 2);
        }
    }
}

#[test]
fn a_study_comes_in_pieces_and_becomes_a_job() {
    needs!(Docker);
    let node = TestNode::with(&Bucket::fixture("copy"), "[http]\nlargest_push = \"2MiB\"\n");
    let zip = zip(&[Entry::new("a.dcm", bytes_of(&node, &Object::new()))]);
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let url = |path: &str| format!("{}/api/v1{path}", node.ready().http);
    let begun = agent
        .post(url("/uploads"))
        .send_json(json!({ "key": "k", "name": "a study" }));
    let begun: serde_json::Value = begun.unwrap().body_mut().read_json().unwrap();
    let id = begun["id"].as_str().unwrap();
    let (one, other) = zip.split_at(zip.len() / 2);
    for (offset, piece) in [(0, one), (one.len(), other)] {
        let sent = agent
            .patch(url(&format!("/uploads/{id}")))
            .header("Upload-Offset", offset.to_string())
            .send(piece);
        assert_eq!(sent.unwrap().status(), 204);
    }
    let sha256: String = Sha256::digest(&zip).iter().map(|b| format!("{b:02x}")).collect();
    let ask = |aetitle: &str, bytes: usize| {
        let upload = json!({ "id": id, "bytes": bytes, "sha256": sha256 });
        let body = json!({ "aetitle": aetitle, "sender": "anna", "jobname": "x", "arguments": "", "upload": upload });
        let mut answer = agent.post(url("/jobs")).send_json(body).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), text)
    };
    let (status, text) = ask("Nobody", zip.len());
    assert!(
        status == 404 && text.contains("there are: Copy"),
        "{status} {text}"
    );
    assert_eq!(ask("Copy", zip.len() - 1).0, 409);
    assert_eq!(ask("Copy", 3 << 20).0, 413);
    let (status, text) = ask("Copy", zip.len());
    assert_eq!(status, 201, "{text}");
    let said: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        said["scratchdir"],
        format!("tmp.{}", said["job"].as_str().unwrap())
    );
    let ended = node.wait_for_end("Copy");
    assert_eq!(
        (ended.id.as_str(), ended.instances),
        (said["job"].as_str().unwrap(), 1)
    );
    assert_eq!(ask("Copy", zip.len()).0, 404, "taken once");
    let again = node.api().act(&ended.id, "restart").unwrap();
    assert_eq!(again.status, 200, "{again:?}");
}

#[test]
fn a_job_that_is_restarted_has_everything_that_was_pushed() {
    needs!(Docker);
    let node = TestNode::with(&Bucket::fixture("copy"), "");
    let entries = [
        Entry::new("a.dcm", bytes_of(&node, &Object::new())),
        Entry::new("notes/b.txt", "text"),
    ];
    assert_eq!(client(&node).push(&zip(&entries), &FIELDS).unwrap().status, 200);
    let ended = node.wait_for_end("Copy");
    let again = node.api().act(&ended.id, "restart").unwrap();
    let new = again.body["id"].as_str().unwrap().to_owned();
    let ended = node
        .api()
        .wait_for_job(PATIENCE, "the restarted job to end", |j| {
            j.id == new && j.is_over()
        })
        .unwrap();
    let input = Path::new(&ended.directory).join("INPUT");
    assert_eq!(fs::read_to_string(input.join("notes/b.txt")).unwrap(), "text");
    assert_eq!(fs::read_dir(input).unwrap().count(), 2);
    // The files that are no objects are known, and missed when they are gone.
    let data = node.data();
    let verify = || run(MAGICKBOX, &["verify", "--data", data.to_str().unwrap()]);
    let said = verify();
    assert_eq!(said.code, Some(0), "{said:#?}");
    fs::remove_file(Path::new(&ended.directory).join("INPUT/notes/b.txt")).unwrap();
    let said = verify();
    assert!(
        said.stdout
            .contains("files that were pushed with the objects are not there"),
        "{said:#?}"
    );
}
