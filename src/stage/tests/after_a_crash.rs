//! Disk and store told different stories.

use super::*;

#[test]
fn a_row_without_a_file_is_told_once_and_its_job_is_not_run_as_if_whole() {
    let bench = Bench::new(Durability::Instance);
    let stage = bench.stage();
    let mut receiver = bench.receiver(&stage, 1);
    let job = receive(&mut receiver, "1.9.1", b"one").unwrap().job;
    receive(&mut receiver, "1.9.2", b"two").unwrap();
    drop(receiver);
    fs::remove_file(&bench.files()[0]).unwrap();
    for _ in 0..2 {
        drop(bench.stage());
    }
    let stage = bench.stage();
    wait(stage.completion().complete_now(&job)).unwrap();
    drop(bench.stage());
    assert_eq!(
        bench.events(&job, "missing"),
        ["1 of its 2 objects are not on the disk"]
    );
    let whole = bench.store.job(&job).unwrap().unwrap();
    let end = lay_out(
        &bench.layout,
        &bench.store,
        &whole,
        &std::collections::HashSet::new(),
    );
    assert!(
        matches!(end, Err(StageError::Missing { missing: 1, of: 2 })),
        "{end:?}"
    );
}

#[test]
fn a_job_that_failed_before_it_was_laid_out_keeps_its_input() {
    let bench = Bench::new(Durability::Instance);
    let stage = bench.stage();
    let job = receive(&mut bench.receiver(&stage, 1), "1.9.1", b"one")
        .unwrap()
        .job;
    wait(stage.completion().complete_now(&job)).unwrap();
    bench
        .store
        .fail(&job, "no room".into(), Timestamp::now())
        .wait()
        .unwrap();
    drop(bench.stage());
    assert_eq!(bench.laid_out(&job).len(), 1);
}

#[test]
fn a_job_that_is_laid_out_has_all_its_files() {
    let bench = Bench::new(Durability::Instance);
    let stage = bench.stage();
    let mut receiver = bench.receiver(&stage, 1);
    receive(&mut receiver, "1.9.1", b"old").unwrap();
    let job = receive(&mut receiver, "1.9.1", b"new").unwrap().job;
    wait(stage.completion().complete_now(&job)).unwrap();
    assert_eq!(bench.laid_out(&job).len(), 1);
    drop(bench.stage());
    assert_eq!(bench.events(&job, "missing"), Vec::<String>::new());
}

#[test]
fn an_object_that_came_twice_while_its_set_froze_makes_no_job_of_its_own() {
    for laid_out in [false, true] {
        let bench = Bench::new(Durability::Instance);
        let stage = bench.stage();
        let job = receive(&mut bench.receiver(&stage, 1), "1.9.1", b"one")
            .unwrap()
            .job;
        let file = bench.files()[0].clone();
        wait(stage.completion().complete_now(&job)).unwrap();
        // The same object under another name: the store's word on it was never acted on.
        let content = fs::read(&file).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let twin = file.with_file_name(format!("{}-{:016x}.dcm", name.rsplit_once('-').unwrap().0, 7));
        if laid_out {
            bench.laid_out(&job);
            fs::create_dir(twin.parent().unwrap()).unwrap();
        }
        fs::write(&twin, &content).unwrap();
        drop(bench.stage());
        assert!(bench.store.in_state(JobState::Receiving).unwrap().is_empty());
        assert!(!twin.exists());
        assert_eq!(bench.laid_out(&job).len(), 1);
    }
}

#[test]
fn an_object_on_its_way_to_another_set_arrives_there_however_often_it_is_cut_off() {
    let bench = Bench::new(Durability::Instance);
    let stage = bench.stage();
    let mut receiver = bench.receiver(&stage, 1);
    let job = receive(&mut receiver, "1.9.1", b"one").unwrap().job;
    drop(receiver);
    bench.lose_rows();
    let former = bench.files()[0].clone();
    bench.freeze(&job);
    drop(bench.stage());
    let arrived = bench.files()[0].clone();
    assert_ne!(arrived, former);
    // Cut off when the row was there and the former name was not removed.
    fs::hard_link(&arrived, &former).unwrap();
    drop(bench.stage());
    assert_eq!(bench.files(), [arrived]);
}
