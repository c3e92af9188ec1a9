//! What pynetdicom negotiates is what the statement says (PS3.8 §9.3.3.2).

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::tables::Statement;
use crate::needs;
use crate::support::images::Bucket;
use crate::support::peers::python;
use crate::support::under_test::TestNode;

const PRIVATE: &str = "1.2.840.113619.4.30";
/// Nobody's.
const UNKNOWN: &str = "1.2.826.0.1.3680043.8.498.1";

/// A proposed context, and what the statement has for it: the result, and a transfer syntax where it is accepted.
struct Case {
    class: String,
    offered: Vec<String>,
    expected: (u64, Option<String>),
}

fn peer(arguments: &[&str], input: &Value) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/peers/negotiate.py");
    let mut python = Command::new(python())
        .arg(script)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    python
        .stdin
        .take()
        .unwrap()
        .write_all(input.to_string().as_bytes())
        .unwrap();
    let output = python.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {errors}"))
}

/// Seven syntaxes in an order that is neither ours nor that of any other class, the same in every run.
fn shuffled(all: &[String], seed: usize) -> Vec<String> {
    let stride = [7, 11, 13, 17, 19, 23][seed % 6];
    (0..7)
        .map(|n| all[(seed * 5 + n * stride) % all.len()].clone())
        .collect()
}

fn preferred(order: &[String], offered: &[String]) -> (u64, Option<String>) {
    (0, order.iter().find(|s| offered.contains(s)).cloned())
}

fn cases(statement: &Statement) -> Vec<Case> {
    let mut all = statement.orders["I"].clone();
    all.sort();
    let mut cases = Vec::new();
    let mut case = |class: &str, offered: Vec<String>, expected| {
        let class = class.to_owned();
        cases.push(Case {
            class,
            offered,
            expected,
        });
    };
    for (n, class) in statement.classes.keys().enumerate() {
        let offered = shuffled(&all, n);
        let expected = preferred(statement.order(class), &offered);
        case(class, offered, expected);
    }
    for syntax in &all {
        case(
            "1.2.840.10008.5.1.4.1.1.4",
            vec![syntax.clone()],
            (0, Some(syntax.clone())),
        );
    }
    let offered = shuffled(&all, 3);
    case(
        PRIVATE,
        offered.clone(),
        preferred(&statement.orders["I"], &offered),
    );
    case(
        "1.2.840.10008.1.1",
        offered.clone(),
        preferred(&statement.orders["III"], &offered),
    );
    case(UNKNOWN, offered.clone(), (3, None));
    // A service of the standard that is not offered.
    case("1.2.840.10008.5.1.4.1.2.2.1", offered, (3, None));
    case("1.2.840.10008.5.1.4.1.1.2", vec![UNKNOWN.to_owned()], (4, None));
    cases
}

#[test]
fn every_class_of_the_statement_is_negotiated_as_it_says() {
    needs!(Docker, Pynetdicom);
    let statement = Statement::read();
    assert!(
        statement.classes.len() > 200,
        "{} classes",
        statement.classes.len()
    );
    let node = TestNode::with(
        &Bucket::fixture("count"),
        &format!("[dicom]\nprivate_sop_classes = [\"{PRIVATE}\"]\n"),
    );
    let cases = cases(&statement);
    let proposed: Vec<_> = cases.iter().map(|c| json!([c.class, c.offered])).collect();
    let answers = peer(
        &["negotiate", &node.dicom_port().to_string(), "Count"],
        &json!(proposed),
    );
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), cases.len());
    for (case, answer) in cases.iter().zip(answers) {
        let (result, syntax) = (answer[0].as_u64().unwrap(), answer[1].as_str().map(str::to_owned));
        assert_eq!(
            (result, syntax),
            case.expected,
            "{} offered {:?}",
            case.class,
            case.offered
        );
    }
}

#[test]
fn a_class_that_the_requestor_declares_as_storage_is_taken() {
    needs!(Docker, Pynetdicom);
    let statement = Statement::read();
    let node = TestNode::with(&Bucket::fixture("count"), "");
    let offered = shuffled(&statement.orders["II"], 1);
    // A service of the standard is none of Storage, whoever says so.
    let query = "1.2.840.10008.5.1.4.1.2.2.1";
    for (class, declared, expected) in [
        (UNKNOWN, UNKNOWN, preferred(&statement.orders["I"], &offered)),
        (UNKNOWN, PRIVATE, (3, None)),
        (query, query, (3, None)),
    ] {
        let port = node.dicom_port().to_string();
        // Verification too, so that there is an association.
        let proposed = json!([[class, offered], ["1.2.840.10008.1.1", ["1.2.840.10008.1.2"]]]);
        let answers = peer(&["negotiate", &port, "Count", declared], &proposed);
        let (result, syntax) = (answers[0][0].as_u64(), answers[0][1].as_str().map(str::to_owned));
        assert_eq!(
            (result, syntax),
            (Some(expected.0), expected.1),
            "{class}, declared {declared}"
        );
    }
}

#[test]
fn every_storage_class_and_transfer_syntax_that_pynetdicom_knows_is_in_the_statement() {
    needs!(Pynetdicom);
    let statement = Statement::read();
    let known = peer(&["known"], &Value::Null);
    let list = |key: &str| -> Vec<String> {
        let values = known[key].as_array().unwrap();
        values.iter().map(|v| v.as_str().unwrap().to_owned()).collect()
    };
    let classes = list("classes");
    assert!(classes.len() > 150, "{classes:?}");
    for class in classes {
        assert!(statement.classes.contains_key(&class), "{class}");
    }
    let taken: BTreeSet<_> = statement.orders["I"].iter().cloned().collect();
    let syntaxes = list("syntaxes");
    assert!(syntaxes.len() > 40, "{syntaxes:?}");
    for syntax in syntaxes {
        // Real-time video is no data set.
        let live = syntax.starts_with("1.2.840.10008.1.2.7.");
        assert_eq!(taken.contains(&syntax), !live, "{syntax}");
    }
}
