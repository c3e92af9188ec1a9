//! What of the machine is promised to whom: pure book-keeping.

use std::collections::HashMap;

use crate::bucket::Capacity;
use crate::model::{AeTitle, JobId, Resources};

/// The promises made at this moment.
#[derive(Debug)]
pub struct Ledger {
    capacity: Capacity,
    promised: HashMap<JobId, (AeTitle, Resources)>,
}

/// Comparing sums of fractions of processors.
const EPSILON: f64 = 1e-6;

impl Ledger {
    /// Nothing promised yet.
    pub fn new(capacity: Capacity) -> Self {
        Self {
            capacity,
            promised: HashMap::new(),
        }
    }

    /// Runs of a stream at this moment.
    pub fn running(&self, stream: &AeTitle) -> usize {
        self.promised.values().filter(|(s, _)| s == stream).count()
    }

    /// Whether a job has been begun already: in the store it may still be queued for a moment.
    pub fn holds(&self, job: &JobId) -> bool {
        self.promised.contains_key(job)
    }

    /// Whether so much is free now.
    pub fn fits(&self, asked: &Resources) -> bool {
        let cpus: f64 = self.promised.values().map(|(_, r)| r.cpus).sum();
        let memory: u64 = self.promised.values().map(|(_, r)| r.memory).sum();
        cpus + asked.cpus <= self.capacity.cpus + EPSILON
            && memory.saturating_add(asked.memory) <= self.capacity.memory
    }

    /// Whether so much is there at all.
    pub fn could_fit(&self, asked: &Resources) -> bool {
        asked.cpus <= self.capacity.cpus + EPSILON && asked.memory <= self.capacity.memory
    }

    /// Promises; a run that was taken up after a start keeps what it had, even beyond the capacity.
    pub fn promise(&mut self, job: JobId, stream: AeTitle, resources: Resources) {
        self.promised.insert(job, (stream, resources));
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

    fn resources(cpus: f64, memory: u64) -> Resources {
        Resources {
            cpus,
            memory,
            ..Resources::default()
        }
    }

    fn stream() -> AeTitle {
        AeTitle::parse("A").unwrap()
    }

    #[test]
    fn what_is_promised_is_not_promised_again() {
        let mut ledger = Ledger::new(Capacity {
            cpus: 2.0,
            memory: 100,
        });
        let job = JobId::generate(Timestamp::now());
        ledger.promise(job.clone(), stream(), resources(1.5, 60));
        assert!(ledger.fits(&resources(0.5, 40)));
        assert!(!ledger.fits(&resources(0.6, 40)));
        assert!(!ledger.fits(&resources(0.5, 41)));
        assert_eq!(ledger.running(&stream()), 1);
        assert!(ledger.holds(&job));
        ledger.release(&job);
        assert!(ledger.fits(&resources(2.0, 100)));
        assert!(!ledger.could_fit(&resources(2.1, 100)));
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_the_sum_stays_within_the_machine(
            asks in proptest::collection::vec((1u32..30, 1u64..60), 1..40)
        ) {
            let mut ledger = Ledger::new(Capacity { cpus: 2.0, memory: 100 });
            let (mut cpus, mut memory) = (0.0, 0);
            for (tenths, bytes) in asks {
                let ask = resources(f64::from(tenths) / 10.0, bytes);
                if ledger.fits(&ask) {
                    (cpus, memory) = (cpus + ask.cpus, memory + ask.memory);
                    ledger.promise(JobId::generate(Timestamp::now()), stream(), ask);
                }
            }
            prop_assert!(cpus <= 2.0 + 1e-3 && memory <= 100);
        }
    }
}
