//! Whether the chain holds, and what breaks it.

use super::*;

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
fn a_restored_store_says_that_it_is_one() {
    let trail = five();
    let copy = trail.path.with_file_name("copy");
    backup::copy(&trail.path, &copy).unwrap();
    backup::restored(&copy, "2026-11-01T00:00:00Z").unwrap();
    let checked = StoreReader::open(&copy).unwrap().check_audit_trail(None).unwrap();
    assert_eq!((checked.rows, checked.breaks), (6, None));
}

#[test]
fn a_trail_without_its_triggers_is_found_though_nothing_was_changed_yet() {
    let trail = five();
    assert_eq!(trail.check().breaks, None);
    trail
        .sql(
            "DROP TRIGGER audit_is_not_changed; \
             CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT 1; END",
        )
        .unwrap();
    let wrong = Some(TrailBreak::Unprotected("audit_is_not_changed"));
    assert_eq!(trail.check().breaks, wrong);
    trail.sql("DROP TRIGGER audit_is_not_changed").unwrap();
    assert_eq!(trail.check().breaks, wrong);
}
