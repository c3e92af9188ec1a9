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
