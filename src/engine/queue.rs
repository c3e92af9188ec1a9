//! Who is next: pure.
//!
//! Between jobs of one stream the priority decides, then who was queued first. A job that waits moves up a class each
//! [`AGEING`], so that nothing waits for ever. Between streams the class of their first jobs decides, then who has less
//! running, then whose last start is longest ago: a bucket that floods gets its share and no more. The order comes from the
//! store alone, so a restart changes nothing of it.

use std::time::Duration;

use crate::model::{Job, JobId, Priority, Timestamp};

/// A job moves up a class each time it has waited this long.
pub const AGEING: Duration = Duration::from_secs(4 * 3600);

/// What counts of a stream beside its jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share {
    /// Runs of it at this moment.
    pub running: usize,
    /// When a job of it was last started.
    pub last_start: Option<Timestamp>,
}

/// The class of a job by now, 0 the most urgent. A clock that was set back makes nobody older or younger than new.
fn class(priority: Priority, queued_at: Timestamp, now: Timestamp) -> u64 {
    let base = match priority {
        Priority::Urgent => 0_u64,
        Priority::Normal => 1,
        Priority::OffPeak => 2,
    };
    base.saturating_sub(now.since(queued_at).as_secs() / AGEING.as_secs())
}

fn key(job: &Job, now: Timestamp) -> (u64, Timestamp, JobId) {
    let queued_at = job.queued_at.unwrap_or(job.received_at);
    (class(job.priority, queued_at, now), queued_at, job.id.clone())
}

/// Sorts the jobs of one stream.
pub fn order_stream(jobs: &mut [Job], now: Timestamp) {
    jobs.sort_by_cached_key(|job| key(job, now));
}

/// Takes the next of several streams, each with its jobs in order; empty ones do not count. `None` when all are empty.
pub fn next<'a>(streams: impl Iterator<Item = (usize, &'a Job, Share)>, now: Timestamp) -> Option<usize> {
    streams
        .min_by_key(|(_, job, share)| {
            let (class, queued_at, id) = key(job, now);
            (class, *share, queued_at, id)
        })
        .map(|(index, ..)| index)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::tests::job;

    const HOUR: i64 = 3_600_000;

    fn queued(priority: Priority, at: i64) -> Job {
        Job {
            priority,
            queued_at: Some(Timestamp(at)),
            ..job()
        }
    }

    fn share(running: usize, last_start: i64) -> Share {
        Share {
            running,
            last_start: Some(Timestamp(last_start)),
        }
    }

    #[test]
    fn urgent_jobs_come_first_and_equals_in_the_order_in_which_they_were_queued() {
        let mut jobs = [
            queued(Priority::OffPeak, 1),
            queued(Priority::Normal, 3),
            queued(Priority::Normal, 2),
            queued(Priority::Urgent, 4),
        ];
        order_stream(&mut jobs, Timestamp(5));
        assert_eq!(jobs.map(|j| j.queued_at.unwrap().0), [4, 2, 3, 1]);
    }

    #[test]
    fn a_job_that_waits_moves_up_a_class_each_four_hours() {
        let mut jobs = [queued(Priority::Urgent, 8 * HOUR), queued(Priority::OffPeak, 0)];
        order_stream(&mut jobs, Timestamp(8 * HOUR - 1));
        assert_eq!(jobs[0].priority, Priority::Urgent);
        order_stream(&mut jobs, Timestamp(8 * HOUR));
        assert_eq!(jobs[0].priority, Priority::OffPeak);
    }

    #[test]
    fn a_stream_that_floods_waits_for_the_others() {
        let (flood, other) = (queued(Priority::Normal, 1), queued(Priority::Normal, 900));
        let pick = |shares: [Share; 2]| {
            next(
                [(0, &flood, shares[0]), (1, &other, shares[1])].into_iter(),
                Timestamp(1000),
            )
        };
        assert_eq!(pick([share(1, 10), share(0, 20)]), Some(1), "it has more running");
        assert_eq!(pick([share(1, 20), share(1, 10)]), Some(1), "it was served later");
        assert_eq!(pick([share(0, 10), share(0, 20)]), Some(0), "it is its turn");
        assert_eq!(next(std::iter::empty(), Timestamp(0)), None);
    }

    proptest! {
        #[test]
        fn with_a_flood_in_one_stream_another_ones_job_is_begun_within_two_turns(
            flood in 1_usize..200, places in 1_usize..8
        ) {
            // Whoever is chosen runs; a run ends as soon as all places are taken, oldest first.
            let (jobs, other) = (vec![queued(Priority::Normal, 0); flood], queued(Priority::Normal, 1));
            let (mut shares, mut running) = ([Share::default(); 2], std::collections::VecDeque::new());
            for turn in 1..=places as i64 + 2 {
                if running.len() == places {
                    let ended: usize = running.pop_front().unwrap();
                    shares[ended].running -= 1;
                }
                let heads = [(0, &jobs[0], shares[0]), (1, &other, shares[1])];
                let chosen = next(heads.into_iter(), Timestamp(turn)).unwrap();
                if chosen == 1 {
                    prop_assert!(turn <= 2);
                    return Ok(());
                }
                shares[chosen] = Share { running: shares[chosen].running + 1, last_start: Some(Timestamp(turn)) };
                running.push_back(chosen);
            }
            prop_assert!(false, "it was never begun");
        }
    }
}
