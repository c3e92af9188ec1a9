//! What became of deliveries: each arrival is told once.

use super::*;

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
        trail.store.delivery_ends(
            &sent,
            crate::store::AttemptEnd::last(event, None),
            Timestamp::now(),
        )
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
        trail.store.delivery_ends(
            &sent,
            crate::store::AttemptEnd::last(event, None),
            Timestamp::now(),
        )
    };
    ends(DeliveryEvent::GaveUp).wait().unwrap();
    assert_eq!(arrived(&trail), [1]);
    trail
        .sql("UPDATE deliveries SET state = 'sending'; UPDATE delivery_instances SET state = 'sent'")
        .unwrap();
    ends(DeliveryEvent::Accepted).wait().unwrap();
    assert_eq!(arrived(&trail), [1, 2]);
}
