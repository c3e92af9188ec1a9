//! What peers cause: transfers that failed, strangers; told, and never more than there is room for.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::*;
use crate::model::{AssociationEnd, AssociationOutcome, FailedObjects};

const MR: &str = "1.2.840.10008.5.1.4.1.1.4";

fn end(failed: Vec<FailedObjects>) -> AssociationEnd {
    AssociationEnd {
        at: Timestamp::now(),
        association: 1,
        address: IpAddr::from([192, 0, 2, 1]),
        calling: Some("SCANNER".into()),
        called: Some("ProcT1".into()),
        tls: false,
        stranger: false,
        outcome: AssociationOutcome::ObjectsRefused,
        reason: String::new(),
        stored: 1,
        refused: 3,
        last_refusal: None,
        bytes: 3,
        failed,
    }
}

fn failed(study: Option<&str>, statuses: &[(u16, u64)]) -> FailedObjects {
    let uid = |text: &str| Uid::parse(text.as_bytes()).unwrap();
    FailedObjects {
        sop_classes: BTreeMap::from([(uid(MR), statuses.iter().map(|(_, n)| n).sum())]),
        statuses: statuses.iter().copied().collect(),
        ..FailedObjects::of(study.map(|study| (uid(study), "P1".to_owned())))
    }
}

/// The trail once nothing more comes.
fn closed(trail: &Trail) -> Vec<AuditEvent> {
    trail.store.close();
    let store = Store::open(&trail.path).unwrap();
    let filter = AuditFilter {
        limit: 10_000,
        ..AuditFilter::default()
    };
    let mut rows = store.audit_events(&filter).unwrap();
    rows.sort_by_key(|row| row.id);
    rows.into_iter().map(|row| row.event).collect()
}

#[test]
fn what_was_refused_is_told_for_each_study_with_its_statuses() {
    let trail = trail();
    let of = [
        failed(Some("1.7"), &[(0xA700, 2)]),
        failed(None, &[(0x0122, 1), (0xC000, 2)]),
    ];
    trail.store.note_association(end(of.to_vec()));
    let events = closed(&trail);
    let shown: Vec<_> = events
        .iter()
        .map(|e| {
            let study = e.study.clone().unwrap();
            assert_eq!((e.kind, e.action), (AuditKind::Transferred, AuditAction::Create));
            (e.outcome, study.uid, study.patient_id, e.text.clone().unwrap())
        })
        .collect();
    let (minor, serious) = (AuditOutcome::MinorFailure, AuditOutcome::SeriousFailure);
    assert_eq!(
        shown,
        [
            (
                minor,
                "1.7".to_owned(),
                "P1".to_owned(),
                "2 answered A700".to_owned()
            ),
            (
                serious,
                String::new(),
                String::new(),
                "1 answered 0122, 2 answered C000".to_owned()
            ),
        ]
    );
    assert_eq!(events[0].participants[0].user, "SCANNER");
    assert_eq!(events[0].study.as_ref().unwrap().sop_classes[MR], 2);
}

#[test]
fn an_association_that_breaks_tells_how_and_nothing_that_the_peer_said() {
    let trail = trail();
    let cut_off = FailedObjects {
        cut_off: 1,
        ..failed(Some("1.7"), &[])
    };
    trail.store.note_association(AssociationEnd {
        outcome: AssociationOutcome::Aborted,
        reason: "whatever".into(),
        ..end(vec![cut_off])
    });
    let events = closed(&trail);
    let text = events[0].text.clone().unwrap();
    assert!(
        text.starts_with("1 cut off, the association ended otherwise than by a release (aborted)"),
        "{text}"
    );
    assert!(!text.contains("whatever"), "{text}");
    assert_eq!(events[0].outcome, AuditOutcome::MinorFailure);
}

#[test]
fn a_sender_that_fails_in_association_after_association_has_some_events_and_a_number() {
    let trail = trail();
    for _ in 0..300 {
        trail
            .store
            .note_association(end(vec![failed(Some("1.7"), &[(0xA900, 1)])]));
    }
    let events = closed(&trail);
    assert_eq!(events.len(), 51);
    let text = events[50].text.clone().unwrap();
    assert_eq!(
        text,
        "1 answered A900; 249 more before it came too fast to be written"
    );
}

#[test]
fn what_of_strangers_was_left_out_is_told_when_nothing_more_comes() {
    let trail = trail();
    for n in 0..400 {
        trail.store.note_association(AssociationEnd {
            stranger: true,
            calling: Some(format!("X{n}")),
            ..end(Vec::new())
        });
    }
    trail.store.note_association(AssociationEnd {
        stranger: true,
        address: IpAddr::from([192, 0, 2, 2]),
        ..end(Vec::new())
    });
    let events = closed(&trail);
    assert_eq!(events.len(), 51, "50 of one address, and the other one");
    let texts: Vec<_> = events.iter().flat_map(|e| e.text.clone()).collect();
    let told = |n: &str| texts.iter().filter(|text| text.contains(n)).count();
    assert_eq!(told("350 more"), 1, "{texts:#?}");
    let trail = self::trail();
    for _ in 0..40 {
        trail.store.note_association(AssociationEnd {
            stranger: true,
            ..end(Vec::new())
        });
    }
    let events = closed(&trail);
    assert_eq!(events.len(), 11);
    assert!(
        events[10].text.clone().unwrap().contains("29 more before it"),
        "{events:#?}"
    );
}
