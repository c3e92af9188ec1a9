//! What of the machine is promised to whom: pure book-keeping.

use std::collections::HashMap;

use crate::bucket::{Capacity, EPSILON};
use crate::model::{AeTitle, GpuId, JobId, Resources};

/// The promises made at this moment.
#[derive(Debug)]
pub struct Ledger {
    capacity: Capacity,
    promised: HashMap<JobId, Promise>,
}

#[derive(Debug)]
struct Promise {
    stream: AeTitle,
    resources: Resources,
    gpus: Vec<GpuId>,
}

/// Whether there is room for a run now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is.
    Now,
    /// Graphics processors are missing, whatever else is.
    WithoutGpus,
    /// There are enough graphics processors, but not enough cpus or memory.
    Full,
}

impl Ledger {
    /// Nothing promised yet.
    pub fn new(capacity: Capacity) -> Self {
        Self {
            capacity,
            promised: HashMap::new(),
        }
    }

    /// What there is in all.
    pub const fn capacity(&self) -> &Capacity {
        &self.capacity
    }

    /// Runs of a stream at this moment.
    pub fn running(&self, stream: &AeTitle) -> usize {
        self.promised.values().filter(|p| p.stream == *stream).count()
    }

    /// Whether a job has been begun already: in the store it may still be queued for a moment.
    pub fn holds(&self, job: &JobId) -> bool {
        self.promised.contains_key(job)
    }

    /// Whether so much is free now.
    pub fn room(&self, asked: &Resources) -> Room {
        let cpus: f64 = self.promised.values().map(|p| p.resources.cpus).sum();
        let memory: u64 = self.promised.values().map(|p| p.resources.memory).sum();
        if self.free_gpus().count() < asked.gpus as usize {
            Room::WithoutGpus
        } else if cpus + asked.cpus <= self.capacity.cpus + EPSILON
            && memory.saturating_add(asked.memory) <= self.capacity.memory
        {
            Room::Now
        } else {
            Room::Full
        }
    }

    /// Devices that no run has. One that was taken up after a start may hold a device by a name of the last
    /// configuration: none that it could be is free.
    fn free_gpus(&self) -> impl Iterator<Item = &GpuId> {
        let taken = |gpu: &GpuId| {
            self.promised
                .values()
                .flat_map(|p| &p.gpus)
                .any(|held| held.may_be(gpu))
        };
        self.capacity.gpus.iter().filter(move |gpu| !taken(gpu))
    }

    /// Promises what a run asks for, if there is [`Room::Now`]; returns the devices that are its own until it is released.
    pub fn promise(&mut self, job: JobId, stream: AeTitle, resources: Resources) -> Vec<GpuId> {
        let asked = resources.gpus as usize;
        let gpus: Vec<_> = self.free_gpus().take(asked).cloned().collect();
        self.take_up(job, stream, resources, gpus.clone());
        gpus
    }

    /// A run that was taken up after a start keeps what it had, even beyond the capacity.
    pub fn take_up(&mut self, job: JobId, stream: AeTitle, resources: Resources, gpus: Vec<GpuId>) {
        let promise = Promise {
            stream,
            resources,
            gpus,
        };
        self.promised.insert(job, promise);
    }

    /// Takes a promise back.
    pub fn release(&mut self, job: &JobId) {
        self.promised.remove(job);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;
    use proptest::prelude::*;

    fn resources(cpus: f64, memory: u64, gpus: u32) -> Resources {
        Resources {
            cpus,
            memory,
            gpus,
            ..Resources::default()
        }
    }

    fn stream() -> AeTitle {
        AeTitle::parse("A").unwrap()
    }

    fn new_job() -> JobId {
        JobId::generate(Timestamp::now())
    }

    fn ids(names: &[&str]) -> Vec<GpuId> {
        names.iter().map(|name| GpuId::parse(name).unwrap()).collect()
    }

    fn ledger(gpus: &[&str]) -> Ledger {
        Ledger::new(Capacity {
            cpus: 2.0,
            memory: 100,
            gpus: ids(gpus),
        })
    }

    #[test]
    fn what_is_promised_is_not_promised_again() {
        let mut ledger = ledger(&[]);
        let job = new_job();
        ledger.promise(job.clone(), stream(), resources(1.5, 60, 0));
        assert_eq!(ledger.room(&resources(0.5, 40, 0)), Room::Now);
        assert_eq!(ledger.room(&resources(0.6, 40, 0)), Room::Full);
        assert_eq!(ledger.room(&resources(0.5, 41, 0)), Room::Full);
        assert_eq!(ledger.running(&stream()), 1);
        assert!(ledger.holds(&job));
        ledger.release(&job);
        assert_eq!(ledger.room(&resources(2.0, 100, 0)), Room::Now);
    }

    #[test]
    fn a_device_is_one_runs_own_until_it_is_released() {
        let mut ledger = ledger(&["0", "1", "2"]);
        let (first, second, ask) = (new_job(), new_job(), |gpus| resources(0.1, 1, gpus));
        assert_eq!(ledger.promise(first.clone(), stream(), ask(2)), ids(&["0", "1"]));
        assert_eq!(ledger.room(&ask(2)), Room::WithoutGpus);
        assert_eq!(ledger.promise(second, stream(), ask(1)), ids(&["2"]));
        assert_eq!(ledger.room(&ask(1)), Room::WithoutGpus);
        assert_eq!(ledger.room(&ask(0)), Room::Now);
        ledger.release(&first);
        assert_eq!(ledger.promise(new_job(), stream(), ask(1)), ids(&["0"]));
    }

    #[test]
    fn a_run_that_is_taken_up_keeps_the_same_devices() {
        let mut ledger = ledger(&["0", "1"]);
        ledger.take_up(new_job(), stream(), resources(0.1, 1, 1), ids(&["1"]));
        assert_eq!(
            ledger.promise(new_job(), stream(), resources(0.1, 1, 1)),
            ids(&["0"])
        );
    }

    #[test]
    fn a_device_of_the_last_configuration_may_be_any_that_is_named_in_another_way() {
        let (mut ledger, ask) = (ledger(&["0", "1"]), resources(0.1, 1, 1));
        // Not in the list any more, and none of those that are.
        ledger.take_up(new_job(), stream(), ask.clone(), ids(&["7"]));
        assert_eq!(ledger.room(&ask), Room::Now);
        let renamed = new_job();
        ledger.take_up(renamed.clone(), stream(), ask.clone(), ids(&["GPU-a"]));
        assert_eq!(ledger.room(&ask), Room::WithoutGpus);
        ledger.release(&renamed);
        assert_eq!(ledger.room(&ask), Room::Now);
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_the_sum_stays_within_the_machine(
            asks in proptest::collection::vec((1u32..30, 1u64..60), 1..40)
        ) {
            let mut ledger = ledger(&[]);
            let (mut cpus, mut memory) = (0.0, 0);
            for (tenths, bytes) in asks {
                let ask = resources(f64::from(tenths) / 10.0, bytes, 0);
                if ledger.room(&ask) == Room::Now {
                    (cpus, memory) = (cpus + ask.cpus, memory + ask.memory);
                    ledger.promise(new_job(), stream(), ask);
                }
            }
            prop_assert!(cpus <= 2.0 + 1e-3 && memory <= 100);
        }

        #[test]
        fn whatever_begins_ends_and_restarts_no_device_has_two_runs(
            steps in proptest::collection::vec((0u32..4, any::<prop::sample::Index>(), 0u8..8), 1..60)
        ) {
            let new = || ledger(&["0", "1", "2", "3"]);
            let (mut ledger, mut running) = (new(), Vec::<(JobId, Vec<GpuId>)>::new());
            for (asked, which, what) in steps {
                let ask = resources(0.0, 0, asked);
                match what {
                    // A restart: what runs is taken up with what it has.
                    0 => {
                        ledger = new();
                        for (job, gpus) in &running {
                            ledger.take_up(job.clone(), stream(), resources(0.0, 0, gpus.len() as u32), gpus.clone());
                        }
                    }
                    1..=3 if !running.is_empty() => {
                        let (job, _) = running.remove(which.index(running.len()));
                        ledger.release(&job);
                    }
                    _ if ledger.room(&ask) == Room::Now => {
                        let job = new_job();
                        let gpus = ledger.promise(job.clone(), stream(), ask);
                        prop_assert_eq!(gpus.len(), asked as usize);
                        running.push((job, gpus));
                    }
                    _ => {
                        let held: usize = running.iter().map(|(_, gpus)| gpus.len()).sum();
                        prop_assert!(held + asked as usize > 4, "it would have fitted");
                    }
                }
                let mut held: Vec<_> = running.iter().flat_map(|(_, gpus)| gpus).collect();
                let all = held.len();
                held.sort();
                held.dedup();
                prop_assert_eq!(held.len(), all);
            }
        }
    }
}
