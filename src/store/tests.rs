//! The store for real, in a temporary directory.

mod buckets;
mod commitments;
mod deliveries;
mod file;
mod gate;
mod measures;
mod operators;
mod sets;
mod upgrade;

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

pub(super) fn bucket() -> BucketRow {
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

/// A job whose one delivery is under way.
fn delivering(store: &Store) -> (JobId, Delivery) {
    let now = Timestamp::now();
    let job = open_set(store, "1.2.3", now);
    store.complete(&job, "quiet".into(), now, None).wait().unwrap();
    store.start(&job, bucket(), now).wait().unwrap();
    store.ended(&job, Ended::default(), None, now).wait().unwrap();
    let new = NewDelivery {
        gate: crate::model::GateMode::Repair,
        peer: crate::model::Peer::Named(AeTitle::parse("PACS").unwrap()),
        after: None,
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
