//! The tree as data, and the object that is made of it.

use dicom_dictionary_std::tags;
use serde_json::{Value as Json, json};

use super::*;
use crate::dicom::composite::{Attribute, Composite, Held};
use crate::model::{Code, DeclaredMeasure, Measure, Timestamp, Uid};

fn uid(text: &str) -> Uid {
    Uid::parse(text.as_bytes()).unwrap()
}

fn declared() -> Vec<DeclaredMeasure> {
    let info = json!({ "measures": [
        { "name": "brain", "unit": "mL", "range": [300, 2200],
          "code": { "value": "118565006", "scheme": "SCT", "meaning": "Volume" },
          "site": { "value": "12738006", "scheme": "SCT", "meaning": "Brain" } },
        { "name": "snr", "unit": "1" },
    ] });
    DeclaredMeasure::read_all(info.as_object().unwrap()).0
}

fn measures() -> Vec<Measure> {
    let measure = |name: &str, value: Json| {
        let mut measure = Measure::new("measures.json", "measures.json", name, value, None);
        if let Some(declared) = declared().iter().find(|d| d.name == name) {
            declared.judge(&mut measure);
        }
        measure
    };
    vec![
        measure("brain", json!(1234.5)),
        measure("brain", json!(9999)),
        measure("snr", json!(0.1 + 0.2)),
        measure("side", json!("links – größer")),
    ]
}

fn report<'a>(measures: &'a [Measure], declared: &'a [DeclaredMeasure]) -> Report<'a> {
    let measured = measures.iter().map(|measure| Measured {
        measure,
        declared: declared.iter().find(|d| d.name == measure.name),
    });
    Report {
        algorithm: Algorithm {
            ae_title: "ProcT1",
            name: "T1 volumes",
            version: "",
            image: "sha256:ab",
        },
        device: uid("2.25.1"),
        procedures: Vec::new(),
        images: &[],
        groups: vec![Group {
            identifier: "ProcT1 measures.json".to_owned(),
            uid: uid("2.25.2"),
            measures: measured.collect(),
        }],
    }
}

#[test]
fn a_report_says_what_was_declared_as_numbers_and_everything_else_as_text() {
    let (measures, declared) = (measures(), declared());
    assert_eq!(
        report(&measures, &declared).tree().lines().join("\n"),
        "\
Imaging Measurement Report: TID 1500
  has concept mod Language of Content Item and Descendants: (en, RFC5646, \"English\")
  has obs context Observer Type: (121007, DCM, \"Device\")
  has obs context Device Observer UID: 2.25.1
  has obs context Device Observer Name: \"ProcT1\"
  has obs context Device Observer Manufacturer: \"MagickBox\"
  has obs context Device Observer Model Name: \"magickbox\"
  has concept mod Procedure reported: (363679005, SCT, \"Imaging procedure\")
  contains Imaging Measurements:
    contains Measurement Group: TID 1501
      has obs context Tracking Identifier: \"ProcT1 measures.json\"
      has obs context Tracking Unique Identifier: 2.25.2
      has concept mod Algorithm Name: \"T1 volumes\"
      has concept mod Algorithm Version: \"unknown\"
      has concept mod Algorithm Parameters: \"image sha256:ab\"
      contains Volume: 1234.5 mL
        has concept mod Finding Site: (12738006, SCT, \"Brain\")
      contains Volume: \"9999 mL (9999 is outside of its plausible range, 300 to 2200)\"
        has concept mod Finding Site: (12738006, SCT, \"Brain\")
      contains snr: 0.30000000000000004 1
      contains side: \"links – größer\""
    );
}

fn source(charset: &str, name: &[u8]) -> Composite {
    let attribute = |tag, vr: &[u8; 2], bytes: &[u8]| Attribute {
        tag,
        vr: *vr,
        value: Held::Bytes(bytes.to_vec()),
    };
    Composite {
        sop_class_uid: uid("1.2"),
        sop_instance_uid: uid("1.3"),
        study_instance_uid: uid("1.4"),
        series_instance_uid: uid("1.5"),
        attributes: vec![
            attribute(0x0008_0005, b"CS", charset.as_bytes()),
            attribute(0x0010_0010, b"PN", name),
        ],
    }
}

fn document<'a>(source: &'a Composite, content: content::Item) -> Document<'a> {
    let instance = |study: &str, series: &str, itself: &str| Instance {
        study_instance_uid: uid(study),
        series_instance_uid: uid(series),
        sop_instance_uid: uid(itself),
        sop_class_uid: uid("1.2"),
    };
    Document {
        beside: source,
        evidence: vec![
            instance("1.4", "1.5", "1.6"),
            instance("1.4", "1.7", "1.8"),
            instance("1.9", "1.5", "1.3"),
            instance("1.4", "1.5", "1.3"),
            instance("1.4", "1.5", "1.3"),
        ],
        series: uid("2.25.3"),
        instance: uid("2.25.4"),
        description: "T1 volumes \\ measures",
        at: Timestamp(1_790_000_000_000),
        complete: true,
        equipment: Equipment {
            serial: "node",
            version: "0.1.0",
        },
        content,
    }
}

#[test]
fn the_object_is_beside_the_study_and_what_it_looked_at_is_named_once() {
    let (measures, declared, source) = (measures(), declared(), source("ISO_IR 100", b"M\xFCller^A"));
    let document = document(&source, report(&measures, &declared).tree());
    let file = document.file().unwrap();
    assert_eq!(
        file,
        document.file().unwrap(),
        "the same report is the same bytes"
    );
    let object = dicom_object::from_reader(&file[..]).unwrap();
    let text = |tag| object.element(tag).unwrap().to_str().unwrap().into_owned();
    assert_eq!(text(tags::PATIENT_NAME), "Müller^A");
    assert_eq!(text(tags::PATIENT_ID), "");
    assert_eq!(text(tags::STUDY_INSTANCE_UID), "1.4");
    assert_eq!(text(tags::SERIES_DESCRIPTION), "T1 volumes  measures");
    assert_eq!(
        (text(tags::CONTENT_DATE), text(tags::CONTENT_TIME)),
        ("20260921".into(), "141320".into())
    );
    let own = object
        .element(tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE)
        .unwrap();
    let series = own.items().unwrap()[0]
        .element(tags::REFERENCED_SERIES_SEQUENCE)
        .unwrap();
    let counts = series.items().unwrap().iter().map(|s| {
        let references = s.element(tags::REFERENCED_SOP_SEQUENCE).unwrap();
        references.items().unwrap().len()
    });
    assert_eq!(
        (own.items().unwrap().len(), counts.collect::<Vec<_>>()),
        (1, vec![2, 1])
    );
    let other = object.element(tags::PERTINENT_OTHER_EVIDENCE_SEQUENCE).unwrap();
    assert_eq!(other.items().unwrap().len(), 1);
    let schemes = object
        .element(tags::CODING_SCHEME_IDENTIFICATION_SEQUENCE)
        .unwrap();
    assert_eq!(schemes.items().unwrap().len(), 1);
}

#[test]
fn what_the_patients_character_set_does_not_have_is_asked_for_and_the_name_is_left_alone() {
    let (measures, declared) = (measures(), declared());
    for (charset, name, specific, side) in [
        ("", &b"Mueller^A"[..], "ISO_IR 192", "links – größer"),
        (
            "ISO_IR 192",
            "Müller^A".as_bytes(),
            "ISO_IR 192",
            "links – größer",
        ),
        (
            "\\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1B$B;3ED\x1B(B^\x1B$BB@O:\x1B(B",
            "\\ISO 2022 IR 87",
            "links ? gr??er",
        ),
        ("ISO_IR 144", b"\xBF^A", "ISO_IR 144", "links ? gr??er"),
    ] {
        let source = source(charset, name);
        let file = document(&source, report(&measures, &declared).tree())
            .file()
            .unwrap();
        let object = dicom_object::from_reader(&file[..]).unwrap();
        assert_eq!(
            object
                .element(tags::SPECIFIC_CHARACTER_SET)
                .unwrap()
                .to_str()
                .unwrap(),
            specific
        );
        assert!(
            file.windows(side.len()).any(|part| part == side.as_bytes()),
            "{charset}"
        );
        assert!(file.windows(name.len()).any(|part| part == name), "{charset}");
    }
}

#[test]
fn a_long_code_has_an_element_of_its_own() {
    let code = Code::new("ProcT1/brain_volume_ml", template::PRIVATE_SCHEME, "brain");
    let item = content::Item {
        relationship: None,
        name: Some(code),
        value: content::Value::Container(Some("1500")),
        children: Vec::new(),
    };
    let source = source("", b"A");
    let object = dicom_object::from_reader(&document(&source, item).file().unwrap()[..]).unwrap();
    let name = object
        .element(tags::CONCEPT_NAME_CODE_SEQUENCE)
        .unwrap()
        .items()
        .unwrap()[0]
        .clone();
    assert!(name.element(tags::CODE_VALUE).is_err());
    assert_eq!(
        name.element(tags::LONG_CODE_VALUE).unwrap().to_str().unwrap(),
        "ProcT1/brain_volume_ml"
    );
}

#[test]
fn a_measure_of_any_name_and_without_a_text_is_a_valid_item() {
    let name = "volume\\left\tside";
    let measures = [
        Measure::new("measures.json", "measures.json", name, json!(""), None),
        Measure::new("measures.json", "measures.json", "x\\y", json!(1), None),
    ];
    let tree = report(&measures, &[]).tree();
    let source = source("ISO_IR 192", b"A");
    let document = document(&source, tree);
    let bytes = document.file().unwrap();
    let object = dicom_object::from_reader(&bytes[..]).unwrap();
    let mut seen = 0;
    each_item(&object, &mut |item| {
        for tag in [tags::CODE_VALUE, tags::LONG_CODE_VALUE, tags::TEXT_VALUE] {
            let Ok(element) = item.element(tag) else { continue };
            let text = element.to_str().unwrap();
            assert!(!text.trim().is_empty(), "{tag}");
            if tag != tags::TEXT_VALUE {
                assert!(!text.contains(|c: char| c == '\\' || c.is_control()), "{text:?}");
                seen += usize::from(text.starts_with("ProcT1/"));
            }
        }
    });
    assert_eq!(seen, 2);
}

fn each_item(object: &dicom_object::InMemDicomObject, look: &mut dyn FnMut(&dicom_object::InMemDicomObject)) {
    look(object);
    for element in object {
        element
            .items()
            .unwrap_or_default()
            .iter()
            .for_each(|item| each_item(item, look));
    }
}
