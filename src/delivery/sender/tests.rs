//! What follows from an attempt.

use super::*;
use crate::model::{AeTitle, DeliveryState, Direction, JobId, RunTime, Timestamp};

fn config() -> DeliveryConfig {
    crate::config::Config::load(None).unwrap().delivery
}

pub(crate) fn delivery(attempts: u32, created_at: Timestamp) -> Delivery {
    let title = AeTitle::parse("PACS").unwrap();
    Delivery {
        id: 1,
        job: JobId::generate(created_at),
        stream: title.clone(),
        study_instance_uid: "1.2.3".to_owned(),
        destination: title,
        remote: None,
        after: None,
        route: String::new(),
        direction: Direction::Output,
        state: DeliveryState::Sending,
        attempts,
        created_at,
        tried: (attempts > 0).then_some(RunTime(0)),
        next_at: None,
        error: None,
        faults: 0,
        attempts_before: 0,
        gate: Default::default(),
        gate_state: Default::default(),
    }
}

#[test]
fn waits_double_up_to_the_longest() {
    let seconds: Vec<_> = (0..9).map(|n| wait(&config(), n).as_secs()).collect();
    assert_eq!(seconds, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
    assert_eq!(wait(&config(), u32::MAX).as_secs(), 3600);
}

#[test]
fn waits_of_one_moment_are_spread_over_a_quarter_before_it() {
    let now = Timestamp::now();
    let wait = Duration::from_secs(3600);
    let waits: Vec<_> = (0..200)
        .map(|id| {
            spread(
                wait,
                &Delivery {
                    id,
                    ..delivery(7, now)
                },
            )
        })
        .collect();
    assert!(waits.iter().all(|w| *w <= wait && *w > wait * 3 / 4), "{waits:?}");
    let [least, most] = [waits.iter().min(), waits.iter().max()].map(Option::unwrap);
    assert!(*most - *least > wait / 5, "{least:?} to {most:?}");
    let again = delivery(7, now);
    assert_eq!(spread(wait, &again), spread(wait, &again));
}

#[test]
fn every_end_of_an_attempt_has_its_event() {
    let now = Moment {
        at: Timestamp::now(),
        ran: RunTime(73 * 3_600_000),
    };
    let fresh = delivery(0, now.at);
    let event = |attempt: Attempt, earlier| next(&config(), &fresh, attempt, earlier, now).event;
    assert_eq!(event(Attempt::default(), false), DeliveryEvent::Accepted);
    assert_eq!(event(Attempt::default(), true), DeliveryEvent::Refused);
    assert_eq!(
        event(
            Attempt {
                refused: 1,
                ..Attempt::default()
            },
            false
        ),
        DeliveryEvent::Refused
    );
    assert_eq!(
        event(
            Attempt {
                transient: 1,
                refused: 1,
                ..Attempt::default()
            },
            false
        ),
        DeliveryEvent::Postponed
    );
    assert_eq!(
        event(
            Attempt {
                broken: true,
                ..Attempt::default()
            },
            false
        ),
        DeliveryEvent::Postponed
    );
    let rejected = Attempt {
        broken: true,
        permanent: true,
        ..Attempt::default()
    };
    assert_eq!(event(rejected, false), DeliveryEvent::Refused);
    let old = delivery(50, now.at);
    let broken = Attempt {
        broken: true,
        ..Attempt::default()
    };
    assert_eq!(
        next(&config(), &old, broken, false, now),
        AttemptEnd::last(DeliveryEvent::GaveUp, None)
    );
}

#[test]
fn wrong_answers_are_counted_as_long_as_nothing_else_comes() {
    let now = Moment {
        at: Timestamp::now(),
        ran: RunTime(0),
    };
    let wrong = |answered| Attempt {
        wrong_answer: true,
        answered,
        ..Attempt::broken("an answer to 0".to_owned())
    };
    let after = |faults, attempt: Attempt| {
        let delivery = Delivery {
            faults,
            ..delivery(9, now.at)
        };
        next(&config(), &delivery, attempt, false, now)
    };
    for (faults, attempt, expected) in [
        (0, wrong(0), 1),
        (1, wrong(0), 2),
        // It gets on, however slowly.
        (2, wrong(1), 1),
        (2, Attempt::broken("nobody there".to_owned()), 0),
    ] {
        let end = after(faults, attempt);
        assert_eq!((end.event, end.faults), (DeliveryEvent::Postponed, expected));
    }
    let end = after(2, wrong(0));
    assert_eq!(
        (end.event, end.next_at, end.faults),
        (DeliveryEvent::GaveUp, None, 0)
    );
    let why = end.error.unwrap();
    assert!(
        why.contains("breaks the protocol, 3 attempts in a row: an answer to 0"),
        "{why}"
    );
}
