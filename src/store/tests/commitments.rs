//! Requests for storage commitment: of peers, and of ours.

use super::*;
use crate::model::{CommitmentState, DeliveryInstance, InstanceState, Moment, RunTime};

fn uid(text: &str) -> Uid {
    Uid::parse(text.as_bytes()).unwrap()
}

/// What was asked for the first delivery that is to be committed.
fn asks_of_first(store: &Store) -> Asks {
    let first = store.deliveries_committing().unwrap().remove(0);
    store.delivery_committing(first).unwrap().unwrap().1
}

fn title(text: &str) -> AeTitle {
    AeTitle::parse(text).unwrap()
}

fn asked(transaction: &str, objects: &[&str]) -> NewCommitment {
    NewCommitment {
        transaction_uid: uid(transaction),
        calling: title("SCANNER"),
        stream: title("ProcT1"),
        address: "::1".into(),
        association: 7,
        objects: objects.iter().map(|o| (uid("1.2"), uid(o))).collect(),
        next_at: Timestamp(1),
    }
}

#[test]
fn a_request_is_answered_once_and_anew_when_it_comes_again() {
    let (_dir, store) = store();
    let first = store
        .commitment_requested(asked("1.9", &["1.1", "1.7"]))
        .wait()
        .unwrap()
        .unwrap();
    let open = store.commitments_open().unwrap();
    assert_eq!(
        (open.len(), open[0].state, open[0].objects),
        (1, CommitmentState::Received, 2)
    );
    store
        .commitment_checked(first, vec![0, 0x0112], None, vec![])
        .wait()
        .unwrap();
    assert_eq!(store.commitment(first).unwrap().unwrap().failed, Some(1));
    store
        .commitment_put_off(first, Timestamp(5), "away".into())
        .wait()
        .unwrap();
    store.commitment_ends(first, None, Timestamp(9)).wait().unwrap();
    let row = store.commitment(first).unwrap().unwrap();
    assert_eq!(
        (row.state, row.attempts, row.next_at),
        (CommitmentState::Answered, 2, None)
    );
    // What is committed needs no row any more.
    let left = store.commitment_objects(first).unwrap();
    assert_eq!((left.len(), left[0].reason), (1, Some(0x0112)));
    let again = store
        .commitment_requested(asked("1.9", &["1.1"]))
        .wait()
        .unwrap()
        .unwrap();
    assert_ne!(first, again, "an answer under way is not taken for the other's");
    let all = store.commitments(9).unwrap();
    assert_eq!(
        (all.len(), all[0].state, all[0].objects),
        (1, CommitmentState::Received, 1)
    );
}

#[test]
fn a_promise_never_becomes_shorter_and_is_not_given_for_what_is_being_removed() {
    let (_dir, store) = store();
    let now = Timestamp(1_000);
    let [kept, going] = ["1.2.3", "1.2.4"].map(|study| open_set(&store, study, now));
    let set = going.clone();
    store
        .write(move |db| {
            Ok(db.execute(
                "UPDATE jobs SET removed_why = 'age' WHERE id = ?1",
                [set.as_str()],
            )?)
        })
        .wait()
        .unwrap();
    let until = |store: &Store| {
        store
            .read(|db| {
                let sql = "SELECT committed_until FROM jobs WHERE committed_at IS NOT NULL";
                Ok(db.query_row(sql, [], |row| row.get::<_, Option<i64>>(0))?)
            })
            .unwrap()
    };
    for (asked, expected) in [
        (Some(50), Some(50)),
        (Some(20), Some(50)),
        (None, None),
        (Some(90), None),
    ] {
        let both = vec![kept.clone(), going.clone()];
        let moment = |at| Moment {
            at: Timestamp(at),
            ran: RunTime(at),
        };
        let promised = store.promise(both, asked.map(moment), now).wait().unwrap();
        assert_eq!(promised, std::collections::HashSet::from([kept.clone()]));
        assert_eq!(until(&store), expected, "{asked:?}");
    }
}

#[test]
fn a_set_is_listed_when_nothing_in_it_is_missing_from_the_request() {
    let (_dir, store) = store();
    let now = Timestamp(1_000);
    let job = open_set(&store, "1.2.3", now);
    let more = store.place(&job, new_job("1.2.3"), instance("1.4", 2), now, When::Synced);
    assert_eq!(more.wait().unwrap(), Placed::Stored);
    let part = store
        .commitment_requested(asked("1.8", &["1.1"]))
        .wait()
        .unwrap()
        .unwrap();
    let all = store
        .commitment_requested(asked("1.9", &["1.1", "1.4", "1.5"]))
        .wait()
        .unwrap()
        .unwrap();
    assert_eq!(store.sets_listed(part, &title("ProcT1")).unwrap(), []);
    assert_eq!(
        store.sets_listed(all, &title("ProcT1")).unwrap(),
        [(job.clone(), 2)]
    );
    assert_eq!(store.sets_listed(all, &title("Other")).unwrap(), []);
    let held = store
        .held_objects(&title("ProcT1"), &["1.4".into(), "1.5".into()])
        .unwrap();
    assert_eq!((held[0].len(), held[1].len()), (1, 0));
    assert_eq!(held[0][0].job, job);
}

/// A delivery of two objects to PACS, all sent and to be committed.
fn committing(store: &Store) -> Delivery {
    let now = Timestamp::now();
    let job = open_set(store, "1.2.3", now);
    store.complete(&job, "quiet".into(), now, None).wait().unwrap();
    store.start(&job, bucket(), now).wait().unwrap();
    let ended = Ended {
        exit_status: Some(0),
        ..Ended::default()
    };
    store.ended(&job, ended, Some(1), now).wait().unwrap();
    let instance = |uid: &str| DeliveryInstance {
        file: uid.into(),
        sop_class_uid: "1.2".into(),
        sop_instance_uid: uid.into(),
        transfer_syntax_uid: "1.2".into(),
        state: InstanceState::Sent,
        status: Some(0),
        reason: None,
        commitment: None,
    };
    let to_pacs = NewDelivery {
        peer: crate::model::Peer::Named(title("PACS")),
        after: None,
        route: "r".into(),
        direction: Direction::Output,
        gate: crate::model::GateMode::Repair,
        instances: vec![instance("1.1"), instance("1.2")],
    };
    let verdict = Verdict {
        outcome: Outcome::Success,
        reason: None,
    };
    store
        .harvested(&job, verdict, vec![], vec![to_pacs], now)
        .wait()
        .unwrap();
    let delivery = store.deliveries(&job).unwrap().remove(0);
    store.delivery_begins(delivery.id, RunTime(0)).wait().unwrap();
    store
        .delivery_ends(
            &delivery,
            crate::store::AttemptEnd::last(DeliveryEvent::ToBeCommitted, None),
            now,
        )
        .wait()
        .unwrap();
    // The job does not wait for what may take days.
    assert_eq!(store.job(&job).unwrap().unwrap().state, JobState::Done);
    delivery
}

#[test]
fn a_delivery_is_committed_when_each_object_is_and_by_the_peer_that_was_asked() {
    let (_dir, store) = store();
    let delivery = committing(&store);
    let state = || store.deliveries(&delivery.job).unwrap()[0].state;
    let asks = asks_of_first(&store);
    assert_eq!(asks, Asks::default());
    let now = store.moment();
    for transaction in ["1.7", "1.8"] {
        store
            .commitment_asked(delivery.id, &uid(transaction), now)
            .wait()
            .unwrap();
    }
    store.commitment_taken(&uid("1.7")).wait().unwrap();
    let asks = asks_of_first(&store);
    assert_eq!((asks.taken, asks.lost, asks.last_taken), (1, 1, false));
    let hear = |transaction: &str, from: &str, committed: &[&str]| {
        let committed = committed.iter().map(|o| uid(o)).collect();
        store
            .commitment_heard(&uid(transaction), &title(from), (committed, vec![]))
            .wait()
            .unwrap()
    };
    assert_eq!(hear("1.6", "PACS", &["1.1", "1.2"]), CommitmentHeard::Unknown);
    assert_eq!(hear("1.7", "OTHER", &["1.1", "1.2"]), CommitmentHeard::Unknown);
    assert_eq!(hear("1.7", "PACS", &["1.1", "9.9"]), CommitmentHeard::Kept);
    assert_eq!(state(), DeliveryState::Committing, "half of it is not answered");
    assert_eq!(hear("1.8", "PACS", &["1.2"]), CommitmentHeard::Kept);
    assert_eq!(state(), DeliveryState::Committed);
    assert_eq!(store.deliveries_committing().unwrap(), []);
}

#[test]
fn what_is_not_committed_is_kept_with_its_reason_and_goes_again_alone() {
    let (_dir, store) = store();
    let delivery = committing(&store);
    let now = store.moment();
    store
        .commitment_asked(delivery.id, &uid("1.7"), now)
        .wait()
        .unwrap();
    let answered = (vec![uid("1.1")], vec![(uid("1.2"), 0x0112)]);
    store
        .commitment_heard(&uid("1.7"), &title("PACS"), answered)
        .wait()
        .unwrap();
    let row = store.deliveries(&delivery.job).unwrap().remove(0);
    assert_eq!(row.state, DeliveryState::Uncommitted);
    let error = row.error.unwrap();
    assert!(
        error.contains("1 objects are not committed; 1.2: failure reason 0112"),
        "{error}"
    );
    store.retry(&delivery.job, now.at).wait().unwrap();
    let left = store.delivery_instances(delivery.id).unwrap();
    let states: Vec<_> = left.iter().map(|i| (i.state, i.commitment)).collect();
    assert_eq!(
        states,
        [(InstanceState::Sent, Some(0)), (InstanceState::Waiting, None)]
    );
    assert_eq!(
        store.job(&delivery.job).unwrap().unwrap().state,
        JobState::Delivering
    );
}

#[test]
fn silence_is_shown_and_a_late_answer_counts() {
    let (_dir, store) = store();
    let delivery = committing(&store);
    let state = || store.deliveries(&delivery.job).unwrap()[0].state;
    store
        .commitment_asked(delivery.id, &uid("1.7"), store.moment())
        .wait()
        .unwrap();
    store
        .commitment_given_up(delivery.id, "it said nothing".into())
        .wait()
        .unwrap();
    assert_eq!(state(), DeliveryState::Uncommitted);
    let answered = (vec![uid("1.1"), uid("1.2")], vec![]);
    store
        .commitment_heard(&uid("1.7"), &title("PACS"), answered)
        .wait()
        .unwrap();
    assert_eq!(state(), DeliveryState::Committed);
    assert_eq!(store.deliveries(&delivery.job).unwrap()[0].error, None);
}

#[test]
fn what_was_asked_counts_in_its_order_also_where_the_clock_was_set_back() {
    let (_dir, store) = store();
    let delivery = committing(&store);
    let made = delivery.created_at.0;
    let asks = || asks_of_first(&store);
    for (transaction, at, ran) in [("1.7", made + 5, 10), ("1.8", made - 3_600_000, 20)] {
        let now = Moment {
            at: Timestamp(at),
            ran: RunTime(ran),
        };
        store
            .commitment_asked(delivery.id, &uid(transaction), now)
            .wait()
            .unwrap();
    }
    // The clock is set back to before the delivery: the last that was asked is the last.
    let asked = asks();
    let times = (asked.first, asked.last);
    assert_eq!((asked.lost, times), (2, (Some(RunTime(10)), Some(RunTime(20)))));
    // What was asked before it was sent again counts no more.
    store
        .commitment_given_up(delivery.id, "silence".into())
        .wait()
        .unwrap();
    store.retry(&delivery.job, Timestamp(made + 10)).wait().unwrap();
    assert!(store.delivery_begins(delivery.id, RunTime(0)).wait().unwrap());
    let event = DeliveryEvent::ToBeCommitted;
    store
        .delivery_ends(
            &delivery,
            crate::store::AttemptEnd::last(event, None),
            Timestamp(made + 20),
        )
        .wait()
        .unwrap();
    assert_eq!(asks(), Asks::default());
}

#[test]
fn a_peer_that_is_never_answered_leaves_room_for_the_requests_of_others() {
    let (_dir, store) = store();
    let of = |calling: &str, number: u32| {
        let transaction = format!("1.7.{number}");
        store.commitment_requested(NewCommitment {
            calling: title(calling),
            ..asked(&transaction, &["1.1"])
        })
    };
    // Waited for at the end: they share their commits.
    let many: Vec<_> = (0..1000).map(|number| of("AWAY", number)).collect();
    let taken = many.into_iter().map(|pending| pending.wait().unwrap());
    assert!(taken.collect::<Vec<_>>().iter().all(Option::is_some));
    assert_eq!(of("AWAY", 1000).wait().unwrap(), None);
    assert!(of("OTHER", 1).wait().unwrap().is_some());
}
