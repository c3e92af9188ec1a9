//! Days of deliveries: the real worker and the real store, a PACS that is away, a clock whose hands are turned.

use std::collections::{BTreeMap, HashSet};

use super::*;
use crate::config::Config;
use crate::delivery::scene::{BEGIN, Hands, Pacs, Scene};
use crate::model::{JobId, Timestamp};

const HOUR: Duration = Duration::from_secs(3600);

fn config() -> DeliveryConfig {
    let config = Config::load(None).unwrap().delivery;
    let schedule = (config.first_retry, config.longest_retry, config.give_up);
    assert_eq!(schedule, (Duration::from_secs(30), HOUR, 72 * HOUR));
    config
}

fn hours(hours: u32) -> Timestamp {
    BEGIN.plus(HOUR * hours)
}

/// How often each object came.
fn times(pacs: &Pacs) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for (uid, _) in pacs.taken() {
        *times.entry(uid).or_default() += 1;
    }
    times
}

#[test]
fn a_pacs_that_is_away_for_sixty_hours_has_everything_once_soon_after_it_is_back() {
    let (scene, hands) = (Scene::new(), Hands::at(BEGIN));
    let [pacs, healthy] = ["PACS", "HEALTHY"].map(Pacs::start);
    let worker = scene.worker(config(), vec![pacs.remote(), healthy.remote()], &hands);
    pacs.is_away(true);
    // A study every second hour of the weekend, and one that is done twice.
    let mut jobs = Vec::new();
    for hour in (0..60).step_by(2) {
        let study = format!("1.2.3.{}", hour.max(2));
        jobs.push(scene.job(&study, 3, &["PACS", "HEALTHY"], hours(hour)));
        hands.turn(&worker, hours(hour + 2));
    }
    assert_eq!((jobs.len(), hands.now()), (30, hours(60)));
    assert_eq!(healthy.taken().len(), 90, "a sick destination delays no other");
    assert_eq!(pacs.taken(), []);
    // Bounded: eight attempts in the first two hours, then at most one every three quarters of an hour, of each.
    let attempts: Vec<u32> = jobs.iter().map(|job| scene.states(job)[0].1).collect();
    let sum: u32 = attempts.iter().sum();
    assert_eq!(pacs.calls(), sum as usize);
    // The second job of one study keeps its place, and does not ask.
    assert_eq!(attempts[1], 0);
    for (attempts, hour) in attempts.iter().zip((0..60).step_by(2)) {
        let most = 9 + (60 - hour) * 4 / 3;
        assert!(*attempts <= most, "{attempts} from {hour} h on");
    }
    assert!((60..=80).contains(&attempts[0]), "{}", attempts[0]);
    let states = |job: &JobId| scene.states(job)[0].0;
    assert!(
        jobs.iter()
            .all(|job| ["retrying", "waiting"].contains(&states(job)))
    );

    pacs.is_away(false);
    hands.turn(&worker, hours(61));
    assert!(jobs.iter().all(|job| states(job) == "sent"), "within an hour");
    let times = times(&pacs);
    assert_eq!(times.len(), 90, "none lost");
    assert!(times.values().all(|times| *times == 1), "none twice: {times:?}");
    // What the first of them sent came before what the second did.
    let order: Vec<_> = pacs.taken().into_iter().map(|(uid, _)| uid).collect();
    let of = |job: &JobId| {
        scene
            .store
            .delivery_instances(scene.deliveries(job)[0].id)
            .unwrap()
    };
    let place = |job: &JobId| {
        let uid = &of(job)[0].sop_instance_uid;
        order.iter().position(|each| each == uid).unwrap()
    };
    assert!(place(&jobs[0]) < place(&jobs[1]), "{order:?}");
    // Both destinations were sent the same.
    let objects = |pacs: &Pacs| pacs.taken().into_iter().collect::<HashSet<_>>();
    assert!(objects(&pacs) == objects(&healthy));
}

#[test]
fn what_cannot_be_delivered_for_72_hours_is_held_and_goes_when_an_operator_says_so() {
    let (scene, hands) = (Scene::new(), Hands::at(BEGIN));
    let pacs = Pacs::start("PACS");
    let worker = scene.worker(config(), vec![pacs.remote()], &hands);
    pacs.is_away(true);
    let job = scene.job("1.2.3", 2, &["PACS"], BEGIN);
    hands.turn(&worker, hours(71));
    assert_eq!(scene.states(&job)[0].0, "retrying");
    hands.turn(&worker, hours(74));
    let held = scene.deliveries(&job).remove(0);
    assert_eq!(held.state, DeliveryState::Held);
    assert!((70..=100).contains(&held.attempts), "{}", held.attempts);
    assert!(held.error.unwrap().contains("127.0.0.1"));
    assert_eq!(scene.store.job(&job).unwrap().unwrap().state.name(), "done");
    // Nothing more happens by itself, for weeks; nothing is dropped.
    let calls = pacs.calls();
    pacs.is_away(false);
    hands.turn(&worker, hours(1000));
    assert_eq!((pacs.calls(), scene.states(&job)[0].0), (calls, "held"));
    assert_eq!(scene.store.removable(None, 9).unwrap(), [], "retention keeps it");

    scene.store.retry(&job, hands.now()).wait().unwrap();
    hands.turn(&worker, hours(1001));
    assert_eq!(scene.states(&job)[0].0, "sent");
    assert_eq!(times(&pacs).values().collect::<Vec<_>>(), [&1, &1]);
}

#[test]
fn what_is_tried_again_holds_back_its_own_study_there_and_nothing_else() {
    let (scene, hands) = (Scene::new(), Hands::at(BEGIN));
    let [pacs, other] = ["PACS", "OTHER"].map(Pacs::start);
    let worker = scene.worker(config(), vec![pacs.remote(), other.remote()], &hands);
    pacs.is_away(true);
    let first = scene.job("1.2.3", 1, &["PACS"], BEGIN);
    hands.turn(&worker, BEGIN.plus(Duration::from_secs(1)));
    assert_eq!(scene.states(&first), [("retrying", 1)]);
    pacs.is_away(false);
    let second = scene.job("1.2.3", 1, &["PACS", "OTHER"], hands.now());
    let stranger = scene.job("1.2.9", 1, &["PACS"], hands.now());
    hands.turn(&worker, BEGIN.plus(Duration::from_secs(2)));
    assert_eq!(scene.states(&second), [("waiting", 0), ("sent", 1)]);
    assert_eq!(scene.states(&stranger), [("sent", 1)]);
    // Which it waits for is told.
    let [behind, free] = scene.deliveries(&second).try_into().unwrap();
    let ahead = worker.destinations.ahead(&scene.store, &behind).unwrap().unwrap();
    assert_eq!(
        (ahead.delivery, &ahead.job),
        (scene.deliveries(&first)[0].id, &first)
    );
    assert_eq!(worker.destinations.ahead(&scene.store, &free).unwrap(), None);
    hands.turn(&worker, BEGIN.plus(HOUR));
    assert_eq!(scene.states(&first), [("sent", 2)]);
    assert_eq!(scene.states(&second), [("sent", 1), ("sent", 1)]);
}

#[test]
fn a_pacs_that_rules_give_the_address_of_has_one_order_with_the_one_that_the_configuration_names() {
    let (scene, hands) = (Scene::new(), Hands::at(BEGIN));
    let pacs = Pacs::start("PACS");
    let worker = scene.worker(config(), vec![pacs.remote()], &hands);
    // The same place, written as nobody would; and another AE there, which is another destination.
    let mapped = pacs.given(&format!("[::FFFF:127.0.0.1]:{}", pacs.port()));
    let plain = pacs.given(&format!("127.0.0.1:{}", pacs.port()));
    let other = Pacs::start("OTHER").given(&format!("127.0.0.1:{}", pacs.port()));
    pacs.is_away(true);
    let first = scene.job("1.2.3", 1, &["PACS"], BEGIN);
    hands.turn(&worker, BEGIN.plus(Duration::from_secs(1)));
    assert_eq!(scene.states(&first), [("retrying", 1)]);
    pacs.is_away(false);
    let second = scene.job_to("1.2.3", 1, vec![mapped], hands.now());
    let third = scene.job_to("1.2.3", 1, vec![plain, other], hands.now());
    hands.turn(&worker, BEGIN.plus(Duration::from_secs(2)));
    assert_eq!(scene.states(&second), [("waiting", 0)]);
    assert_eq!(scene.states(&third), [("waiting", 0), ("sent", 1)]);
    for behind in [&second, &third] {
        let delivery = scene.deliveries(behind).remove(0);
        let ahead = worker.destinations.ahead(&scene.store, &delivery).unwrap();
        assert_eq!(ahead.unwrap().job, first);
    }
    hands.turn(&worker, BEGIN.plus(HOUR));
    assert_eq!(scene.states(&first)[0].0, "sent");
    let order: Vec<_> = pacs.taken().into_iter().map(|(uid, _)| uid).collect();
    let uid = |job: &JobId| {
        let delivery = scene.deliveries(job)[0].id;
        scene.store.delivery_instances(delivery).unwrap()[0]
            .sop_instance_uid
            .clone()
    };
    let last_of_all = [uid(&first), uid(&second), uid(&third)];
    assert_eq!(order[1..], last_of_all, "{order:?}");
}

#[test]
fn what_is_held_or_refused_or_of_a_job_that_is_held_is_passed() {
    let (scene, hands) = (Scene::new(), Hands::at(BEGIN));
    let pacs = Pacs::start("PACS");
    let config = DeliveryConfig {
        give_up: Duration::from_secs(60),
        ..config()
    };
    let worker = scene.worker(config, vec![pacs.remote()], &hands);
    // Given up: the PACS was away.
    pacs.is_away(true);
    let given_up = scene.job("1.2.3", 1, &["PACS"], BEGIN);
    hands.turn(&worker, BEGIN.plus(HOUR));
    assert_eq!(scene.states(&given_up)[0].0, "held");
    // Of a job that is held while it is tried again.
    let paused = scene.job("1.2.3", 1, &["PACS"], hands.now());
    hands.turn(&worker, hands.now().plus(Duration::from_secs(1)));
    assert_eq!(scene.states(&paused), [("retrying", 1)]);
    scene.store.hold(&paused).wait().unwrap();
    pacs.is_away(false);
    // Held at the gate: its result is of another patient.
    let wrong = scene.job("1.2.3", 1, &["PACS"], hands.now());
    let file = &scene
        .store
        .delivery_instances(scene.deliveries(&wrong)[0].id)
        .unwrap()[0]
        .file;
    let path = scene.place(&wrong, "OUTPUT").join(file);
    let bytes = std::fs::read(&path).unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    std::fs::write(&path, text.replace("Doe^John", "Roe^Jane")).unwrap();
    // Refused for good.
    let refused = scene.job("1.2.3", 1, &["PACS"], hands.now());
    let delivery = scene.deliveries(&refused)[0].id;
    let file = &scene.store.delivery_instances(delivery).unwrap()[0].file;
    std::fs::remove_file(scene.place(&refused, "OUTPUT").join(file)).unwrap();
    let open = "UPDATE deliveries SET gate = 'off' WHERE id = ?1";
    let open = scene.store.write(move |db| Ok(db.execute(open, [delivery])?));
    open.wait().unwrap();
    let last = scene.job("1.2.3", 1, &["PACS"], hands.now());
    hands.turn(&worker, hands.now().plus(Duration::from_secs(1)));
    assert_eq!(scene.states(&wrong)[0].0, "held");
    assert_eq!(scene.states(&refused)[0].0, "refused");
    assert_eq!(scene.states(&last), [("sent", 1)]);
    assert_eq!(scene.states(&paused), [("retrying", 1)]);
    scene.store.release(&paused, hands.now()).wait().unwrap();
    hands.turn(&worker, hands.now().plus(Duration::from_secs(60)));
    assert_eq!(scene.states(&paused), [("sent", 2)]);
}

#[test]
fn the_time_of_a_delivery_runs_from_its_first_attempt_and_not_while_it_waits_behind_another() {
    let (scene, hands) = (Scene::new(), Hands::at(BEGIN));
    let pacs = Pacs::start("PACS");
    let worker = scene.worker(config(), vec![pacs.remote()], &hands);
    pacs.is_away(true);
    let first = scene.job("1.2.3", 1, &["PACS"], BEGIN);
    let second = scene.job("1.2.3", 1, &["PACS"], BEGIN);
    hands.turn(&worker, hours(76));
    assert_eq!(scene.states(&first)[0].0, "held");
    let (state, attempts) = scene.states(&second)[0];
    assert!(state == "retrying" && attempts > 1, "{state} after {attempts}");
    hands.turn(&worker, hours(140));
    assert_eq!(scene.states(&second)[0].0, "retrying");
    hands.turn(&worker, hours(150));
    assert_eq!(scene.states(&second)[0].0, "held");
    // Sent again by an operator, it has its whole time once more.
    scene.store.retry(&second, hands.now()).wait().unwrap();
    hands.turn(&worker, hours(220));
    assert_eq!(scene.states(&second)[0].0, "retrying");
}

#[test]
fn a_clock_that_was_ahead_at_the_first_attempt_does_not_keep_a_delivery_from_being_given_up() {
    let (scene, hands) = (Scene::new(), Hands::at(hours(2000)));
    let pacs = Pacs::start("PACS");
    let worker = scene.worker(config(), vec![pacs.remote()], &hands);
    pacs.is_away(true);
    let job = scene.job("1.2.3", 1, &["PACS"], hours(2000));
    hands.turn(&worker, hours(2001));
    hands.set(BEGIN);
    hands.turn(&worker, hours(70));
    assert_eq!(scene.states(&job)[0].0, "retrying");
    hands.turn(&worker, hours(76));
    assert_eq!(scene.states(&job)[0].0, "held");
}

#[test]
fn a_clock_that_is_set_forward_and_days_without_the_node_are_no_time_in_which_a_pacs_was_tried() {
    let (scene, hands) = (Scene::new(), Hands::at(BEGIN));
    let pacs = Pacs::start("PACS");
    let worker = scene.worker(config(), vec![pacs.remote()], &hands);
    pacs.is_away(true);
    let job = scene.job("1.2.3", 1, &["PACS"], BEGIN);
    hands.turn(&worker, hours(24));
    // By a year.
    hands.set(hours(24 + 8760));
    hands.turn(&worker, hours(48 + 8760));
    let (state, before) = scene.states(&job)[0];
    assert_eq!(state, "retrying");
    // The node is off over a long weekend, and the PACS still away when it starts.
    hands.set(hours(144 + 8760));
    let worker = scene.worker(config(), vec![pacs.remote()], &hands);
    hands.turn(&worker, hours(144 + 8760 + 22));
    let (state, after) = scene.states(&job)[0];
    assert_eq!(state, "retrying");
    assert!(after >= before + 20, "{before}, {after}");
    hands.turn(&worker, hours(144 + 8760 + 26));
    assert_eq!(scene.states(&job)[0].0, "held");
}

#[test]
fn an_attempt_that_breaks_down_is_tried_again_on_the_schedule_and_not_at_once_for_ever() {
    let (scene, hands) = (Scene::new(), Hands::at(BEGIN));
    let pacs = Pacs::start("PACS");
    let mut worker = scene.worker(config(), vec![pacs.remote()], &hands);
    let job = scene.job("1.2.3", 1, &["PACS"], BEGIN);
    let (own, here) = (hands.clone(), std::thread::current().id());
    let asked = std::sync::atomic::AtomicUsize::new(0);
    worker.clock = Arc::new(move || {
        let is_attempt = std::thread::current().id() != here;
        // First as it begins, then when everything has its answer.
        let breaks = is_attempt && asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1;
        assert!(!breaks, "on purpose");
        own.moment()
    });
    hands.turn(&worker, BEGIN.plus(Duration::from_secs(1)));
    assert_eq!(scene.states(&job), [("retrying", 1)]);
    hands.turn(&worker, BEGIN.plus(HOUR));
    assert_eq!(scene.states(&job), [("sent", 2)]);
    assert_eq!(pacs.taken().len(), 1, "what was answered by then is known");
}

#[test]
fn what_is_cancelled_while_it_waits_at_the_gate_is_not_sent() {
    let (scene, hands) = (Scene::new(), Hands::at(BEGIN));
    let [pacs, other] = ["PACS", "OTHER"].map(Pacs::start);
    let worker = scene.worker(config(), vec![pacs.remote(), other.remote()], &hands);
    let [cancelled, held] = ["PACS", "OTHER"].map(|to| scene.job("1.2.3", 1, &[to], BEGIN));
    let (ready, is_ready) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let users = [&cancelled, &held].map(|job| worker.shelves.enter(job));
            let at_the_gate = users.each_ref().map(|user| user.at_the_gate());
            ready.send(()).unwrap();
            let end = std::time::Instant::now() + Duration::from_secs(60);
            let begun = |job: &JobId| scene.states(job) == [("sending", 1)];
            while !(begun(&cancelled) && begun(&held)) {
                assert!(std::time::Instant::now() < end, "it never began");
                std::thread::yield_now();
            }
            scene.store.cancel(&cancelled, "no".into(), BEGIN).wait().unwrap();
            scene.store.hold(&held).wait().unwrap();
            drop(at_the_gate);
        });
        is_ready.recv().unwrap();
        hands.turn(&worker, BEGIN.plus(Duration::from_secs(1)));
    });
    assert_eq!((pacs.taken(), other.taken()), (vec![], vec![]));
    assert_eq!(scene.states(&cancelled)[0].0, "cancelled");
    scene.store.release(&held, hands.now()).wait().unwrap();
    hands.turn(&worker, BEGIN.plus(Duration::from_secs(2)));
    assert_eq!(scene.states(&held)[0].0, "sent");
    assert_eq!((pacs.taken().len(), other.taken().len()), (0, 1));
}

#[test]
fn a_pacs_that_breaks_the_protocol_again_and_again_is_not_asked_for_days() {
    let (scene, hands) = (Scene::new(), Hands::at(BEGIN));
    let titles = ["OTHER", "NOBODY", "ONCE"];
    let all @ [other, nobody, once] = &titles.map(Pacs::start);
    let remotes = || all.iter().map(Pacs::remote).collect();
    let worker = scene.worker(config(), remotes(), &hands);
    other.names_another(true);
    nobody.answers_nobody(true);
    once.answers_nobody(true);
    let job = scene.job("1.2.3", 1, &titles, BEGIN);
    hands.turn(&worker, BEGIN.plus(Duration::from_secs(40)));
    assert_eq!(scene.states(&job), [("retrying", 2); 3]);
    once.answers_nobody(false);
    // The node starts anew: what was counted counts.
    let worker = scene.worker(config(), remotes(), &hands);
    hands.turn(&worker, hours(1));
    assert_eq!(scene.states(&job), [("held", 3), ("held", 3), ("sent", 3)]);
    let deliveries = scene.deliveries(&job);
    let uid = &scene.store.delivery_instances(deliveries[0].id).unwrap()[0].sop_instance_uid;
    for (delivery, says) in deliveries.iter().zip([uid.as_str(), "to message 0"]) {
        let error = delivery.error.as_deref().unwrap();
        assert!(
            error.contains("breaks the protocol") && error.contains(says),
            "{error}"
        );
    }
    // Somebody has mended them.
    other.names_another(false);
    nobody.answers_nobody(false);
    scene.store.retry(&job, hands.now()).wait().unwrap();
    hands.turn(&worker, hours(2));
    assert_eq!(scene.states(&job), [("sent", 4), ("sent", 4), ("sent", 3)]);
}

mod again;
mod crowd;
