//! An event as the XML of PS3.15 §A.5.1.
//!
//! The schema allows few shapes, so they are written out here; what a peer had a say in goes through [`escaped`].

use std::fmt::Write;
use std::net::IpAddr;

use super::{
    AuditAction, AuditCode, AuditEvent, AuditObject, AuditParticipant, AuditSource, AuditStudy, AuditThing,
};

/// Of a participant object (CID 404).
const NODE_ID: AuditCode = AuditCode("110182", "Node ID");

/// The whole document, without a line break.
#[must_use]
pub fn document(event: &AuditEvent, source: &AuditSource) -> String {
    let mut x = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?><AuditMessage>");
    identification(&mut x, event);
    for participant in &event.participants {
        active(&mut x, participant, source);
    }
    origin(&mut x, source);
    if let Some(study) = &event.study {
        objects_of_study(&mut x, study);
    }
    for object in &event.objects {
        thing(&mut x, object, alert(event), source);
    }
    x.push_str("</AuditMessage>");
    x
}

/// What each subject of a Security Alert has to say (§A.5.3.11).
fn alert(event: &AuditEvent) -> Option<&str> {
    let kind = event.kind.event_type().filter(|_| event.kind.is_alert())?;
    Some(event.text.as_deref().unwrap_or(kind.1))
}

fn identification(x: &mut String, event: &AuditEvent) {
    // An alert is always executed (§A.5.3.11), whatever was done to what it is about.
    let action = if event.kind.is_alert() {
        AuditAction::Execute
    } else {
        event.action
    };
    x.push_str("<EventIdentification");
    attribute(x, "EventActionCode", action.code());
    attribute(x, "EventDateTime", &event.at.to_rfc3339());
    attribute(x, "EventOutcomeIndicator", event.outcome.code());
    x.push('>');
    coded(x, "EventID", event.kind.event_id());
    if let Some(code) = event.kind.event_type() {
        coded(x, "EventTypeCode", code);
    }
    if let Some(text) = &event.text {
        let _ = write!(
            x,
            "<EventOutcomeDescription>{}</EventOutcomeDescription>",
            escaped(text)
        );
    }
    x.push_str("</EventIdentification>");
}

fn active(x: &mut String, who: &AuditParticipant, source: &AuditSource) {
    let own = who.is_node();
    x.push_str("<ActiveParticipant");
    attribute(x, "UserID", if own { &source.id } else { &who.user });
    if let Some(title) = &who.ae_title {
        // PS3.15 §A.5.2.2
        attribute(x, "AlternativeUserID", &format!("AETITLES={title}"));
    }
    attribute(x, "UserIsRequestor", if who.requestor { "true" } else { "false" });
    let address = who.address.as_deref().or(own.then_some(source.host.as_str()));
    if let Some(address) = address {
        attribute(x, "NetworkAccessPointID", address);
        attribute(x, "NetworkAccessPointTypeCode", access_point(address));
    }
    x.push('>');
    if let Some(role) = who.role {
        coded(x, "RoleIDCode", role.code());
        if let Some(medium) = role.medium() {
            x.push_str("<MediaIdentifier>");
            coded(x, "MediaType", medium);
            x.push_str("</MediaIdentifier>");
        }
    }
    x.push_str("</ActiveParticipant>");
}

/// 2: an IP address, 5: a URI, 1: the name of a machine.
fn access_point(address: &str) -> &'static str {
    if address.parse::<IpAddr>().is_ok() {
        "2"
    } else if address.contains("://") || address.starts_with('/') {
        "5"
    } else {
        "1"
    }
}

fn origin(x: &mut String, source: &AuditSource) {
    x.push_str("<AuditSourceIdentification");
    if let Some(site) = &source.site {
        attribute(x, "AuditEnterpriseSiteID", site);
    }
    attribute(x, "AuditSourceID", &source.id);
    // An application server process (§A.5.1.2.1).
    x.push_str("><AuditSourceTypeCode csd-code=\"4\"/></AuditSourceIdentification>");
}

/// The study, and the patient that it is of.
fn objects_of_study(x: &mut String, study: &AuditStudy) {
    begin_object(x, &study.uid, "2", Some("3"));
    coded(
        x,
        "ParticipantObjectIDTypeCode",
        AuditCode("110180", "Study Instance UID"),
    );
    name(x, "");
    if !study.sop_classes.is_empty() {
        x.push_str("<ParticipantObjectDescription>");
        for (class, objects) in &study.sop_classes {
            x.push_str("<SOPClass");
            attribute(x, "UID", class);
            attribute(x, "NumberOfInstances", &objects.to_string());
            x.push_str("/>");
        }
        x.push_str("</ParticipantObjectDescription>");
    }
    x.push_str("</ParticipantObjectIdentification>");
    begin_object(x, &study.patient_id, "1", Some("1"));
    typed(x, "2", "Patient Number");
    // The profile asks for the ID, not for the name.
    name(x, "");
    x.push_str("</ParticipantObjectIdentification>");
}

fn thing(x: &mut String, object: &AuditObject, alert: Option<&str>, source: &AuditSource) {
    match object.what {
        AuditThing::Job => {
            begin_object(x, &object.name, "2", Some("20"));
            typed(x, "9", "Report Number");
            name(x, "job");
        }
        AuditThing::Bucket => {
            begin_object(x, &object.name, "2", Some("21"));
            typed(x, "8", "Report Name");
            name(x, "bucket");
        }
        AuditThing::Request => {
            begin_object(x, &object.name, "2", Some("13"));
            typed(x, "12", "URI");
            name(x, "request");
        }
        AuditThing::Called => {
            // A node is named by an address, or as name@domain (§A.5.3.11): this one is ours, as the peer called it.
            begin_object(x, &format!("{}@{}", object.name, source.host), "2", Some("13"));
            coded(x, "ParticipantObjectIDTypeCode", NODE_ID);
            name(x, "called AE title");
        }
        AuditThing::Node => {
            begin_object(x, &object.name, "2", Some("13"));
            coded(x, "ParticipantObjectIDTypeCode", NODE_ID);
            name(x, "node");
        }
        AuditThing::Trail => {
            begin_object(x, &object.name, "2", Some("13"));
            typed(x, "12", "URI");
            name(x, "Security Audit Log");
        }
    }
    if let Some(text) = alert {
        x.push_str("<ParticipantObjectDetail");
        attribute(x, "type", "Alert Description");
        attribute(x, "value", &base64(text.as_bytes()));
        x.push_str("/>");
    }
    x.push_str("</ParticipantObjectIdentification>");
}

fn begin_object(x: &mut String, id: &str, kind: &str, role: Option<&str>) {
    x.push_str("<ParticipantObjectIdentification");
    attribute(x, "ParticipantObjectID", id);
    attribute(x, "ParticipantObjectTypeCode", kind);
    if let Some(role) = role {
        attribute(x, "ParticipantObjectTypeCodeRole", role);
    }
    x.push('>');
}

/// One of the numbers of §A.5.1.2.4.
fn typed(x: &mut String, code: &str, meaning: &str) {
    code_element(x, "ParticipantObjectIDTypeCode", code, "RFC-3881", meaning);
}

fn name(x: &mut String, text: &str) {
    let _ = write!(
        x,
        "<ParticipantObjectName>{}</ParticipantObjectName>",
        escaped(text)
    );
}

fn coded(x: &mut String, element: &str, AuditCode(value, meaning): AuditCode) {
    code_element(x, element, value, "DCM", meaning);
}

fn code_element(x: &mut String, element: &str, code: &str, system: &str, meaning: &str) {
    x.push('<');
    x.push_str(element);
    attribute(x, "csd-code", code);
    attribute(x, "codeSystemName", system);
    attribute(x, "originalText", meaning);
    x.push_str("/>");
}

fn attribute(x: &mut String, name: &str, value: &str) {
    let _ = write!(x, " {name}=\"{}\"", escaped(value));
}

/// Text as it may stand in an element or an attribute; what XML 1.0 has no place for becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            // Line breaks too: a collector may take them for the end of a message.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// RFC 4648 §4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = usize::try_from(group >> (18 - 6 * place) & 63).unwrap_or(0);
            let padded = place > chunk.len();
            let c = if padded {
                b'='
            } else {
                DIGITS.get(digit).copied().unwrap_or(b'=')
            };
            out.push(char::from(c));
        }
    }
    out
}
