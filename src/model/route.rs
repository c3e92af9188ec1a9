//! Routes: which results go where.

use regex::Regex;

use super::{AeTitle, Outcome};

/// A peer that takes what we send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteAe {
    /// Its AE title: the called AE title of our associations to it.
    pub ae_title: AeTitle,
    /// `host:port`.
    pub address: String,
    /// The AE title we call it with.
    pub calling: AeTitle,
}

/// Which of a job's directories is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Direction {
    /// What the bucket left behind.
    #[default]
    Output,
    /// What the job received.
    Input,
}

/// A rule: results of jobs it matches go to its destinations.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its name, shown with every delivery it causes.
    pub name: String,
    /// Searched in the called AE title; absent: every job.
    pub called: Option<Regex>,
    /// Searched in the calling AE title; absent: every job.
    pub calling: Option<Regex>,
    /// Searched in the outcome's word; absent: `success`.
    pub outcome: Option<Regex>,
    /// What is sent.
    pub send: Direction,
    /// AE titles of remote AEs.
    pub to: Vec<AeTitle>,
}

impl Route {
    /// Whether a job of this stream and sender, ended with this outcome, is matched.
    #[must_use]
    pub fn matches(&self, called: &str, calling: &str, outcome: &Outcome) -> bool {
        let hit = |pattern: &Option<Regex>, text: &str| pattern.as_ref().is_none_or(|p| p.is_match(text));
        let ended = self
            .outcome
            .as_ref()
            .map_or(*outcome == Outcome::Success, |p| p.is_match(outcome.word()));
        ended && hit(&self.called, called) && hit(&self.calling, calling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(called: Option<&str>, outcome: Option<&str>) -> Route {
        let regex = |p: &str| Regex::new(&format!("(?i){p}")).unwrap();
        Route {
            name: "r".into(),
            called: called.map(regex),
            calling: None,
            outcome: outcome.map(regex),
            send: Direction::Output,
            to: vec![],
        }
    }

    #[test]
    fn patterns_are_searched_and_absent_ones_match() {
        assert!(route(Some("proc"), None).matches("MyProcT1", "PACS", &Outcome::Success));
        assert!(!route(Some("^proc"), None).matches("MyProcT1", "PACS", &Outcome::Success));
    }

    #[test]
    fn without_an_outcome_only_success_is_sent() {
        assert!(!route(None, None).matches("A", "B", &Outcome::Failed));
        assert!(!route(None, None).matches("A", "B", &Outcome::Other("unsuccessful".into())));
        assert!(route(None, Some("failed|partial")).matches("A", "B", &Outcome::Partial));
    }
}
