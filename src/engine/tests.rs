//! What tests of this module share.

use crate::model::{AeTitle, Job, JobId, JobState, Priority, Timestamp, Uid};
use crate::store::{BucketRow, NewInstance, NewJob, Store, When};

/// A job that is being harvested.
pub fn job() -> Job {
    let now = Timestamp::now();
    Job {
        id: JobId::generate(now),
        stream: AeTitle::parse("ProcT1").unwrap(),
        group_key: "1.2".into(),
        state: JobState::Harvesting,
        outcome: None,
        reason: None,
        calling_ae_title: "SCANNER".into(),
        caller_address: "127.0.0.1".into(),
        study_instance_uid: "1.2".into(),
        instances: 1,
        bytes: 1,
        received_at: now,
        last_object_at: now,
        queued_at: None,
        started_at: None,
        run_ended_at: None,
        ended_at: None,
        attempt: 1,
        image: None,
        exit_status: Some(0),
        oom_killed: false,
        timed_out: false,
        peak_memory: None,
        arguments: None,
        priority: Priority::Normal,
        superseded_by: None,
        made_from: None,
        stopped_why: None,
        removed_at: None,
        removed_why: None,
    }
}

/// A store with a bucket and one queued job.
pub fn queued() -> (tempfile::TempDir, Store, JobId) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("s.sqlite")).unwrap();
    let (job, now) = (job(), Timestamp::now());
    let bucket = BucketRow {
        ae_title: job.stream.clone(),
        image: "t1".into(),
        digest: "sha256:0".into(),
        info: serde_json::json!({}),
        has_plugin: false,
        installed_at: now,
    };
    store.install_bucket(bucket, false).wait().unwrap();
    let set = NewJob {
        stream: job.stream,
        group_key: job.group_key,
        calling_ae_title: job.calling_ae_title,
        caller_address: job.caller_address,
        study_instance_uid: job.study_instance_uid,
        priority: job.priority,
    };
    let uid = || Uid::parse(b"1.2").unwrap();
    let object = NewInstance {
        sop_instance_uid: uid(),
        sop_class_uid: uid(),
        transfer_syntax_uid: uid(),
        series_instance_uid: uid(),
        file: "1.2.dcm".into(),
        bytes: 1,
        hash: [0; 16],
    };
    store
        .place(&job.id, set, object, now, When::Synced)
        .wait()
        .unwrap();
    store.complete(&job.id, "quiet".into(), now, None).wait().unwrap();
    (dir, store, job.id)
}
