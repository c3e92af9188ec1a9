//! Nothing that a sender says acts: not in a parameter, a form or a zip, and not without being allowed to.

use super::push::{files, spooled};
use super::{bytes_of, client, fields};
use crate::needs;
use crate::support::PATIENCE;
use crate::support::images::Bucket;
use crate::support::legacy::{PATIENT, Reply, head_of_push, part};
use crate::support::part10::Object;
use crate::support::runs;
use crate::support::under_test::{TestNode, scratch};
use crate::support::wait::wait_until;
use crate::support::zip::{Entry, zip};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write;
use std::path::Path;

/// No answer but a refusal, and never the node's own fault.
#[track_caller]
fn refused(what: &str, reply: Option<Reply>) {
    if let Some(reply) = reply {
        assert!(
            (400..500).contains(&reply.status),
            "{what}: {} {}",
            reply.status,
            reply.text()
        );
        assert!(reply.body.len() < 2000, "{what}: {}", reply.text());
    }
}

#[test]
fn no_parameter_acts_whatever_is_in_it() {
    needs!(Docker);
    let outside = scratch();
    let witness = outside.path().join("witness");
    let node = TestNode::with(&Bucket::fixture("gate"), "");
    let client = client(&node);
    let good = zip(&[Entry::new("a", bytes_of(&node, &Object::new()))]);
    let said = client.push(&good, &fields("Gate")).unwrap().json();
    let scratchdir = said["scratchdir"].as_str().unwrap();
    let log = format!("jobs/{}/processing.log", said["job"].as_str().unwrap());
    wait_until(
        PATIENCE,
        "the bucket at its gate, for as long as this takes",
        || {
            let log = fs::read_to_string(node.bucket("Gate").join(&log)).ok()?;
            log.contains("at the gate").then_some(())
        },
    )
    .unwrap();
    let before = files(&node);
    let touch = format!("touch {}", witness.display());
    let evil = [
        "..".to_owned(),
        "../../../../etc".to_owned(),
        "..%2f..%2fetc%2fpasswd".to_owned(),
        "%2e%2e/%2e%2e/etc".to_owned(),
        "%252e%252e%252f".to_owned(),
        "..%c0%af..%c0%afetc".to_owned(),
        "%ef%bc%8e%ef%bc%8e%2f".to_owned(),
        format!("{scratchdir}%00"),
        format!("{scratchdir}%0d%0aX-Evil:%201"),
        format!("{scratchdir}/../../x"),
        format!("{scratchdir}%2f..%2f{scratchdir}"),
        format!("%20{scratchdir}"),
        format!("{scratchdir}%20"),
        format!("{scratchdir};{touch}").replace(' ', "%20"),
        format!("$({touch})").replace(' ', "%20"),
        format!("`{touch}`").replace(' ', "%20"),
        "'%20OR%20'1'='1".to_owned(),
        format!("\"{scratchdir}\""),
        "%ff%fe".to_owned(),
        "%zz".to_owned(),
        "tmp.".to_owned(),
        "tmp.*".to_owned(),
        "x".repeat(5000),
        String::new(),
    ];
    for value in &evil {
        for target in [
            format!("/code/php/getOutputZip.php?folder={value}"),
            format!("/code/php/getOutputZip.php?folder={value}&type=input"),
            format!("/code/php/deleteStudy.php?scratchdir={value}"),
            format!("/scratch/{value}/processing.log"),
            format!("/code/php/db.php?sender={value}&query={value}x"),
            format!("/code/php/timing.php?aetitle={value}%01x"),
        ] {
            let request = format!("GET {target} HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n");
            refused(
                &target,
                client.raw(PATIENT, |stream| stream.write_all(request.as_bytes())),
            );
        }
    }
    for target in [
        format!("/code/php/getOutputZip.php?folder={scratchdir}&folder={scratchdir}"),
        format!("/code/php/getOutputZip.php?folder={scratchdir}&type=../INPUT"),
        "/code/php/getOutputZip.php".to_owned(),
        "/code/php/deleteStudy.php".to_owned(),
        format!("/scratch/{scratchdir}/../../store/magickbox.sqlite"),
        format!("/scratch/{scratchdir}/INPUT"),
        "/code/php/../../etc/passwd".to_owned(),
        "/code/php/setup.php".to_owned(),
    ] {
        refused(&target, Some(client.get_with(&target, &[], PATIENT)));
    }
    let large = format!(
        "GET /code/php/getScratch.php HTTP/1.1\r\nHost: n\r\nX: {}\r\n\r\n",
        "y".repeat(2 << 20)
    );
    refused(
        "a huge header",
        client.raw(PATIENT, |stream| stream.write_all(large.as_bytes())),
    );
    assert_eq!(files(&node), before);
    assert_eq!(client.list().len(), 1);
    assert!(!witness.exists());
}

#[test]
fn no_form_and_no_zip_acts_whatever_is_in_it() {
    needs!(Docker);
    let node = TestNode::with(&Bucket::fixture("gate"), "");
    let client = client(&node);
    let evil = runs::name("/tmp/legacy-evil-");
    let zips = [
        ("nothing", Vec::new()),
        ("no zip", vec![b'x'; 100_000]),
        ("an empty zip", zip(&[])),
        ("an absolute name", zip(&[Entry::new(&evil, "x")])),
        (
            "a name that leads upwards",
            zip(&[Entry::new(format!("{}{evil}", "../".repeat(24)), "x")]),
        ),
        ("the same in the middle", zip(&[Entry::new("a/../../x", "x")])),
        (
            "a link",
            zip(&[
                Entry {
                    mode: 0o120_777,
                    ..Entry::new("l", "/tmp")
                },
                Entry::new(evil.replace("/tmp", "l"), "x"),
            ]),
        ),
        (
            "a device",
            zip(&[Entry {
                mode: 0o060_666,
                ..Entry::new("d", "")
            }]),
        ),
        (
            "one name twice",
            zip(&[Entry::new("a", "1"), Entry::new("a", "2")]),
        ),
        ("a bomb", zip(&[Entry::new("b", vec![0; 300 << 20])])),
    ];
    let before = files(&node);
    for (what, zip) in &zips {
        let reply = client.push(zip, &fields("Gate")).unwrap();
        assert!(
            (400..500).contains(&reply.status),
            "{what}: {} {}",
            reply.status,
            reply.text()
        );
    }
    let good = zip(&[Entry::new("a", "text")]);
    let long = "x".repeat(70_000);
    let many: Vec<(String, &[u8])> = (0..40).map(|n| (format!("f{n}"), b"".as_slice())).collect();
    let many: Vec<_> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    for (what, parts) in [
        ("no file", vec![("aetitle", b"Gate".as_slice())]),
        ("no AE title", vec![("theFile", good.as_slice())]),
        (
            "two files",
            vec![("theFile", &good), ("theFile", &good), ("aetitle", b"Gate")],
        ),
        (
            "a field twice",
            vec![("theFile", &good), ("aetitle", b"Gate"), ("aetitle", b"Gate")],
        ),
        (
            "a long field",
            vec![
                ("theFile", &good),
                ("aetitle", b"Gate"),
                ("description", long.as_bytes()),
            ],
        ),
        (
            "a NUL in the arguments",
            vec![("theFile", &good), ("aetitle", b"Gate"), ("arguments", b"a\0b")],
        ),
        (
            "no UTF-8",
            vec![("theFile", &good), ("aetitle", b"Gate"), ("sender", b"\xff")],
        ),
        ("many parts", many),
    ] {
        let reply = client.push_parts(&parts).unwrap();
        assert!(
            (400..500).contains(&reply.status),
            "{what}: {} {}",
            reply.status,
            reply.text()
        );
    }
    for kind in [
        "text/plain",
        "multipart/form-data",
        "multipart/form-data; boundary=\"",
        "",
    ] {
        let request = format!(
            "POST /code/php/processZip.php HTTP/1.1\r\nHost: n\r\nConnection: close\r\nContent-Type: {kind}\r\n\
             Content-Length: 3\r\n\r\nabc"
        );
        let reply = client
            .raw(PATIENT, |stream| stream.write_all(request.as_bytes()))
            .unwrap();
        assert_eq!(reply.status, 415, "{kind}");
    }
    // Cut off in the middle: nothing is left, and nobody waits.
    let cut = client.raw(PATIENT, |stream| {
        stream.write_all(&head_of_push(1 << 20))?;
        stream.write_all(&part("theFile"))?;
        stream.write_all(&good)?;
        stream.shutdown(std::net::Shutdown::Write)
    });
    refused("a push that is cut off", cut);
    wait_until(PATIENCE, "the spool to be empty", || {
        (spooled(&node) == 0).then_some(())
    })
    .unwrap();
    assert_eq!(files(&node), before);
    assert_eq!(client.list().len(), 0);
    assert!(!Path::new(&evil).exists());
    // Whatever it is called, it is a name and no more.
    let odd = zip(&[
        Entry::new("-rf $(x) '\"`;|&.txt", "text"),
        Entry::new("日本/ü.txt", "text"),
    ]);
    assert_eq!(client.push(&odd, &fields("Gate")).unwrap().status, 200);
    let job = node.wait_for_state("Gate", "running");
    let input = Path::new(&job.directory).join("INPUT");
    assert!(input.join("-rf $(x) '\"`;|&.txt").exists() && input.join("日本/ü.txt").exists());
}

#[test]
fn strangers_need_a_token_and_pages_of_others_change_nothing() {
    needs!(Docker);
    let hash = |text: &str| -> String { Sha256::digest(text).iter().map(|b| format!("{b:02x}")).collect() };
    let token = |name: &str, may: &str| {
        let sha256 = hash(name);
        format!("[[http.token]]\nname = \"{name}\"\nsha256 = \"{sha256}\"\nmay = [\"{may}\"]\n")
    };
    let node = TestNode::start(&format!(
        "[http]\nnetworks = [\"127.0.0.2\"]\n{}{}",
        token("reader", "read"),
        token("operator", "operate")
    ));
    let client = client(&node);
    let ask = |target: &str, token: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str())];
        client
            .get_with(target, if token.is_empty() { &[] } else { &headers }, PATIENT)
            .status
    };
    let (list, delete) = (
        "/code/php/getScratch.php",
        "/code/php/deleteStudy.php?scratchdir=tmp.x",
    );
    for (token, listed, deleted) in [
        ("", 401, 401),
        ("nobody", 401, 401),
        ("reader", 200, 403),
        ("operator", 200, 404),
    ] {
        assert_eq!(
            (ask(list, token), ask(delete, token)),
            (listed, deleted),
            "{token}"
        );
    }
    let mine = TestNode::start("");
    let client = super::client(&mine);
    for (name, value) in [
        ("Origin", "http://evil.example"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Referer", "http://evil.example/page"),
    ] {
        assert_eq!(
            client.get_with(delete, &[(name, value)], PATIENT).status,
            403,
            "{name}"
        );
    }
    assert_eq!(client.get(delete).status, 404);
    let silent = std::time::Instant::now();
    assert!(client.raw(PATIENT, |_| Ok(())).is_none(), "nothing was asked");
    assert!(silent.elapsed() < PATIENT, "who asks nothing is not waited for");
}
