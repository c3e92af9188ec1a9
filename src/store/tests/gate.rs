//! What the gate decided, and whose a UID is.

use super::deliveries::delivering;
use super::*;
use crate::model::{DeliveryEvent, DeliveryState, GateAction, GateFinding, GateFindings, GateState};

fn result(instance: &str, series: &str, hash: u8) -> ResultUid {
    ResultUid {
        sop_instance_uid: instance.into(),
        series_instance_uid: series.into(),
        study_instance_uid: "1.2.3".into(),
        hash: [hash; 16],
        copy_hash: None,
    }
}

fn held(value: &str) -> Vec<GateFindings> {
    vec![GateFindings {
        finding: GateFinding {
            action: GateAction::Held,
            attribute: "Patient ID (0010,0020)".into(),
            result: Some(value.into()),
            input: Some("right-id".into()),
            why: "contradicts the input".into(),
        },
        objects: 3,
        file: "secret-name.dcm".into(),
    }]
}

#[test]
fn a_uid_is_whose_it_was_first_and_the_same_object_is_the_same() {
    let (_dir, store) = store();
    let now = Timestamp::now();
    let (first, sent) = delivering(&store, "1.2.3", now);
    let (second, other) = delivering(&store, "1.2.4", now);
    let one = result("2.25.1", "2.25.2", 1);
    let pass = |delivery: i64, job: &JobId, result: ResultUid| {
        store
            .gate_passed(delivery, job, vec![], vec![result], vec![])
            .wait()
            .unwrap()
    };
    assert!(pass(sent.id, &first, one.clone()));
    let taken = |instance, series| UidsTaken { instance, series };
    for (job, asked, expected) in [
        (&first, result("2.25.1", "2.25.2", 1), taken(false, false)),
        (&first, result("2.25.9", "2.25.2", 9), taken(false, false)),
        // Another object under the name, or in the series.
        (&second, result("2.25.1", "2.25.8", 2), taken(true, false)),
        (&second, result("2.25.9", "2.25.2", 9), taken(false, true)),
        // The same object, made again.
        (&second, one.clone(), taken(false, false)),
        // … but as a part of another study, where what it left out is filled in.
        (
            &second,
            ResultUid {
                study_instance_uid: "1.2.4".into(),
                ..one.clone()
            },
            taken(true, true),
        ),
        (&second, result("2.25.9", "2.25.8", 9), taken(false, false)),
    ] {
        assert_eq!(store.uids_taken(job, &asked).unwrap(), expected, "{asked:?}");
    }
    // Taken since it was asked for: nothing is kept.
    assert!(!pass(other.id, &second, result("2.25.1", "2.25.8", 2)));
    assert_eq!(store.deliveries(&second).unwrap()[0].gate_state, GateState::Open);
}

#[test]
fn what_another_job_received_is_taken_but_not_what_came_back() {
    let (_dir, store) = store();
    let now = Timestamp::now();
    let (first, sent) = delivering(&store, "1.2.3", now);
    // Another job received an object of this name and series, of other bytes.
    delivering(&store, "1.2.4", now);
    let received = &store.instances(&first).unwrap()[0];
    let (instance, series) = (&received.sop_instance_uid, &received.series_instance_uid);
    let both = UidsTaken {
        instance: true,
        series: true,
    };
    let own = result(instance, series, 200);
    assert_eq!(store.uids_taken(&first, &own).unwrap(), both);
    // It is this job's own result, which a PACS sent on to this node, repaired.
    let (claim, id) = (own.clone(), first.to_string());
    let sql =
        "INSERT INTO result_uids VALUES (?1, (SELECT seq FROM jobs WHERE id = ?2), ?3, '1.2.3', ?4, NULL)";
    let values = (claim.sop_instance_uid, id, claim.series_instance_uid, claim.hash);
    store
        .write(move |db| Ok(db.execute(sql, values)?))
        .wait()
        .unwrap();
    assert_eq!(store.uids_taken(&first, &own).unwrap(), UidsTaken::default());
    assert!(
        store
            .gate_passed(sent.id, &first, vec![], vec![own], vec![])
            .wait()
            .unwrap()
    );
}

#[test]
fn what_the_job_itself_received_is_taken_also_where_the_bucket_was_not_given_it() {
    let (_dir, store) = store();
    let (job, _) = delivering(&store, "1.2.3", Timestamp::now());
    let received = &store.instances(&job).unwrap()[0];
    let (instance, series) = (&received.sop_instance_uid, &received.series_instance_uid);
    let taken = |instance, series| UidsTaken { instance, series };
    for (asked, expected) in [
        (result(instance, "2.25.8", 200), taken(true, false)),
        (result("2.25.9", series, 200), taken(false, true)),
    ] {
        assert_eq!(store.uids_taken(&job, &asked).unwrap(), expected, "{asked:?}");
    }
}

#[test]
fn what_is_held_is_released_by_somebody_and_its_values_stand_in_no_event() {
    let (_dir, store) = store();
    let now = Timestamp::now();
    let (job, delivery) = delivering(&store, "1.2.3", now);
    let release = || store.gate_release(&job, delivery.id, "anna".into(), now).wait();
    assert!(release().is_err(), "nothing is held");
    assert!(
        store
            .delivery_begins(delivery.id, crate::model::RunTime(0))
            .wait()
            .unwrap()
    );
    // Looked at twice: a crash came between.
    for _ in 0..2 {
        store
            .gate_held(delivery.id, &job, held("wrong-id"))
            .wait()
            .unwrap();
    }
    store
        .delivery_ends(
            &delivery,
            crate::store::AttemptEnd::last(DeliveryEvent::GaveUp, Some("held at the gate".into())),
            now,
        )
        .wait()
        .unwrap();
    assert_eq!(store.gate_findings(delivery.id).unwrap(), held("wrong-id"));
    assert_eq!(store.job(&job).unwrap().unwrap().state, JobState::Done);
    let other = JobId::parse("other").unwrap();
    assert!(
        store
            .gate_release(&other, delivery.id, "anna".into(), now)
            .wait()
            .is_err()
    );
    release().unwrap();
    assert!(release().is_err(), "once");
    let after = &store.deliveries(&job).unwrap()[0];
    assert_eq!(
        (after.state, after.gate_state),
        (DeliveryState::Waiting, GateState::Released)
    );
    assert_eq!(store.job(&job).unwrap().unwrap().state, JobState::Delivering);
    let events: Vec<_> = store.events(&job).unwrap().into_iter().map(|e| e.text).collect();
    let told = events.join("\n");
    assert!(
        told.contains("held: Patient ID (0010,0020): contradicts the input; objects: 3"),
        "{told}"
    );
    assert!(told.contains("released by anna"), "{told}");
    for value in ["wrong-id", "right-id", "secret-name"] {
        assert!(!told.contains(value), "{told}");
    }
}

#[test]
fn the_values_go_with_the_files_of_the_job() {
    let (_dir, store) = store();
    let now = Timestamp::now();
    let (job, delivery) = delivering(&store, "1.2.3", now);
    store
        .gate_held(delivery.id, &job, held("wrong-id"))
        .wait()
        .unwrap();
    store
        .write({
            let job = job.clone();
            move |db| {
                Ok(db.execute(
                    "UPDATE jobs SET removed_why = 'age' WHERE id = ?1",
                    [job.as_str()],
                )?)
            }
        })
        .wait()
        .unwrap();
    store.removal_ends(&job, now).wait().unwrap();
    let left = store.gate_findings(delivery.id).unwrap();
    assert_eq!((&left[0].finding.result, &left[0].finding.input), (&None, &None));
    assert_eq!(left[0].file, "");
    assert_eq!(left[0].finding.attribute, "Patient ID (0010,0020)");
}

#[test]
fn values_that_are_found_when_the_files_are_gone_are_not_kept() {
    let (_dir, store) = store();
    let now = Timestamp::now();
    let (job, delivery) = delivering(&store, "1.2.3", now);
    store.delete(&job, "anna".into(), now).wait().unwrap();
    store.removal_ends(&job, now).wait().unwrap();
    // A look at its results was under way.
    store
        .gate_held(delivery.id, &job, held("wrong-id"))
        .wait()
        .unwrap();
    let found = store.gate_findings(delivery.id).unwrap().remove(0);
    assert_eq!((found.finding.result, found.finding.input), (None, None));
    assert_eq!(found.file, "");
}
