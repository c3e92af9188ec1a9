//! What an operator decides, and what it does to deliveries.

use super::*;

#[test]
fn a_held_job_is_neither_run_nor_sent_and_goes_on_where_it_was() {
    let (_dir, store) = store();
    let now = Timestamp::now();
    let queued = open_set(&store, "1.2.4", now);
    assert!(store.hold(&queued).wait().is_err(), "an open set cannot be held");
    store.complete(&queued, "quiet".into(), now, None).wait().unwrap();
    store.hold(&queued).wait().unwrap();
    assert!(store.queued(&bucket().ae_title, 9).unwrap().is_empty());
    store.release(&queued, now).wait().unwrap();
    assert_eq!(state(&store, &queued), JobState::Queued);

    let (job, delivery) = delivering(&store);
    store.hold(&job).wait().unwrap();
    assert!(store.deliveries_open().unwrap().is_empty());
    assert!(
        !store
            .delivery_begins(delivery.id, crate::model::RunTime(0))
            .wait()
            .unwrap()
    );
    store.release(&job, now).wait().unwrap();
    assert!(
        store
            .delivery_begins(delivery.id, crate::model::RunTime(0))
            .wait()
            .unwrap()
    );
    // Held once more while it is sent: what is under way arrives, and the job is over once it is released.
    store.hold(&job).wait().unwrap();
    store
        .delivery_ends(
            &delivery,
            crate::store::AttemptEnd::last(DeliveryEvent::Accepted, None),
            now,
        )
        .wait()
        .unwrap();
    assert_eq!(state(&store, &job), JobState::Held);
    store.release(&job, now).wait().unwrap();
    assert_eq!(state(&store, &job), JobState::Done);
}

#[test]
fn a_cancelled_job_sends_nothing_more_and_stays_cancelled() {
    let (_dir, store) = store();
    let now = Timestamp::now();
    let (job, delivery) = delivering(&store);
    assert!(
        store
            .delivery_begins(delivery.id, crate::model::RunTime(0))
            .wait()
            .unwrap()
    );
    store.cancel(&job, "by an operator".into(), now).wait().unwrap();
    store
        .delivery_ends(
            &delivery,
            crate::store::AttemptEnd {
                next_at: Some(now),
                ..crate::store::AttemptEnd::last(DeliveryEvent::Postponed, None)
            },
            now,
        )
        .wait()
        .unwrap();
    assert_eq!(store.deliveries(&job).unwrap()[0].state, DeliveryState::Cancelled);
    assert!(store.deliveries_open().unwrap().is_empty());
    let ended = store.job(&job).unwrap().unwrap();
    assert_eq!(
        (ended.state, ended.outcome),
        (JobState::Cancelled, Some(Outcome::Failed))
    );
    assert!(store.cancel(&job, "twice".into(), now).wait().is_err());
}

#[test]
fn what_did_not_work_is_tried_again() {
    let (_dir, store) = store();
    let now = Timestamp::now();
    let (job, delivery) = delivering(&store);
    assert!(store.retry(&job, now).wait().is_err(), "nothing has failed yet");
    store
        .delivery_begins(delivery.id, crate::model::RunTime(0))
        .wait()
        .unwrap();
    store
        .delivery_ends(
            &delivery,
            crate::store::AttemptEnd::last(DeliveryEvent::Refused, Some("no".into())),
            now,
        )
        .wait()
        .unwrap();
    assert_eq!(state(&store, &job), JobState::Done);
    assert_eq!(store.retry(&job, now).wait().unwrap(), 1);
    assert_eq!(state(&store, &job), JobState::Delivering);
    assert!(
        store
            .delivery_begins(delivery.id, crate::model::RunTime(0))
            .wait()
            .unwrap()
    );

    let failed = open_set(&store, "1.2.5", now);
    store.complete(&failed, "quiet".into(), now, None).wait().unwrap();
    store.fail(&failed, "no room".into(), now).wait().unwrap();
    assert_eq!(store.retry(&failed, now).wait().unwrap(), 0);
    let again = store.job(&failed).unwrap().unwrap();
    assert_eq!(
        (again.state, again.outcome, again.reason),
        (JobState::Queued, None, None)
    );
}

#[test]
fn only_a_job_that_is_over_is_restarted_as_a_new_one_with_its_objects() {
    let (_dir, store) = store();
    let now = Timestamp::now();
    let old = open_set(&store, "1.2.6", now);
    let new = JobId::generate(now);
    let restart = || {
        let from = store.job(&old).unwrap().unwrap();
        let rows = store.inheritance(&old, |file| format!("from-{file}")).unwrap();
        store.restart(from, &new, rows, now).wait()
    };
    assert!(restart().is_err());
    store.cancel(&old, "by an operator".into(), now).wait().unwrap();
    restart().unwrap();
    let (before, after) = (
        store.job(&old).unwrap().unwrap(),
        store.job(&new).unwrap().unwrap(),
    );
    assert_eq!(
        (before.state, before.superseded_by.as_deref()),
        (JobState::Cancelled, Some(new.as_str()))
    );
    assert_eq!(
        (after.state, after.made_from.as_deref()),
        (JobState::Queued, Some(old.as_str()))
    );
    assert_eq!(after.instances, before.instances);
    assert_eq!(
        store.instances(&new).unwrap().len(),
        store.instances(&old).unwrap().len()
    );
}
