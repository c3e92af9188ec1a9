//! The rules in force: those of the configuration, then those of `routing.json`, which is read again when it changes.
//!
//! A file that is wrong, or gone, changes nothing: the rules before it stay, and whoever looks is told. What was read
//! last is kept in the data directory, so that a start with a wrong file goes on with the rules it had; only a node
//! that never had any refuses to start. No rules at all are written `{"routing": []}`.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::json::{self, Finding, Findings, LARGEST, Site};
use crate::files;
use crate::model::{Route, Timestamp};
use crate::telemetry::metrics::METRICS;

/// Between two looks at the file. One that changed is read when it looks the same twice: somebody may be writing it.
const LOOK: Duration = Duration::from_secs(1);

/// What the rules are made of.
#[derive(Clone, Debug)]
pub struct RoutesConfig {
    /// `[[route]]`
    pub fixed: Vec<Route>,
    /// What `routing.json` may refer to.
    pub site: Site,
    /// `routing.json`
    pub file: PathBuf,
    /// It has to be there: the configuration names it.
    pub required: bool,
    /// Where what was read last is kept.
    pub kept: PathBuf,
}

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum RoutesError {
    /// It is not there.
    #[error("{} is not there", .0.display())]
    Gone(PathBuf),
    /// The system.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is in it.
    #[error("{} is refused:\n{findings}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        findings: Findings,
    },
}

impl RoutesError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

/// Why the newest file is not in force.
#[derive(Clone, Debug, Serialize)]
pub struct Refusal {
    /// When it was looked at.
    pub at: Timestamp,
    /// Why, for people.
    pub why: String,
    /// What is wrong in it.
    pub findings: Vec<Finding>,
}

/// The rules in force, and where they come from.
#[derive(Clone, Debug)]
pub struct Rules {
    /// In the order in which they are looked at.
    pub routes: Arc<Vec<Route>>,
    /// When those of the file were read; `None`: there is no file.
    pub loaded_at: Option<Timestamp>,
    /// The file's text that is in force.
    pub text: Arc<str>,
    /// Whether a caller saved it, through [`Routes::save`].
    pub saved: bool,
    /// What has no effect in it.
    pub warnings: Vec<Finding>,
    /// Why the newest file is not in force.
    pub refusal: Option<Refusal>,
}

/// Tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    place: (u64, u64),
    size: u64,
    changed: [i64; 4],
}

impl Stamp {
    /// That of no file at all.
    const UNSEEN: Self = Self {
        place: (0, 0),
        size: u64::MAX,
        changed: [0; 4],
    };
}

struct State {
    rules: Rules,
    /// The file that was judged last; `None`: there was none.
    judged: Option<Stamp>,
    /// What it looked like at the last look, if that is not judged yet.
    settling: Option<Option<Stamp>>,
}

struct Shared {
    config: RoutesConfig,
    state: Mutex<State>,
}

/// A handle of the rules in force.
#[derive(Clone)]
pub struct Routes(Arc<Shared>);

impl Routes {
    /// Reads the file, or what was kept of it.
    ///
    /// # Errors
    /// [`RoutesError`] where there are no rules to go on with.
    pub fn open(config: RoutesConfig) -> Result<Self, RoutesError> {
        let rules = Rules {
            routes: Arc::new(config.fixed.clone()),
            loaded_at: None,
            text: Arc::from(""),
            saved: false,
            warnings: Vec::new(),
            refusal: None,
        };
        let state = State {
            rules,
            judged: None,
            settling: None,
        };
        let shared = Shared {
            config,
            state: Mutex::new(state),
        };
        let routes = Self(Arc::new(shared));
        routes.begin()?;
        Ok(routes)
    }

    fn begin(&self) -> Result<(), RoutesError> {
        let config = &self.0.config;
        let mut state = self.state();
        state.judged = stamp(&config.file).unwrap_or_default();
        let error = match read(&config.file) {
            Ok(bytes) => match self.put_in_force(&mut state, &config.file, &bytes) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            },
            Err(error) => error,
        };
        let gone = matches!(error, RoutesError::Gone(_));
        let kept = match read(&config.kept) {
            Ok(bytes) => self.put_in_force(&mut state, &config.kept, &bytes),
            Err(error) => Err(error),
        };
        match kept {
            Ok(()) => {
                refuse(&mut state, &error);
                Ok(())
            }
            Err(_) if gone && !config.required => {
                count(&state.rules);
                Ok(())
            }
            Err(_) => Err(error),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What is in it is whole after every statement.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rules as they are in force now.
    #[must_use]
    pub fn now(&self) -> Arc<Vec<Route>> {
        self.state().rules.routes.clone()
    }

    /// The same, with all that is to be said of them.
    #[must_use]
    pub fn rules(&self) -> Rules {
        self.state().rules.clone()
    }

    /// Where `routing.json` is.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.0.config.file
    }

    /// Looks at the file for ever.
    pub async fn watch(self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let routes = self.clone();
            if let Err(error) = tokio::task::spawn_blocking(move || routes.look()).await {
                tracing::error!(%error, "look at routing.json");
            }
        }
    }

    /// One look at the file: what changed since the last but one, and not since the last, is judged.
    pub fn look(&self) {
        let file = &self.0.config.file;
        let mut state = self.state();
        let seen = match stamp(file) {
            Ok(seen) => seen,
            Err(error) => return unseen(&mut state, RoutesError::io("look at", file)(error)),
        };
        if seen == state.judged {
            state.settling = None;
            return;
        }
        if state.settling != Some(seen) {
            state.settling = Some(seen);
            return;
        }
        let read = read(file);
        if stamp(file).ok() != Some(seen) {
            return;
        }
        state.settling = None;
        state.judged = seen;
        let judged = read.and_then(|bytes| self.put_in_force(&mut state, file, &bytes));
        if let Err(error) = judged {
            refuse(&mut state, &error);
        }
    }

    /// Puts a text in the place of the file, and in force at once.
    ///
    /// # Errors
    /// [`RoutesError`]; the file, and the rules in force, are as before then.
    pub fn save(&self, text: &[u8]) -> Result<Rules, RoutesError> {
        let file = &self.0.config.file;
        let mut state = self.state();
        json::parse(text, &self.0.config.site).map_err(|findings| RoutesError::Wrong {
            path: file.clone(),
            findings,
        })?;
        files::replace_shared_file(file, text).map_err(RoutesError::io("write", file))?;
        state.settling = None;
        state.judged = stamp(file).unwrap_or_default();
        self.put_in_force(&mut state, file, text)?;
        state.rules.saved = true;
        Ok(state.rules.clone())
    }

    fn put_in_force(&self, state: &mut State, file: &Path, bytes: &[u8]) -> Result<(), RoutesError> {
        let config = &self.0.config;
        let (read, warnings) = json::parse(bytes, &config.site).map_err(|findings| RoutesError::Wrong {
            path: file.to_owned(),
            findings,
        })?;
        for warning in &warnings {
            tracing::warn!(file = %file.display(), %warning, "routing.json");
        }
        tracing::info!(file = %file.display(), rules = read.len(), "rules of routing.json are in force");
        let routes = config.fixed.iter().cloned().chain(read).collect();
        state.rules = Rules {
            routes: Arc::new(routes),
            loaded_at: Some(Timestamp::now()),
            text: String::from_utf8_lossy(bytes).into(),
            saved: false,
            warnings,
            refusal: None,
        };
        count(&state.rules);
        if file != config.kept
            && let Err(error) = files::replace_file(&config.kept, bytes)
        {
            tracing::warn!(%error, "keep a copy of routing.json");
        }
        Ok(())
    }
}

/// Nobody knows what is there, such as a link that leads to itself: that is said once, and whatever comes is judged.
fn unseen(state: &mut State, error: RoutesError) {
    let said = state.rules.refusal.as_ref();
    if said.is_none_or(|refusal| !refusal.why.starts_with(&error.to_string())) {
        refuse(state, &error);
    }
    (state.judged, state.settling) = (Some(Stamp::UNSEEN), None);
}

/// The rules before stay.
fn refuse(state: &mut State, error: &RoutesError) {
    let hint = match error {
        RoutesError::Gone(_) => "; the rules before stay; a file with {\"routing\": []} ends them",
        _ => "; the rules before stay",
    };
    let why = format!("{error}{hint}");
    tracing::error!(rules = state.rules.routes.len(), "{why}");
    state.rules.refusal = Some(Refusal {
        at: Timestamp::now(),
        why,
        findings: match error {
            RoutesError::Wrong { findings, .. } => findings.0.clone(),
            _ => Vec::new(),
        },
    });
    count(&state.rules);
}

fn count(rules: &Rules) {
    METRICS
        .routing_rules
        .set(i64::try_from(rules.routes.len()).unwrap_or(i64::MAX));
    METRICS.routing_refused.set(rules.refusal.is_some().into());
}

fn read(path: &Path) -> Result<Vec<u8>, RoutesError> {
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => RoutesError::Gone(path.to_owned()),
        _ => RoutesError::io("read", path)(error),
    })?;
    let mut bytes = Vec::new();
    // One more tells that it is too large.
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(RoutesError::io("read", path))?;
    Ok(bytes)
}

fn stamp(path: &Path) -> io::Result<Option<Stamp>> {
    match std::fs::metadata(path) {
        Ok(about) => Ok(Some(Stamp {
            place: (about.dev(), about.ino()),
            size: about.size(),
            changed: [
                about.mtime(),
                about.mtime_nsec(),
                about.ctime(),
                about.ctime_nsec(),
            ],
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
