//! Deliveries settle their job.

use super::*;

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
        peer: crate::model::Peer::Named(AeTitle::parse(title).unwrap()),
        after: None,
        route: "r".into(),
        direction: crate::model::Direction::Output,
        gate: crate::model::GateMode::Repair,
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
        assert!(
            store
                .delivery_begins(delivery.id, crate::model::RunTime(0))
                .wait()
                .unwrap()
        );
    }
    store
        .delivery_ends(&open[0], crate::store::AttemptEnd::last(Accepted, None), now)
        .wait()
        .unwrap();
    assert_eq!(store.job(&job).unwrap().unwrap().state, JobState::Delivering);
    store
        .delivery_ends(
            &open[1],
            crate::store::AttemptEnd::last(Refused, Some("no".into())),
            now,
        )
        .wait()
        .unwrap();
    let job = store.job(&job).unwrap().unwrap();
    assert_eq!((job.state, job.outcome), (JobState::Done, Some(Outcome::Success)));
    assert!(job.ended_at.is_some());
}

/// A job whose run is over.
fn harvesting(store: &Store, uid: &str, now: Timestamp) -> JobId {
    let job = open_set(store, uid, now);
    store.complete(&job, "quiet".into(), now, None).wait().unwrap();
    store.start(&job, bucket(), now).wait().unwrap();
    let ended = Ended {
        exit_status: Some(0),
        ..Ended::default()
    };
    store.ended(&job, ended, Some(1), now).wait().unwrap();
    job
}

/// A job with deliveries to A, to B if A fails, to C if B fails, and to D.
fn chain(store: &Store, uid: &str, now: Timestamp) -> (JobId, Vec<crate::model::Delivery>) {
    let job = harvesting(store, uid, now);
    let to = |title: &str, after: Option<usize>| NewDelivery {
        peer: crate::model::Peer::Given(crate::model::RemoteAe::plain(
            AeTitle::parse(title).unwrap(),
            "pacs.example:104".into(),
            AeTitle::parse("ME").unwrap(),
        )),
        after,
        route: "r".into(),
        direction: crate::model::Direction::Output,
        gate: crate::model::GateMode::Repair,
        instances: vec![],
    };
    let plan = vec![to("A", None), to("B", Some(0)), to("C", Some(1)), to("D", None)];
    let made = planned(store, &job, plan, now);
    (job, made)
}

/// The deliveries of a harvest.
fn planned(
    store: &Store,
    job: &JobId,
    plan: Vec<NewDelivery>,
    now: Timestamp,
) -> Vec<crate::model::Delivery> {
    let verdict = Verdict {
        outcome: Outcome::Success,
        reason: None,
    };
    store.harvested(job, verdict, vec![], plan, now).wait().unwrap();
    store.deliveries(job).unwrap()
}

fn states(store: &Store, job: &JobId) -> Vec<&'static str> {
    let deliveries = store.deliveries(job).unwrap();
    deliveries.iter().map(|d| d.state.name()).collect()
}

fn end(store: &Store, delivery: &crate::model::Delivery, event: crate::model::DeliveryEvent) {
    assert!(
        store
            .delivery_begins(delivery.id, crate::model::RunTime(0))
            .wait()
            .unwrap()
    );
    store
        .delivery_ends(
            delivery,
            crate::store::AttemptEnd::last(event, None),
            Timestamp::now(),
        )
        .wait()
        .unwrap();
}

#[test]
fn what_stands_by_is_not_needed_when_the_one_before_is_sent() {
    use crate::model::DeliveryEvent::Accepted;
    let (_dir, store) = store();
    let (job, made) = chain(&store, "1.2.3", Timestamp::now());
    assert_eq!(states(&store, &job), ["waiting", "standby", "standby", "waiting"]);
    let open: Vec<_> = store.deliveries_open().unwrap().iter().map(|d| d.id).collect();
    assert_eq!(
        open,
        [made[0].id, made[3].id],
        "what stands by is nobody's to send"
    );
    assert!(
        !store
            .delivery_begins(made[1].id, crate::model::RunTime(0))
            .wait()
            .unwrap()
    );
    assert_eq!(made[1].after, Some(made[0].id));
    assert_eq!(made[1].remote.as_ref().unwrap().address, "pacs.example:104");
    end(&store, &made[0], Accepted);
    assert_eq!(
        states(&store, &job),
        ["sent", "not-needed", "not-needed", "waiting"]
    );
    end(&store, &made[3], Accepted);
    assert_eq!(store.job(&job).unwrap().unwrap().state, JobState::Done);
}

#[test]
fn what_stands_by_goes_after_the_first_attempt_that_failed() {
    use crate::model::DeliveryEvent::{Accepted, Postponed, Refused};
    let (_dir, store) = store();
    let (job, made) = chain(&store, "1.2.3", Timestamp::now());
    end(&store, &made[0], Postponed);
    assert_eq!(
        states(&store, &job),
        ["retrying", "waiting", "standby", "waiting"]
    );
    end(&store, &made[1], Refused);
    assert_eq!(
        states(&store, &job),
        ["retrying", "refused", "waiting", "waiting"]
    );
    // The first one succeeds after all: nothing is taken back.
    end(&store, &made[0], Accepted);
    assert_eq!(states(&store, &job), ["sent", "refused", "waiting", "waiting"]);
    end(&store, &made[2], Accepted);
    end(&store, &made[3], Accepted);
    assert_eq!(store.job(&job).unwrap().unwrap().state, JobState::Done);
}

#[test]
fn what_stands_by_is_cancelled_with_its_job() {
    let (_dir, store) = store();
    let (job, _) = chain(&store, "1.2.3", Timestamp::now());
    store
        .cancel(&job, "by an operator".into(), Timestamp::now())
        .wait()
        .unwrap();
    assert_eq!(states(&store, &job), ["cancelled"; 4]);
}

/// A job with a delivery that is due.
pub(super) fn delivering(store: &Store, uid: &str, now: Timestamp) -> (JobId, crate::model::Delivery) {
    let job = harvesting(store, uid, now);
    let plan = vec![NewDelivery {
        peer: crate::model::Peer::Named(AeTitle::parse("PACS").unwrap()),
        after: None,
        route: "r".into(),
        direction: crate::model::Direction::Output,
        gate: crate::model::GateMode::Repair,
        instances: vec![],
    }];
    let made = planned(store, &job, plan, now);
    (job, made[0].clone())
}
