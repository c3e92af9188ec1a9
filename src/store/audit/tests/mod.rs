//! The trail for real, in a temporary directory.

mod arrivals;
mod chain;
mod cut_off;
mod failed;
mod given;

use std::collections::BTreeMap;
use std::path::PathBuf;

use rusqlite::params;

use super::super::tests::bucket;
use super::super::*;
use super::*;
use crate::model::{
    AeTitle, AuditAction, AuditKind, AuditOutcome, AuditParticipant, AuditThing, CalledAeTitle,
    CallingAeTitle, DeliveryEvent, JobId, Origin, Priority, Timestamp, Uid,
};

struct Trail {
    _directory: tempfile::TempDir,
    path: PathBuf,
    store: Store,
}

fn trail() -> Trail {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.sqlite");
    let store = Store::open(&path).unwrap();
    store.install_bucket(bucket(), false).wait().unwrap();
    Trail {
        _directory: directory,
        path,
        store,
    }
}

impl Trail {
    fn told(&self) -> Vec<AuditEvent> {
        let filter = AuditFilter {
            limit: 1000,
            ..AuditFilter::default()
        };
        let mut rows = self.store.audit_events(&filter).unwrap();
        rows.sort_by_key(|row| row.id);
        rows.into_iter().map(|row| row.event).collect()
    }

    fn check(&self) -> TrailChecked {
        StoreReader::open(&self.path)
            .unwrap()
            .check_audit_trail(None)
            .unwrap()
    }

    fn sql(&self, sql: &'static str) -> Result<()> {
        self.store.write(move |db| Ok(db.execute_batch(sql)?)).wait()
    }

    /// An association is over, and the store has heard of it.
    fn brought(&self, receipts: Vec<((JobId, String), Receipt)>) {
        self.store.tell_received(&origin(), receipts);
        self.store.write(|_| Ok(())).wait().unwrap();
    }

    /// As somebody with the file in hand would.
    fn by_hand(&self, sql: &'static str) {
        let drop = "DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_deleted;";
        self.sql(drop).unwrap();
        self.sql(sql).unwrap();
    }
}

fn event(kind: AuditKind, at: i64) -> AuditEvent {
    AuditEvent {
        at: Timestamp(at),
        ..AuditEvent::new(
            kind,
            AuditAction::Execute,
            vec![AuditParticipant::caller("anna", "::1")],
        )
    }
}

fn five() -> Trail {
    let trail = trail();
    for at in 1..=5 {
        trail.store.audit(event(AuditKind::Started, at)).wait().unwrap();
    }
    trail
}

fn set() -> NewJob {
    NewJob {
        stream: AeTitle::parse("ProcT1").unwrap(),
        group_key: "1.2".into(),
        calling_ae_title: "SCANNER".into(),
        caller_address: "192.0.2.1".into(),
        study_instance_uid: "1.2".into(),
        priority: Priority::Normal,
    }
}

fn object(number: u8) -> NewInstance {
    let uid = |text: &str| Uid::parse(text.as_bytes()).unwrap();
    NewInstance {
        sop_instance_uid: uid(&format!("1.2.9.{number}")),
        sop_class_uid: uid("1.2.840.10008.5.1.4.1.1.4"),
        transfer_syntax_uid: uid("1.2.840.10008.1.2.1"),
        series_instance_uid: uid("1.2.8"),
        file: format!("{number}"),
        bytes: 1,
        hash: [number; 16],
    }
}

fn origin() -> Origin {
    Origin {
        called: CalledAeTitle(AeTitle::parse("ProcT1").unwrap()),
        calling: CallingAeTitle(AeTitle::parse("SCANNER").unwrap()),
        address: [192, 0, 2, 1].into(),
        association: 3,
    }
}

/// A set with two objects that an association brought; nothing is told of them yet.
fn received(trail: &Trail) -> JobId {
    let job = JobId::generate(Timestamp::now());
    let mark = ReceiptMark {
        association: 3,
        study: "1.2".into(),
        patient_id: "P1".into(),
    };
    let (store, now) = (&trail.store, Timestamp::now());
    store
        .place_first(&job, set(), object(1), now, When::Synced, mark)
        .wait()
        .unwrap();
    store
        .place(&job, set(), object(2), now, When::Lazy)
        .wait()
        .unwrap();
    job
}

fn classes(objects: u64) -> BTreeMap<String, u64> {
    BTreeMap::from([("1.2.840.10008.5.1.4.1.1.4".to_owned(), objects)])
}

#[test]
fn a_change_and_its_event_are_one_step() {
    let trail = trail();
    let job = received(&trail);
    let act = |id: &JobId| {
        let who = vec![AuditParticipant::caller("anna", "::1")];
        let event = AuditEvent::new(AuditKind::Accessed, AuditAction::Update, who);
        Act::new(event.about(AuditThing::Job, id.as_str()))
    };
    let held = act(&job);
    let before = trail.told().len();
    // A set that is arriving is not held: no change, no event.
    let refused = trail.store.acting(&held).release(&job, Timestamp::now()).wait();
    assert!(refused.is_err() && !held.is_told());
    assert_eq!(trail.told().len(), before);
    trail
        .store
        .acting(&held)
        .prioritize(&job, Priority::Urgent)
        .wait()
        .unwrap();
    assert!(held.is_told());
    let told = trail.told();
    let study = told.last().unwrap().study.clone().unwrap();
    assert_eq!((study.uid.as_str(), study.patient_id.as_str()), ("1.2", "P1"));
    assert_eq!(told.len(), before + 1);
}

#[test]
fn an_association_is_told_once_for_each_study_with_what_was_there_apart() {
    let trail = trail();
    let job = received(&trail);
    let receipt = Receipt {
        new: classes(2),
        again: classes(1),
    };
    let receipts = vec![((job.clone(), "1.2".to_owned()), receipt)];
    trail.brought(receipts);
    let told = trail.told();
    let shown: Vec<_> = told
        .iter()
        .map(|e| (e.kind, e.action, e.study.clone().unwrap().sop_classes))
        .collect();
    let expected = [
        (AuditKind::Transferred, AuditAction::Create, classes(2)),
        (AuditKind::Transferred, AuditAction::Read, classes(1)),
    ];
    assert_eq!(shown, expected);
    assert_eq!(told[0].study.clone().unwrap().patient_id, "P1");
    assert_eq!(told[0].participants[0].user, "SCANNER");
    // A start finds nothing that is not told.
    assert_eq!(trail.store.tell_what_was_received().wait().unwrap(), 0);
}

#[test]
fn an_earlier_job_s_patient_is_the_later_one_s() {
    let trail = trail();
    let job = received(&trail);
    let later = JobId::generate(Timestamp::now());
    let (id, from) = (later.to_string(), job.to_string());
    let made = move |db: &Connection| {
        db.execute(
            "INSERT INTO jobs (id, stream, state, group_key, calling_ae_title, caller_address, study_instance_uid, \
             received_at, last_object_at, made_from) VALUES (?1, 'ProcT1', 'done', 'g', 'S', '::1', '1.2', 0, 0, ?2)",
            params![id, from],
        )?;
        Ok(())
    };
    trail.store.write(made).wait().unwrap();
    trail
        .store
        .removal_begins(&later, "30 days old".into())
        .wait()
        .unwrap();
    let looked = event(AuditKind::Accessed, 9).about(AuditThing::Job, later.as_str());
    trail.store.audit(looked).wait().unwrap();
    let last = trail.told().pop().unwrap();
    assert_eq!(last.study.unwrap().patient_id, "P1");
}

#[test]
fn retention_says_what_it_deletes() {
    let trail = trail();
    let job = received(&trail);
    let id = job.to_string();
    let over = move |db: &Connection| {
        db.execute("UPDATE jobs SET state = 'done', ended_at = 1 WHERE id = ?1", [id])?;
        Ok(())
    };
    trail.store.write(over).wait().unwrap();
    assert!(
        trail
            .store
            .removal_begins(&job, "30 days old".into())
            .wait()
            .unwrap()
    );
    let last = trail.told().pop().unwrap();
    assert_eq!(
        (last.kind, last.action),
        (AuditKind::Deleted, AuditAction::Delete)
    );
    assert_eq!(last.text.as_deref(), Some("30 days old"));
    assert_eq!(last.study.unwrap().uid, "1.2");
}

#[test]
fn the_collector_gets_what_it_does_not_have_in_its_order() {
    let trail = five();
    let (rows, backlog) = trail.store.audit_uncollected(2).unwrap();
    assert_eq!(
        (rows.iter().map(|r| r.id).collect::<Vec<_>>(), backlog),
        (vec![1, 2], 5)
    );
    trail.store.audit_collected(2).wait().unwrap();
    let (rows, backlog) = trail.store.audit_uncollected(9).unwrap();
    assert_eq!(
        (rows.iter().map(|r| r.id).collect::<Vec<_>>(), backlog),
        (vec![3, 4, 5], 3)
    );
}

#[test]
fn events_are_found_by_time_kind_study_and_job() {
    let trail = five();
    let job = received(&trail);
    let looked = event(AuditKind::Accessed, 9).about(AuditThing::Job, job.as_str());
    trail.store.audit(looked).wait().unwrap();
    let ids = |filter: AuditFilter| -> Vec<i64> {
        let filter = AuditFilter { limit: 9, ..filter };
        trail
            .store
            .audit_events(&filter)
            .unwrap()
            .iter()
            .map(|r| r.id)
            .collect()
    };
    let none = AuditFilter::default();
    let (since, until) = (Some(Timestamp(2)), Some(Timestamp(4)));
    assert_eq!(
        ids(AuditFilter {
            since,
            until,
            ..none.clone()
        }),
        [3, 2]
    );
    assert_eq!(
        ids(AuditFilter {
            before: Some(2),
            ..none.clone()
        }),
        [1]
    );
    assert_eq!(
        ids(AuditFilter {
            kind: Some(AuditKind::Accessed),
            ..none.clone()
        }),
        [6]
    );
    assert_eq!(
        ids(AuditFilter {
            study: Some("1.2".into()),
            ..none.clone()
        }),
        [6]
    );
    assert_eq!(
        ids(AuditFilter {
            job: Some(job.to_string()),
            ..none
        }),
        [6]
    );
}

#[test]
fn pages_go_on_where_they_end_whatever_the_clock_did() {
    let trail = trail();
    for at in [5, 6, 2, 2, 2, 7, 3] {
        trail.store.audit(event(AuditKind::Accessed, at)).wait().unwrap();
    }
    for kind in [None, Some(AuditKind::Accessed)] {
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let filter = AuditFilter {
                kind,
                before,
                limit: 2,
                ..AuditFilter::default()
            };
            let page = trail.store.audit_events(&filter).unwrap();
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            found.extend(page.iter().map(|row| (row.event.at.0, row.id)));
        }
        let expected = [(7, 6), (6, 2), (5, 1), (3, 7), (2, 5), (2, 4), (2, 3)];
        assert_eq!(found, expected, "{kind:?}");
    }
}

#[test]
fn strangers_are_told_without_anybody_waiting() {
    let trail = trail();
    for _ in 0..30 {
        let alert = event(AuditKind::RequestRefused, 1).ended(AuditOutcome::MinorFailure);
        trail.store.note_alert(alert);
    }
    trail.store.close();
    let store = Store::open(&trail.path).unwrap();
    let rows = store
        .audit_events(&AuditFilter {
            limit: 99,
            ..AuditFilter::default()
        })
        .unwrap();
    assert_eq!(
        rows.len(),
        11,
        "ten, and the last that says how many were left out"
    );
    let last = rows.iter().max_by_key(|row| row.id).unwrap();
    assert!(last.event.text.clone().unwrap().contains("19 more before it"));
}

#[test]
fn a_second_deletion_of_a_job_is_no_deletion() {
    let trail = trail();
    let job = received(&trail);
    let at = Timestamp::now();
    trail
        .sql("UPDATE jobs SET state = 'done', queued_at = 1, ended_at = 1")
        .unwrap();
    let deleted = |job: &JobId| {
        let about = event(AuditKind::Deleted, 1).about(AuditThing::Job, job.as_str());
        let act = Act::new(about);
        let store = trail.store.acting(&act);
        store.delete(job, "anna".into(), at).wait().unwrap();
    };
    deleted(&job);
    deleted(&job);
    let told = trail.told();
    assert_eq!(told.iter().filter(|e| e.kind == AuditKind::Deleted).count(), 1);
}

#[test]
fn what_goes_already_is_not_deleted_once_more_with_its_bucket() {
    let trail = trail();
    let job = received(&trail);
    trail
        .sql("UPDATE jobs SET state = 'done', ended_at = 1, removed_why = 'by age'")
        .unwrap();
    let stream = AeTitle::parse("ProcT1").unwrap();
    let gone = move |db: &Connection| retention::removed_with_bucket(db, &stream, Timestamp(2));
    trail.store.write(gone).wait().unwrap();
    assert_eq!(trail.told(), [], "{job} was told when it began to go");
}
