//! The file itself: requests, opening it again, another version.

use super::*;

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
fn copies_and_answers_of_an_earlier_schema_are_looked_after() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.sqlite");
    let db = rusqlite::Connection::open(&path).unwrap();
    for migration in &super::connection::MIGRATIONS[..10] {
        db.execute_batch(migration).unwrap();
    }
    for (number, state, copied) in [
        (1, "sent", 1),
        (2, "sent", 0),
        (3, "committed", 0),
        (4, "waiting", 1),
    ] {
        db.execute_batch(&format!(
            "INSERT INTO jobs (seq, id, stream, state, group_key, calling_ae_title, caller_address, study_instance_uid, \
             received_at, last_object_at) VALUES ({number}, 'j{number}', 'A', 'done', '{number}', '', '', '', 0, 0); \
             INSERT INTO deliveries (id, job, destination, route, direction, state, created_at) \
             VALUES ({number}, {number}, 'PACS', 'r', 'output', '{state}', 0); \
             INSERT INTO delivery_instances (delivery, file, sop_class_uid, sop_instance_uid, transfer_syntax_uid, state, \
             copied) VALUES ({number}, 'f', '1', '1', '1', 'sent', {copied});"
        ))
        .unwrap();
    }
    db.pragma_update(None, "user_version", 10).unwrap();
    drop(db);
    let store = Store::open(&path).unwrap();
    let idle = store.outgoing_idle().unwrap();
    let idle: Vec<_> = idle.iter().map(|(job, _)| job.as_str()).collect();
    assert_eq!(idle, ["j1"], "what waits still needs its copies");
    let late = store.records_late().unwrap();
    let late: Vec<_> = late.iter().map(|late| late.job.as_str()).collect();
    assert_eq!(late, ["j3"]);
}
