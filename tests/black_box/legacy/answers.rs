//! Whoever refuses a request, the answer is a problem (RFC 9457), and whoever sent a long body hears it.

use std::io::Write as _;

use super::client;
use crate::support::legacy::{PATIENT, Reply};
use crate::support::under_test::TestNode;

/// Asks in any way.
#[track_caller]
fn ask(node: &TestNode, line: &str, headers: &str, body: &[u8]) -> Reply {
    let head = format!(
        "{line} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    let reply = client(node).raw(PATIENT, |stream| {
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)
    });
    reply.unwrap_or_else(|| panic!("no answer to {line}"))
}

#[test]
fn every_refusal_is_a_problem_whoever_makes_it() {
    let node = TestNode::start("");
    let json = "Content-Type: application/json\r\n";
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let large = vec![b'x'; 30_000_000];
    for (line, headers, body, status, word) in [
        ("POST /code/php/getScratch.php", "", &b""[..], 405, "GET"),
        ("DELETE /api/v1/jobs", "", b"", 405, "GET, HEAD, POST"),
        ("OPTIONS /readyz", "", b"", 405, "GET, HEAD"),
        ("GET /scratch/%ff/processing.log", "", b"", 400, "UTF-8"),
        ("GET /api/v1/jobs/%ff", "", b"", 400, "UTF-8"),
        ("GET /nowhere", "", b"", 404, "/api/v1"),
        ("GET /api/v1/jobs?limit=x", "", b"", 400, "limit"),
        ("GET /code/php/getOutputZip.php", "", b"", 400, "folder"),
        ("PUT /api/v1/routes", "", &large, 413, "2 MiB"),
        ("POST /api/v1/routes/explain", json, &large, 413, "2 MiB"),
        ("POST /code/php/saveRouting.php", form, &large, 413, "2 MiB"),
        ("POST /api/v1/jobs", "", b"{}", 415, "application/json"),
    ] {
        let reply = ask(&node, line, headers, body);
        assert_eq!(reply.status, status, "{line}: {}", reply.text());
        let kind = reply.header("content-type");
        assert_eq!(kind, Some("application/problem+json"), "{line}: {}", reply.text());
        let problem = reply.json();
        assert_eq!(problem["status"], status, "{line}: {problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(word), "{line}: {detail}");
        if status == 405 {
            assert!(reply.header("allow").is_some(), "{line}: {}", reply.head);
        }
    }
}

#[test]
fn who_only_asks_for_the_head_deletes_nothing() {
    let node = TestNode::start("");
    let reply = ask(&node, "HEAD /code/php/deleteStudy.php?scratchdir=tmp.x", "", b"");
    assert_eq!(reply.status, 405);
    assert_eq!(reply.header("allow"), Some("get"));
}

#[test]
fn rules_are_saved_from_either_kind_of_form() {
    let node = TestNode::start("");
    let rules = format!("{{ \"routing\": [] }} {}", " ".repeat(200_000));
    let body = format!("--b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\n{rules}\r\n--b--\r\n");
    let kind = "Content-Type: multipart/form-data; boundary=b\r\n";
    let reply = ask(&node, "POST /code/php/saveRouting.php", kind, body.as_bytes());
    assert_eq!((reply.status, reply.text().as_str()), (200, ""));
    let kept = std::fs::read_to_string(node.data().join("routing.json")).unwrap();
    assert_eq!(kept, rules);
    let none = body.replace("\"text\"", "\"other\"");
    let reply = ask(&node, "POST /code/php/saveRouting.php", kind, none.as_bytes());
    assert_eq!(reply.status, 422, "{}", reply.text());
}
