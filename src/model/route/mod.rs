//! Routes: which results go where. Rules of the site's configuration and of a `routing.json` become the same [`Route`]s.

mod attribute;
mod endpoint;
mod pattern;
mod remote;

use regex::Regex;

use super::{AeTitle, GateMode};

pub use attribute::{AttributeSet, AttributeTag, AttributeTagError};
pub use endpoint::Endpoint;
pub use pattern::{PatternError, pattern};
pub use remote::{DicomWeb, Folder, Remote, RemoteAe, RemoteTls, SENDER, SendLimits};

/// Which of a job's directories is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, PartialOrd, Ord)]
pub enum Direction {
    /// What the bucket left behind.
    #[default]
    Output,
    /// What the job received.
    Input,
    /// The end of its log, as images of the study.
    Report,
}

impl Direction {
    /// Its name in the store and in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Output => "output",
            Self::Input => "input",
            Self::Report => "report",
        }
    }
}

/// Where a rule was written; its keys are called differently there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteSource {
    /// `[[route]]` of the configuration.
    Configuration,
    /// `routing.json`.
    RoutingJson,
}

/// Who takes what is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A destination of the configuration, which says at the time of sending where it is; [`SENDER`]: see
    /// [`Peer::for_calling`].
    Named(AeTitle),
    /// As the rule says, whatever becomes of the rule.
    Given(RemoteAe),
}

impl Peer {
    /// Its AE title.
    #[must_use]
    pub const fn ae_title(&self) -> &AeTitle {
        match self {
            Self::Named(title) => title,
            Self::Given(remote) => &remote.ae_title,
        }
    }

    /// The peer of a job that came from this calling AE title: back to the sender is to the remote AE of that title. A
    /// sender without a valid one leaves it as it is, for a person to see.
    #[must_use]
    pub fn for_calling(&self, calling: &str) -> Self {
        match (self, AeTitle::parse(calling)) {
            (Self::Named(title), Ok(calling)) if title.as_str() == SENDER => Self::Named(calling),
            _ => self.clone(),
        }
    }
}

/// Where a rule sends to, and what of it.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Searched in the outcome's word; absent: the outcome has to be `success`.
    pub outcome: Option<Regex>,
    /// Who takes it.
    pub peer: Peer,
    /// A file goes if one of these sets matches; absent: every file goes.
    pub which: Option<Vec<AttributeSet>>,
    /// Later destinations of the rule are for when this one fails.
    pub stops: bool,
    /// The end of the log goes along, as a series of its own.
    pub error_report: bool,
}

impl Destination {
    /// All results of a successful job, to a `[[remote_ae]]`.
    #[must_use]
    pub const fn named(title: AeTitle) -> Self {
        Self {
            outcome: None,
            peer: Peer::Named(title),
            which: None,
            stops: false,
            error_report: false,
        }
    }
}

/// A rule: results of jobs it matches go to its destinations.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its name, shown with every delivery it causes.
    pub name: String,
    /// Where it was written.
    pub source: RouteSource,
    /// One that is off matches nothing.
    pub enabled: bool,
    /// Searched in the called AE title; absent: every job.
    pub called: Option<Regex>,
    /// Searched in the calling AE title; absent: every job.
    pub calling: Option<Regex>,
    /// What is sent.
    pub send: Direction,
    /// In the order in which they are looked at.
    pub to: Vec<Destination>,
    /// No later rule is looked at once this one matched.
    pub last: bool,
    /// How results are held against their input before they leave.
    pub gate: GateMode,
}
