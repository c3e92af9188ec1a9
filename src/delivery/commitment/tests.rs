//! When destinations are asked, and how they are asked among many.

use super::*;

fn asks(first: i64, last: i64, last_taken: bool, taken: u32, lost: u32) -> Asks {
    Asks {
        first: Some(RunTime(first)),
        last: Some(RunTime(last)),
        last_taken,
        taken,
        lost,
    }
}

#[test]
fn it_is_asked_again_when_no_answer_came_in_time_and_then_shown() {
    let config = DeliveryConfig {
        commit_timeout: Duration::from_secs(10),
        commit_tries: 2,
        ..crate::config::Config::load(None).unwrap().delivery
    };
    let at = |asks: &Asks, now: i64| next(&config, asks, RunTime(now));
    assert_eq!(at(&Asks::default(), 5), Next::Ask);
    let once = asks(0, 0, true, 1, 0);
    assert_eq!(at(&once, 9_999), Next::Wait(RunTime(10_000)));
    assert_eq!(at(&once, 10_000), Next::Ask);
    let twice = asks(0, 10_000, true, 2, 0);
    assert_eq!(at(&twice, 19_000), Next::Wait(RunTime(20_000)));
    assert!(matches!(at(&twice, 20_000), Next::GiveUp(_)));
    // It was not there: as with sending, 30 s, then twice as long each time, for 72 h.
    let lost = asks(0, 0, false, 0, 1);
    assert_eq!(at(&lost, 29_000), Next::Wait(RunTime(30_000)));
    assert_eq!(at(&lost, 30_000), Next::Ask);
    assert_eq!(
        at(&asks(0, 30_000, false, 0, 2), 80_000),
        Next::Wait(RunTime(90_000))
    );
    let long = 73 * 3_600_000;
    assert!(matches!(at(&asks(0, 1, false, 0, 99), long), Next::GiveUp(_)));
}

#[test]
fn of_twenty_thousand_that_wait_for_their_answer_none_is_read_before_its_time() {
    use crate::delivery::scene::{BEGIN, Hands, Scene};

    let (scene, hands) = (Scene::new(), Hands::at(BEGIN));
    let config = crate::config::Config::load(None).unwrap().delivery;
    let committer = scene.worker(config, vec![], &hands).committer;
    let made = scene.store.write(|db| {
        Ok(db.execute_batch(
            "INSERT INTO jobs (id, stream, state, group_key, calling_ae_title, caller_address, study_instance_uid, \
             received_at, last_object_at) VALUES ('20260102-000000-00000001', 'PROC', 'done', 'g', 'A', '::1', '1.2', 0, 0); \
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) \
             INSERT INTO deliveries (job, destination, route, direction, created_at, attempts, state) \
             SELECT 1, 'PACS', 'r', 'output', 0, 1, 'committing' FROM n; \
             INSERT INTO commitment_asks (transaction_uid, delivery, asked_at, taken, asked) \
             SELECT '1.2.' || id, id, 0, 1, 0 FROM deliveries;",
        )?)
    });
    made.wait().unwrap();
    let mut turns = Turns::default();
    let (over, _ended) = mpsc::unbounded_channel();
    let mut looks = 1;
    while committer.pass(&mut turns, &over).unwrap() < AT_LEAST {
        looks += 1;
    }
    assert_eq!((looks, turns.known.len()), (20_000 / MOST_READ, 20_000));
    let begun = std::time::Instant::now();
    for _ in 0..20 {
        assert_eq!(committer.pass(&mut turns, &over).unwrap(), AT_LEAST);
    }
    // Read one by one they take a quarter of a minute.
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    // What is settled, or sent again, is not remembered.
    let settled =
        "UPDATE deliveries SET state = 'committed' WHERE id > 1; UPDATE deliveries SET attempts = 2";
    scene
        .store
        .write(move |db| Ok(db.execute_batch(settled)?))
        .wait()
        .unwrap();
    assert_eq!(committer.pass(&mut turns, &over).unwrap(), AT_LEAST);
    assert_eq!(turns.known.keys().collect::<Vec<_>>(), [&(1, 2)]);
}

#[test]
fn a_destination_that_says_nothing_over_the_association_that_asks_has_less_time_there_the_next_time() {
    let mut turns = Turns::default();
    let delivery = crate::delivery::sender::tests::delivery(0, crate::model::Timestamp::now());
    let wire = Destinations::default().wire(&delivery);
    let mut patience = Vec::new();
    for answered in [None, Some(false), None, Some(true)] {
        let done = Done {
            wire: wire.clone(),
            sent: (1, 1),
            answered,
        };
        turns.end(done);
        patience.push(turns.patience(&wire));
    }
    assert_eq!(patience, [SAME_ASSOCIATION, SILENT, SILENT, SAME_ASSOCIATION]);
}

#[test]
fn a_destination_is_asked_by_the_title_that_it_may_answer_to_whatever_a_rule_called_it_by() {
    use crate::delivery::scene::{BEGIN, Hands, Pacs, Scene};
    use crate::model::RemoteAe;

    let (scene, hands) = (Scene::new(), Hands::at(BEGIN));
    let pacs = Pacs::start("PACS");
    let Remote::Dicom(plain) = pacs.remote() else {
        unreachable!()
    };
    let remote = Remote::Dicom(RemoteAe {
        commit: true,
        ..plain
    });
    let worker = scene.worker(
        crate::config::Config::load(None).unwrap().delivery,
        vec![remote],
        &hands,
    );
    let given = pacs.given(&format!("[::FFFF:127.0.0.1]:{}", pacs.port()));
    let job = scene.job_to("1.2.3", 1, vec![given], BEGIN);
    hands.turn(&worker, BEGIN.plus(Duration::from_secs(1)));
    assert_eq!(scene.states(&job), [("committing", 1)]);
    let delivery = scene.deliveries(&job).remove(0);
    // It knows no storage commitment: how it was called is what counts.
    let _ = worker.committer.ask(&delivery, Duration::ZERO);
    assert_eq!(pacs.callers(), ["RULE", "NODE"]);
}
