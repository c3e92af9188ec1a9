//! What the node will not have, and how it says so.

use std::fs;
use std::io::Write;
use std::net::TcpStream;

use crate::needs;
use crate::support::images::Bucket;
use crate::support::part10::Object;
use crate::support::senders::{self, Association};
use crate::support::under_test::{MAGICKBOX, TestNode, run, scratch};

#[test]
fn an_ae_title_of_no_bucket_is_rejected_by_its_name() {
    needs!(Docker, Dcmtk, Pynetdicom);
    let node = TestNode::with(&Bucket::fixture("count"), "");
    let file = Object::new().write(&node.scratch("sent"));

    let said = senders::storescu(node.dicom_port(), "NOBODY", &node.scratch("sent"));
    assert!(!said.success);
    assert!(
        said.text.contains("Called AE Title Not Recognized"),
        "{}",
        said.text
    );
    // Case is significant (PS3.5 §6.2).
    for called in ["NOBODY", "COUNT"] {
        let association = senders::pynetdicom(node.dicom_port(), called, std::slice::from_ref(&file));
        assert_eq!(association, Association::Rejected(1, 1, 7), "{called}");
    }
    assert!(senders::echoscu(node.dicom_port(), "Count").success);
}

#[test]
fn all_findings_in_a_configuration_are_told_at_once_with_their_lines() {
    let home = scratch();
    let file = home.path().join("node.toml");
    let text = r#"[dicom]
adress = "127.0.0.1:0"

[[remote_ae]]
ae_title = "MUCH TOO LONG FOR A TITLE"
address = "127.0.0.1:4242"

[[route]]
name = "results"
called = "("
to = ["NOBODY"]
"#;
    fs::write(&file, text).unwrap();
    let (file, data) = (file.to_str().unwrap(), home.path().join("data"));
    let ran = run(
        MAGICKBOX,
        &["serve", "--config", file, "--data", data.to_str().unwrap()],
    );
    assert_ne!(ran.code, Some(0));
    for line in [2, 5, 10, 11] {
        assert!(
            ran.stderr.contains(&format!("{file}:{line}:")),
            "line {line} is missing: {}",
            ran.stderr
        );
    }
}

#[test]
fn images_that_are_no_bucket_are_refused_with_the_reason() {
    needs!(Docker);
    let node = TestNode::with(&Bucket::fixture("count"), "");
    let copy = || Bucket::fixture("copy");
    let broken = "{ \"name\": \"broken\",\n  \"AETitle\": }\n";
    for (image, status, reason) in [
        (
            "magickbox-test/none:none".to_owned(),
            404,
            "magickbox-test/none:none",
        ),
        (copy().without_info().image(), 422, "info.json"),
        (copy().with_info(broken).image(), 422, "line 2"),
        (copy().with_info(broken).image(), 422, "column"),
        (
            copy().called("MORE THAN SIXTEEN").image(),
            422,
            "MORE THAN SIXTEEN",
        ),
        (copy().called("A\\B").image(), 422, "AETitle"),
        (copy().called("").image(), 422, "AETitle"),
        (copy().called("Count").image(), 409, "Count"),
    ] {
        let answer = node.api().install(&image, false).unwrap();
        assert_eq!(answer.status, status, "{image}: {answer:?}");
        assert!(
            answer.detail().contains(reason),
            "`{reason}` is missing: {answer:?}"
        );
    }
    // Whoever insists gets the AE title.
    assert_eq!(
        node.api()
            .install(&copy().called("Count").image(), true)
            .unwrap()
            .status,
        201
    );
}

#[test]
fn peers_that_send_garbage_or_nothing_hurt_nobody_else() {
    needs!(Docker, Dcmtk);
    let node = TestNode::with(&Bucket::fixture("count"), "");
    let connect = || TcpStream::connect(("127.0.0.1", node.dicom_port())).unwrap();
    let silent: Vec<_> = (0..20).map(|_| connect()).collect();
    for garbage in [
        b"GET / HTTP/1.1\r\n\r\n".as_slice(),
        &[0; 1000],
        &[0xff; 1000],
        // An A-ASSOCIATE-RQ that announces 4 GiB, and one that ends early.
        b"\x01\x00\xff\xff\xff\xff\x00\x01",
        b"\x01\x00\x00\x00\x00\xcd\x00\x01\x00\x00Count",
        // P-DATA-TF before an association.
        b"\x04\x00\x00\x00\x00\x06\x00\x00\x00\x02\x01\x00",
    ] {
        // The node may hang up at once: writing may fail.
        let _ = connect().write_all(garbage);
    }
    let said = senders::echoscu(node.dicom_port(), "Count");
    assert!(said.success, "{}", said.text);
    drop(silent);
}
