//! What the response to a STOW-RS request means for each object (PS3.18 §10.5.3).

use std::collections::HashMap;

use serde_json::Value;

use crate::delivery::sender::Said;
use crate::dicom::status::Status;

/// Attributes of the response, as DICOM JSON names them.
const FAILED: &str = "00081198";
const REFERENCED: &str = "00081199";
const INSTANCE: &str = "00081155";
const WARNING_REASON: &str = "00081196";
const FAILURE_REASON: &str = "00081197";

/// What a response means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It says something of each object, in the order of the request.
    Each(Vec<Said>),
    /// It says no to the request, by the fault of one object or of how many they are.
    Batch,
    /// It says no to us.
    Refused,
    /// It says no for the moment.
    Busy,
}

/// The meaning of a response with this status and body, to a request with these objects.
pub(super) fn of(status: u16, body: &str, uids: &[&str]) -> Meaning {
    let said = parse(body);
    match status {
        200 | 202 => Meaning::Each(uids.iter().map(|uid| one(&said, uid, status)).collect()),
        409 if !said.is_empty() => Meaning::Each(uids.iter().map(|uid| one(&said, uid, status)).collect()),
        // Not acceptable, not well formed, too large, of no supported type, not processable.
        400 | 406 | 409 | 413 | 415 | 422 => Meaning::Batch,
        408 | 425 | 429 | 500 | 502..=504 | 507 | 509 => Meaning::Busy,
        _ => Meaning::Refused,
    }
}

/// Whether each of these objects is told to be stored.
#[cfg(feature = "fuzzing")]
pub fn told(status: u16, body: &str, uids: &[&str]) -> Option<Vec<bool>> {
    use crate::dicom::status::StatusClass;
    let stored = |said: &Said| match said {
        Said::Status(status, _) => !matches!(status.class(), StatusClass::Transient | StatusClass::Refused),
        Said::Refused(_) | Said::Later(_) => false,
    };
    match of(status, body, uids) {
        Meaning::Each(all) => Some(all.iter().map(stored).collect()),
        Meaning::Batch | Meaning::Refused | Meaning::Busy => None,
    }
}

/// What is said of one object. One that is not named is not taken for stored, whatever the status: there are servers that
/// answer 200 and have dropped a part that they did not understand.
fn one(said: &HashMap<String, Said>, uid: &str, status: u16) -> Said {
    let unnamed = || match status {
        409 => Said::Refused("the server refused a batch and does not say of this object why".to_owned()),
        _ => Said::Later(format!(
            "the server answered {status} and does not say that it has stored this object"
        )),
    };
    said.get(uid).cloned().unwrap_or_else(unnamed)
}

/// What the body says of objects, by SOP Instance UID.
fn parse(body: &str) -> HashMap<String, Said> {
    let document: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    // Some servers put the one data set into a list.
    let document = match &document {
        Value::Array(list) => list.first().unwrap_or(&Value::Null),
        other => other,
    };
    let mut said = HashMap::new();
    for item in items(document, REFERENCED) {
        let warning = first(item, WARNING_REASON).and_then(number).unwrap_or(0);
        insert(&mut said, item, warning);
    }
    // What failed last counts: an object is told stored only where nothing else is said of it.
    for item in items(document, FAILED) {
        let reason = first(item, FAILURE_REASON).and_then(number);
        // 0 is no reason.
        insert(&mut said, item, reason.filter(|r| *r != 0).unwrap_or(0x0110));
    }
    said
}

fn insert(said: &mut HashMap<String, Said>, item: &Value, status: u16) {
    if let Some(uid) = first(item, INSTANCE).and_then(Value::as_str) {
        let uid = uid.trim_end_matches(['\0', ' ']).to_owned();
        said.insert(uid, Said::Status(Status(status), None));
    }
}

fn items<'v>(document: &'v Value, tag: &str) -> impl Iterator<Item = &'v Value> {
    let values = document.get(tag).and_then(|element| element.get("Value"));
    values.and_then(Value::as_array).into_iter().flatten()
}

fn first<'v>(item: &'v Value, tag: &str) -> Option<&'v Value> {
    item.get(tag)?.get("Value")?.as_array()?.first()
}

/// A number; some servers write numbers as text.
fn number(value: &Value) -> Option<u16> {
    let number = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())?;
    u16::try_from(number).ok()
}

/// What an HTTP status asks of people.
pub(super) const fn advice(status: u16) -> &'static str {
    match status {
        300..=399 => "it is somewhere else: give the URL it sends to as url",
        400 => "it does not understand the request",
        401 => "it wants to know who asks: give a token or a certificate that it knows",
        403 => "who asks is known and may not store: have the token or certificate allowed to",
        404 | 405 | 501 => "nothing is stored at that URL: give the one that has /studies below it as url",
        406 => "it does not answer in DICOM JSON",
        408 | 504 => "it waited too long",
        409 => "it refuses the object",
        413 => "it takes no request that large",
        415 => "it takes no objects of that transfer syntax",
        422 => "it cannot process the object",
        429 | 503 => "it is busy",
        507 => "it has no room",
        500..=599 => "it failed",
        _ => "an answer that STOW-RS does not know",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UIDS: [&str; 3] = ["1.1", "1.2", "1.3"];

    fn each(status: u16, body: &Value) -> Vec<Said> {
        match of(status, &body.to_string(), &UIDS) {
            Meaning::Each(said) => said,
            other => panic!("{other:?}"),
        }
    }

    fn status(code: u16) -> Said {
        Said::Status(Status(code), None)
    }

    #[test]
    fn each_object_has_what_the_response_says_of_it() {
        let body = serde_json::json!({
            "00081199": { "vr": "SQ", "Value": [
                { "00081155": { "vr": "UI", "Value": ["1.1"] } },
                { "00081155": { "vr": "UI", "Value": ["1.2"] }, "00081196": { "vr": "US", "Value": [45056] } },
            ] },
            "00081198": { "vr": "SQ", "Value": [
                { "00081155": { "vr": "UI", "Value": ["1.3"] }, "00081197": { "vr": "US", "Value": ["42752"] } },
            ] },
        });
        let expected = [status(0), status(0xB000), status(0xA700)];
        assert_eq!(each(202, &body), expected);
        assert_eq!(each(409, &body), expected);
        assert_eq!(each(200, &serde_json::json!([body])), expected);
    }

    #[test]
    fn an_object_that_is_not_named_is_never_taken_for_stored() {
        for code in [200, 202] {
            let said = each(code, &serde_json::json!({}));
            assert!(said.iter().all(|said| matches!(said, Said::Later(_))), "{said:?}");
        }
        let html = of(200, "<html>", &UIDS);
        assert!(matches!(html, Meaning::Each(said) if said.iter().all(|s| matches!(s, Said::Later(_)))));
        let one = serde_json::json!({ "00081198": { "Value": [{ "00081155": { "Value": ["1.1"] } }] } });
        let said = each(409, &one);
        assert_eq!(said.first(), Some(&status(0x0110)));
        assert!(said.iter().skip(1).all(|said| matches!(said, Said::Refused(_))));
        assert_eq!(of(409, "", &UIDS), Meaning::Batch);
    }

    #[test]
    fn every_status_has_its_meaning() {
        for (status, meaning) in [
            (301, Meaning::Refused),
            (400, Meaning::Batch),
            (401, Meaning::Refused),
            (403, Meaning::Refused),
            (404, Meaning::Refused),
            (408, Meaning::Busy),
            (413, Meaning::Batch),
            (415, Meaning::Batch),
            (429, Meaning::Busy),
            (500, Meaning::Busy),
            (501, Meaning::Refused),
            (503, Meaning::Busy),
            (507, Meaning::Busy),
        ] {
            assert_eq!(of(status, "", &UIDS), meaning, "{status}");
        }
    }
}
