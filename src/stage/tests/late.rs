//! Objects that come after their set was complete, and sets that an operator completes.

use std::collections::HashSet;

use super::*;

/// A job with two objects, complete.
fn first_job(bench: &Bench, stage: &Stage) -> JobId {
    let mut receiver = bench.receiver(stage, 1);
    let job = receive(&mut receiver, "1.9.1", b"one").unwrap().job;
    receive(&mut receiver, "1.9.2", b"two").unwrap();
    wait(stage.completion().complete_now(&job)).unwrap();
    assert_eq!(bench.events(&job, "complete"), ["completed by an operator"]);
    job
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected
        .iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
}

#[test]
fn late_objects_make_a_job_of_the_whole_study_and_the_earlier_one_stays_as_it_is() {
    for laid_out_before in [false, true] {
        let bench = Bench::new(Durability::Instance);
        let stage = bench.stage();
        let first = first_job(&bench, &stage);
        if laid_out_before {
            bench.laid_out(&first);
        }
        let mut receiver = bench.receiver(&stage, 2);
        let second = receive(&mut receiver, "1.9.3", b"new").unwrap().job;
        receive(&mut receiver, "1.9.2", b"TWO").unwrap();
        wait(stage.completion().complete_now(&second)).unwrap();

        let whole = bench.laid_out(&second);
        assert_eq!(
            whole,
            pairs(&[("1.9.1", "one"), ("1.9.2", "TWO"), ("1.9.3", "new")])
        );
        assert_eq!(bench.store.job(&second).unwrap().unwrap().instances, 3);
        assert_eq!(
            bench.laid_out(&first),
            pairs(&[("1.9.1", "one"), ("1.9.2", "two")])
        );
        assert_eq!(bench.store.job(&first).unwrap().unwrap().instances, 2);
        let superseded = bench.store.job(&first).unwrap().unwrap();
        assert_eq!(superseded.state, JobState::Cancelled, "it was still in the queue");
        assert_eq!(
            superseded.reason,
            Some(format!("superseded by job {second} before it ran"))
        );
        assert!(bench.events(&first, "superseded")[0].contains(second.as_str()));
        let again = bench.events(&second, "again");
        assert!(
            again.iter().any(|text| text.starts_with("1 objects of job")),
            "{again:?}"
        );
        // And once more: the latest job has the whole study.
        let third = receive(&mut receiver, "1.9.4", b"end").unwrap().job;
        wait(stage.completion().complete_now(&third)).unwrap();
        assert_eq!(bench.laid_out(&third).len(), 4);
        drop(bench.stage());
        assert_eq!(bench.files(), Vec::<PathBuf>::new(), "left in incoming");
    }
}

#[test]
fn a_study_that_comes_again_whole_takes_nothing_from_the_earlier_job() {
    let bench = Bench::new(Durability::Instance);
    let stage = bench.stage();
    first_job(&bench, &stage);
    let second = first_job(&bench, &stage);
    let rows = bench.store.instances(&second).unwrap();
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.file.ends_with(".dcm")), "{rows:?}");
}

#[test]
fn a_job_whose_files_were_removed_gives_nothing() {
    let bench = Bench::new(Durability::Instance);
    let stage = bench.stage();
    let first = first_job(&bench, &stage);
    let gone = |db: &rusqlite::Connection| Ok(db.execute("UPDATE jobs SET removed_at = 1", [])?);
    bench.store.write(gone).wait().unwrap();
    let second = receive(&mut bench.receiver(&stage, 2), "1.9.3", b"new")
        .unwrap()
        .job;
    wait(stage.completion().complete_now(&second)).unwrap();
    assert_eq!(bench.laid_out(&second), pairs(&[("1.9.3", "new")]));
    assert_eq!(bench.events(&first, "superseded"), Vec::<String>::new());
}

#[test]
fn links_of_an_earlier_job_that_were_cut_off_before_their_rows_are_removed_and_made_again() {
    let bench = Bench::new(Durability::Instance);
    let stage = bench.stage();
    let first = first_job(&bench, &stage);
    let second = receive(&mut bench.receiver(&stage, 2), "1.9.2", b"TWO")
        .unwrap()
        .job;
    let from = bench.store.job(&first).unwrap().unwrap();
    // As if 1.9.2 had not come yet when the links were made.
    let links = inherit(
        &bench.layout,
        &bench.store,
        &from,
        &second,
        Versions::Current,
        &HashSet::new(),
    );
    assert_eq!(links.unwrap().len(), 2);

    let stage = bench.stage();
    let rows = bench.store.instances(&second).unwrap();
    assert_eq!(
        rows.len(),
        1,
        "the replaced version is no object of the set: {rows:?}"
    );
    assert_eq!(bench.files().len(), 3);
    wait(stage.completion().complete_now(&second)).unwrap();
    assert_eq!(
        bench.laid_out(&second),
        pairs(&[("1.9.1", "one"), ("1.9.2", "TWO")])
    );
}

#[test]
fn an_operator_completes_an_open_set_and_nothing_else() {
    let bench = Bench::new(Durability::Instance);
    let stage = bench.stage();
    let job = first_job(&bench, &stage);
    for job in [job, JobId::generate(Timestamp::now())] {
        let twice = wait(stage.completion().complete_now(&job));
        assert!(
            matches!(twice, Err(StageError::Store(StoreError::State(_)))),
            "{twice:?}"
        );
    }
}

#[test]
fn what_comes_after_a_set_was_forgotten_and_frozen_begins_another() {
    let bench = Bench::new(Durability::Instance);
    let stage = bench.stage();
    let mut receiver = bench.receiver(&stage, 1);
    let job = receive(&mut receiver, "1.9.1", b"one").unwrap().job;
    bench.freeze(&job);
    stage.completion().cancel(&job);
    let other = receive(&mut receiver, "1.9.2", b"two").unwrap().job;
    assert_ne!(other, job);
}
