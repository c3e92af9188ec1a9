//! What tests of this module share.

use crate::model::{AeTitle, Job, JobId, JobState, Priority, Timestamp};

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
