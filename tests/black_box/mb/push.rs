//! Directories are pushed as zips: to machines of the original, and piece by piece to nodes with the API.

use std::io::{Cursor, Read};
use std::sync::{Arc, Mutex};

use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Person, answer_of_the_original, original, parsed};
use crate::support::http_script::{Asked, HttpScript, Said};

/// Bytes that no zip makes smaller.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

fn files_of(zip: Vec<u8>) -> Vec<(String, Vec<u8>)> {
    let mut zip = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
    (0..zip.len())
        .map(|index| {
            let mut entry = zip.by_index(index).unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.name().unwrap().into_owned(), content)
        })
        .collect()
}

#[test]
fn the_least_loaded_machine_takes_a_push() {
    let (busy, idle) = (original("7"), original("2"));
    let person = Person::new();
    let study = person.study(&[("a.dcm", b"a"), ("notes", b"n")]);
    let nodes = format!("{},{}", busy.url(), idle.url());
    let told = person.does(&["push", "ProcCount", &study, "-x 1", "--node", &nodes]);
    assert_eq!(told["Port"], idle.port().to_string());
    assert!(busy.asked_for("/code/php/processZip.php").is_empty());
    let sent = idle.asked_for("/code/php/processZip.php");
    let form = Form::parse(&sent[0]);
    assert_eq!(form.parts[0].0, "theFile");
    assert_eq!(form.text("aetitle"), "ProcCount");
    assert_eq!(form.text("sender"), "anna:one");
    assert_eq!(form.text("jobname"), "study");
    assert_eq!(form.text("arguments"), "-x 1");
    let files = files_of(form.parts[0].1.clone());
    let wanted = [("a_file00001_.dcm", b"a"), ("file00002_notes", b"n")];
    assert_eq!(files.len(), 2);
    for ((name, content), (wanted, bytes)) in files.iter().zip(wanted) {
        assert_eq!((name.as_str(), content.as_slice()), (wanted, bytes.as_slice()));
    }
}

/// A form with its parts, in order.
struct Form {
    parts: Vec<(String, Vec<u8>)>,
}

impl Form {
    fn parse(asked: &Asked) -> Self {
        let boundary = asked
            .header("content-type")
            .unwrap()
            .split("boundary=")
            .nth(1)
            .unwrap();
        let mark = format!("--{boundary}").into_bytes();
        let at: Vec<_> = (0..asked.body.len().saturating_sub(mark.len() - 1))
            .filter(|i| asked.body[*i..].starts_with(&mark))
            .collect();
        let parts = at.windows(2).map(|pair| {
            let part = &asked.body[pair[0] + mark.len() + 2..pair[1] - 2];
            let end = part.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
            let head = String::from_utf8_lossy(&part[..end]).into_owned();
            let name = head.split("name=\"").nth(1).unwrap().split('"').next().unwrap();
            (name.to_owned(), part[end + 4..].to_vec())
        });
        Self {
            parts: parts.collect(),
        }
    }

    fn text(&self, name: &str) -> String {
        let part = self.parts.iter().find(|(key, _)| key == name).unwrap();
        String::from_utf8(part.1.clone()).unwrap()
    }
}

#[test]
fn a_bucket_that_no_machine_has_is_said_with_those_that_there_are() {
    let machine = original("0");
    let person = Person::new();
    let study = person.study(&[("a", b"a")]);
    let ran = person.run(&["push", "Nothing", &study, "--node", &machine.url()]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr
            .contains("no machine found that provides aetitle Nothing: there are ProcCount")
    );
    let ran = person.run(&["push", "ProcCount", "nowhere", "--node", &machine.url()]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("read nowhere"), "{ran:#?}");
}

/// What a node with the API has of one upload.
#[derive(Default)]
struct Upload {
    bytes: Vec<u8>,
    key: String,
    /// Pieces that are taken in part only, with what is answered then.
    breaks: Vec<u16>,
    job: serde_json::Value,
}

/// A node with the API: it breaks as it is told, and says that the job came to `outcome`.
fn node(upload: &Arc<Mutex<Upload>>, outcome: &'static str) -> HttpScript {
    let upload = upload.clone();
    HttpScript::start(move |asked| {
        let mut upload = upload.lock().unwrap();
        let about = |upload: &Upload| {
            let hash: String = Sha256::digest(&upload.bytes)
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            json!({ "id": "u1", "offset": upload.bytes.len(), "sha256": hash })
        };
        match (asked.method.as_str(), asked.path.as_str()) {
            (_, "/api/v1/node") => Said::json(&json!({ "version": "1" })),
            ("POST", "/api/v1/uploads") => {
                let key = asked.json()["key"].as_str().unwrap().to_owned();
                if key != upload.key {
                    (upload.key, upload.bytes) = (key, Vec::new());
                }
                Said::json(&about(&upload))
            }
            ("PATCH", "/api/v1/uploads/u1") => {
                assert_eq!(
                    asked.header("upload-offset"),
                    Some(upload.bytes.len().to_string().as_str())
                );
                let broken = upload.breaks.pop();
                let taken = if broken.is_some() {
                    asked.body.len() / 2
                } else {
                    asked.body.len()
                };
                upload.bytes.extend(&asked.body[..taken]);
                match broken {
                    Some(status) => Said::text(status, json!({ "detail": "it broke" }).to_string()),
                    None => Said::text(204, ""),
                }
            }
            ("GET", "/api/v1/uploads/u1") => Said::json(&about(&upload)),
            ("POST", "/api/v1/jobs") => {
                upload.job = asked.json();
                Said::text(201, json!({ "job": "j1", "scratchdir": "tmp.j1" }).to_string())
            }
            ("GET", "/api/v1/jobs/j1") => {
                Said::json(&json!({ "id": "j1", "stream": "ProcCount", "state": "done", "outcome": outcome }))
            }
            _ => answer_of_the_original(asked, "0"),
        }
    })
}

#[test]
fn a_push_that_breaks_goes_on_and_becomes_a_job() {
    let upload = Arc::new(Mutex::new(Upload {
        breaks: vec![503, 408],
        ..Upload::default()
    }));
    let node = node(&upload, "success");
    let person = Person::new();
    let content = noise(3 << 20);
    let study = person.study(&[("a.dcm", &content)]);
    let told = person.does(&[
        "push",
        "ProcCount",
        &study,
        "args",
        "--wait",
        "--node",
        &node.url(),
    ]);
    assert_eq!(told["job"], "j1");
    assert_eq!(
        (&told["state"], &told["outcome"]),
        (&json!("done"), &json!("success"))
    );
    let upload = upload.lock().unwrap();
    assert_eq!(
        files_of(upload.bytes.clone()),
        [("a_file00001_.dcm".to_owned(), content)]
    );
    assert_eq!(upload.job["aetitle"], "ProcCount");
    assert_eq!(upload.job["sender"], "anna:one");
    assert_eq!(upload.job["arguments"], "args");
    assert_eq!(upload.job["jobname"], "study");
    assert_eq!(upload.job["upload"]["bytes"], upload.bytes.len());
}

#[test]
fn the_same_command_goes_on_with_a_push_that_was_given_up() {
    let upload = Arc::new(Mutex::new(Upload {
        breaks: vec![507],
        ..Upload::default()
    }));
    let node = node(&upload, "success");
    let person = Person::new();
    let content = noise(3 << 20);
    let study = person.study(&[("a.dcm", &content)]);
    let push = ["push", "ProcCount", &study, "--node", &node.url()];
    let ran = person.run(&push);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stderr.contains("it broke"));
    let ran = person.run(&push);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(ran.stderr.contains("going on after"), "{ran:#?}");
    let upload = upload.lock().unwrap();
    assert_eq!(
        files_of(upload.bytes.clone()),
        [("a_file00001_.dcm".to_owned(), content)]
    );
}

#[test]
fn how_a_job_ended_is_the_exit_status_of_who_waits_for_it() {
    let upload = Arc::new(Mutex::new(Upload::default()));
    let node = node(&upload, "failed");
    let person = Person::new();
    let study = person.study(&[("a", b"a")]);
    let ran = person.run(&["p", "ProcCount", &study, "--wait", "--node", &node.url()]);
    assert_eq!(ran.code, Some(5), "{ran:#?}");
    assert_eq!(parsed(&ran)["outcome"], "failed");
    assert!(ran.stderr.contains("j1: ProcCount done failed"), "{ran:#?}");
}
