//! What a node would refuse of a bucket, told before it is tried.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::needs;
use crate::support::images::Bucket;
use crate::support::under_test::{BUCKETS, Ran, run, scratch};

const INFO: &str = r#"{
  "name": "n", "description": "d", "version": "1",
  "AETitle": "Good"
}"#;
const WORK: &str = "#!/bin/sh\ncp -r \"$1/.\" \"$2/\"\n";

/// A directory as `buckets create` lays it out.
fn directory(at: &Path, info: &str, work: &str) {
    fs::create_dir_all(at).unwrap();
    for (name, text) in [
        ("info.json", info),
        ("work.sh", work),
        ("db-plugin.code", "#!/bin/sh\n"),
    ] {
        fs::write(at.join(name), text).unwrap();
        fs::set_permissions(at.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// Severity, rule, line and help of every finding.
fn findings(ran: &Ran) -> Vec<(String, String, u64, String)> {
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:#?}"));
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| {
            let line = f["place"]["line"].as_u64().unwrap_or(0);
            (text(&f["severity"]), text(&f["code"]), line, text(&f["help"]))
        })
        .collect()
}

fn with(key: &str) -> String {
    INFO.replace("\"Good\"", &format!("\"Good\",\n  {key}"))
}

#[test]
fn every_finding_has_its_line_and_a_way_out() {
    let home = scratch();
    let here = home.path().join("bucket");
    let rows = [
        (
            with(r#""network": "brige""#),
            WORK.to_owned(),
            "error",
            "info-value",
            4,
            "did you mean \"bridge\"",
        ),
        (
            with(r#""capabilities": ["KILL", "setuid"]"#),
            WORK.into(),
            "error",
            "info-value",
            4,
            "did you mean \"SETUID\"",
        ),
        (
            with(r#""resources": { "cpu": 1 }"#),
            WORK.into(),
            "error",
            "info-key",
            4,
            "did you mean cpus",
        ),
        (
            with(r#""timeout": "soon""#),
            WORK.into(),
            "error",
            "info-value",
            4,
            "Such as \"30m\"",
        ),
        (
            INFO.replace("AETitle", "aetitle"),
            WORK.into(),
            "error",
            "info-value",
            3,
            "did you mean AETitle",
        ),
        (
            INFO.replace("Good", "seventeen letters"),
            WORK.into(),
            "error",
            "info-value",
            3,
            "Such as",
        ),
        (
            INFO.replace("\"d\",", "\"d\""),
            WORK.into(),
            "error",
            "info-json",
            2,
            "",
        ),
        (
            with(r#""paralel": 2"#),
            WORK.into(),
            "warning",
            "info-unknown",
            4,
            "did you mean parallel",
        ),
        (
            with(r#""version": "2""#),
            WORK.into(),
            "warning",
            "info-twice",
            4,
            "",
        ),
        (
            with(r#""measures": [{ "name": "x" }]"#),
            WORK.into(),
            "warning",
            "info-measures",
            4,
            "",
        ),
        (
            with("\"measures\": [\n    { \"name\": \"x\", \"unit\": \"cc\" }]"),
            WORK.into(),
            "warning",
            "info-measures",
            5,
            "did you mean \"cm3\"?",
        ),
        (
            with(r#""measures": [{ "name": "x", "unit": "mL", "rnage": [1, 2] }]"#),
            WORK.into(),
            "warning",
            "info-measures",
            4,
            "did you mean range?",
        ),
        (
            with(
                r#""report": "sr", "measures": [{ "name": "x", "unit": "mL", "code": { "value": "1", "scheme": "SNOMED", "meaning": "x" } }]"#,
            ),
            WORK.into(),
            "error",
            "info-measures",
            4,
            "did you mean \"SCT\"?",
        ),
        (
            with(r#""report": "sr""#),
            WORK.into(),
            "error",
            "info-value",
            4,
            "Structured Report",
        ),
        (
            with(r#""enabled": 0"#),
            WORK.into(),
            "warning",
            "info-disabled",
            4,
            "",
        ),
        (
            INFO.into(),
            WORK.replace('\n', "\r\n"),
            "error",
            "line-ends",
            1,
            "sed",
        ),
        (
            INFO.into(),
            "cp a b\n".into(),
            "warning",
            "shebang",
            1,
            "#!/bin/sh",
        ),
        (
            INFO.into(),
            format!("{WORK}curl http://x\n"),
            "warning",
            "network",
            3,
            "\"network\": \"bridge\"",
        ),
        (
            INFO.into(),
            format!("{WORK}mkdir -p /data/x\n"),
            "warning",
            "writes-elsewhere",
            3,
            "/output",
        ),
    ];
    for (info, work, severity, code, line, help) in rows {
        directory(&here, &info, &work);
        let ran = run(BUCKETS, &["check", "--json", here.to_str().unwrap()]);
        let found = findings(&ran);
        let hit = found
            .iter()
            .find(|f| f.0 == severity && f.1 == code && f.2 == line);
        assert!(
            hit.is_some_and(|f| f.3.contains(help)),
            "{code} in line {line}: {found:#?}\n{info}\n{work}"
        );
        assert_eq!(ran.code, Some(i32::from(severity == "error")), "{code}");
        // A node that refuses one thing says nothing of others that are well.
        assert_eq!(found.len(), 1, "{found:#?}");
    }
}

#[test]
fn what_is_missing_or_not_executable_is_found_and_what_is_well_is_not() {
    let home = scratch();
    let here = home.path().join("bucket");
    let check = || run(BUCKETS, &["check", here.to_str().unwrap()]);
    directory(&here, INFO, WORK);
    let well = check();
    assert_eq!(well.code, Some(0), "{well:#?}");
    assert!(well.stdout.contains("nothing to find fault with"), "{well:#?}");

    let plain = fs::Permissions::from_mode(0o644);
    fs::set_permissions(here.join("db-plugin.code"), plain.clone()).unwrap();
    let warned = check();
    assert_eq!(warned.code, Some(0), "{warned:#?}");
    assert!(
        warned.stdout.contains("db-plugin.code is not executable"),
        "{warned:#?}"
    );
    assert!(
        warned.stdout.contains("1 warning: it can be installed"),
        "{warned:#?}"
    );

    fs::set_permissions(here.join("work.sh"), plain).unwrap();
    assert!(check().stdout.contains("work.sh is not executable"));
    fs::remove_file(here.join("work.sh")).unwrap();
    fs::remove_file(here.join("info.json")).unwrap();
    let refused = check();
    assert_eq!(refused.code, Some(1));
    for words in [
        "there is no work.sh",
        "there is no info.json",
        "2 errors, 1 warning",
    ] {
        assert!(refused.stdout.contains(words), "{refused:#?}");
    }
}

#[test]
fn an_image_and_the_files_saved_and_exported_of_it_are_judged_alike() {
    needs!(Docker);
    let home = scratch();
    let image = Bucket::fixture("copy")
        .with("user", "1000:1000")
        .with("descripton", "x")
        .with_file("work.sh", "#!/usr/bin/env python3\nprint(1)\n")
        .image();
    let script = format!(
        "set -e; cd '{}'; docker save -o saved.tar '{image}'; gzip -k saved.tar
         c=$(docker create '{image}' x); docker export -o exported.tar $c; docker rm $c >/dev/null",
        home.path().display()
    );
    assert!(
        Command::new("sh")
            .args(["-c", &script])
            .status()
            .unwrap()
            .success()
    );
    let judged = run(BUCKETS, &["check", "--json", &image]);
    assert_eq!(judged.code, Some(1), "{judged:#?}");
    let expected = findings(&judged);
    let codes: Vec<_> = expected.iter().map(|f| f.1.as_str()).collect();
    assert!(
        codes.contains(&"interpreter") && codes.contains(&"info-unknown"),
        "{expected:#?}"
    );
    for (file, kind) in [
        ("saved.tar", "saved image"),
        ("saved.tar.gz", "saved image"),
        ("exported.tar", "exported container"),
    ] {
        let path = home.path().join(file);
        let ran = run(BUCKETS, &["check", "--json", path.to_str().unwrap()]);
        assert_eq!(findings(&ran), expected, "{file}: {ran:#?}");
        let report: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(report["kind"], kind);
        assert_eq!(report["ae_title"], json!("Copy"));
        // Cut short, it is refused and not judged by half.
        let whole = fs::read(&path).unwrap();
        let short = home.path().join(format!("short-{file}"));
        fs::write(&short, &whole[..whole.len() / 2]).unwrap();
        let refused = run(BUCKETS, &["check", short.to_str().unwrap()]);
        assert_eq!(refused.code, Some(1), "{refused:#?}");
        assert!(refused.stderr.contains(short.to_str().unwrap()), "{refused:#?}");
    }
}

#[test]
fn what_is_no_bucket_is_refused_by_name() {
    needs!(Docker);
    let home = scratch();
    let zip = home.path().join("x.tar");
    fs::write(&zip, b"PK\x03\x04 a zip file").unwrap();
    let out = home.path().join("out.tar.gz");
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..11].copy_from_slice(b"../../a/b/c");
    header.set_size(0);
    header.set_mode(0o644);
    header.set_cksum();
    fs::write(&out, header.as_bytes()).unwrap();
    let missing = home.path().join("none.tar");
    for (target, reason) in [
        (zip.to_str().unwrap(), "not a tar of files"),
        (out.to_str().unwrap(), "leads out of it"),
        (missing.to_str().unwrap(), "none.tar"),
        ("mbtest-no-such-image", "no image \"mbtest-no-such-image\""),
    ] {
        let refused = run(BUCKETS, &["check", target]);
        assert_eq!(refused.code, Some(1), "{refused:#?}");
        assert!(refused.stderr.contains(reason), "{refused:#?}");
        assert_eq!(refused.stdout, "");
    }
}
