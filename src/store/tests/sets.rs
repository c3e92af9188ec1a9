//! Sets: which objects are in them, and when they are queued.

use super::*;

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
