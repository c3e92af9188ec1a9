//! What a crash, or a store that refuses, keeps from being told.

use super::*;

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
fn what_was_changed_with_an_editor_is_told_once_and_the_first_look_is_no_change() {
    let trail = trail();
    let look = |now: &str, tells: bool| {
        let event = event(AuditKind::ConfigurationChanged, 1).saying("it is another one");
        let looked = trail
            .store
            .audit_if_changed("configuration", now.to_owned(), tells.then_some(event));
        looked.wait().unwrap();
    };
    for (now, tells) in [
        ("a", true),
        ("a", true),
        ("b", true),
        ("b", true),
        ("c", false),
        ("c", true),
    ] {
        look(now, tells);
    }
    let texts: Vec<_> = trail.told().into_iter().flat_map(|event| event.text).collect();
    assert_eq!(texts, ["it is another one: a before, b now"]);
}
