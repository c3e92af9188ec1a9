//! Buckets, and the jobs that need them.

use super::*;

#[test]
fn a_bucket_with_open_jobs_stays_and_without_a_bucket_nothing_is_taken() {
    let (_dir, store) = store();
    let (now, title) = (Timestamp::now(), bucket().ae_title);
    let job = open_set(&store, "1.2.3", now);
    assert_eq!(store.remove_bucket(&title).wait().unwrap(), Removed::Busy(1));
    store.complete(&job, "quiet".into(), now, None).wait().unwrap();
    store.fail(&job, "no".into(), now).wait().unwrap();
    assert_eq!(store.remove_bucket(&title).wait().unwrap(), Removed::Yes);
    assert_eq!(store.remove_bucket(&title).wait().unwrap(), Removed::NotThere);
    let late = store
        .place(
            &JobId::generate(now),
            new_job("1.2.4"),
            instance("1.1", 1),
            now,
            When::Synced,
        )
        .wait()
        .unwrap();
    assert_eq!(late, Placed::NoBucket);
    assert!(store.in_state(JobState::Receiving).unwrap().is_empty());
}

#[test]
fn an_attempt_keeps_the_bucket_it_began_with() {
    let (_dir, store) = store();
    let now = Timestamp::now();
    let job = open_set(&store, "1.2.3", now);
    store.complete(&job, "quiet".into(), now, None).wait().unwrap();
    store.start(&job, bucket(), now).wait().unwrap();
    store
        .install_bucket(
            BucketRow {
                digest: "sha256:1".into(),
                ..bucket()
            },
            true,
        )
        .wait()
        .unwrap();
    assert_eq!(store.attempt_bucket(&job).unwrap(), Some(bucket()));
}

#[test]
fn a_bucket_stays_while_a_result_of_it_is_not_delivered_and_a_cancelled_job_keeps_it_no_longer() {
    let (_dir, store) = store();
    let (now, title) = (Timestamp::now(), bucket().ae_title);
    let (job, delivery) = delivering(&store);
    store
        .delivery_begins(delivery.id, crate::model::RunTime(0))
        .wait()
        .unwrap();
    let no = Some("no".into());
    store
        .delivery_ends(
            &delivery,
            crate::store::AttemptEnd::last(DeliveryEvent::Refused, no),
            now,
        )
        .wait()
        .unwrap();
    assert_eq!(state(&store, &job), JobState::Done);
    assert_eq!(store.remove_bucket(&title).wait().unwrap(), Removed::Busy(1));
    store.retry(&job, now).wait().unwrap();
    store.cancel(&job, "by an operator".into(), now).wait().unwrap();
    assert_eq!(store.remove_bucket(&title).wait().unwrap(), Removed::Yes);
}
