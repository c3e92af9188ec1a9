//! What tests of this module share.

use std::collections::BTreeMap;
use std::path::Path;

use crate::dicom::secondary_capture::{self, Capture, Image};
use crate::model::{AeTitle, AttributeTag, Job, JobId, JobState, Timestamp, Uid};
use crate::store::{BucketRow, NewInstance, NewJob, Store, When};

/// A job that is being harvested.
pub fn job() -> Job {
    let now = Timestamp::now();
    let stream = AeTitle::parse("ProcT1").unwrap();
    Job {
        state: JobState::Harvesting,
        instances: 1,
        bytes: 1,
        attempt: 1,
        exit_status: Some(0),
        ..Job::of_study(JobId::generate(now), stream, "1.2", "SCANNER", now)
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

/// Writes an object of a patient, who is John Doe.
pub fn write_object(path: &Path, patient_id: &str) {
    let tag = |group, element| AttributeTag { group, element };
    let study = BTreeMap::from([
        (tag(0x0020, 0x000D), "1.2.3".to_owned()),
        (tag(0x0010, 0x0010), "Doe^John".to_owned()),
        (tag(0x0010, 0x0020), patient_id.to_owned()),
    ]);
    let uid = |text: &str| Uid::parse(text.as_bytes()).unwrap();
    let capture = Capture {
        study: &study,
        series: uid("1.2.1"),
        description: "x",
        instance: uid("1.2.2"),
        number: 1,
        at: Timestamp(0),
    };
    let image = Image {
        columns: 2,
        rows: 1,
        pixels: vec![0, 0],
    };
    std::fs::write(path, secondary_capture::file(&capture, image).unwrap().1).unwrap();
}
