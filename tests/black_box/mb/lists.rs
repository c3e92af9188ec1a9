//! Settings, machines, lists and logs.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use super::{Person, answer_of_the_original, original, parsed};
use crate::support::http_script::{HttpScript, Said};
use crate::support::orthanc::free_port;

#[test]
fn settings_are_kept_as_the_original_keeps_them() {
    let person = Person::new();
    assert_eq!(person.does(&["setSender"]), json!({ "sender": "anna:one" }));
    person.does(&["w", "anna:two"]);
    assert_eq!(
        person.does(&["setSetting", "Sender"]),
        json!({ "sender": "anna:two" })
    );
    person.does(&["setSetting", "Timeout", "1m30s"]);
    assert_eq!(
        person.does(&["setSetting", "Timeout"]),
        json!({ "Timeout": "1m30s" })
    );
    assert_eq!(
        person.does(&["setSetting"]),
        json!({ "Sender": "anna:two", "Timeout": 90_000_000_000u64 })
    );
    let kept = std::fs::read_to_string(person.at(".mb")).unwrap();
    assert_eq!(
        kept,
        "{\n  \"Sender\": \"anna:two\",\n  \"Timeout\": 90000000000\n}"
    );
    assert_eq!(person.run(&["setSetting", "Timeout", "soon"]).code, Some(1));
}

#[test]
fn machines_are_kept_as_the_original_keeps_them_and_there_may_be_many() {
    let person = Person::new();
    assert_eq!(person.does(&["activeMachines"]), json!([]));
    for n in 1..=60 {
        person.does(&["a", "add", &format!("10.0.0.{n}"), "2813"]);
    }
    let list = person.does(&["activeMachines"]);
    assert_eq!(list.as_array().unwrap().len(), 60);
    assert_eq!(list[59], json!({ "Machine": "10.0.0.60", "Port": "2813" }));
    assert_eq!(
        person
            .does(&["a", "rm", "10.0.0.1", "2813"])
            .as_array()
            .unwrap()
            .len(),
        59
    );
    assert_eq!(person.run(&["a", "rm", "10.0.0.1", "2813"]).code, Some(1));
    person.does(&["selectMachine", "10.0.0.9", "2814"]);
    assert_eq!(
        person.does(&["setMachine"]),
        json!({ "machine": "10.0.0.9", "port": "2814" })
    );
}

#[test]
fn jobs_of_all_machines_are_listed_and_one_that_does_not_answer_is_named() {
    let (one, two) = (original("0"), original("0"));
    let person = Person::new();
    for port in [one.port(), two.port()] {
        person.does(&["a", "add", "127.0.0.1", &port.to_string()]);
    }
    let all = person.does(&["list"]);
    assert_eq!(all.as_array().unwrap().len(), 4);
    let mine = person.does(&["l", "^anna"]);
    assert_eq!(mine.as_array().unwrap().len(), 2);
    assert_eq!(mine[1]["Port"], two.port().to_string());
    assert_eq!(mine[1]["Machine"], "127.0.0.1");
    assert_eq!(mine[1]["processingTime"], 387);
    // Only texts of the first level count.
    assert_eq!(person.does(&["list", "387"]), json!(null));
    let gone = free_port().to_string();
    person.does(&["a", "add", "127.0.0.1", &gone]);
    let ran = person.run(&["list"]);
    assert_eq!(ran.code, Some(3));
    assert_eq!(parsed(&ran).as_array().unwrap().len(), 4);
    assert!(
        ran.stderr
            .contains(&format!("http://127.0.0.1:{gone} was not reached")),
        "{ran:#?}"
    );
    assert!(!ran.stderr.contains('\u{1b}'));
}

#[test]
fn buckets_of_all_machines_are_listed() {
    let machine = original("0");
    let person = Person::new();
    let listed = person.does(&["computeModules", "--node", &machine.url()]);
    assert_eq!(listed[0]["AETitle"], "ProcCount");
    assert_eq!(listed[0]["Port"], machine.port().to_string());
    assert_eq!(
        person.does(&["c", "nothing", "--node", &machine.url()]),
        json!([])
    );
}

#[test]
fn a_machine_that_is_none_is_said_to_be_none() {
    let web = HttpScript::start(|_| Said::text(200, "<html>\u{1b}[31m</html>"));
    let ran = Person::new().run(&["list", "--node", &web.url()]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("is that a MagickBox?"), "{ran:#?}");
    let refusing =
        HttpScript::start(|_| Said::text(403, json!({ "detail": "no \u{1b}[31mtoken" }).to_string()));
    let ran = Person::new().run(&["list", "--node", &refusing.url()]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("answered 403: no [31mtoken"), "{ran:#?}");
}

#[test]
fn a_token_is_sent_and_stands_on_no_command_line() {
    let machine = original("0");
    let person = Person::new();
    std::fs::write(person.at("token"), "mb-secret\n").unwrap();
    person.does(&["list", "--node", &machine.url(), "--token-file", "token"]);
    assert_eq!(
        machine.asked()[0].header("authorization"),
        Some("Bearer mb-secret")
    );
}

#[test]
fn logs_are_listed_and_matched() {
    let machine = original("0");
    let person = Person::new();
    let listed = person.does(&["log", "ends", "--node", &machine.url()]);
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["scratchdir"], "tmp.one");
    assert_eq!(listed[0]["log"], "it begins\nit ends \u{1b}[31mbadly\n");
}

#[test]
fn a_log_is_followed_until_the_job_is_over() {
    let whole = b"first\nsecond\nthird\n";
    let looks = Arc::new(AtomicUsize::new(0));
    let seen = looks.clone();
    let machine = HttpScript::start(move |asked| match asked.path.as_str() {
        "/scratch/tmp.one/processing.log" => {
            let there = match seen.fetch_add(1, Ordering::Relaxed) {
                0 => 6,
                1 => 13,
                _ => whole.len(),
            };
            let from = asked
                .header("range")
                .and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
            match from {
                None => Said::text(200, &whole[..there]),
                Some(from) if from >= there => Said::text(416, ""),
                Some(from) => Said::text(206, &whole[from..there]),
            }
        }
        "/api/v1/jobs/one" => {
            let state = if seen.load(Ordering::Relaxed) < 3 {
                "running"
            } else {
                "done"
            };
            Said::json(&json!({ "id": "one", "state": state }))
        }
        _ => answer_of_the_original(asked, "0"),
    });
    let person = Person::new();
    let ran = person.run(&["log", "-f", "anna", "--node", &machine.url()]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert_eq!(ran.stdout.as_bytes(), whole);
    assert_eq!(
        person
            .run(&["log", "-f", "nobody", "--node", &machine.url()])
            .code,
        Some(6)
    );
}

#[test]
fn a_machine_that_hangs_keeps_nobody_from_following_the_logs_of_the_others() {
    // It says nothing of a log until the other's is printed, or for too long.
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let late = Arc::new(AtomicUsize::new(0));
    let seen = late.clone();
    let hanging = HttpScript::start(move |asked| {
        if asked.path.starts_with("/api/v1/jobs/") || asked.path.starts_with("/scratch/") {
            let waited = held.lock().unwrap().recv_timeout(Duration::from_secs(20));
            if waited == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                seen.fetch_add(1, Ordering::Relaxed);
            }
            return Said::text(403, "");
        }
        answer_of_the_original(asked, "0")
    });
    let machine = HttpScript::start(|asked| match asked.path.as_str() {
        "/api/v1/jobs/one" => Said::json(&json!({ "id": "one", "state": "done" })),
        _ => answer_of_the_original(asked, "0"),
    });
    let person = Person::new();
    let mut command = person.command(&["log", "-f", "anna"]);
    command.args(["--node", &hanging.url(), "--node", &machine.url()]);
    let mut running = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
    let heading = lines.next().unwrap().unwrap();
    assert!(heading.ends_with(&machine.port().to_string()), "{heading}");
    assert_eq!(lines.next().unwrap().unwrap(), "it begins");
    drop(release);
    let ended = running.wait_with_output().unwrap();
    assert_eq!(late.load(Ordering::Relaxed), 0);
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("answered 403"), "{said}");
    assert_eq!(ended.status.code(), Some(1), "{said}");
}

#[test]
fn jobs_that_match_are_removed_and_no_others() {
    let machine = original("0");
    let person = Person::new();
    let removed = person.does(&["remove", "tmp.two", "--node", &machine.url()]);
    assert_eq!(removed[0]["scratchdir"], "tmp.two");
    let asked = machine.asked_for("/code/php/deleteStudy.php");
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].path, "/code/php/deleteStudy.php?scratchdir=tmp.two");
    let ran = person.run(&["r", "nobody", "--node", &machine.url()]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(6), "null\n"));
    assert_eq!(person.run(&["remove"]).code, Some(2));
}

#[test]
fn a_refused_removal_is_named_and_fails() {
    let machine = HttpScript::start(|asked| {
        if asked.path.starts_with("/code/php/deleteStudy.php") {
            return Said::text(409, r#"{"detail": "job tmp.one is running: cancel it first"}"#);
        }
        answer_of_the_original(asked, "0")
    });
    let ran = Person::new().run(&["remove", "tmp.one", "--node", &machine.url()]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("job tmp.one is running"), "{ran:#?}");
}

#[test]
fn jobs_are_watched_to_their_end() {
    let looks = Arc::new(AtomicUsize::new(0));
    let machine = HttpScript::start(move |asked| match asked.path.as_str() {
        "/api/v1/node" => Said::json(&json!({ "version": "1" })),
        "/api/v1/jobs?limit=1000" => Said::json(&json!({ "jobs": [
            { "id": "a1", "stream": "ProcCount", "state": "running" },
            { "id": "a0", "stream": "ProcCount", "state": "failed" }
        ] })),
        "/api/v1/jobs/a1" => match looks.fetch_add(1, Ordering::Relaxed) {
            0 => Said::text(503, r#"{"detail": "starting"}"#),
            _ => Said::json(
                &json!({ "id": "a1", "stream": "ProcCount", "state": "done", "outcome": "partial" }),
            ),
        },
        _ => Said::text(404, ""),
    });
    let ran = Person::new().run(&["watch", "--node", &machine.url()]);
    assert_eq!(ran.code, Some(5), "{ran:#?}");
    assert!(
        ran.stderr.contains("a1: ProcCount running") && ran.stderr.contains("a1: ProcCount done partial")
    );
    assert!(!ran.stderr.contains("a0"), "{ran:#?}");
    assert_eq!(parsed(&ran)[0]["id"], "a1");
}

/// A machine that takes connections and never says a word.
fn hanging() -> (std::net::TcpListener, String) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

#[test]
fn a_machine_that_hangs_keeps_nobody_from_watching_the_others() {
    let machine = HttpScript::start(|asked| match asked.path.as_str() {
        "/api/v1/node" => Said::json(&json!({ "version": "1" })),
        "/api/v1/jobs?limit=1000" => Said::json(&json!({ "jobs": [
            { "id": "a1", "stream": "ProcCount", "state": "done", "outcome": "success" },
            { "id": "gone", "stream": "ProcCount", "state": "running" }
        ] })),
        _ => Said::text(404, ""),
    });
    let (_listener, url) = hanging();
    let person = Person::new();
    std::fs::write(person.at(".mb"), r#"{"Sender": "anna", "Timeout": 100000000}"#).unwrap();
    let begin = std::time::Instant::now();
    let ran = person.run(&["watch", "ProcCount", "--node", &machine.url(), "--node", &url]);
    assert!(begin.elapsed().as_secs() < 30, "{:?}", begin.elapsed());
    // What came of the other machine is told all the same.
    assert_eq!(parsed(&ran)[0]["id"], "a1", "{ran:#?}");
    assert!(
        ran.stderr.contains(&url) && ran.stderr.contains("gone"),
        "{ran:#?}"
    );
    assert_eq!(ran.code, Some(1), "{ran:#?}");
}

#[test]
fn who_reads_no_further_breaks_nothing() {
    let machine = original("0");
    let person = Person::new();
    for arguments in [&["list"][..], &["log"], &["computeModules"], &["help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = person.command(arguments);
        command
            .args(["--node", &machine.url()])
            .stdout(writer)
            .stderr(Stdio::piped());
        let ended = command.output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!((ended.status.code(), &*said), (Some(0), ""), "{arguments:?}");
    }
    let mut command = person.command(&["list", "--node", &machine.url()]);
    command.stdout(std::fs::File::options().write(true).open("/dev/full").unwrap());
    let ended = command.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("write to stdout: No space left"), "{said}");
}
