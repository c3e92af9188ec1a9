use std::time::Duration;

use super::*;
use crate::model::{
    AeTitle, Delivery, DeliveryEvent, DeliveryState, Direction, Ended, JobId, JobState, Outcome, Priority,
    Timestamp, Uid, Verdict,
};

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("s.sqlite")).unwrap();
    store.install_bucket(bucket(), false).wait().unwrap();
    (dir, store)
}

fn bucket() -> BucketRow {
    BucketRow {
        ae_title: AeTitle::parse("ProcT1").unwrap(),
        image: "t1".into(),
        digest: "sha256:0".into(),
        info: serde_json::json!({ "AETitle": "ProcT1" }),
        has_plugin: true,
        installed_at: Timestamp(1),
    }
}

/// A set with one object.
fn open_set(store: &Store, study: &str, at: Timestamp) -> JobId {
    let job = JobId::generate(at);
    match store
        .place(&job, new_job(study), instance("1.1", 1), at, When::Synced)
        .wait()
        .unwrap()
    {
        Placed::Stored => job,
        other => panic!("{other:?}"),
    }
}

fn new_job(study: &str) -> NewJob {
    NewJob {
        stream: AeTitle::parse("ProcT1").unwrap(),
        group_key: study.into(),
        calling_ae_title: "SCANNER".into(),
        caller_address: "127.0.0.1".into(),
        study_instance_uid: study.into(),
        priority: Priority::Normal,
    }
}

fn instance(uid: &str, hash: u8) -> NewInstance {
    let uid_of = |t: &str| Uid::parse(t.as_bytes()).unwrap();
    NewInstance {
        sop_instance_uid: uid_of(uid),
        sop_class_uid: uid_of("1.2"),
        transfer_syntax_uid: uid_of("1.2.840.10008.1.2.1"),
        series_instance_uid: uid_of("1.3"),
        file: format!("{uid}-{hash:02x}.dcm"),
        bytes: 10,
        hash: [hash; 16],
    }
}

#[test]
fn one_study_has_one_open_set_and_a_new_one_once_it_is_complete() {
    let (_dir, store) = store();
    let now = Timestamp::now();
    let first = open_set(&store, "1.2.3", now);
    let other = JobId::generate(now);
    let place = |job: &JobId| {
        store
            .place(job, new_job("1.2.3"), instance("1.2", 1), now, When::Unsynced)
            .wait()
            .unwrap()
    };
    assert_eq!(place(&other), Placed::Elsewhere(first.clone()));
    store.complete(&first, "quiet".into(), now, None).wait().unwrap();
    assert_eq!(place(&first), Placed::Closed);
    assert_eq!(place(&other), Placed::Stored);
    let kinds: Vec<_> = store
        .events(&other)
        .unwrap()
        .into_iter()
        .map(|e| e.kind)
        .collect();
    assert_eq!(kinds, ["receiving", "again"]);
    assert_eq!(store.job(&first).unwrap().unwrap().instances, 1);
}

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
fn the_same_bytes_are_stored_once_and_other_bytes_are_kept_beside() {
    let (_dir, store) = store();
    let now = Timestamp::now();
    let job = open_set(&store, "1.2.3", now);
    let add = |uid, hash| {
        store
            .place(&job, new_job("1.2.3"), instance(uid, hash), now, When::Unsynced)
            .wait()
            .unwrap()
    };
    assert_eq!(add("1.1", 1), Placed::Duplicate("1.1-01.dcm".into()));
    assert_eq!(add("1.1", 2), Placed::Replaced);
    assert_eq!(add("1.2", 1), Placed::Stored);
    let rows = store.instances(&job).unwrap();
    let current: Vec<_> = rows
        .iter()
        .filter(|r| r.current)
        .map(|r| r.file.as_str())
        .collect();
    assert_eq!(current, ["1.1-02.dcm", "1.2-01.dcm"]);
    assert_eq!(rows.len(), 3);
    assert_eq!(add("1.1", 1), Placed::Duplicate("1.1-01.dcm".into()));
    assert!(
        store.instances(&job).unwrap().first().unwrap().current,
        "the one that came last is used"
    );
    assert_eq!(store.job(&job).unwrap().unwrap().instances, 2);
}

#[test]
fn a_request_that_fails_takes_no_other_with_it() {
    let (_dir, store) = store();
    let now = Timestamp::now();
    let pending: Vec<_> = (0..50)
        .map(|i| {
            let job = JobId::generate(now);
            let good = store.place(
                &job,
                new_job(&format!("1.2.{i}")),
                instance("1.1", 1),
                now,
                When::Synced,
            );
            let bad = store.write(|db| -> Result<()> {
                db.execute("INSERT INTO node (key, value) VALUES ('half', 'done')", [])?;
                Err(StoreError::State("no".into()))
            });
            (good, bad)
        })
        .collect();
    for (good, bad) in pending {
        good.wait().unwrap();
        assert!(bad.wait().is_err());
    }
    let left: u32 = store
        .read(|db| Ok(db.query_row("SELECT count(*) FROM node", [], |r| r.get(0))?))
        .unwrap();
    assert_eq!(left, 1, "what a failed request wrote is rolled back");
    assert_eq!(store.in_state(JobState::Receiving).unwrap().len(), 50);
}

#[test]
fn a_job_is_settled_by_its_last_delivery() {
    let (_dir, store) = store();
    let now = Timestamp::now();
    let job = open_set(&store, "1.2.3", now);
    store.complete(&job, "quiet".into(), now, None).wait().unwrap();
    assert_eq!(store.start(&job, bucket(), now).wait().unwrap(), 1);
    let ended = Ended {
        exit_status: Some(0),
        ..Ended::default()
    };
    store.ended(&job, ended, Some(1), now).wait().unwrap();
    let to = |title: &str| NewDelivery {
        destination: AeTitle::parse(title).unwrap(),
        route: "r".into(),
        direction: crate::model::Direction::Output,
        instances: vec![],
    };
    let verdict = Verdict {
        outcome: Outcome::Success,
        reason: None,
    };
    store
        .harvested(&job, verdict, vec![], vec![to("A"), to("B")], now)
        .wait()
        .unwrap();
    let open = store.deliveries_open().unwrap();
    assert_eq!(open.len(), 2);
    use crate::model::DeliveryEvent::{Accepted, Refused};
    for delivery in &open {
        assert!(store.delivery_begins(delivery.id).wait().unwrap());
    }
    store
        .delivery_ends(&open[0], Accepted, None, None, now)
        .wait()
        .unwrap();
    assert_eq!(store.job(&job).unwrap().unwrap().state, JobState::Delivering);
    store
        .delivery_ends(&open[1], Refused, None, Some("no".into()), now)
        .wait()
        .unwrap();
    let job = store.job(&job).unwrap().unwrap();
    assert_eq!((job.state, job.outcome), (JobState::Done, Some(Outcome::Success)));
    assert!(job.ended_at.is_some());
}

#[test]
fn what_was_answered_is_there_after_the_store_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.sqlite");
    let first = Store::open(&path).unwrap();
    first.install_bucket(bucket(), false).wait().unwrap();
    let id = first.node_id().to_owned();
    let job = open_set(&first, "1.2.3", Timestamp::now());
    first.close();
    assert!(matches!(
        first.remove_bucket(&bucket().ae_title).wait(),
        Err(StoreError::Closed)
    ));
    let second = Store::open(&path).unwrap();
    assert_eq!(second.node_id(), id);
    assert!(second.job(&job).unwrap().is_some());
}

#[test]
fn a_store_of_a_newer_version_is_refused_by_name() {
    let (dir, store) = store();
    store
        .write(|db| Ok(db.pragma_update(None, "user_version", 99)?))
        .wait()
        .unwrap();
    store.close();
    let error = Store::open(&dir.path().join("s.sqlite"))
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("has schema 99"), "{error}");
}

#[test]
fn jobs_are_listed_newest_first_and_queued_ones_in_order() {
    let (_dir, store) = store();
    let start = Timestamp::now();
    let ids: Vec<_> = (0..3u64)
        .map(|i| {
            let at = start.plus(Duration::from_secs(i));
            let id = open_set(&store, &format!("1.{i}"), at);
            store.complete(&id, "quiet".into(), at, None).wait().unwrap();
            id
        })
        .collect();
    let listed: Vec<_> = store
        .jobs(&JobFilter {
            limit: 2,
            ..JobFilter::default()
        })
        .unwrap()
        .into_iter()
        .map(|j| j.id)
        .collect();
    assert_eq!(listed, [ids[2].clone(), ids[1].clone()]);
    let queued: Vec<_> = store
        .in_state(JobState::Queued)
        .unwrap()
        .into_iter()
        .map(|j| j.id)
        .collect();
    assert_eq!(queued, ids);
}

/// A job whose one delivery is under way.
fn delivering(store: &Store) -> (JobId, Delivery) {
    let now = Timestamp::now();
    let job = open_set(store, "1.2.3", now);
    store.complete(&job, "quiet".into(), now, None).wait().unwrap();
    store.start(&job, bucket(), now).wait().unwrap();
    store.ended(&job, Ended::default(), None, now).wait().unwrap();
    let new = NewDelivery {
        destination: AeTitle::parse("PACS").unwrap(),
        route: "r".into(),
        direction: Direction::Output,
        instances: vec![],
    };
    let verdict = Verdict {
        outcome: Outcome::Success,
        reason: None,
    };
    store
        .harvested(&job, verdict, vec![], vec![new], now)
        .wait()
        .unwrap();
    let delivery = store.deliveries(&job).unwrap().remove(0);
    (job, delivery)
}

fn state(store: &Store, job: &JobId) -> JobState {
    store.job(job).unwrap().unwrap().state
}

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
    assert!(!store.delivery_begins(delivery.id).wait().unwrap());
    store.release(&job, now).wait().unwrap();
    assert!(store.delivery_begins(delivery.id).wait().unwrap());
    // Held once more while it is sent: what is under way arrives, and the job is over once it is released.
    store.hold(&job).wait().unwrap();
    store
        .delivery_ends(&delivery, DeliveryEvent::Accepted, None, None, now)
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
    assert!(store.delivery_begins(delivery.id).wait().unwrap());
    store.cancel(&job, "by an operator".into(), now).wait().unwrap();
    store
        .delivery_ends(&delivery, DeliveryEvent::Postponed, Some(now), None, now)
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
    store.delivery_begins(delivery.id).wait().unwrap();
    store
        .delivery_ends(&delivery, DeliveryEvent::Refused, None, Some("no".into()), now)
        .wait()
        .unwrap();
    assert_eq!(state(&store, &job), JobState::Done);
    assert_eq!(store.retry(&job, now).wait().unwrap(), 1);
    assert_eq!(state(&store, &job), JobState::Delivering);
    assert!(store.delivery_begins(delivery.id).wait().unwrap());

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

#[test]
fn a_bucket_stays_while_a_result_of_it_is_not_delivered_and_a_cancelled_job_keeps_it_no_longer() {
    let (_dir, store) = store();
    let (now, title) = (Timestamp::now(), bucket().ae_title);
    let (job, delivery) = delivering(&store);
    store.delivery_begins(delivery.id).wait().unwrap();
    let no = Some("no".into());
    store
        .delivery_ends(&delivery, DeliveryEvent::Refused, None, no, now)
        .wait()
        .unwrap();
    assert_eq!(state(&store, &job), JobState::Done);
    assert_eq!(store.remove_bucket(&title).wait().unwrap(), Removed::Busy(1));
    store.retry(&job, now).wait().unwrap();
    store.cancel(&job, "by an operator".into(), now).wait().unwrap();
    assert_eq!(store.remove_bucket(&title).wait().unwrap(), Removed::Yes);
}
