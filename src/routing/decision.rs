//! Which file goes where, and why: one pure function decides, and tells what it looked at.

use std::collections::{BTreeMap, BTreeSet};

use super::attributes::Attributes;
use super::offer::{Offer, Offered};
use super::trace::{Check, LeftOut, RuleTrace, SendTrace, Verdict};
use crate::model::{
    AttributeSet, AttributeTag, Destination, Direction, GateMode, Outcome, Peer, Route, RouteSource,
};
use regex::Regex;

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

/// Whether a rule that matches wants the end of the log sent along.
#[must_use]
pub fn wants_report(routes: &[Route], facts: Facts<'_>) -> bool {
    let matching = looked_at(routes, facts)
        .into_iter()
        .filter(|(_, rule)| rule.matches);
    let mut wanted = matching.flat_map(|(route, _)| route.to.iter().map(move |to| (route, to)));
    wanted.any(|(route, to)| to.error_report && outcome(route, to, facts).holds)
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
    let peer = destination.peer.for_calling(facts.calling);
    let mut trace = SendTrace {
        to: peer.ae_title().to_string(),
        address: match &peer {
            Peer::Named(_) => None,
            Peer::Given(remote) => Some(remote.address.clone()),
        },
        verdict: Verdict::OtherOutcome,
        outcome: outcome(route, destination, facts),
        files: 0,
        of: files.len(),
        after: None,
        left_out: Vec::new(),
        error_report: false,
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
    let report = if destination.error_report {
        offer.report.len()
    } else {
        0
    };
    trace.error_report = report > 0;
    let after = *stopper;
    let before = after.and_then(|after| plan.get(after));
    trace.after = before.map(|p| p.peer.ae_title().to_string());
    let parts = [(route.send, going), (Direction::Report, (0..report).collect())];
    let mut places = Vec::new();
    let mut new = false;
    for (direction, files) in parts.into_iter().filter(|(_, files)| !files.is_empty()) {
        let planned = Planned {
            peer: peer.clone(),
            route: route.name.clone(),
            direction,
            files,
            after,
            gate: route.gate,
        };
        let known = known(plan, &planned);
        new |= known.is_none();
        places.push(known.unwrap_or(plan.len()));
        if known.is_none() {
            plan.push(planned);
        }
    }
    trace.verdict = match (places.is_empty(), new, after) {
        // Sent nowhere is not sent: later destinations do not wait for it.
        (true, ..) => Verdict::NoFiles,
        (false, false, _) => Verdict::Already,
        (false, true, Some(_)) => Verdict::StandsBy,
        (false, true, None) => Verdict::Sends,
    };
    if destination.stops {
        *stopper = places.first().copied().or(*stopper);
    }
    trace
}

/// The delivery that brings the same there already. One result goes to one destination once, however many rules say so;
/// one that only stands by may never go.
fn known(plan: &[Planned], planned: &Planned) -> Option<usize> {
    plan.iter().position(|p| {
        p.after.is_none()
            && p.peer == planned.peer
            && p.direction == planned.direction
            // Both in order.
            && planned.files.iter().all(|file| p.files.binary_search(file).is_ok())
    })
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
