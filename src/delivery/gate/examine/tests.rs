//! Every rule, from a file to its findings.

mod characters;
mod names;

use super::super::made::{ENCODINGS, MR, Made, job};
use super::super::object;
use super::*;
use crate::model::{GateMode, JobId, Timestamp};

fn equipment() -> Equipment {
    Equipment {
        node: "0123456789abcdef0123456789abcdef".into(),
        stream: "PROC".into(),
        bucket: "lungs".into(),
        version: "1.2".into(),
        digest: "sha256:00".into(),
        program: crate::model::COPIES_BY.into(),
        at: Timestamp(0),
    }
}

fn judged_as(mode: GateMode, inputs: &[Made], result: &Made, known: Known) -> (Examined, Option<Made>) {
    let directory = tempfile::tempdir().unwrap();
    let mut input = Input::default();
    for each in inputs {
        let path = each.write(directory.path());
        input.add(&object::identity(&path).unwrap().1);
    }
    let object = object::read(&result.write(directory.path()), directory.path()).unwrap();
    let (job, equipment) = (job(), equipment());
    let case = Case {
        mode,
        job: &job,
        input: &input,
        equipment: &equipment,
    };
    let examined = examine(&case, &object, known);
    let sent = (!examined.is_held()).then(|| {
        let mut sent = result.clone();
        for (tag, edit) in &examined.edits {
            if let Edit::Set(vr, value) = edit {
                sent = sent.raw(*tag, vr, value);
            }
        }
        sent
    });
    (examined, sent)
}

fn judged(result: Made) -> (Examined, Option<Made>) {
    judged_as(
        GateMode::Repair,
        &[Made::input(1), Made::input(2)],
        &result,
        Known::default(),
    )
}

/// What was held: attribute, the result's value, the input's.
fn held(examined: &Examined) -> Vec<(&str, Option<&str>, Option<&str>)> {
    let held = examined.findings.iter().filter(|f| f.action == GateAction::Held);
    held.map(|f| (f.attribute.as_str(), f.result.as_deref(), f.input.as_deref()))
        .collect()
}

fn filled(examined: &Examined) -> Vec<&str> {
    let filled = examined
        .findings
        .iter()
        .filter(|f| f.action == GateAction::Filled);
    filled.map(|f| f.attribute.as_str()).collect()
}

fn value(made: &Option<Made>, tag: u32) -> String {
    let made = made.as_ref().expect("it goes");
    made.elements.get(&tag).map_or_else(String::new, |(_, value)| {
        String::from_utf8_lossy(value).into_owned()
    })
}

#[test]
fn a_result_of_the_same_patient_and_study_goes_and_says_where_it_comes_from() {
    for encoding in ENCODINGS {
        let inputs = [Made::input(1).in_encoding(encoding)];
        let result = Made::result().in_encoding(encoding);
        let (examined, sent) = judged_as(GateMode::Strict, &inputs, &result, Known::default());
        assert_eq!(held(&examined), [], "{encoding:?}");
        assert_eq!(filled(&examined), [""; 0]);
        let added: Vec<_> = examined
            .findings
            .iter()
            .map(|f| (f.action, f.attribute.as_str()))
            .collect();
        assert_eq!(
            added,
            [
                (GateAction::Added, "Contributing Equipment Sequence (0018,A001)"),
                (GateAction::Added, "Source references (0008,2112)")
            ]
        );
        assert!(value(&sent, 0x0008_2112).contains("1.2.3.4.1"));
        let Some(Edit::Append(item)) = examined.edits.get(&CONTRIBUTING_EQUIPMENT) else {
            panic!("no item");
        };
        let item = String::from_utf8_lossy(item);
        for word in [
            "lungs",
            "1.2",
            "sha256:00",
            "0123456789abcdef0123456789abcdef",
            "109102",
            "PROC",
        ] {
            assert!(item.contains(word), "{word}");
        }
    }
}

#[test]
fn whatever_contradicts_the_input_is_held_with_both_values() {
    for (tag, wrong, shown, right) in [
        (0x0010_0020, "A2", "Patient ID (0010,0020)", "A1"),
        (
            0x0010_0021,
            "ELSEWHERE",
            "Issuer of Patient ID (0010,0021)",
            "HOSPITAL",
        ),
        (0x0010_0010, "Doe^Jane", "Patient's Name (0010,0010)", "Doe^John"),
        (
            0x0010_0030,
            "19700103",
            "Patient's Birth Date (0010,0030)",
            "19700102",
        ),
        (0x0010_0040, "F", "Patient's Sex (0010,0040)", "M"),
        (0x0020_000D, "1.2.4", "Study Instance UID (0020,000D)", "1.2.3"),
        (0x0020_0010, "S2", "Study ID (0020,0010)", "S1"),
        (0x0008_0050, "ACC2", "Accession Number (0008,0050)", "ACC1"),
        (0x0008_0020, "20260102", "Study Date (0008,0020)", "20260101"),
        (
            0x0008_0090,
            "Other^Doctor",
            "Referring Physician's Name (0008,0090)",
            "Ref^Erring",
        ),
    ] {
        for mode in [GateMode::Repair, GateMode::Strict] {
            let result = Made::result().with(tag, wrong);
            let (examined, _) = judged_as(mode, &[Made::input(1)], &result, Known::default());
            assert_eq!(held(&examined), [(shown, Some(wrong), Some(right))], "{mode:?}");
            // What is written down elsewhere has no values.
            let finding = &examined.findings[0];
            assert!(!finding.why.contains(wrong) && !finding.why.contains(right));
            assert!(!examined.edits.contains_key(&tag), "never put right");
        }
    }
}

#[test]
fn what_the_input_does_not_say_the_result_does_not_know_either() {
    for (tag, attribute) in [
        (0x0010_0020, "Patient ID (0010,0020)"),
        (0x0010_0010, "Patient's Name (0010,0010)"),
        (0x0010_0040, "Patient's Sex (0010,0040)"),
        (0x0008_0050, "Accession Number (0008,0050)"),
    ] {
        let input = Made::input(1).without(tag);
        let (examined, _) = judged_as(GateMode::Repair, &[input], &Made::result(), Known::default());
        assert_eq!(held(&examined).len(), 1, "{attribute}");
        assert_eq!((held(&examined)[0].0, held(&examined)[0].2), (attribute, None));
    }
    // A Study ID names nobody, and some PACS need one.
    let input = Made::input(1).with(0x0020_0010, "");
    let (examined, sent) = judged_as(GateMode::Repair, &[input], &Made::result(), Known::default());
    assert_eq!(held(&examined), []);
    assert_eq!(value(&sent, 0x0020_0010), "S1", "never emptied");
}

#[test]
fn what_is_missing_is_filled_in_and_held_in_the_strict_mode() {
    let all: Vec<_> = Attribute::PATIENT
        .into_iter()
        .chain(Attribute::STUDY)
        .chain([STUDY_INSTANCE])
        .collect();
    for attribute in &all {
        for result in [
            Made::result().without(attribute.tag),
            Made::result().with(attribute.tag, ""),
            Made::result().with(attribute.tag, " "),
        ] {
            let (examined, sent) = judged(result.clone());
            assert_eq!(held(&examined), []);
            assert_eq!(filled(&examined), [attribute.shown()]);
            assert_eq!(
                value(&sent, attribute.tag),
                value(&Some(Made::input(1)), attribute.tag)
            );
            let strict = judged_as(GateMode::Strict, &[Made::input(1)], &result, Known::default());
            assert_eq!(held(&strict.0).len(), 1);
        }
    }
    // A bucket that knew of pixels only.
    let bare = all
        .iter()
        .fold(Made::result(), |made, attribute| made.without(attribute.tag));
    let (examined, sent) = judged(bare);
    assert_eq!(filled(&examined).len(), all.len());
    for attribute in all {
        assert_eq!(
            value(&sent, attribute.tag),
            value(&Some(Made::input(1)), attribute.tag)
        );
    }
}

#[test]
fn of_two_patients_nothing_the_bucket_made_goes() {
    for other in [
        Made::input(2).with(0x0010_0020, "A2"),
        Made::input(2).with(0x0010_0010, "Roe^Richard"),
        Made::input(2).with(0x0010_0030, "19800101"),
        Made::input(2).with(0x0010_0021, "ELSEWHERE"),
    ] {
        let (examined, _) = judged_as(
            GateMode::Repair,
            &[Made::input(1), other],
            &Made::result(),
            Known::default(),
        );
        assert_eq!(held(&examined).len(), 1);
        let why = &examined.findings[0].why;
        assert!(why.starts_with("the input is of two patients"), "{why}");
    }
    // One object that says less, or says it in capitals, is of the same patient.
    for same in [
        Made::input(2).with(0x0010_0010, "DOE^JOHN^^"),
        Made::input(2).without(0x0010_0030),
        Made::input(2).with(0x0010_0020, " A1 "),
    ] {
        let (examined, _) = judged_as(
            GateMode::Repair,
            &[same, Made::input(1)],
            &Made::result(),
            Known::default(),
        );
        assert_eq!(held(&examined), []);
    }
}

#[test]
fn of_several_studies_the_result_names_its_own() {
    let second = Made::input(2)
        .with(0x0020_000D, "1.2.9")
        .with(0x0008_0050, "ACC9")
        .with(0x0020_0010, "S9");
    let inputs = [Made::input(1), second];
    let of_second = Made::result()
        .with(0x0020_000D, "1.2.9")
        .without(0x0008_0050)
        .with(0x0020_0010, "S9");
    let (examined, sent) = judged_as(GateMode::Repair, &inputs, &of_second, Known::default());
    assert_eq!(held(&examined), []);
    assert_eq!(value(&sent, 0x0008_0050), "ACC9");
    let mixed = Made::result().with(0x0020_000D, "1.2.9");
    let (examined, _) = judged_as(GateMode::Repair, &inputs, &mixed, Known::default());
    assert_eq!(
        held(&examined).len(),
        2,
        "accession number and Study ID are of the other study"
    );
    let (examined, _) = judged_as(
        GateMode::Repair,
        &inputs,
        &Made::result().without(0x0020_000D),
        Known::default(),
    );
    assert_eq!(
        held(&examined),
        [("Study Instance UID (0020,000D)", None, Some("1.2.3, 1.2.9"))]
    );
}

#[test]
fn where_the_objects_of_a_study_disagree_any_value_is_right_and_none_is_filled_in() {
    let inputs = [Made::input(1), Made::input(2).with(0x0008_0050, "ACC2")];
    let judge = |result: Made| judged_as(GateMode::Repair, &inputs, &result, Known::default());
    for right in ["ACC1", "ACC2"] {
        assert_eq!(held(&judge(Made::result().with(0x0008_0050, right)).0), []);
    }
    assert_eq!(held(&judge(Made::result().with(0x0008_0050, "ACC3")).0).len(), 1);
    let (examined, sent) = judge(Made::result().without(0x0008_0050));
    assert!(filled(&examined).is_empty() && held(&examined).is_empty());
    assert_eq!(value(&sent, 0x0008_0050), "");
    assert!(examined.findings.iter().any(|f| f.action == GateAction::Noted));
}

#[test]
fn a_group_of_the_name_that_is_missing_is_filled_in() {
    let japanese = "Yamada^Tarou=山田^太郎=やまだ^たろう";
    let input = Made::input(1)
        .with(0x0008_0005, "ISO_IR 192")
        .with(0x0010_0010, japanese);
    let result = Made::result().with(0x0010_0010, "Yamada^Tarou");
    let (examined, sent) = judged_as(GateMode::Repair, &[input], &result, Known::default());
    assert_eq!(held(&examined), []);
    assert_eq!(value(&sent, 0x0010_0010), japanese);
}

#[test]
fn references_that_are_there_are_left() {
    let encoder = Made::result().encoder();
    let item = encoder
        .item(&encoder.element(0x0008_1155, *b"UI", b"1.2.3.4.2").unwrap())
        .unwrap();
    let (examined, _) = judged(Made::result().raw(0x0008_2112, b"SQ", &item));
    assert!(!examined.edits.contains_key(&0x0008_2112));
    // What a measurement is of nobody but the bucket knows.
    let report = Made {
        class: "1.2.840.10008.5.1.4.1.1.88.22",
        ..Made::result().with(0x0008_0016, "1.2.840.10008.5.1.4.1.1.88.22")
    };
    let (examined, _) = judged(report);
    assert_eq!(
        examined.edits.keys().collect::<Vec<_>>(),
        [&CONTRIBUTING_EQUIPMENT]
    );
}

#[test]
fn an_object_that_cannot_be_read_is_held_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let path = Made::result().write(directory.path());
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 10]).unwrap();
    let why = object::read(&path, directory.path()).unwrap_err().to_string();
    assert!(why.contains("longer than what is left"), "{why}");
    assert!(unreadable(why).is_held());
    // A deflated one may be cut where an element ends.
    let (encoding, syntax) = ENCODINGS[3];
    let deflated = Made {
        encoding,
        syntax,
        ..Made::result()
    };
    let path = deflated.write(directory.path());
    let bytes = std::fs::read(&path).unwrap();
    for missing in 2..8 {
        std::fs::write(&path, &bytes[..bytes.len() - missing]).unwrap();
        let why = object::read(&path, directory.path()).unwrap_err().to_string();
        assert!(why.contains("ends too early"), "{missing}: {why}");
    }
}

#[test]
fn an_identity_that_is_there_and_cannot_be_read_is_none_that_is_missing() {
    for (tag, attribute) in [
        (0x0010_0020, "Patient ID (0010,0020)"),
        (0x0010_0010, "Patient's Name (0010,0010)"),
        (0x0020_000D, "Study Instance UID (0020,000D)"),
        (0x0020_000E, "Series Instance UID (0020,000E)"),
        (0x0008_0018, "SOP Instance UID (0008,0018)"),
    ] {
        let encoder = Made::result().encoder();
        let item = encoder.element(tag, *b"LO", b"A2").unwrap();
        let item = encoder.item(&item).unwrap();
        let long = vec![b'1'; (1 << 20) + 2];
        for (vr, value) in [(b"OB", &b"A2"[..]), (b"SQ", &item), (b"UT", &long)] {
            for input in [Made::input(1), Made::input(1).without(tag)] {
                let result = Made::result().raw(tag, vr, value);
                let (examined, _) = judged_as(GateMode::Repair, &[input], &result, Known::default());
                assert!(
                    held(&examined).iter().any(|(held, ..)| *held == attribute),
                    "{attribute} as {}: {examined:?}",
                    String::from_utf8_lossy(vr)
                );
            }
        }
    }
}

#[test]
fn a_directory_of_files_is_no_object_of_a_study() {
    let class = "1.2.840.10008.1.3.10";
    let result = Made {
        class,
        ..Made::result().with(0x0008_0016, class)
    };
    assert_eq!(held(&judged(result).0).len(), 1);
}
