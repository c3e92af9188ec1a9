//! Who may use the API: this machine without a token, others with one, over TLS so that nobody reads it along.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::needs;
use crate::support::PATIENCE;
use crate::support::images::Bucket;
use crate::support::node::Ready;
use crate::support::process::Process;
use crate::support::tls::Authority;
use crate::support::under_test::{BUCKETS, MAGICKBOX, Ran, TestNode, run, scratch};
use crate::support::wait::wait_until;

/// What `magickbox token` prints: the token, and the lines of the configuration.
#[track_caller]
fn token(name: &str, may: &str) -> (String, String) {
    let said = run(MAGICKBOX, &["token", name, "--may", may]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    let token = said.stdout.split("MAGICKBOX_TOKEN=").nth(1).unwrap();
    let config = &said.stdout[said.stdout.find("[[http.token]]").unwrap()..];
    (
        token.split_whitespace().next().unwrap().to_owned(),
        config.to_owned(),
    )
}

/// A node for which this machine is a stranger: it calls from 127.0.0.1, and only another address is free.
fn strict(tokens: &[&str]) -> TestNode {
    TestNode::start(&format!(
        "[http]\nnetworks = [\"127.0.0.2\"]\n{}",
        tokens.concat()
    ))
}

fn buckets(node: &TestNode, token: &str, arguments: &[&str]) -> Ran {
    let mut all = arguments.to_vec();
    all.extend(["--node", &node.ready().http]);
    if !token.is_empty() {
        all.extend(["--token", token]);
    }
    run(BUCKETS, &all)
}

#[test]
fn a_stranger_needs_a_token_that_may_what_is_asked() {
    needs!(Docker);
    let (anna, anna_lines) = token("anna", "operate,install");
    let (ben, ben_lines) = token("ben", "read");
    let (stranger, _) = token("eve", "install");
    let node = strict(&[&anna_lines, &ben_lines]);
    let image = Bucket::fixture("copy").image();

    let said = buckets(&node, "", &["list"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    for expected in [
        "from 127.0.0.1 this takes a token",
        "--token",
        "MAGICKBOX_TOKEN",
        "networks",
    ] {
        assert!(
            said.stderr.contains(expected),
            "{expected} not in {}",
            said.stderr
        );
    }
    let said = buckets(&node, &stranger, &["list"]);
    assert!(said.stderr.contains("does not know this token"), "{said:#?}");
    let said = buckets(&node, &ben, &["list"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    let said = buckets(&node, &ben, &["install", &image]);
    assert!(
        said.stderr
            .contains("\"ben\" may not do this: it needs \"install\""),
        "{said:#?}"
    );
    let said = buckets(&node, &anna, &["install", &image]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    let said = buckets(&node, &ben, &["disable", "Copy"]);
    assert!(said.stderr.contains("needs \"operate\""), "{said:#?}");

    // A token in a file, so that it stands on no command line.
    let file = node.scratch("token");
    fs::write(&file, format!("{anna}\n")).unwrap();
    let said = buckets(
        &node,
        "",
        &["disable", "Copy", "--token-file", file.to_str().unwrap()],
    );
    assert_eq!(said.code, Some(0), "{said:#?}");
    let log = node.log();
    assert!(
        log.contains("caller=\"anna\"") && log.contains("/api/v1/buckets/Copy/disable"),
        "{log}"
    );
    for secret in [&anna, &ben, &stranger] {
        assert!(!log.contains(secret.as_str()), "a token stands in the log");
    }
    assert!(node.api().is_ready(), "whether it is ready is no secret");
}

#[test]
fn an_address_of_a_free_network_needs_no_token_and_another_one_does() {
    needs!(Docker);
    let node = strict(&[]);
    let address = node.ready().http.trim_start_matches("http://").to_owned();
    let ask = |from: &str, method: &str, path: &str| {
        let script = "import http.client, sys\n\
                      host, source, method, path = sys.argv[1:]\n\
                      c = http.client.HTTPConnection(host, source_address=(source, 0), timeout=30)\n\
                      c.request(method, path)\n\
                      r = c.getresponse()\n\
                      print(r.status, r.getheader('content-type'), r.getheader('www-authenticate'))\n";
        let said = Command::new("python3")
            .args(["-c", script, &address, from, method, path])
            .output()
            .unwrap();
        String::from_utf8(said.stdout).unwrap().trim().to_owned()
    };
    assert!(ask("127.0.0.2", "GET", "/api/v1/buckets").starts_with("200 "));
    assert!(ask("127.0.0.2", "GET", "/metrics").starts_with("200 "));
    for (method, path) in [
        ("GET", "/api/v1/buckets"),
        ("GET", "/metrics"),
        ("POST", "/api/v1/uploads"),
        ("DELETE", "/api/v1/buckets/Copy"),
        ("POST", "/api/v1/jobs/x/cancel"),
        ("GET", "/nothing"),
    ] {
        let said = ask("127.0.0.3", method, path);
        assert_eq!(
            said, "401 application/problem+json Bearer realm=\"magickbox\"",
            "{method} {path}"
        );
    }
    assert!(ask("127.0.0.3", "GET", "/readyz").starts_with("200 "));
}

#[test]
fn over_tls_the_node_is_known_by_its_certificate_and_by_no_other() {
    needs!(Docker);
    let home = scratch();
    let ours = Authority::new("hospital", &home.path().join("ours"));
    let theirs = Authority::new("stranger", &home.path().join("theirs"));
    let node = ours.issue("node", home.path());
    let (token, lines) = token("anna", "read");
    let config = format!(
        "[http]\nnetworks = [\"127.0.0.2\"]\n[http.tls]\ncertificate = {:?}\nkey = {:?}\n{lines}",
        node.certificate, node.key
    );
    fs::write(home.path().join("node.toml"), config).unwrap();
    let mut command = Command::new(MAGICKBOX);
    command.args([
        "serve",
        "--dicom",
        "127.0.0.1:0",
        "--http",
        "127.0.0.1:0",
        "--config",
    ]);
    command
        .arg(home.path().join("node.toml"))
        .arg("--data")
        .arg(home.path().join("data"));
    let mut process = Process::start("the node", &mut command, &home.path().join("node.log")).unwrap();
    let file = home.path().join("data/run/node.json");
    let ready: Ready = wait_until(PATIENCE, "node.json", || {
        assert!(process.ended().is_none(), "{}", process.log());
        serde_json::from_str(&fs::read_to_string(&file).ok()?).ok()
    })
    .unwrap();
    assert!(ready.http.starts_with("https://"), "{ready:?}");
    let list = |url: &str, ca: &Path| {
        run(
            BUCKETS,
            &[
                "list",
                "--json",
                "--node",
                url,
                "--token",
                &token,
                "--ca",
                ca.to_str().unwrap(),
            ],
        )
    };
    let said = list(&ready.http, &ours.certificate);
    assert_eq!((said.code, said.stdout.trim()), (Some(0), "[]"), "{said:#?}");
    let said = list(&ready.http, &theirs.certificate);
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(said.stderr.contains("--ca FILE"), "{said:#?}");
    let plain = ready.http.replace("https", "http");
    assert_eq!(
        list(&plain, &ours.certificate).code,
        Some(1),
        "nothing is answered unencrypted"
    );
}

#[test]
fn a_node_out_of_reach_is_told_with_its_address_and_why() {
    for (node, why) in [
        ("http://127.0.0.1:1", "connection refused"),
        ("http://nowhere.invalid:2813", "no machine of that name"),
        ("nonsense", "is no address of a node"),
    ] {
        let said = run(BUCKETS, &["list", "--node", node]);
        assert_eq!(said.code, Some(1), "{said:#?}");
        assert!(
            said.stderr.contains(node) && said.stderr.contains(why),
            "{said:#?}"
        );
    }
}

#[test]
fn a_token_is_never_the_same_and_what_it_may_is_checked() {
    assert_ne!(token("anna", "read").0, token("anna", "read").0);
    for (name, may, expected) in [
        ("anna", "fly", "read, operate, install"),
        ("a b", "read", "\"a b\""),
    ] {
        let said = run(MAGICKBOX, &["token", name, "--may", may]);
        assert_eq!(said.code, Some(1), "{said:#?}");
        assert!(said.stderr.contains(expected), "{said:#?}");
    }
}
