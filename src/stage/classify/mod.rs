//! What the series of a job are (spec folder, routing.md): types, told by the rules of a file, while objects arrive.
//!
//! Nothing waits for it: an association knows nothing of this. A task of its own reads the beginnings of files that have
//! rows, in the order of the rows, some moments behind; who asks for the series of a set first reads what is missing. So
//! what is said is a function of rows and files alone: after a kill it is read again and says the same, and there is no
//! queue that could overflow. When a job is laid out, its series are written down beside its input, and those that its
//! bucket does not accept are told from the others.

mod papers;
mod set;
mod sorted;
mod view;

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::config::ClassifyConfig;
use crate::dicom::header::{Wanted, read_attributes};
use crate::model::classify::{Accept, RuleSet, RulesError};
use crate::model::{Job, JobId, JobState, Layout};
use crate::store::Store;

use super::StageError;
use set::Set;

pub use papers::left_out;
pub use sorted::Sorted;
pub use view::SeriesView;

/// The rules of a site that has none of its own.
const BUILT_IN: &str = include_str!("mr.json");

/// Sets whose series are remembered; of others they are read again when they are asked for.
const MOST_SETS: usize = 1000;

/// Files behind the reception, at most.
const EVERY: Duration = Duration::from_secs(1);

/// Why there are no rules.
#[derive(Debug, thiserror::Error)]
pub enum ClassifyError {
    /// A file cannot be read.
    #[error("read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file says what it may not.
    #[error("the classification rules {}: {source}", path.display())]
    Rules {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: RulesError,
    },
}

/// Reads the site's rules, or those that are built in.
///
/// # Errors
/// [`ClassifyError`] with every finding of the file.
pub fn load_rules(config: &ClassifyConfig) -> Result<RuleSet, ClassifyError> {
    let Some(path) = config.rules.clone() else {
        let path = PathBuf::from("built in");
        return RuleSet::parse(BUILT_IN).map_err(|source| ClassifyError::Rules { path, source });
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => RuleSet::parse(&text).map_err(|source| ClassifyError::Rules { path, source }),
        Err(source) => Err(ClassifyError::Read { path, source }),
    }
}

/// Tells what series are; shared by all who ask.
#[derive(Clone)]
pub struct Classifier(Arc<Inner>);

struct Inner {
    layout: Layout,
    store: Store,
    rules: RuleSet,
    wanted: Wanted,
    /// What was read so far. Each set has its own lock: reading one keeps nobody from another.
    sets: Mutex<HashMap<JobId, Arc<Mutex<Set>>>>,
}

impl Classifier {
    /// With these rules.
    #[must_use]
    pub fn new(layout: Layout, store: Store, rules: RuleSet) -> Self {
        let wanted = wanted(&rules);
        Self(Arc::new(Inner {
            layout,
            store,
            rules,
            wanted,
            sets: Mutex::default(),
        }))
    }

    /// Reads what arrives, from now on; never ends.
    pub async fn run(self) {
        loop {
            tokio::time::sleep(EVERY).await;
            let this = self.clone();
            let read = tokio::task::spawn_blocking(move || this.read_open_sets()).await;
            if let Err(error) = read {
                tracing::error!(%error, "classify what arrives");
            }
        }
    }

    fn read_open_sets(&self) {
        let open = match self.0.store.in_state(JobState::Receiving) {
            Ok(open) => open,
            Err(error) => return tracing::error!(%error, "ask for open sets to classify"),
        };
        for job in &open {
            if let Err(error) = self.catch_up(job, |_| ()) {
                tracing::error!(job.id = %job.id, %error, "classify what arrives");
            }
        }
        self.forget_some(&open);
    }

    /// The series of a job as far as its objects have come, in the order of their first ones.
    ///
    /// # Errors
    /// What disk or store say.
    pub fn series(&self, job: &Job) -> Result<Vec<SeriesView>, StageError> {
        if let Some(written) = papers::read(&self.0.layout, job)? {
            return Ok(written);
        }
        if job.removed_at.is_some() {
            return Ok(Vec::new());
        }
        self.catch_up(job, |set| set.views(&self.0.rules))
    }

    /// Says of the series of a frozen job which belong in its input, and writes down beside it what they are. May be
    /// repeated.
    ///
    /// # Errors
    /// What disk or store say; nothing is left out by an error.
    pub fn sort(&self, job: &Job, accept: Option<&Accept>) -> Result<Sorted, StageError> {
        let own = accept.map(Accept::types).unwrap_or_default();
        let series = if own.is_empty() {
            self.catch_up(job, |set| {
                set.judged(&self.0.rules, |types, _| {
                    accept.map(|a| a.takes(types, |_| false))
                })
            })?
        } else {
            let (behind, rules) = (self.0.rules.types().len(), self.0.rules.with(own));
            let mut set = Set::default();
            set.catch_up(&self.0.layout, &self.0.store, job, &rules, &wanted(&rules))?;
            set.judged(&rules, |types, found| {
                accept.map(|a| a.takes(types, |own| found.holds(behind + own)))
            })
        };
        papers::write(&self.0.layout, job, &series)?;
        self.sets().remove(&job.id);
        Ok(Sorted::new(series, accept))
    }

    /// Reads what has come to a set since it was last looked at, then asks it.
    fn catch_up<T>(&self, job: &Job, ask: impl FnOnce(&Set) -> T) -> Result<T, StageError> {
        let set = self.sets().entry(job.id.clone()).or_default().clone();
        let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner {
            layout,
            store,
            rules,
            wanted,
            ..
        } = self.0.as_ref();
        set.catch_up(layout, store, job, rules, wanted)?;
        Ok(ask(&set))
    }

    fn sets(&self) -> MutexGuard<'_, HashMap<JobId, Arc<Mutex<Set>>>> {
        self.0.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets sets that take nothing more when there are many.
    fn forget_some(&self, open: &[Job]) {
        let mut sets = self.sets();
        if sets.len() > MOST_SETS {
            let open: BTreeSet<&JobId> = open.iter().map(|job| &job.id).take(MOST_SETS / 2).collect();
            sets.retain(|id, _| open.contains(id));
        }
    }
}

/// Says of the series of some files, each with its Series Instance UID, which a bucket accepts, by the rules that are built
/// in.
///
/// # Errors
/// What reading a file says.
pub fn sort_files<'a>(
    files: impl Iterator<Item = (&'a str, PathBuf)>,
    accept: &Accept,
) -> Result<Sorted, ClassifyError> {
    let own = accept.types();
    let rules = load_rules(&ClassifyConfig::default())?;
    let (behind, rules) = (rules.types().len(), rules.with(own));
    let wanted = wanted(&rules);
    let mut set = Set::default();
    for (series, path) in files {
        match read_attributes(&path, &wanted) {
            Ok(object) => set.add(series, &object, false, &rules),
            Err(source) => return Err(ClassifyError::Read { path, source }),
        }
    }
    let series = set.judged(&rules, |types, found| {
        Some(accept.takes(types, |own| found.holds(behind + own)))
    });
    Ok(Sorted::new(series, Some(accept)))
}

fn wanted(rules: &RuleSet) -> Wanted {
    let mut tags = rules.tags();
    tags.extend(view::tags());
    Wanted::new(tags)
}

#[cfg(test)]
mod tests;
