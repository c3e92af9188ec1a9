//! Which file goes where, and why: one pure function decides, and tells what it looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use regex::Regex;
use serde::Serialize;

use super::attributes::{Attributes, read};
use crate::model::{AttributeSet, AttributeTag, Destination, Direction, GateMode, Outcome, Peer, Route, RouteSource};

/// Files that are named one by one where they are left out.
const NAMED: usize = 20;

/// What is known of a job that is over.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The AE title that was called.
    pub called: &'a str,
    /// The AE title that called.
    pub calling: &'a str,
    /// How it ended.
    pub outcome: &'a Outcome,
}

/// A DICOM file that may be sent.
#[derive(Clone, Debug, Default)]
pub struct Offered {
    /// Relative to its directory.
    pub file: String,
    /// What [`needed`] asked for.
    pub attributes: Attributes,
}

/// The DICOM files of a job.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    /// What the bucket left behind.
    pub output: Vec<Offered>,
    /// What the job received.
    pub input: Vec<Offered>,
}

/// Files of a directory with what is needed of their attributes.
#[must_use]
pub fn offered(
    directory: &Path,
    files: Vec<String>,
    needed: Option<&BTreeSet<AttributeTag>>,
) -> Vec<Offered> {
    let offer = |file: String| Offered {
        attributes: needed.map_or_else(Attributes::default, |tags| read(&directory.join(&file), tags)),
        file,
    };
    files.into_iter().map(offer).collect()
}

impl Offer {
    /// What a person should know of it. Names are not told: they may be a patient's.
    #[must_use]
    pub fn unreadable(&self) -> Option<String> {
        let why = |file: &Offered| match &file.attributes {
            Attributes::Read(_) => None,
            Attributes::Unreadable(why) => Some(why.clone()),
        };
        let all: Vec<_> = self.output.iter().chain(&self.input).filter_map(why).collect();
        let first = all.first()?;
        let count = all.len();
        Some(format!(
            "{count} files go nowhere that `which` chooses for: their attributes could not be read, {first}"
        ))
    }

    fn of(&self, direction: Direction) -> &[Offered] {
        match direction {
            Direction::Output => &self.output,
            Direction::Input => &self.input,
        }
    }
}

/// A delivery to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Who takes it.
    pub peer: Peer,
    /// The rule that causes it.
    pub route: String,
    /// Which directory its files are in.
    pub direction: Direction,
    /// Its files, by their place in the [`Offer`].
    pub files: Vec<usize>,
    /// The delivery, by its place in the plan, that has to fail before this one goes.
    pub after: Option<usize>,
    /// How they are held against their input before they leave.
    pub gate: GateMode,
}

/// One look at a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The rule's key, as its file calls it.
    pub key: String,
    /// The pattern; absent ones hold.
    pub pattern: Option<String>,
    /// What it was searched in; `None` where that is not to be shown, or not there.
    pub value: Option<String>,
    /// Whether it was found.
    pub holds: bool,
}

/// A file that does not go to a destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The file.
    pub file: String,
    /// Why its attributes could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    /// The first pattern of each set that was not found.
    pub misses: Vec<Check>,
}

/// What becomes of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Files go there.
    Sends,
    /// Files go there if an earlier destination of the rule fails.
    StandsBy,
    /// An earlier rule sends the same files there.
    Already,
    /// No file is to go there.
    NoFiles,
    /// The job ended otherwise.
    OtherOutcome,
}

/// What was found about one destination of a rule that matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SendTrace {
    /// AE title of the destination.
    pub to: String,
    /// Where it is, if the rule says so; else a `[[remote_ae]]` does.
    pub address: Option<String>,
    /// What becomes of it.
    pub verdict: Verdict,
    /// The pattern of the outcome.
    pub outcome: Check,
    /// How many files go.
    pub files: usize,
    /// Of how many.
    pub of: usize,
    /// The destination that has to fail before.
    pub after: Option<String>,
    /// Files that do not go, the first of them.
    pub left_out: Vec<LeftOut>,
    /// The rule wants the end of the log as a series; that is not made.
    pub error_report_wanted: bool,
}

/// What was found about one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleTrace {
    /// Its name.
    pub name: String,
    /// `configuration` or `routing.json`.
    pub source: &'static str,
    /// Whether it is on.
    pub enabled: bool,
    /// The rule before it after which no other is looked at.
    pub not_reached: Option<String>,
    /// Whether it matched.
    pub matches: bool,
    /// Whether it ends the search.
    pub last: bool,
    /// What is sent: `output` or `input`.
    pub sends: &'static str,
    /// Its patterns.
    pub checks: Vec<Check>,
    /// Its destinations, if it matched.
    pub to: Vec<SendTrace>,
}

/// Which file goes where, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The deliveries, in the order in which they are to be made.
    pub plan: Vec<Planned>,
    /// Every rule, in order.
    pub rules: Vec<RuleTrace>,
}

/// The attributes that have to be read of the files of each directory before [`decide`] is asked.
#[must_use]
pub fn needed(routes: &[Route], facts: Facts<'_>) -> BTreeMap<Direction, BTreeSet<AttributeTag>> {
    let mut needed: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (route, _) in looked_at(routes, facts).iter().filter(|(_, rule)| rule.matches) {
        let wanted = route.to.iter().filter(|to| outcome(route, to, facts).holds);
        let sets = wanted.filter_map(|to| to.which.as_ref()).flatten();
        let tags = sets.flat_map(|AttributeSet(patterns)| patterns.iter().map(|(tag, _)| *tag));
        needed.entry(route.send).or_default().extend(tags);
    }
    needed.retain(|_, tags| !tags.is_empty());
    needed
}

/// Which file goes where.
#[must_use]
pub fn decide(routes: &[Route], facts: Facts<'_>, offer: &Offer) -> Decision {
    let mut plan: Vec<Planned> = Vec::new();
    let mut rules = Vec::new();
    for (route, mut rule) in looked_at(routes, facts) {
        if rule.matches {
            // The latest destination of this rule after which the next one has to wait.
            let mut stopper = None;
            for destination in &route.to {
                let trace = send(route, destination, facts, offer, &mut plan, &mut stopper);
                rule.to.push(trace);
            }
        }
        rules.push(rule);
    }
    Decision { plan, rules }
}

/// Every rule with whether it matches, its destinations not looked at yet.
fn looked_at<'r>(routes: &'r [Route], facts: Facts<'_>) -> Vec<(&'r Route, RuleTrace)> {
    let mut last: Option<&str> = None;
    let mut looked_at = Vec::new();
    for route in routes {
        let (called, calling) = match route.source {
            RouteSource::Configuration => ("called", "calling"),
            RouteSource::RoutingJson => ("AETitleIn", "AETitleFrom"),
        };
        let checks = vec![
            check(called, route.called.as_ref(), facts.called),
            check(calling, route.calling.as_ref(), facts.calling),
        ];
        let matches = route.enabled && last.is_none() && checks.iter().all(|c| c.holds);
        let rule = RuleTrace {
            name: route.name.clone(),
            source: match route.source {
                RouteSource::Configuration => "configuration",
                RouteSource::RoutingJson => "routing.json",
            },
            enabled: route.enabled,
            not_reached: last.map(str::to_owned),
            matches,
            last: route.last,
            sends: route.send.name(),
            checks,
            to: Vec::new(),
        };
        if matches && route.last {
            last = Some(&route.name);
        }
        looked_at.push((route, rule));
    }
    looked_at
}

fn check(key: &str, pattern: Option<&Regex>, value: &str) -> Check {
    Check {
        key: key.to_owned(),
        pattern: pattern.map(|p| p.as_str().to_owned()),
        value: Some(value.to_owned()),
        holds: pattern.is_none_or(|p| p.is_match(value)),
    }
}

fn outcome(route: &Route, destination: &Destination, facts: Facts<'_>) -> Check {
    let key = match route.source {
        RouteSource::Configuration => "outcome",
        RouteSource::RoutingJson => "send",
    };
    let check = check(key, destination.outcome.as_ref(), facts.outcome.word());
    let holds = match destination.outcome {
        Some(_) => check.holds,
        None => *facts.outcome == Outcome::Success,
    };
    Check { holds, ..check }
}

/// Looks at one destination of a rule that matches, and adds to the plan what goes there.
fn send(
    route: &Route,
    destination: &Destination,
    facts: Facts<'_>,
    offer: &Offer,
    plan: &mut Vec<Planned>,
    stopper: &mut Option<usize>,
) -> SendTrace {
    let files = offer.of(route.send);
    let mut trace = SendTrace {
        to: destination.peer.ae_title().to_string(),
        address: match &destination.peer {
            Peer::Named(_) => None,
            Peer::Given(remote) => Some(remote.address.clone()),
        },
        verdict: Verdict::OtherOutcome,
        outcome: outcome(route, destination, facts),
        files: 0,
        of: files.len(),
        after: None,
        left_out: Vec::new(),
        error_report_wanted: destination.error_report,
    };
    if !trace.outcome.holds {
        return trace;
    }
    let mut going = Vec::new();
    for (index, file) in files.iter().enumerate() {
        match left_out(destination, file) {
            None => going.push(index),
            Some(why) if trace.left_out.len() < NAMED => trace.left_out.push(why),
            Some(_) => {}
        }
    }
    trace.files = going.len();
    if going.is_empty() {
        // Sent nowhere is not sent: later destinations do not wait for it.
        trace.verdict = Verdict::NoFiles;
        return trace;
    }
    let planned = Planned {
        peer: destination.peer.clone(),
        route: route.name.clone(),
        direction: route.send,
        files: going,
        after: *stopper,
        gate: route.gate,
    };
    // One result goes to one destination once, however many rules say so. One that only stands by may never go.
    let known = plan.iter().position(|p| {
        p.after.is_none()
            && p.peer == planned.peer
            && p.direction == planned.direction
            && planned.files.iter().all(|file| p.files.contains(file))
    });
    let place = if let Some(known) = known {
        trace.verdict = Verdict::Already;
        known
    } else {
        let after = planned.after.and_then(|after| plan.get(after));
        trace.after = after.map(|p| p.peer.ae_title().to_string());
        trace.verdict = match planned.after {
            Some(_) => Verdict::StandsBy,
            None => Verdict::Sends,
        };
        plan.push(planned);
        plan.len() - 1
    };
    if destination.stops {
        *stopper = Some(place);
    }
    trace
}

/// Why a file does not go to a destination; `None`: it goes.
fn left_out(destination: &Destination, file: &Offered) -> Option<LeftOut> {
    let sets = destination.which.as_ref()?;
    let values = match &file.attributes {
        Attributes::Read(values) => values,
        Attributes::Unreadable(why) => {
            return Some(LeftOut {
                file: file.file.clone(),
                unreadable: Some(why.clone()),
                misses: Vec::new(),
            });
        }
    };
    let mut misses = Vec::new();
    for AttributeSet(patterns) in sets {
        let miss = patterns.iter().find_map(|(tag, pattern)| {
            let value = values.get(tag);
            let found = value.is_some_and(|value| pattern.is_match(value));
            (!found).then(|| Check {
                key: tag.to_string(),
                pattern: Some(pattern.as_str().to_owned()),
                value: value.map(|v| shown(*tag, v)),
                holds: false,
            })
        });
        misses.push(miss?);
    }
    Some(LeftOut {
        file: file.file.clone(),
        unreadable: None,
        misses,
    })
}

/// The value of an attribute as it may be shown.
fn shown(tag: AttributeTag, value: &str) -> String {
    if tag.is_personal() {
        return "(not shown)".to_owned();
    }
    value.chars().take(64).collect()
}

#[cfg(test)]
mod tests;
