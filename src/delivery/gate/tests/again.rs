//! What went once under a UID, and what would go under it again.

use super::*;

#[test]
fn two_results_of_one_job_under_one_uid_are_one_object_to_nobody() {
    let one = Made::result();
    let other = Made::result().with(0x0008_103E, "another");
    let scene = Scene::new(
        &[Made::input(1)],
        &[("a.dcm", one), ("b.dcm", other)],
        GateMode::Repair,
        2,
    );
    // A rule sends one of them here, another rule the other there.
    for (number, file) in [(0, "b.dcm"), (1, "a.dcm")] {
        let id = scene.delivery(number).id;
        let sql = "DELETE FROM delivery_instances WHERE delivery = ?1 AND file = ?2";
        let chosen = scene.store.write(move |db| Ok(db.execute(sql, (id, file))?));
        chosen.wait().unwrap();
    }
    let Passage::Open(copies) = scene.pass(0).unwrap() else {
        panic!("held");
    };
    let sent = std::fs::read(&copies["a.dcm"]).unwrap();
    assert!(matches!(scene.pass(1).unwrap(), Passage::Held(_)));
    assert_eq!(
        std::fs::read(&copies["a.dcm"]).unwrap(),
        sent,
        "it may have to go again"
    );
    assert!(matches!(scene.pass(0).unwrap(), Passage::Open(_)));
}

#[test]
fn a_job_that_was_deleted_meanwhile_does_not_come_back_with_copies_in_it() {
    let scene = one(Made::result());
    let directory = scene.place("");
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(matches!(scene.pass(0), Err(GateError::Io { .. })));
    assert!(!directory.exists());
}

#[test]
fn a_copy_that_is_made_anew_and_is_another_object_does_not_go_under_the_uid_of_one_that_is_there() {
    let scene = one(Made::result());
    let path = scene.place("outgoing/2.25.77.dcm");
    let bytes = || std::fs::read(&path).unwrap();
    // What the program does otherwise: what it names itself.
    let copied_by = |program: &'static str| {
        let sql = "UPDATE jobs SET copies_by = ?1";
        let change = scene.store.write(move |db| Ok(db.execute(sql, [program])?));
        change.wait().unwrap();
        std::fs::remove_dir_all(scene.place("outgoing")).unwrap();
    };
    scene.copies();
    let first = bytes();
    // Nobody has it so far.
    copied_by("MagickBox 9");
    scene.copies();
    let second = bytes();
    assert_ne!(first, second);
    let delivery = scene.delivery(0).id;
    let sent = crate::store::InstanceAnswer {
        file: "r.dcm".into(),
        state: InstanceState::Sent,
        status: Some(0),
        reason: None,
    };
    scene
        .store
        .instances_answered(delivery, vec![sent])
        .wait()
        .unwrap();
    copied_by("MagickBox 10");
    let [held] = scene.held().try_into().unwrap();
    assert!(!path.exists(), "after a crash it would go");
    assert!(format!("{held:?}").contains("made anew"), "{held:?}");
    copied_by("MagickBox 9");
    scene.copies();
    assert_eq!(bytes(), second);
}

#[test]
fn what_is_held_once_is_held_for_all_who_get_the_same_until_a_person_has_it_sent_again() {
    let results = [("a.dcm", Made::result().with(0x0010_0020, "OTHER"))];
    let scene = Scene::new(&[Made::input(1)], &results, GateMode::Repair, 2);
    let is_held = |number: usize| matches!(scene.pass(number).unwrap(), Passage::Held(_));
    assert!(is_held(0));
    // Nobody reads it again: something else would be found.
    let file = scene.place("OUTPUT/a.dcm");
    let before = std::fs::read(&file).unwrap();
    std::fs::write(&file, b"no DICOM").unwrap();
    assert!(is_held(1));
    let found = |number: usize| scene.store.gate_findings(scene.delivery(number).id).unwrap();
    assert_eq!(found(1), found(0));
    assert_eq!(scene.delivery(1).gate_state, GateState::Held);

    // Sent again by a person, it is read again, once.
    let hold = |number: usize| {
        let delivery = scene.delivery(number);
        let begun = scene.store.delivery_begins(delivery.id, crate::model::RunTime(0));
        assert!(begun.wait().unwrap());
        let end = crate::store::AttemptEnd::last(crate::model::DeliveryEvent::GaveUp, None);
        let ended = scene.store.delivery_ends(&delivery, end, Timestamp::now());
        ended.wait().unwrap();
    };
    hold(0);
    hold(1);
    scene.store.retry(&scene.job, Timestamp::now()).wait().unwrap();
    assert!(is_held(1));
    assert_ne!(found(1), found(0));
    std::fs::write(&file, before).unwrap();
    assert!(is_held(0));
    assert_eq!(found(1), found(0));
}
