//! What an operator sends again, or lets go.

use super::*;

/// A minute in which the PACS is still away, and half an hour in which it is back.
fn soon_after_it_is_back(scene: &Scene, hands: &Hands, worker: &Worker, pacs: &Pacs) {
    let now = hands.now();
    hands.turn(worker, now.plus(Duration::from_secs(60)));
    pacs.is_away(false);
    hands.turn(worker, now.plus(HOUR / 2));
    assert!(!pacs.taken().is_empty());
    assert_eq!(scene.store.deliveries_open().unwrap(), []);
}

#[test]
fn what_is_sent_again_is_tried_on_the_schedule_of_a_first_attempt() {
    let (scene, hands) = (Scene::new(), Hands::at(BEGIN));
    let pacs = Pacs::start("PACS");
    let worker = scene.worker(config(), vec![pacs.remote()], &hands);
    pacs.is_away(true);
    let job = scene.job("1.2.3", 1, &["PACS"], BEGIN);
    hands.turn(&worker, hours(80));
    let (state, attempts) = scene.states(&job)[0];
    assert_eq!(state, "held");
    scene.store.retry(&job, hands.now()).wait().unwrap();
    soon_after_it_is_back(&scene, &hands, &worker, &pacs);
    // All attempts are told.
    assert!(scene.states(&job)[0].1 > attempts);
}

#[test]
fn what_is_released_is_tried_on_the_schedule_of_a_first_attempt() {
    let (scene, hands) = (Scene::new(), Hands::at(BEGIN));
    let pacs = Pacs::start("PACS");
    let worker = scene.worker(config(), vec![pacs.remote()], &hands);
    pacs.is_away(true);
    let job = scene.job("1.2.3", 1, &["PACS"], BEGIN);
    hands.turn(&worker, hours(20));
    scene.store.hold(&job).wait().unwrap();
    hands.turn(&worker, hours(24));
    scene.store.release(&job, hands.now()).wait().unwrap();
    soon_after_it_is_back(&scene, &hands, &worker, &pacs);
}

#[test]
fn what_an_operator_held_meanwhile_has_its_whole_time_when_it_is_released() {
    let (scene, hands) = (Scene::new(), Hands::at(BEGIN));
    let pacs = Pacs::start("PACS");
    let worker = scene.worker(config(), vec![pacs.remote()], &hands);
    pacs.is_away(true);
    let job = scene.job("1.2.3", 1, &["PACS"], BEGIN);
    hands.turn(&worker, hours(1));
    scene.store.hold(&job).wait().unwrap();
    hands.turn(&worker, hours(100));
    scene.store.release(&job, hands.now()).wait().unwrap();
    hands.turn(&worker, hours(170));
    assert_eq!(scene.states(&job)[0].0, "retrying");
    hands.turn(&worker, hours(174));
    assert_eq!(scene.states(&job)[0].0, "held");
}
