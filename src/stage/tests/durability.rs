//! When what was answered is safe, and a store that does not take rows.

use std::sync::Mutex;

use super::*;
use crate::stage::freezer::Freezer;
use crate::stage::refused_rows::RefusedRows;
use crate::stage::syncs::Syncs;

/// What every sync saw: files of arriving sets, rows, and the state of their jobs.
type Seen = Arc<Mutex<Vec<(usize, usize, Vec<JobState>)>>>;

/// Syncs that look at what is there when they begin.
fn watched(bench: &Bench) -> (Syncs, Seen) {
    let seen = Seen::default();
    let (list, layout, store) = (seen.clone(), bench.layout.clone(), bench.store.clone());
    let syncs = Syncs::by(move || {
        let incoming = layout.path(Place::Stream(&title())).join("incoming");
        let sets = crate::files::entries(&incoming).unwrap();
        let files = sets
            .iter()
            .map(|set| crate::files::entries(set).unwrap().len())
            .sum();
        let rows = store.read(|db| Ok(db.query_row("SELECT count(*) FROM instances", [], |r| r.get(0))?));
        let jobs = store
            .jobs(&crate::store::JobFilter {
                limit: 9,
                ..Default::default()
            })
            .unwrap();
        let states = jobs.into_iter().map(|job| job.state).collect();
        list.lock().unwrap().push((files, rows.unwrap(), states));
        Ok(())
    });
    (syncs, seen)
}

#[test]
fn an_association_is_synced_once_when_its_last_object_and_row_are_there() {
    let bench = Bench::new(Durability::Association);
    let mut stage = bench.stage();
    let (syncs, seen) = watched(&bench);
    stage.syncs = Some(syncs);
    let mut receiver = bench.receiver(&stage, 1);
    for instance in ["1.9.1", "1.9.2", "1.9.3"] {
        answer(&mut receiver, instance, b"one").unwrap();
        receiver.settle();
    }
    assert!(seen.lock().unwrap().is_empty(), "a sync for each object");
    receiver.finish().unwrap();
    assert_eq!(*seen.lock().unwrap(), [(3, 3, vec![JobState::Receiving])]);
    // Nothing stored, nothing to sync.
    bench.receiver(&stage, 2).finish().unwrap();
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[test]
fn an_association_whose_sync_fails_ends_with_an_error_and_its_objects_are_kept() {
    let bench = Bench::new(Durability::Association);
    let mut stage = bench.stage();
    stage.syncs = Some(Syncs::by(|| Err(std::io::Error::other("the disk"))));
    let mut receiver = bench.receiver(&stage, 1);
    let job = answer(&mut receiver, "1.9.1", b"one").unwrap().job;
    let end = receiver.finish();
    assert!(matches!(end, Err(StageError::Io { .. })), "{end:?}");
    assert_eq!(bench.files().len(), 1);
    assert_eq!(bench.store.instances(&job).unwrap().len(), 1);
}

#[test]
fn a_set_is_synced_before_it_is_queued() {
    let bench = Bench::new(Durability::Association);
    let stage = bench.stage();
    let mut receiver = bench.receiver(&stage, 1);
    let job = receive(&mut receiver, "1.9.1", b"one").unwrap().job;
    let (syncs, seen) = watched(&bench);
    let freezer = Freezer::new(bench.layout.clone(), bench.store.clone(), Some(syncs));
    wait(freezer.freeze(&job, "quiet".into())).unwrap();
    assert_eq!(*seen.lock().unwrap(), [(1, 1, vec![JobState::Receiving])]);
    assert_eq!(bench.store.job(&job).unwrap().unwrap().state, JobState::Queued);
}

/// What a sync saw: rows, files, and the states of the jobs.
type Sight = (usize, usize, Vec<JobState>);

/// A set at its cap: an object enters it while it is synced to be frozen, as it does while an association goes on. Later
/// syncs go by `later`. Answers the set, what each sync saw, and what the freeze said.
fn frozen_while_an_object_enters(
    bench: &Bench,
    later: impl Fn() -> std::io::Result<()> + Send + Sync + 'static,
) -> (JobId, Vec<Sight>, Result<(), StageError>) {
    let stage = bench.stage();
    let mut receiver = bench.receiver(&stage, 1);
    let job = receive(&mut receiver, "1.9.1", b"one").unwrap().job;
    let (watched, seen) = watched(bench);
    let entering = Mutex::new(Some(receiver));
    let syncs = Syncs::by(move || {
        watched.sync(watched.mark())?;
        match entering.lock().unwrap().take() {
            Some(mut receiver) => {
                receive(&mut receiver, "1.9.2", b"two").unwrap();
                Ok(())
            }
            None => later(),
        }
    });
    let freezer = Freezer::new(bench.layout.clone(), bench.store.clone(), Some(syncs));
    let said = wait(freezer.freeze(&job, "cap".into()));
    let seen = seen.lock().unwrap().clone();
    (job, seen, said)
}

#[test]
fn an_object_that_enters_a_set_behind_its_sync_is_synced_before_the_set_is_queued() {
    let bench = Bench::new(Durability::Association);
    let (job, seen, said) = frozen_while_an_object_enters(&bench, || Ok(()));
    said.unwrap();
    assert_eq!(bench.store.instances(&job).unwrap().len(), 2);
    let open = || vec![JobState::Receiving];
    assert_eq!(seen, [(1, 1, open()), (2, 2, open())]);
    assert_eq!(bench.store.job(&job).unwrap().unwrap().state, JobState::Queued);
}

#[test]
fn a_set_is_not_queued_when_what_entered_it_behind_its_sync_cannot_be_synced() {
    let bench = Bench::new(Durability::Association);
    let disk = || Err(std::io::Error::other("the disk"));
    let (job, _, said) = frozen_while_an_object_enters(&bench, disk);
    assert!(
        matches!(said, Err(StageError::Store(StoreError::Sync(_)))),
        "{said:?}"
    );
    assert_eq!(bench.store.job(&job).unwrap().unwrap().state, JobState::Receiving);
}

#[test]
fn a_set_that_cannot_be_synced_is_not_queued() {
    let bench = Bench::new(Durability::Association);
    let stage = bench.stage();
    let job = receive(&mut bench.receiver(&stage, 1), "1.9.1", b"one")
        .unwrap()
        .job;
    let syncs = Syncs::by(|| Err(std::io::Error::other("the disk")));
    let freezer = Freezer::new(bench.layout.clone(), bench.store.clone(), Some(syncs));
    assert!(wait(freezer.freeze(&job, "quiet".into())).is_err());
    assert_eq!(bench.store.job(&job).unwrap().unwrap().state, JobState::Receiving);
}

#[test]
fn the_stores_word_on_an_object_is_acted_on_before_the_association_ends() {
    let bench = Bench::new(Durability::Instance);
    let stage = bench.stage();
    let mut receiver = bench.receiver(&stage, 1);
    let job = receive(&mut receiver, "1.9.1", b"one").unwrap().job;
    bench.freeze(&job);
    assert_eq!(
        answer(&mut receiver, "1.9.2", b"two").unwrap().job,
        job,
        "nobody knows better yet"
    );
    receiver.settle();
    bench.store.hurry().wait().unwrap();
    receiver.settle();
    let other = bench.open_set();
    assert_eq!(other.instances, 1);
    assert_eq!(answer(&mut receiver, "1.9.3", b"two").unwrap().job, other.id);
}

#[test]
fn a_row_that_the_store_refuses_comes_later_and_its_set_waits_for_it() {
    let bench = Bench::new(Durability::Instance);
    let stage = bench.stage();
    let mut receiver = bench.receiver(&stage, 1);
    let job = receive(&mut receiver, "1.9.1", b"one").unwrap().job;
    bench.refuse_rows();
    answer(&mut receiver, "1.9.2", b"two").unwrap();
    receiver.finish().unwrap();
    let early = wait(stage.completion().complete_now(&job));
    assert!(
        matches!(early, Err(StageError::Store(StoreError::State(_)))),
        "{early:?}"
    );
    bench.take_rows();
    bench.complete_in_time(&stage, &job);
    assert_eq!(bench.store.instances(&job).unwrap().len(), 2);
}

#[test]
fn while_too_many_rows_are_refused_no_object_is_taken_and_nobody_waits() {
    let bench = Bench::new(Durability::Instance);
    let mut stage = bench.stage();
    stage.refused_rows = RefusedRows::of_at_most(1);
    let [mut one, mut other] = [1, 2].map(|association| bench.receiver(&stage, association));
    let job = receive(&mut one, "1.9.1", b"one").unwrap().job;
    bench.refuse_rows();
    // Both are answered before the store says anything.
    answer(&mut one, "1.9.2", b"two").unwrap();
    answer(&mut other, "1.9.3", b"two").unwrap();
    one.settle_all();
    let refused = answer(&mut one, "1.9.4", b"two");
    assert!(matches!(refused, Err(StageError::Behind)), "{refused:?}");
    // The second row finds no room, and is taken over all the same.
    other.finish().unwrap();
    assert_eq!(bench.files().len(), 3);
    bench.take_rows();
    bench.complete_in_time(&stage, &job);
    assert_eq!(bench.store.instances(&job).unwrap().len(), 3);
    answer(&mut one, "1.9.4", b"two").unwrap();
}
