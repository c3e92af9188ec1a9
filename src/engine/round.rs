//! One look at the queue: who begins, who waits, who never can. Pure.
//!
//! [`queue`] says who is next. If cpus or memory are short for that one, nobody overtakes it: a large job is not starved by
//! small ones. If graphics processors are, its stream steps aside: those that need none go on, others that need some do not
//! overtake it. Once its devices are free it is next again, and then nobody overtakes it for cpus or memory either.

use std::collections::VecDeque;

use crate::bucket::Shortage;
use crate::model::{AeTitle, Job, Resources, Timestamp};

use super::ledger::{Ledger, Room};
use super::queue::{self, Share};

/// A stream with jobs that may be begun, in order.
pub struct Waiting {
    /// The AE title.
    pub title: AeTitle,
    /// Its jobs.
    pub jobs: VecDeque<Job>,
    /// When a job of it was last started.
    pub last_start: Option<Timestamp>,
    /// What each run of it asks for.
    pub resources: Resources,
}

/// What is done next.
pub enum Turn {
    /// This job begins.
    Begin(Job),
    /// This job never can: it asks for more than there is.
    Never(Job, Shortage),
}

/// A look at the queue, turn by turn.
pub struct Round {
    streams: Vec<Waiting>,
    now: Timestamp,
    /// Whether somebody waits for graphics processors: nobody overtakes it for them.
    gpus_awaited: bool,
}

impl Round {
    /// Begins with the streams that have jobs.
    pub const fn new(streams: Vec<Waiting>, now: Timestamp) -> Self {
        Self {
            streams,
            now,
            gpus_awaited: false,
        }
    }

    /// The next turn, to be taken before the one after it is asked for; `None` when all others have to wait.
    pub fn turn(&mut self, ledger: &Ledger) -> Option<Turn> {
        loop {
            let heads = self.streams.iter().enumerate().filter_map(|(index, stream)| {
                let share = Share {
                    running: ledger.running(&stream.title),
                    last_start: stream.last_start,
                };
                Some((index, stream.jobs.front()?, share))
            });
            let stream = queue::next(heads, self.now).and_then(|index| self.streams.get_mut(index))?;
            if let Err(shortage) = ledger.capacity().check(&stream.title, &stream.resources) {
                return stream.jobs.pop_front().map(|job| Turn::Never(job, shortage));
            }
            let awaited = self.gpus_awaited && stream.resources.gpus > 0;
            match ledger.room(&stream.resources) {
                Room::Now if !awaited => {
                    stream.last_start = Some(self.now);
                    return stream.jobs.pop_front().map(Turn::Begin);
                }
                Room::Full if !awaited => return None,
                _ => {
                    self.gpus_awaited = true;
                    stream.jobs.clear();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bucket::Capacity;
    use crate::engine::tests::job;
    use crate::model::{GpuId, JobId};

    fn title(name: &str) -> AeTitle {
        AeTitle::parse(name).unwrap()
    }

    fn stream(name: &str, queued_at: i64, cpus: f64, gpus: u32) -> Waiting {
        let resources = Resources {
            cpus,
            memory: 1,
            gpus,
            ..Resources::default()
        };
        let waits = Job {
            stream: title(name),
            queued_at: Some(Timestamp(queued_at)),
            ..job()
        };
        Waiting {
            title: title(name),
            jobs: [waits].into(),
            last_start: None,
            resources,
        }
    }

    /// Two cpus, and so many graphics processors.
    fn ledger(gpus: usize) -> Ledger {
        Ledger::new(Capacity {
            cpus: 2.0,
            memory: 100,
            gpus: (0..gpus).map(|n| GpuId::parse(&n.to_string()).unwrap()).collect(),
        })
    }

    /// Has somebody run with so much; returns the job.
    fn run(ledger: &mut Ledger, cpus: f64, gpus: u32) -> JobId {
        let (id, resources) = (job().id, stream("Other", 0, cpus, gpus).resources);
        ledger.promise(id.clone(), title("Other"), resources);
        id
    }

    /// Who begins, in order.
    fn begun(streams: Vec<Waiting>, ledger: &mut Ledger) -> Vec<String> {
        let asks: Vec<_> = streams
            .iter()
            .map(|s| (s.title.clone(), s.resources.clone()))
            .collect();
        let mut round = Round::new(streams, Timestamp(1000));
        let mut names = Vec::new();
        while let Some(turn) = round.turn(ledger) {
            let Turn::Begin(job) = turn else { continue };
            let (_, asked) = asks.iter().find(|(title, _)| *title == job.stream).unwrap();
            ledger.promise(job.id, job.stream.clone(), asked.clone());
            names.push(job.stream.to_string());
        }
        names
    }

    #[test]
    fn a_job_that_waits_for_a_gpu_lets_those_pass_that_need_none() {
        let mut ledger = ledger(1);
        run(&mut ledger, 0.5, 1);
        let streams = vec![stream("Gpu", 1, 1.0, 1), stream("Plain", 2, 1.0, 0)];
        assert_eq!(begun(streams, &mut ledger), ["Plain"]);
    }

    #[test]
    fn a_job_whose_gpu_is_free_is_not_starved_of_cpus_by_those_that_need_none() {
        let mut ledger = ledger(1);
        let gpu = run(&mut ledger, 0.5, 1);
        run(&mut ledger, 1.0, 0);
        let streams = || vec![stream("Gpu", 1, 1.5, 1), stream("Plain", 2, 0.5, 0)];
        assert_eq!(begun(streams(), &mut ledger), ["Plain"], "it waits for its gpu");
        ledger.release(&gpu);
        // A cpu is free for the other, but it is the turn of the one with the gpu.
        assert_eq!(begun(streams(), &mut ledger), Vec::<String>::new());
    }

    #[test]
    fn a_job_that_waits_for_two_gpus_is_not_overtaken_by_those_that_need_one() {
        let mut ledger = ledger(2);
        let other = run(&mut ledger, 0.1, 1);
        let streams = || {
            vec![
                stream("Two", 1, 0.1, 2),
                stream("One", 2, 0.1, 1),
                stream("Plain", 3, 0.1, 0),
            ]
        };
        assert_eq!(begun(streams(), &mut ledger), ["Plain"]);
        ledger.release(&other);
        assert_eq!(begun(streams(), &mut ledger), ["Two", "Plain"]);
    }

    #[test]
    fn without_enough_cpus_nobody_overtakes() {
        let mut ledger = ledger(1);
        run(&mut ledger, 1.0, 0);
        let streams = vec![
            stream("Large", 1, 2.0, 0),
            stream("Gpu", 2, 0.5, 1),
            stream("Plain", 3, 0.5, 0),
        ];
        assert_eq!(begun(streams, &mut ledger), Vec::<String>::new());
    }

    #[test]
    fn a_job_that_asks_for_more_gpus_than_there_are_is_told_so_and_stands_in_nobodys_way() {
        let ledger = ledger(1);
        let mut round = Round::new(
            vec![stream("Two", 1, 1.0, 2), stream("Plain", 2, 1.0, 0)],
            Timestamp(9),
        );
        let Some(Turn::Never(job, shortage)) = round.turn(&ledger) else {
            panic!("it would wait for ever")
        };
        assert_eq!(job.stream, title("Two"));
        assert!(
            shortage
                .to_string()
                .starts_with("Two asks for 2 gpus, this node has 1 to give"),
            "{shortage}"
        );
        assert!(matches!(round.turn(&ledger), Some(Turn::Begin(job)) if job.stream == title("Plain")));
    }

    proptest! {
        #[test]
        fn a_flood_without_gpus_keeps_no_job_with_one_waiting_once_its_gpu_is_free(
            flood in 1usize..50, runs in 1usize..4
        ) {
            let mut ledger = ledger(1);
            let mut busy: VecDeque<_> = (0..runs).map(|_| run(&mut ledger, 2.0 / runs as f64, 0)).collect();
            for turn in 0..flood + runs {
                let streams = vec![stream("Plain", 0, 2.0 / runs as f64, 0), stream("Gpu", 1, 1.0, 1)];
                // The stream of the flood was served before, so it is the other's turn.
                let mut streams = streams;
                streams[0].last_start = Some(Timestamp(turn as i64));
                let names = begun(streams, &mut ledger);
                if names.iter().any(|name| name == "Gpu") {
                    prop_assert!(turn <= runs, "after {turn} turns");
                    return Ok(());
                }
                prop_assert!(names.is_empty(), "overtaken by {names:?}");
                ledger.release(&busy.pop_front().unwrap());
            }
            prop_assert!(false, "it was never begun");
        }
    }
}
