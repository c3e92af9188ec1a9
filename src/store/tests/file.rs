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
