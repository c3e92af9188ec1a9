//! Jobs somebody works on: their files stay, whatever the store says of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::JobId;

/// The jobs somebody works on at this moment; shared by who works and who removes.
#[derive(Clone, Debug, Default)]
pub struct AtWork(Arc<Mutex<HashMap<JobId, usize>>>);

/// Somebody works on a job while this lives.
#[derive(Debug)]
pub struct Working {
    job: JobId,
    at_work: AtWork,
}

impl AtWork {
    fn jobs(&self) -> MutexGuard<'_, HashMap<JobId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be taken before the store is asked whether there is work to do: who removes marks the job in the store first and
    /// looks here afterwards.
    #[must_use]
    pub fn on(&self, job: &JobId) -> Working {
        *self.jobs().entry(job.clone()).or_default() += 1;
        Working {
            job: job.clone(),
            at_work: self.clone(),
        }
    }

    /// Whether somebody does.
    #[must_use]
    pub fn is_on(&self, job: &JobId) -> bool {
        self.jobs().contains_key(job)
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        let mut jobs = self.at_work.jobs();
        if let Some(workers) = jobs.get_mut(&self.job) {
            *workers = workers.saturating_sub(1);
            if *workers == 0 {
                jobs.remove(&self.job);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn a_job_is_worked_on_until_the_last_one_has_stopped() {
        let (at_work, job) = (AtWork::default(), JobId::generate(Timestamp(0)));
        let (one, other) = (at_work.on(&job), at_work.on(&job));
        drop(one);
        assert!(at_work.is_on(&job));
        drop(other);
        assert!(!at_work.is_on(&job));
    }
}
