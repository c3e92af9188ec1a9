//! Copies that come and go, and records that are brought up to date.

use super::*;
use crate::config::Config;
use crate::delivery::scene::{BEGIN, Hands, Pacs, Scene, stream};
use crate::model::{DeliveryState, Timestamp, Uid};

const MINUTE: Duration = Duration::from_secs(60);

fn later(minutes: u32) -> Timestamp {
    BEGIN.plus(MINUTE * minutes)
}

#[test]
fn copies_are_there_while_something_is_to_be_sent_and_are_the_same_when_it_is_sent_again() {
    let (scene, hands) = (Scene::new(), Hands::at(BEGIN));
    let [pacs, away] = ["PACS", "AWAY"].map(Pacs::start);
    away.is_away(true);
    let config = crate::config::DeliveryConfig {
        give_up: MINUTE,
        ..Config::load(None).unwrap().delivery
    };
    let worker = scene.worker(config, vec![pacs.remote(), away.remote()], &hands);
    let aftermath = scene.aftermath(&worker);
    let job = scene.job("1.2.3", 2, &["PACS", "AWAY"], BEGIN);
    let outgoing = scene.place(&job, "outgoing");
    // An earlier version of the program made copies of it: it is named in those that this one makes.
    let own = job.clone();
    let earlier = scene.store.write(move |db| {
        let sql = "UPDATE jobs SET copies_by = 'MagickBox 0.0.1' WHERE id = ?1";
        Ok(db.execute(sql, [own.as_str()])?)
    });
    earlier.wait().unwrap();
    hands.turn(&worker, BEGIN.plus(Duration::from_secs(1)));
    assert_eq!(scene.states(&job), [("sent", 1), ("retrying", 1)]);
    assert_eq!(aftermath.pass().unwrap(), None);
    assert_eq!(files::entries(&outgoing).unwrap().len(), 2, "one is still to go");

    hands.turn(&worker, later(60));
    assert_eq!(scene.states(&job)[1].0, "held");
    // Somebody is about to send.
    let user = worker.shelves.enter(&job);
    assert_eq!(aftermath.pass().unwrap(), Some(LOOK));
    assert!(outgoing.exists());
    drop(user);
    assert_eq!(aftermath.pass().unwrap(), None);
    assert!(!outgoing.exists());
    assert_eq!(scene.store.outgoing_idle().unwrap(), []);

    away.is_away(false);
    scene.store.retry(&job, hands.now()).wait().unwrap();
    hands.turn(&worker, later(61));
    assert_eq!(scene.states(&job)[1].0, "sent");
    assert!(outgoing.exists());
    assert_eq!(away.taken(), pacs.taken(), "the same objects, bit by bit");
    let (_, data_set) = pacs.taken().remove(0);
    assert!(String::from_utf8_lossy(&data_set).contains("run by MagickBox 0.0.1 on node"));
    assert_eq!(aftermath.pass().unwrap(), None);
    assert!(!outgoing.exists());
}

#[test]
fn copies_of_a_job_that_is_cancelled_go_and_its_record_says_so() {
    let (scene, hands) = (Scene::new(), Hands::at(BEGIN));
    let away = Pacs::start("AWAY");
    away.is_away(true);
    let config = Config::load(None).unwrap().delivery;
    let worker = scene.worker(config, vec![away.remote()], &hands);
    let aftermath = scene.aftermath(&worker);
    let job = scene.job("1.2.3", 2, &["AWAY"], BEGIN);
    hands.turn(&worker, later(1));
    assert!(scene.place(&job, "outgoing").exists());
    scene.store.cancel(&job, "no".into(), later(1)).wait().unwrap();
    assert_eq!(aftermath.pass().unwrap(), None);
    assert!(!scene.place(&job, "outgoing").exists());
    let record = std::fs::read(scene.place(&job, "record.json")).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(record["deliveries"][0]["state"], "cancelled", "{record:#}");
}

#[test]
fn what_a_destination_says_of_keeping_is_in_the_record() {
    let (scene, hands) = (Scene::new(), Hands::at(BEGIN));
    let pacs = Pacs::start("PACS");
    let config = Config::load(None).unwrap().delivery;
    let worker = scene.worker(config, vec![pacs.remote()], &hands);
    let aftermath = scene.aftermath(&worker);
    let job = scene.job("1.2.3", 2, &["PACS"], BEGIN);
    let delivery = scene.deliveries(&job).remove(0);
    hands.turn(&worker, later(1));
    // As if it had been asked to keep what it took.
    let id = delivery.id;
    let to = DeliveryState::Committing.name();
    let ask = scene
        .store
        .write(move |db| Ok(db.execute("UPDATE deliveries SET state = ?2 WHERE id = ?1", (id, to))?));
    ask.wait().unwrap();
    let uid = |text: &str| Uid::parse(text.as_bytes()).unwrap();
    let objects = scene.store.delivery_instances(id).unwrap();
    let [kept, lost] = [0, 1].map(|i| uid(&objects[i].sop_instance_uid));
    scene
        .store
        .commitment_asked(id, &uid("1.7"), scene.store.moment())
        .wait()
        .unwrap();
    let answer = (vec![kept], vec![(lost, 0x0112)]);
    scene
        .store
        .commitment_heard(&uid("1.7"), &delivery.destination, answer)
        .wait()
        .unwrap();
    assert!(!scene.store.records_late().unwrap().is_empty());
    assert_eq!(aftermath.pass().unwrap(), None);
    assert_eq!(scene.store.records_late().unwrap(), []);
    let record = std::fs::read(scene.layout.path(Place::Record(&stream(), &job))).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    let shown = &record["deliveries"][0];
    assert_eq!(shown["state"], "uncommitted", "{record:#}");
    assert!(shown["error"].as_str().unwrap().contains("0112"), "{record:#}");
    let said: Vec<_> = [0, 1].map(|i| shown["instances"][i]["commitment"].clone()).into();
    assert_eq!(said, ["0000", "0112"]);
    assert_eq!(shown["instances"][1]["not_committed"], "no such object instance");
}

#[test]
fn a_record_that_changed_while_it_was_written_is_late_still_and_one_that_is_gone_is_not() {
    let scene = Scene::new();
    let worker = scene.worker(Config::load(None).unwrap().delivery, vec![], &Hands::at(BEGIN));
    let job = scene.job("1.2.3", 1, &["PACS"], BEGIN);
    scene.store.cancel(&job, "no".into(), BEGIN).wait().unwrap();
    let late = scene.store.records_late().unwrap().remove(0);
    let own = job.clone();
    let change = scene.store.write(move |db| {
        let sql = "UPDATE jobs SET record_late = record_late + 1 WHERE id = ?1";
        Ok(db.execute(sql, [own.as_str()])?)
    });
    change.wait().unwrap();
    scene.store.record_written(&late).wait().unwrap();
    assert_eq!(scene.store.records_late().unwrap().len(), 1);
    std::fs::remove_dir_all(scene.place(&job, "")).unwrap();
    assert_eq!(scene.aftermath(&worker).pass().unwrap(), None);
    assert_eq!(scene.store.records_late().unwrap(), []);
}

#[test]
fn a_record_that_is_none_is_told_once_and_keeps_nothing_from_going_on() {
    let (scene, hands) = (Scene::new(), Hands::at(BEGIN));
    let [pacs, away] = ["PACS", "AWAY"].map(Pacs::start);
    away.is_away(true);
    let config = Config::load(None).unwrap().delivery;
    let worker = scene.worker(config, vec![pacs.remote(), away.remote()], &hands);
    let aftermath = scene.aftermath(&worker);
    let job = scene.job("1.2.3", 1, &["PACS", "AWAY"], BEGIN);
    let path = scene.place(&job, "record.json");
    std::fs::write(&path, b"{ \"attempt\": 1, ").unwrap();
    hands.turn(&worker, later(1));
    assert_eq!(scene.states(&job)[0], ("sent", 1));
    assert_eq!(aftermath.pass().unwrap(), None);
    scene.store.cancel(&job, "no".into(), later(1)).wait().unwrap();
    assert_eq!(aftermath.pass().unwrap(), None);
    assert_eq!(scene.store.records_late().unwrap(), []);
    assert_eq!(std::fs::read(&path).unwrap(), b"{ \"attempt\": 1, ");
    let events = scene.store.events(&job).unwrap();
    let told = events.iter().filter(|e| e.kind == "record").collect::<Vec<_>>();
    assert_eq!(told.len(), 1, "{events:#?}");
    assert!(
        told[0].text.contains("record.json of the job is no JSON"),
        "{told:?}"
    );
}

#[test]
fn a_record_that_could_not_be_written_when_its_delivery_ended_is_written_later() {
    let (scene, hands) = (Scene::new(), Hands::at(BEGIN));
    let pacs = Pacs::start("PACS");
    let worker = scene.worker(Config::load(None).unwrap().delivery, vec![pacs.remote()], &hands);
    let job = scene.job("1.2.3", 1, &["PACS"], BEGIN);
    // As on a full disk: what is written beside it cannot be.
    let beside = scene.place(&job, ".record.json.new");
    std::fs::create_dir(&beside).unwrap();
    hands.turn(&worker, later(1));
    assert_eq!(scene.states(&job), [("sent", 1)]);
    let aftermath = scene.aftermath(&worker);
    assert_eq!(aftermath.pass().unwrap(), Some(AGAIN));
    std::fs::remove_dir(&beside).unwrap();
    assert_eq!(aftermath.pass().unwrap(), None);
    let record = std::fs::read(scene.place(&job, "record.json")).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(record["deliveries"][0]["state"], "sent", "{record:#}");
}

#[test]
fn what_ends_after_it_was_cancelled_is_cancelled_in_the_record_too() {
    let (scene, hands) = (Scene::new(), Hands::at(BEGIN));
    let pacs = Pacs::start("PACS");
    let config = Config::load(None).unwrap().delivery;
    let mut worker = scene.worker(config, vec![pacs.remote()], &hands);
    let aftermath = scene.aftermath(&worker);
    let job = scene.job("1.2.3", 1, &["PACS"], BEGIN);
    let (own, here) = (hands.clone(), std::thread::current().id());
    let (cancelled, records) = (job.clone(), aftermath.clone());
    let asked = std::sync::atomic::AtomicUsize::new(0);
    worker.clock = Arc::new(move || {
        let is_attempt = std::thread::current().id() != here;
        // Everything has its answer by then.
        if is_attempt && asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1 {
            let cancel = records.store.cancel(&cancelled, "no".into(), BEGIN);
            cancel.wait().unwrap();
            records.pass().unwrap();
        }
        own.moment()
    });
    hands.turn(&worker, later(1));
    assert_eq!(scene.states(&job), [("cancelled", 1)]);
    aftermath.pass().unwrap();
    let record = std::fs::read(scene.place(&job, "record.json")).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(record["deliveries"][0]["state"], "cancelled", "{record:#}");
}
