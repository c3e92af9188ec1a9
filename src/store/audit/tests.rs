//! The trail for real, in a temporary directory.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rusqlite::params;

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
    let bucket = BucketRow {
        ae_title: AeTitle::parse("ProcT1").unwrap(),
        image: "t1".into(),
        digest: "sha256:0".into(),
        info: serde_json::json!({ "AETitle": "ProcT1" }),
        has_plugin: true,
        installed_at: Timestamp(1),
    };
    store.install_bucket(bucket, false).wait().unwrap();
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
        rows.reverse();
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
fn rows_are_neither_changed_nor_deleted() {
    let trail = five();
    for sql in [
        "UPDATE audit SET event = '{}' WHERE id = 2",
        "DELETE FROM audit WHERE id = 2",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit (id, at, kind, event, hash) VALUES (2, 0, 'started', '{}', x'00')",
        "INSERT INTO audit_pruned VALUES (1, 0, x'00'); UPDATE audit_pruned SET upto = 9",
    ] {
        let refused = trail.sql(sql).unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{sql}: {refused}");
    }
    let checked = trail.check();
    assert_eq!((checked.rows, checked.breaks), (5, None));
}

#[test]
fn what_is_changed_by_hand_is_found() {
    for (sql, expected) in [
        (
            "UPDATE audit SET event = replace(event, 'anna', 'bert') WHERE id = 3",
            TrailBreak::Changed(3),
        ),
        (
            "UPDATE audit SET kind = 'stopped' WHERE id = 3",
            TrailBreak::Changed(3),
        ),
        ("UPDATE audit SET job = 'x' WHERE id = 3", TrailBreak::Changed(3)),
        ("UPDATE audit SET at = 9 WHERE id = 3", TrailBreak::Changed(3)),
        (
            "UPDATE audit SET hash = x'00' WHERE id = 3",
            TrailBreak::Changed(3),
        ),
        ("DELETE FROM audit WHERE id = 3", TrailBreak::Missing(4)),
        ("DELETE FROM audit WHERE id = 1", TrailBreak::Missing(2)),
        (
            "DELETE FROM audit WHERE id = 5",
            TrailBreak::CutOff { found: 4, given: 5 },
        ),
        (
            "INSERT INTO audit_pruned SELECT id, 0, hash FROM audit WHERE id = 2; DELETE FROM audit WHERE id < 3",
            TrailBreak::Pruned(2),
        ),
    ] {
        let trail = five();
        trail.by_hand(sql);
        assert_eq!(trail.check().breaks, Some(expected), "{sql}");
    }
}

#[test]
fn an_end_that_was_cut_off_is_found_after_more_was_written() {
    let trail = five();
    trail.by_hand("DELETE FROM audit WHERE id = 5");
    trail.store.audit(event(AuditKind::Started, 6)).wait().unwrap();
    assert_eq!(trail.check().breaks, Some(TrailBreak::Missing(6)));
}

#[test]
fn what_is_old_goes_and_the_rest_can_still_be_checked() {
    let trail = five();
    assert_eq!(trail.store.audit_prune(Timestamp(4), false).wait().unwrap(), 3);
    let checked = trail.check();
    assert_eq!((checked.pruned, checked.rows, checked.breaks), (3, 3, None));
    let told = trail.told();
    assert_eq!(told.last().unwrap().kind, AuditKind::TrailPruned);
    assert_eq!(told[0].at, Timestamp(4));
    assert_eq!(trail.store.audit_prune(Timestamp(4), false).wait().unwrap(), 0);
    // What the collector does not have stays.
    assert_eq!(trail.store.audit_prune(Timestamp(6), true).wait().unwrap(), 0);
    trail.store.audit_collected(4).wait().unwrap();
    assert_eq!(trail.store.audit_prune(Timestamp(6), true).wait().unwrap(), 1);
    assert_eq!(trail.check().breaks, None);
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
fn what_a_crash_kept_from_being_told_is_told_at_the_next_start() {
    let trail = trail();
    let job = received(&trail);
    let receipt = Receipt {
        new: classes(1),
        ..Receipt::default()
    };
    // One association told of one object, another died with the node.
    let receipts = vec![((job.clone(), "1.2".to_owned()), receipt)];
    trail.brought(receipts);
    let Trail {
        _directory,
        path,
        store,
    } = trail;
    store.close();
    let store = Store::open(&path).unwrap();
    let trail = Trail {
        _directory,
        path,
        store,
    };
    assert_eq!(trail.store.tell_what_was_received().wait().unwrap(), 1);
    let last = trail.told().pop().unwrap();
    assert_eq!(last.study.unwrap().sop_classes, classes(1));
    assert!(last.text.unwrap().contains("counted at the start"));
    assert_eq!(trail.store.tell_what_was_received().wait().unwrap(), 0);
    assert_eq!(trail.check().breaks, None);
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
    assert_eq!(rows.len(), 10);
}

#[test]
fn what_was_written_down_shows_a_trail_that_was_made_anew() {
    let trail = five();
    let (id, hash) = trail.check().last.unwrap();
    trail.store.audit(event(AuditKind::Stopped, 6)).wait().unwrap();
    let check = |id, hash: &str| {
        let reader = StoreReader::open(&trail.path).unwrap();
        reader.check_audit_trail(Some((id, hash))).unwrap().breaks
    };
    assert_eq!(check(id, &hash), None);
    assert_eq!(check(id - 1, &hash), Some(TrailBreak::Another(4)));
    assert_eq!(check(99, &hash), Some(TrailBreak::Another(99)));
    trail.store.audit_prune(Timestamp(6), false).wait().unwrap();
    assert_eq!((check(id, &hash), check(3, "x")), (None, None));
    assert_eq!(check(id, "x"), Some(TrailBreak::Another(5)));
}

#[test]
fn an_event_that_is_refused_was_not_told() {
    let trail = five();
    trail
        .sql("CREATE TRIGGER no BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END")
        .unwrap();
    let act = Act::new(event(AuditKind::Accessed, 6));
    assert!(trail.store.acting(&act).hold(&received(&trail)).wait().is_err());
    assert!(!act.is_told());
}

#[test]
fn a_start_after_a_crash_says_so() {
    let trail = trail();
    let start = || {
        trail
            .store
            .audit_start(event(AuditKind::Started, 1))
            .wait()
            .unwrap()
    };
    start();
    start();
    trail.store.note_alert(event(AuditKind::RequestRefused, 2));
    trail.store.audit_stop(event(AuditKind::Stopped, 3)).unwrap();
    start();
    let told = trail.told();
    let texts: Vec<_> = told.iter().map(|e| (e.kind, e.text.is_some())).collect();
    assert_eq!(
        texts,
        [
            (AuditKind::Started, false),
            (AuditKind::Started, true),
            (AuditKind::RequestRefused, false),
            (AuditKind::Stopped, false),
            (AuditKind::Started, false),
        ]
    );
}

#[test]
fn a_clock_that_was_set_back_hides_nothing_that_was_received() {
    let trail = trail();
    let job = received(&trail);
    let earlier = Timestamp(Timestamp::now().0 - 3_600_000);
    trail
        .store
        .place(&job, set(), object(3), earlier, When::Synced)
        .wait()
        .unwrap();
    trail.store.tell_what_was_received().wait().unwrap();
    assert_eq!(trail.told()[0].study.as_ref().unwrap().sop_classes, classes(3));
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

/// A delivery of three objects, of which one has arrived.
fn delivery(trail: &Trail, job: &JobId) {
    trail
        .sql(
            "UPDATE jobs SET state = 'delivering';
             INSERT INTO deliveries (id, job, destination, route, direction, state, created_at, gate)
             VALUES (1, (SELECT max(seq) FROM jobs), 'PACS', 'r', 'output', 'sending', 1, 'off');
             INSERT INTO delivery_instances (delivery, file, sop_class_uid, sop_instance_uid, transfer_syntax_uid, state)
             VALUES (1, 'a', '1.2.840.10008.5.1.4.1.1.4', '1', '2', 'sent'),
                    (1, 'b', '1.2.840.10008.5.1.4.1.1.4', '2', '2', 'waiting'),
                    (1, 'c', '1.2.840.10008.5.1.4.1.1.4', '3', '2', 'waiting')",
        )
        .unwrap();
    assert_eq!(trail.store.deliveries(job).unwrap().len(), 1);
}

/// How many objects each event says have arrived at the PACS.
fn arrived(trail: &Trail) -> Vec<u64> {
    let told = trail.told().into_iter();
    let of = |e: &AuditEvent| e.kind == AuditKind::Transferred && e.outcome == AuditOutcome::Success;
    told.filter(of)
        .map(|e| e.study.unwrap().sop_classes.values().sum())
        .collect()
}

#[test]
fn what_was_sent_before_a_delivery_was_cancelled_is_told() {
    let trail = trail();
    let job = received(&trail);
    delivery(&trail, &job);
    let sent = trail.store.deliveries(&job).unwrap().remove(0);
    trail
        .store
        .cancel(&job, "x".into(), Timestamp::now())
        .wait()
        .unwrap();
    assert_eq!(arrived(&trail), [1]);
    // What was on its way then arrives.
    trail
        .sql("UPDATE delivery_instances SET state = 'sent' WHERE file = 'b'")
        .unwrap();
    let ends = |event| {
        trail
            .store
            .delivery_ends(&sent, event, None, None, Timestamp::now())
    };
    ends(DeliveryEvent::Accepted).wait().unwrap();
    assert_eq!(arrived(&trail), [1, 1]);
    // And what a crash kept from being told is told by the next start.
    trail
        .sql("UPDATE delivery_instances SET state = 'sent' WHERE file = 'c'")
        .unwrap();
    trail.sql("DELETE FROM audit_receiving").unwrap();
    trail.store.tell_what_was_received().wait().unwrap();
    trail.store.tell_what_was_received().wait().unwrap();
    assert_eq!(arrived(&trail), [1, 1, 1]);
}

#[test]
fn each_arrival_is_told_once_however_often_a_delivery_is_tried() {
    let trail = trail();
    let job = received(&trail);
    delivery(&trail, &job);
    let sent = trail.store.deliveries(&job).unwrap().remove(0);
    let ends = |event| {
        trail
            .store
            .delivery_ends(&sent, event, None, None, Timestamp::now())
    };
    ends(DeliveryEvent::GaveUp).wait().unwrap();
    assert_eq!(arrived(&trail), [1]);
    trail
        .sql("UPDATE deliveries SET state = 'sending'; UPDATE delivery_instances SET state = 'sent'")
        .unwrap();
    ends(DeliveryEvent::Accepted).wait().unwrap();
    assert_eq!(arrived(&trail), [1, 2]);
}

#[test]
fn of_a_job_with_several_studies_each_has_its_event() {
    let trail = trail();
    let job = received(&trail);
    let mark = ReceiptMark {
        association: 3,
        study: "1.3".into(),
        patient_id: "P1".into(),
    };
    let now = Timestamp::now();
    trail
        .store
        .place_first(&job, set(), object(3), now, When::Synced, mark)
        .wait()
        .unwrap();
    trail.store.tell_what_was_received().wait().unwrap();
    let told: Vec<_> = trail.told().into_iter().map(|e| e.study.unwrap()).collect();
    let shown: Vec<_> = told
        .iter()
        .map(|s| (s.uid.as_str(), s.sop_classes.len()))
        .collect();
    assert_eq!(shown, [("1.2", 1), ("1.3", 0)]);
    assert_eq!(told[0].sop_classes, classes(3));
    trail.store.tell_what_was_received().wait().unwrap();
    assert_eq!(trail.told().len(), 2);
}

#[test]
fn what_was_begun_outside_the_store_is_told_once_whatever_happens() {
    let trail = trail();
    let begin = |at| {
        let event = event(AuditKind::NetworkChanged, at);
        (trail.store.audit_begin(&event).wait().unwrap(), event)
    };
    let ((first, done), _) = (begin(1), begin(2));
    trail.store.audit_end(first, done).wait().unwrap();
    // A start after the node was killed within the second.
    trail.store.tell_what_was_received().wait().unwrap();
    trail.store.tell_what_was_received().wait().unwrap();
    let told: Vec<_> = trail.told().iter().map(|e| (e.at.0, e.outcome)).collect();
    assert_eq!(
        told,
        [(1, AuditOutcome::Success), (2, AuditOutcome::SeriousFailure)]
    );
}

#[test]
fn a_trail_that_is_written_meanwhile_is_whole() {
    let trail = trail();
    let many = |db: &Connection| (0..2000).try_for_each(|at| append(db, &event(AuditKind::Started, at)));
    trail.store.write(many).wait().unwrap();
    let store = trail.store.clone();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = stop.clone();
    let writer = std::thread::spawn(move || {
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            store.audit(event(AuditKind::Accessed, 6)).wait().unwrap();
        }
    });
    let breaks: Vec<_> = (0..5).filter_map(|_| trail.check().breaks).collect();
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    writer.join().unwrap();
    assert_eq!(breaks, []);
}

#[test]
fn what_the_store_refuses_to_tell_is_told_with_a_later_association() {
    let trail = trail();
    let job = received(&trail);
    let receipt = Receipt {
        new: classes(2),
        ..Receipt::default()
    };
    trail
        .sql("CREATE TRIGGER no BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END")
        .unwrap();
    trail.brought(vec![((job.clone(), "1.2".to_owned()), receipt)]);
    assert_eq!(trail.told(), []);
    trail.sql("DROP TRIGGER no").unwrap();
    for _ in 0..2 {
        trail.brought(Vec::new());
        let told = trail.told();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].study.as_ref().unwrap().sop_classes, classes(2));
    }
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

#[test]
fn a_restored_store_says_that_it_is_one() {
    let trail = five();
    let copy = trail.path.with_file_name("copy");
    backup::copy(&trail.path, &copy).unwrap();
    backup::restored(&copy, "2026-11-01T00:00:00Z").unwrap();
    let checked = StoreReader::open(&copy).unwrap().check_audit_trail(None).unwrap();
    assert_eq!((checked.rows, checked.breaks), (6, None));
}
