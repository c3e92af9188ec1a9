//! Runs of a bucket, and what has to wait for them: a new version, another memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::AeTitle;

/// One gate per bucket: either runs are inside, or somebody changes what they stand on.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate(Arc<Mutex<HashMap<AeTitle, Inside>>>);

#[derive(Debug, Default)]
struct Inside {
    runs: usize,
    shut: bool,
}

/// A run that is under way, from before it is laid out until it is harvested.
#[derive(Debug)]
pub struct Run {
    gate: Gate,
    ae_title: AeTitle,
}

/// No run of the bucket begins while this lives.
#[derive(Debug)]
pub(super) struct Shut {
    gate: Gate,
    ae_title: AeTitle,
}

impl Gate {
    fn inside(&self) -> MutexGuard<'_, HashMap<AeTitle, Inside>> {
        // Counts are changed in one step: a panic elsewhere leaves them right.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a run in unless the gate is shut.
    pub fn enter(&self, ae_title: &AeTitle) -> Option<Run> {
        let mut all = self.inside();
        let inside = all.entry(ae_title.clone()).or_default();
        if inside.shut {
            return None;
        }
        inside.runs += 1;
        Some(self.run(ae_title))
    }

    /// Counts a run that is inside already: its container is from before this start of the node.
    pub fn found(&self, ae_title: &AeTitle) -> Run {
        self.inside().entry(ae_title.clone()).or_default().runs += 1;
        self.run(ae_title)
    }

    fn run(&self, ae_title: &AeTitle) -> Run {
        Run {
            gate: self.clone(),
            ae_title: ae_title.clone(),
        }
    }

    /// Shuts the gate if nobody is inside.
    pub fn shut(&self, ae_title: &AeTitle) -> Option<Shut> {
        let mut all = self.inside();
        let inside = all.entry(ae_title.clone()).or_default();
        if inside.shut || inside.runs > 0 {
            return None;
        }
        inside.shut = true;
        Some(Shut {
            gate: self.clone(),
            ae_title: ae_title.clone(),
        })
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(inside) = self.gate.inside().get_mut(&self.ae_title) {
            inside.runs = inside.runs.saturating_sub(1);
        }
    }
}

impl Drop for Shut {
    fn drop(&mut self) {
        if let Some(inside) = self.gate.inside().get_mut(&self.ae_title) {
            inside.shut = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_changes_what_a_run_stands_on_and_no_run_begins_while_somebody_does() {
        let gate = Gate::default();
        let (one, other) = (AeTitle::parse("ONE").unwrap(), AeTitle::parse("OTHER").unwrap());
        let first = gate.enter(&one).unwrap();
        let second = gate.found(&one);
        assert!(gate.shut(&one).is_none());
        drop(first);
        assert!(gate.shut(&one).is_none());
        drop(second);
        let shut = gate.shut(&one).unwrap();
        assert!(gate.enter(&one).is_none() && gate.shut(&one).is_none());
        assert!(gate.enter(&other).is_some());
        drop(shut);
        assert!(gate.enter(&one).is_some());
    }
}
