//! A store of an earlier version with everything under way in it.

use super::*;
use crate::model::RunTime;

const HOUR: i64 = 3_600_000;

/// One of the schema that counted no run time: deliveries that are open, promises, and questions about commitments.
fn of_schema_15(path: &Path, now: i64) {
    let db = rusqlite::Connection::open(path).unwrap();
    for migration in &super::connection::MIGRATIONS[..15] {
        db.execute_batch(migration).unwrap();
    }
    let job = |seq: i64, state: &str, more: &str| {
        let name = format!("20260102-000000-{seq:08x}");
        let sql = format!(
            "INSERT INTO jobs (seq, id, stream, state, group_key, calling_ae_title, caller_address, study_instance_uid, \
             received_at, last_object_at) VALUES ({seq}, '{name}', 'A', '{state}', '{seq}', 'S', '::1', '1.2.{seq}', 0, 0); \
             UPDATE jobs SET {more} WHERE seq = {seq};"
        );
        db.execute_batch(&sql).unwrap();
    };
    let delivery = |id: i64, job: i64, state: &str, next_at: Option<i64>, tried_at: Option<i64>| {
        let sql = "INSERT INTO deliveries (id, job, destination, route, direction, state, attempts, created_at, next_at, \
                   tried_at) VALUES (?1, ?2, 'PACS', 'r', 'output', ?3, 3, ?4, ?5, ?6)";
        let values = rusqlite::params![id, job, state, now - 80 * HOUR, next_at, tried_at];
        db.execute(sql, values).unwrap();
    };
    job(1, "delivering", "outcome = 'success'");
    delivery(1, 1, "retrying", Some(now + HOUR / 2), Some(now - 71 * HOUR));
    job(2, "delivering", "outcome = 'success'");
    delivery(2, 2, "sending", None, Some(now - 90 * HOUR));
    job(3, "done", "outcome = 'success', ended_at = 5");
    delivery(3, 3, "committing", None, None);
    let promised = |from: i64, until: Option<i64>| {
        let until = until.map_or_else(|| "NULL".to_owned(), |at| at.to_string());
        format!("outcome = 'success', ended_at = 5, committed_at = {from}, committed_until = {until}")
    };
    job(4, "done", &promised(now - 5 * HOUR, Some(now + 2 * HOUR)));
    job(5, "done", &promised(now - 5 * HOUR, None));
    job(6, "done", &promised(now - 5 * HOUR, Some(now - HOUR)));
    // The clock was ahead by ten years as that was promised, or is behind by now.
    job(
        7,
        "done",
        &promised(now + 87_600 * HOUR, Some(now + 87_607 * HOUR)),
    );
    db.execute_batch(&format!(
        "INSERT INTO commitment_asks (transaction_uid, delivery, asked_at, taken) VALUES ('1.7', 3, {}, 0), ('1.8', 3, {}, 1); \
         INSERT INTO commitments (id, transaction_uid, calling_ae_title, stream, caller_address, received_at, association, state, \
         objects, failed, attempts) VALUES (1, '1.9', 'S', 'A', '::1', {}, 1, 'checked', 1, 0, 3); \
         INSERT INTO commitment_objects VALUES (1, 0, '1.2', '1.3', 0);",
        now - 81 * HOUR,
        now - 79 * HOUR,
        now - 71 * HOUR
    ))
    .unwrap();
    db.pragma_update(None, "user_version", 15).unwrap();
}

#[test]
fn what_was_under_way_is_neither_lost_nor_held_nor_released_before_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.sqlite");
    let now = Timestamp::now();
    of_schema_15(&path, now.0);
    let store = Store::open(&path).unwrap();
    // Deliveries have their time anew, by how long this version runs.
    let by = DueBy {
        now,
        latest: Timestamp(now.0 + HOUR),
    };
    let pacs = (AeTitle::parse("PACS").unwrap(), None);
    assert_eq!(store.destinations_open().unwrap(), std::slice::from_ref(&pacs));
    let due = store.deliveries_due(&pacs.0, &[None], by, 9).unwrap();
    assert_eq!(due.next_at, Some(Timestamp(now.0 + HOUR / 2)));
    let cut_off: Vec<_> = due.first.iter().map(|d| (d.id, d.tried, d.attempts)).collect();
    assert_eq!(cut_off, [(2, None, 3)]);
    let open = store.deliveries_open().unwrap();
    assert!(open.iter().all(|d| (d.tried, d.faults) == (None, 0)));
    // What was asked since the delivery was sent last counts from now on.
    assert_eq!(store.deliveries_committing().unwrap(), [(3, 3)]);
    let (_, asks) = store.delivery_committing((3, 3)).unwrap().unwrap();
    assert_eq!(
        (asks.first, asks.last_taken, asks.taken, asks.lost),
        (Some(RunTime(0)), true, 1, 0)
    );
    let peers = store.commitments_open().unwrap();
    assert_eq!((peers[0].received, peers[0].attempts), (RunTime(0), 3));
    // A promise is counted by how long the node runs too, for what is left of it, and never for longer than it was.
    let run = |seq: i64| {
        let sql = "SELECT committed_run FROM jobs WHERE seq = ?1";
        let read = store.read(|db| Ok(db.query_row(sql, [seq], |row| row.get::<_, Option<i64>>(0))?));
        read.unwrap()
    };
    let left = run(4).unwrap();
    assert!((2 * HOUR - 60_000..=2 * HOUR + 1000).contains(&left), "{left}");
    assert_eq!([run(5), run(6), run(7)], [None, Some(0), Some(7 * HOUR)]);
    let removable: Vec<_> = store.removable(None, 9).unwrap();
    assert_eq!(removable.len(), 1, "{removable:?}");
    assert!(removable[0].id.as_str().ends_with('6'));
}
