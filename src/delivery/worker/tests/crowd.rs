//! Very many deliveries that wait.

use std::time::Instant;

use super::*;

/// So many jobs of as many studies, each with one delivery to that destination that stands like this.
fn crowd(scene: &Scene, destination: &'static str, number: u32, columns: &'static str, values: &'static str) {
    let insert = move |db: &rusqlite::Connection| {
        db.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) \
             INSERT INTO jobs (id, stream, state, group_key, calling_ae_title, caller_address, study_instance_uid, \
             received_at, last_object_at, ended_at) SELECT printf('20260102-000000-%08x', i), 'PROC', 'delivering', \
             'g' || i, 'A', '::1', '1.2.9.' || i, 0, 0, NULL FROM n",
            [number],
        )?;
        db.execute(
            &format!(
                "INSERT INTO deliveries (job, destination, route, direction, created_at, attempts, {columns}) \
                 SELECT seq, ?1, 'r', 'output', 0, 3, {values} FROM jobs WHERE group_key LIKE 'g%'"
            ),
            [destination],
        )?;
        Ok(())
    };
    scene.store.write(insert).wait().unwrap();
}

#[test]
fn twenty_thousand_that_wait_for_their_time_are_no_work_and_keep_nothing_from_its_turn() {
    let (scene, hands) = (Scene::new(), Hands::at(BEGIN));
    let [pacs, healthy] = ["PACS", "HEALTHY"].map(Pacs::start);
    let worker = scene.worker(config(), vec![pacs.remote(), healthy.remote()], &hands);
    crowd(
        &scene,
        "PACS",
        20_000,
        "state, next_at",
        "'retrying', 1767312000000 + 1800000",
    );
    let mut lanes = Lanes::default();
    let (over, _ended) = mpsc::unbounded_channel();
    let begun = Instant::now();
    for _ in 0..50 {
        let wait = worker.begin_due(&mut lanes, &over).unwrap();
        assert_eq!(wait, AT_LEAST);
    }
    // Each is a few lookups in an index; read one by one they take a quarter of a minute.
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let job = scene.job("1.2.3", 1, &["PACS", "HEALTHY"], BEGIN);
    let begun = Instant::now();
    for _ in 0..50 {
        let own = scene.deliveries(&job).remove(0);
        assert_eq!(worker.destinations.ahead(&scene.store, &own).unwrap(), None);
    }
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    hands.turn(&worker, BEGIN.plus(Duration::from_secs(1)));
    assert_eq!(scene.states(&job), [("sent", 1), ("sent", 1)]);
}

#[test]
fn very_many_that_could_go_are_read_as_far_as_they_go() {
    let (scene, hands) = (Scene::new(), Hands::at(BEGIN));
    let pacs = Pacs::start("PACS");
    let worker = scene.worker(config(), vec![pacs.remote()], &hands);
    // None of them may go: the one before them is put off, or its job is held.
    crowd(&scene, "PACS", 20_000, "state", "'waiting'");
    let first = scene.store.deliveries_open().unwrap().remove(0);
    let held = "UPDATE jobs SET study_instance_uid = '1.2.9.1', state = CASE seq % 2 WHEN 1 THEN 'held' ELSE state END";
    let put_off = "UPDATE deliveries SET state = 'retrying', next_at = ?2 WHERE id = ?1";
    let change = scene.store.write(move |db| {
        db.execute(held, [])?;
        db.execute(
            "UPDATE jobs SET state = 'delivering' WHERE id = ?1",
            [first.job.as_str()],
        )?;
        Ok(db.execute(put_off, [first.id, BEGIN.plus(Duration::from_secs(9)).0])?)
    });
    change.wait().unwrap();
    let mut lanes = Lanes::default();
    let (over, _ended) = mpsc::unbounded_channel();
    let begun = Instant::now();
    for _ in 0..5 {
        let wait = worker.begin_due(&mut lanes, &over).unwrap();
        assert_eq!(wait, Duration::from_secs(9));
    }
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}
