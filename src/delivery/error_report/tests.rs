//! A report as it is read, and as other programs judge it.

use std::process::Command;

use dicom_dictionary_std::tags;

use super::*;
use crate::dicom::composite::{Attribute, Held};
use crate::model::Uid;

const LOG: &str = "loading 3 objects\nPatient: M\u{fc}ller, Anna\nborn 1970-03-04\nid ph-77\n\
    \u{1b}[31mTraceback: no such file\u{1b}[0m\nthe mullet swam";

fn study() -> Composite {
    let uid = |text: &str| Uid::parse(text.as_bytes()).unwrap();
    let attribute = |tag, vr: &[u8; 2], bytes: &[u8]| Attribute {
        tag,
        vr: *vr,
        value: Held::Bytes(bytes.to_vec()),
    };
    Composite {
        sop_class_uid: uid("1.2.840.10008.5.1.4.1.1.4"),
        sop_instance_uid: uid("1.2.3.4"),
        study_instance_uid: uid("1.2.3"),
        series_instance_uid: uid("1.2.3.1"),
        attributes: vec![
            attribute(0x0008_0005, b"CS", b"ISO_IR 100"),
            attribute(0x0008_0020, b"DA", b"20260921"),
            attribute(0x0010_0010, b"PN", b"M\xFCller^Anna^B"),
            attribute(0x0010_0020, b"LO", b"PH-77"),
            attribute(0x0010_0030, b"DA", b"19700304"),
            attribute(0x0010_0040, b"CS", b"F"),
        ],
    }
}

fn report<'a>(study: &'a Composite, job: &'a JobId, log: &'a [u8]) -> ErrorReport<'a> {
    ErrorReport {
        beside: study,
        node: "node",
        job,
        attempt: 1,
        ae_title: "ProcT1",
        bucket: "T1 volumes",
        version: "2.1.0",
        at: Timestamp(1_790_000_000_000),
        reason: "exit status 3",
        log,
    }
}

#[test]
fn a_report_says_what_failed_and_why_and_names_no_patient() {
    let (study, job) = (study(), JobId::parse("20260921-141320-00c0ffee").unwrap());
    let lines = text::lines(&report(&study, &job, LOG.as_bytes()));
    assert_eq!(
        lines.join("\n"),
        "ERROR REPORT\n\nThis study was not processed. There is no result of it.\n\n\
         Bucket   T1 volumes (ProcT1)\nVersion  2.1.0\nTime     2026-09-21T14:13:20Z\n\
         Job      20260921-141320-00c0ffee, run 1\nReason   exit status 3\n\nThe last lines of its log:\n\n\
         loading 3 objects\n(3 lines left out: they name the patient)\nTraceback: no such file\nthe mullet swam"
    );
    let nothing = text::lines(&report(&study, &job, b""));
    assert_eq!(nothing.last().map(String::as_str), Some("(it said nothing)"));
    let named = ErrorReport {
        reason: "no slices of ANNA",
        ..report(&study, &job, b"")
    };
    assert!(!text::lines(&named).join("\n").to_lowercase().contains("anna"));
}

#[test]
fn a_word_of_the_patient_counts_where_it_means_him() {
    let mut study = study();
    study.attributes.retain(|a| a.tag != 0x0010_0010);
    let name = |bytes: &[u8]| Attribute {
        tag: 0x0010_0010,
        vr: *b"PN",
        value: Held::Bytes(bytes.to_vec()),
    };
    study.attributes.push(name(b"Li^Jo-Ann=\xC3\xA4\xC3\xB6"));
    let words = names::Words::of(&study);
    for line in [
        "LI came",
        "by li.",
        "jo_ann? no: Jo Ann",
        "04.03.1970",
        "19700304",
        "x=PH-77;",
        "\u{e4}\u{f6}",
    ] {
        assert!(words.are_in(line), "{line}");
    }
    for line in ["live list", "join", "1970", "77 of 100", ""] {
        assert!(!words.are_in(line), "{line}");
    }
}

#[test]
fn a_long_log_is_told_from_its_end_on_as_many_pages_as_there_may_be() {
    let (study, job) = (study(), JobId::parse("j").unwrap());
    let log: String = (0..5000).map(|i| format!("line {i} of a long story\n")).collect();
    let pages = pages(&report(&study, &job, log.as_bytes())).unwrap();
    assert!((2..=MOST_PAGES).contains(&pages.len()), "{}", pages.len());
    let lines = text::lines(&report(&study, &job, log.as_bytes()));
    assert_eq!(
        lines.last().map(String::as_str),
        Some("line 4999 of a long story")
    );
    let objects = pages
        .iter()
        .map(|p| dicom_object::from_reader(&p.file[..]).unwrap());
    let mut series: Vec<_> = objects
        .map(|o| {
            o.element(tags::SERIES_INSTANCE_UID)
                .unwrap()
                .to_str()
                .unwrap()
                .into_owned()
        })
        .collect();
    series.dedup();
    assert_eq!(series.len(), 1, "one series");
    assert_ne!(pages[0].meta.sop_instance_uid, pages[1].meta.sop_instance_uid);
}

#[test]
fn a_page_is_an_image_beside_the_study_with_letters_on_it() {
    let (study, job) = (study(), JobId::parse("j").unwrap());
    let made = pages(&report(&study, &job, LOG.as_bytes())).unwrap();
    assert_eq!(
        made,
        pages(&report(&study, &job, LOG.as_bytes())).unwrap(),
        "the same bytes"
    );
    let object = dicom_object::from_reader(&made[0].file[..]).unwrap();
    let text = |tag| object.element(tag).unwrap().to_str().unwrap().into_owned();
    assert_eq!(text(tags::STUDY_INSTANCE_UID), "1.2.3");
    assert_eq!(text(tags::PATIENT_NAME), "M\u{fc}ller^Anna^B");
    assert_eq!(text(tags::SERIES_DESCRIPTION), "Error Report");
    let pixels = object
        .element(tags::PIXEL_DATA)
        .unwrap()
        .to_bytes()
        .unwrap()
        .into_owned();
    assert_eq!(pixels.len(), 1024 * 1024);
    let first_line = &pixels[32 * 1024..52 * 1024];
    let lit = first_line.iter().filter(|p| **p == 224).count();
    assert!((200..2000).contains(&lit), "{lit} pixels of ERROR REPORT");
    assert!(first_line[..32].iter().all(|p| *p == 16), "the margin is empty");
}

#[test]
fn dciodvfy_finds_nothing_wrong() {
    if Command::new("dciodvfy").output().is_err() {
        assert!(
            std::env::var_os("CI").is_none(),
            "dciodvfy missing, run docker/setup.sh test"
        );
        eprintln!("SKIPPED: dciodvfy missing, run docker/setup.sh test");
        return;
    }
    let (study, job) = (study(), JobId::parse("j").unwrap());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("page.dcm");
    std::fs::write(
        &path,
        &pages(&report(&study, &job, LOG.as_bytes())).unwrap()[0].file,
    )
    .unwrap();
    let judged = Command::new("dciodvfy").arg(&path).output().unwrap();
    let words = String::from_utf8_lossy(&judged.stderr).into_owned();
    assert!(words.contains("SCImage") && !words.contains("Error"), "{words}");
}
