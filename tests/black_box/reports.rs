//! A bucket that declares its measures: a structured report of them goes where its results go, and they can be had as a
//! table.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::needs;
use crate::support::api::Job;
use crate::support::images::Bucket;
use crate::support::kit::{done, refused};
use crate::support::orthanc::Address;
use crate::support::part10::identity;
use crate::support::peers::python;
use crate::support::under_test::{BUCKETS, TestNode, TestPacs, results_to, run, scratch};
use crate::support::wait::wait_until;
use crate::support::{PATIENCE, phantom, senders};

const SLICES: u32 = 3;

fn report_of(job: &Job) -> PathBuf {
    Path::new(&job.directory).join(format!("OUTPUT/measurement-report-{}.dcm", job.id))
}

#[track_caller]
fn said(program: &str, arguments: &[&Path]) -> String {
    let ran = Command::new(program).args(arguments).output().unwrap();
    let said = [ran.stdout, ran.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}

/// What dcmtk and dicom3tools find wrong with a report: nothing.
#[track_caller]
fn is_valid(report: &Path) -> String {
    let judged = said("dciodvfy", &[report]);
    assert!(!judged.contains("Error"), "{judged}");
    let printed = said(
        "dsrdump",
        &[Path::new("+Pc"), Path::new("+Pl"), Path::new("+U8"), report],
    );
    // The second is about dcmtk: UTF-8 is more than its checker of values knows.
    let wrong =
        |line: &&str| line.starts_with("E: ") || (line.starts_with("W: ") && !line.ends_with("ISO_IR 192"));
    assert_eq!(printed.lines().find(wrong), None, "{printed}");
    printed
}

#[test]
fn a_report_of_what_was_measured_goes_to_the_pacs_with_the_results() {
    needs!(Docker, Dcmtk, Dicom3tools, Orthanc, Highdicom);
    let pacs = TestPacs::start(Address::reserve("PACS"));
    let node = TestNode::with(&Bucket::fixture("measures"), &results_to(pacs.orthanc.address()));
    phantom::write(&node.scratch("phantom"), SLICES);
    assert!(senders::storescu(node.dicom_port(), "Measures", &node.scratch("phantom")).success);
    let job = node.wait_for_end("Measures");
    assert_eq!(job.outcome.as_deref(), Some("success"), "{job:#?}");

    let report = report_of(&job);
    let printed = is_valid(&report);
    for line in [
        "Comprehensive 3D SR Document",
        "(126000,DCM,\"Imaging Measurement Report\")",
        "(111028,DCM,\"Image Library\")=SEPARATE",
        "(126200,DCM,\"Image Library Group\")",
        "(121139,DCM,\"Modality\")=(MR,DCM,\"Magnetic Resonance\")",
        "(111001,DCM,\"Algorithm Name\")=\"T1 volumes – größer\"",
        "(111003,DCM,\"Algorithm Version\")=\"2.1.0\"",
        "NUM:(118565006,SCT,\"Volume\")=\"1234.5\" (mL,UCUM,\"mL\")",
        "(363698007,SCT,\"Finding Site\")=(12738006,SCT,\"Brain\")",
        "(Measures/head_volume_ml,99MAGICKBOX,\"head_volume_ml\")=\"9999 mL (9999 is outside of its plausible",
        "(Measures/side,99MAGICKBOX,\"side\")=\"left – größer\"",
    ] {
        assert!(printed.contains(line), "{line} not in\n{printed}");
    }
    read_by_highdicom(&report, &job);

    let (uid, _) = identity(&report);
    assert!(pacs.orthanc.sop_instance_uids().unwrap().contains(&uid));
    assert!(
        job.deliveries[0]
            .instances
            .iter()
            .any(|i| i.sop_instance_uid == uid && i.state == "sent")
    );
    let record: Value =
        serde_json::from_slice(&fs::read(Path::new(&job.directory).join("record.json")).unwrap()).unwrap();
    assert_eq!(record["report"]["sop_instance_uid"], uid);
    assert!(
        record["report"]["made_by"]
            .as_str()
            .unwrap()
            .starts_with("magickbox")
    );
}

#[track_caller]
fn read_by_highdicom(report: &Path, job: &Job) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/peers/report.py");
    let ran = Command::new(python()).arg(script).arg(report).output().unwrap();
    let wrong = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{wrong}");
    let read: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(read["class"], "Comprehensive3DSR");
    assert_eq!(
        (&read["study"], &read["devices"]),
        (&job.study_instance_uid.as_str().into(), &1.into())
    );
    assert_eq!(
        read["evidence"].as_array().unwrap().len(),
        SLICES as usize,
        "{read}"
    );
    // Every image of the evidence is in the library.
    let mut evidence: Vec<_> = read["evidence"]
        .as_array()
        .unwrap()
        .iter()
        .map(|uids| &uids[2])
        .collect();
    evidence.sort_by_key(|uid| uid.as_str());
    assert_eq!(json!(evidence), read["images"]);
    let [measured, of_file] = &read["groups"].as_array().unwrap()[..] else {
        panic!("{read:#}")
    };
    assert_eq!(
        measured["measurements"],
        json!([
            { "name": "Volume", "value": 1234.5, "unit": "mL", "sites": ["Brain"] },
            { "name": "snr", "value": 12.000000000000123, "unit": "1", "sites": [] },
        ])
    );
    assert_eq!(measured["texts"]["remark"], "=1+1");
    assert_eq!(of_file["measurements"][0]["value"], 8.25);
    assert_ne!(measured["uid"], of_file["uid"]);
    let image = read["algorithm"]["Algorithm Parameters"].as_str().unwrap();
    assert!(image.starts_with("image sha256:"), "{read:#}");
}

#[test]
fn a_node_that_is_killed_behind_its_report_makes_the_same_one_again() {
    needs!(Docker, Dcmtk, Orthanc);
    let pacs = TestPacs::start(Address::reserve("PACS"));
    let config = results_to(pacs.orthanc.address());
    let mut node = TestNode::start_in(scratch(), &config, &[("MAGICKBOX_FAILPOINT", "report-written")]);
    node.install(&Bucket::fixture("measures"));
    phantom::write(&node.scratch("phantom"), SLICES);
    assert!(senders::storescu(node.dicom_port(), "Measures", &node.scratch("phantom")).success);
    wait_for_death(&mut node);
    let reports = |node: &TestNode| {
        let found = said(
            "find",
            &[
                &node.scratch("data"),
                Path::new("-name"),
                Path::new("*measurement-report*"),
            ],
        );
        found.lines().map(PathBuf::from).collect::<Vec<_>>()
    };
    let [before] = &reports(&node)[..] else {
        panic!("{:?}", reports(&node))
    };
    let written = fs::read(before).unwrap();
    node.restart().unwrap();
    let job = node.wait_for_end("Measures");
    assert_eq!(
        (job.outcome.as_deref(), job.attempt),
        (Some("success"), 1),
        "{job:#?}"
    );
    assert_eq!(reports(&node), [report_of(&job)]);
    assert_eq!(fs::read(report_of(&job)).unwrap(), written, "byte by byte");
    // The result and the report.
    assert_eq!(pacs.orthanc.sop_instance_uids().unwrap().len(), 2);
    let measured: Vec<_> = job
        .measures
        .iter()
        .filter(|m| m.file.contains("report"))
        .collect();
    assert!(
        measured.is_empty(),
        "nobody measures the node's own file: {measured:?}"
    );
}

fn wait_for_death(node: &mut TestNode) {
    wait_until(PATIENCE, "the node to die", || node.is_dead().then_some(())).unwrap();
}

#[test]
fn measures_can_be_had_as_csv_and_json_by_period() {
    needs!(Docker, Dcmtk);
    let node = TestNode::with(&Bucket::fixture("measures").with("report", "none"), "");
    phantom::write(&node.scratch("phantom"), 1);
    assert!(senders::storescu(node.dicom_port(), "Measures", &node.scratch("phantom")).success);
    let job = node.wait_for_end("Measures");
    assert!(!report_of(&job).exists(), "nobody asked for one");
    let head = job.measures.iter().find(|m| m.name == "head_volume_ml").unwrap();
    assert!(
        head.declared && head.problem.as_deref().unwrap().contains("plausible range"),
        "{head:?}"
    );
    let problem =
        |e: &Value| e["kind"] == "problem" && e["text"].as_str().unwrap().contains("head_volume_ml");
    assert!(job.events.iter().any(problem), "{:#?}", job.events);

    let csv = done(&node, &["measures", "Measures"]).stdout;
    let lines: Vec<_> = csv.split("\r\n").collect();
    assert_eq!(lines.len(), 1 + 6 + 1, "{csv}");
    assert!(
        lines[0].starts_with("job,received_at,outcome,bucket_version,image,study_instance_uid,"),
        "{csv}"
    );
    let brain = lines.iter().find(|l| l.contains("brain_volume_ml")).unwrap();
    assert!(
        brain.ends_with(",measures.json,measures.json,brain_volume_ml,1234.5,mL,true,"),
        "{brain}"
    );
    assert!(
        brain.starts_with(&job.id) && brain.contains(",success,2.1.0,sha256:"),
        "{brain}"
    );
    let remark = lines.iter().find(|l| l.contains(",remark,")).unwrap();
    assert!(remark.ends_with(",remark,'=1+1,,false,"), "{remark}");

    let all: Value = serde_json::from_str(&done(&node, &["measures", "Measures", "--json"]).stdout).unwrap();
    assert_eq!(
        (all["bucket"].as_str(), all["measures"].as_array().unwrap().len()),
        (Some("Measures"), 6)
    );
    for (period, count) in [
        (["--from", "2020-01-01"], 6),
        (["--to", "2020-01-01"], 0),
        (["--from", "2120-01-01T00:00:00+01:00"], 0),
    ] {
        let arguments = [&["measures", "Measures", "--json"][..], &period].concat();
        let some: Value = serde_json::from_str(&done(&node, &arguments).stdout).unwrap();
        assert_eq!(some["measures"].as_array().unwrap().len(), count, "{period:?}");
    }
    assert!(refused(&node, &["measures", "Nobody"]).contains("no bucket is installed for AE title Nobody"));
    assert!(refused(&node, &["measures", "Measures", "--from", "soon"]).contains("a day such as 2026-11-01"));
}

#[test]
fn buckets_run_makes_the_report_that_a_node_would() {
    needs!(Docker, Dcmtk, Dicom3tools);
    let home = scratch();
    let (input, out) = (home.path().join("in"), home.path().join("out"));
    phantom::write(&input, 1);
    let image = Bucket::fixture("measures").image();
    let ran = run(
        BUCKETS,
        &["run", &image, input.to_str().unwrap(), out.to_str().unwrap()],
    );
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let reports = said(
        "find",
        &[
            &out.join("OUTPUT"),
            Path::new("-name"),
            Path::new("measurement-report-*.dcm"),
        ],
    );
    let [report] = &reports.lines().collect::<Vec<_>>()[..] else {
        panic!("{reports}")
    };
    is_valid(Path::new(report));
}
