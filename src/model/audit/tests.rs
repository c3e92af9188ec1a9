//! Every kind of event as the XML and the syslog message that a collector gets.

use std::collections::BTreeMap;

use super::*;
use crate::model::Timestamp;

fn source() -> AuditSource {
    AuditSource {
        id: "node-1".into(),
        site: Some("Radiology & more".into()),
        host: "host.example".into(),
        pid: 7,
    }
}

fn event(kind: AuditKind) -> AuditEvent {
    let study = AuditStudy {
        uid: "1.2.3".into(),
        patient_id: "P<1>".into(),
        sop_classes: BTreeMap::from([("1.2.840.10008.5.1.4.1.1.4".into(), 42)]),
    };
    let participants = vec![
        AuditParticipant::ae("SCANNER", Some("192.0.2.1"), AuditRole::Source).asking(),
        AuditParticipant::node(None),
    ];
    let event = AuditEvent {
        at: Timestamp(1_700_000_000_123),
        ..AuditEvent::new(kind, AuditAction::Create, participants)
    };
    let event = event.about(AuditThing::Job, "j1").saying("because \"x\" & y\n");
    if kind.names_a_patient() {
        event.of_study(study)
    } else {
        event
    }
}

#[test]
fn an_event_is_read_back_as_it_was_written() {
    for kind in AuditKind::ALL {
        let json = serde_json::to_string(&event(kind)).unwrap();
        assert_eq!(serde_json::from_str::<AuditEvent>(&json).unwrap(), event(kind));
        assert_eq!(AuditKind::parse(kind.word()), Ok(kind));
        // The word of the column is the word of the document.
        assert!(json.contains(&format!("\"kind\":\"{}\"", kind.word())), "{json}");
    }
    assert!(AuditKind::parse("x").is_err());
}

#[test]
fn every_kind_has_the_codes_of_the_standard() {
    for (kind, id, type_code) in [
        (AuditKind::Started, "110100", "110120"),
        (AuditKind::Stopped, "110100", "110121"),
        (AuditKind::TrailRead, "110101", ""),
        (AuditKind::TransferBegun, "110102", ""),
        (AuditKind::Accessed, "110103", ""),
        (AuditKind::Transferred, "110104", ""),
        (AuditKind::Deleted, "110105", ""),
        (AuditKind::Exported, "110106", ""),
        (AuditKind::Imported, "110107", ""),
        (AuditKind::NodeRefused, "110113", "110126"),
        (AuditKind::RequestRefused, "110113", "110132"),
        (AuditKind::NetworkChanged, "110113", "110128"),
        (AuditKind::SoftwareChanged, "110113", "110131"),
        (AuditKind::TrailPruned, "110113", "110129"),
        (AuditKind::Restored, "110113", "110129"),
    ] {
        let xml = document(&event(kind), &source());
        assert!(
            xml.contains(&format!("<EventID csd-code=\"{id}\" codeSystemName=\"DCM\"")),
            "{xml}"
        );
        let typed = xml.contains("<EventTypeCode");
        assert_eq!(typed, !type_code.is_empty(), "{kind:?}");
        assert!(xml.contains(type_code));
        assert_eq!(xml.contains("Patient Number"), kind.names_a_patient(), "{kind:?}");
    }
}

#[test]
fn what_came_over_an_association_reads_as_the_profile_says() {
    let xml = document(&event(AuditKind::Transferred), &source());
    for part in [
        "<EventIdentification EventActionCode=\"C\" EventDateTime=\"2023-11-14T22:13:20.123Z\" EventOutcomeIndicator=\"0\">",
        "<EventOutcomeDescription>because &quot;x&quot; &amp; y\u{fffd}</EventOutcomeDescription>",
        "<ActiveParticipant UserID=\"SCANNER\" AlternativeUserID=\"AETITLES=SCANNER\" UserIsRequestor=\"true\" \
         NetworkAccessPointID=\"192.0.2.1\" NetworkAccessPointTypeCode=\"2\">\
         <RoleIDCode csd-code=\"110153\" codeSystemName=\"DCM\" originalText=\"Source Role ID\"/></ActiveParticipant>",
        "<ActiveParticipant UserID=\"node-1\" UserIsRequestor=\"false\" NetworkAccessPointID=\"host.example\" \
         NetworkAccessPointTypeCode=\"1\"></ActiveParticipant>",
        "<AuditSourceIdentification AuditEnterpriseSiteID=\"Radiology &amp; more\" AuditSourceID=\"node-1\">",
        "ParticipantObjectID=\"1.2.3\" ParticipantObjectTypeCode=\"2\" ParticipantObjectTypeCodeRole=\"3\">",
        "<SOPClass UID=\"1.2.840.10008.5.1.4.1.1.4\" NumberOfInstances=\"42\"/>",
        "ParticipantObjectID=\"P&lt;1&gt;\" ParticipantObjectTypeCode=\"1\" ParticipantObjectTypeCodeRole=\"1\">",
        "<ParticipantObjectName></ParticipantObjectName>",
    ] {
        assert!(xml.contains(part), "{part}\nnot in\n{xml}");
    }
}

#[test]
fn an_alert_is_executed_and_says_of_each_subject_what_happened() {
    for kind in AuditKind::ALL.into_iter().filter(|kind| kind.is_alert()) {
        let xml = document(&event(kind), &source());
        assert!(xml.contains("EventActionCode=\"E\""), "{xml}");
        assert!(
            xml.contains("type=\"Alert Description\" value=\"YmVjYXVzZSAieCIgJiB5Cg==\"/>"),
            "{xml}"
        );
        let silent = AuditEvent {
            text: None,
            ..event(kind)
        };
        assert!(document(&silent, &source()).contains("Alert Description"));
    }
}

#[test]
fn a_medium_says_what_it_is() {
    let medium = AuditParticipant::medium("ARCHIVE", "https://x/y", AuditRole::DestinationMedia);
    let xml = document(
        &AuditEvent::new(AuditKind::Exported, AuditAction::Read, vec![medium]),
        &source(),
    );
    let part = "NetworkAccessPointTypeCode=\"5\"><RoleIDCode csd-code=\"110154\" codeSystemName=\"DCM\" \
                originalText=\"Destination Media\"/><MediaIdentifier><MediaType csd-code=\"110037\"";
    assert!(xml.contains(part), "{xml}");
}

#[test]
fn the_message_has_the_header_of_the_profile_and_is_counted_in_octets() {
    let text = String::from_utf8(message(&event(AuditKind::Started), &source())).unwrap();
    let begins = "<85>1 2023-11-14T22:13:20.123Z host.example magickbox 7 DICOM+RFC3881 - \u{feff}<?xml ";
    assert!(text.starts_with(begins), "{text}");
    let failed = event(AuditKind::NodeRefused).ended(AuditOutcome::MinorFailure);
    assert!(message(&failed, &source()).starts_with(b"<84>1 "));
    assert_eq!(framed("ä".as_bytes()), "2 ä".as_bytes());
    let odd = AuditSource {
        host: " \n".into(),
        ..source()
    };
    let text = String::from_utf8(message(&event(AuditKind::Started), &odd)).unwrap();
    assert!(text.contains("Z - magickbox"), "{text}");
}

#[test]
fn no_line_break_and_no_quote_of_a_peer_leaves_its_place() {
    let who = AuditParticipant::caller("a\"><x/>\r\n\u{0}\u{ffff}", "::1");
    let event = AuditEvent::new(AuditKind::RequestRefused, AuditAction::Execute, vec![who]);
    let text = String::from_utf8(message(&event, &source())).unwrap();
    assert!(
        !text.contains("<x/>") && !text.contains(['\n', '\r', '\0', '\u{ffff}']),
        "{text}"
    );
}
