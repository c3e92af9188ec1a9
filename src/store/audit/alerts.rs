//! Events that strangers cause, at any rate they like: so many an hour of one stranger are written, the rest is counted.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::super::Result;
use super::append;
use crate::model::{
    AssociationEnd, AuditAction, AuditEvent, AuditKind, AuditOutcome, AuditParticipant, AuditRole, AuditThing,
};

/// The time that events are counted over.
const WINDOW: Duration = Duration::from_secs(3600);

/// Events of one stranger within it.
const EACH: u32 = 10;

/// Events of all strangers within it: the trail is kept for years.
const ALL: u32 = 1000;

/// Strangers that are told apart.
const STRANGERS: usize = 1024;

/// What a stranger is known by: the kind of the event, its name and its address.
type Stranger = (AuditKind, String, Option<String>);

/// Keeps strangers from filling the trail.
#[derive(Debug)]
pub(in crate::store) struct AlertLimit {
    since: Instant,
    seen: HashMap<Stranger, u32>,
    written: u32,
    unwritten: u64,
}

impl AlertLimit {
    pub(in crate::store) fn new() -> Self {
        Self {
            since: Instant::now(),
            seen: HashMap::new(),
            written: 0,
            unwritten: 0,
        }
    }

    /// Writes an event, or counts it; `missing` were counted before it came here.
    pub(in crate::store) fn write(&mut self, db: &Connection, event: AuditEvent, missing: u64) -> Result<()> {
        self.unwritten += missing;
        if !self.takes(&event, Instant::now()) {
            self.unwritten += 1;
            return Ok(());
        }
        let left_out = std::mem::take(&mut self.unwritten);
        let event = match (left_out, &event.text) {
            (0, _) => event,
            (n, text) => {
                let said = text.clone().unwrap_or_default();
                event.saying(format!(
                    "{said}; {n} more alerts before it came too fast to be written"
                ))
            }
        };
        append(db, &event)
    }

    fn takes(&mut self, event: &AuditEvent, now: Instant) -> bool {
        if now.duration_since(self.since) >= WINDOW {
            self.since = now;
            self.seen.clear();
            self.written = 0;
        }
        let who = event.participants.first();
        let key = (
            event.kind,
            who.map(|p| p.user.clone()).unwrap_or_default(),
            who.and_then(|p| p.address.clone()),
        );
        if self.written >= ALL || (self.seen.len() >= STRANGERS && !self.seen.contains_key(&key)) {
            return false;
        }
        let seen = self.seen.entry(key).or_insert(0);
        if *seen >= EACH {
            return false;
        }
        *seen += 1;
        self.written += 1;
        true
    }
}

/// The event of an association that was refused for who called.
pub(in crate::store) fn refused(end: &AssociationEnd) -> AuditEvent {
    let address = end.address.to_string();
    let calling = end.calling.as_deref().unwrap_or(&address);
    let caller = AuditParticipant {
        ae_title: end.calling.clone(),
        ..AuditParticipant::medium(calling, &address, AuditRole::Source)
    };
    // PS3.15 §A.5.3.12: who reports it is the requestor.
    let us = AuditParticipant::node(None).asking();
    let event = AuditEvent {
        at: end.at,
        ..AuditEvent::new(AuditKind::NodeRefused, AuditAction::Execute, vec![caller, us])
    };
    let event = event
        .ended(AuditOutcome::MinorFailure)
        .saying(end.reason.as_str());
    match &end.called {
        Some(called) => event.about(AuditThing::Called, called.as_str()),
        None => event,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(user: &str) -> AuditEvent {
        let who = AuditParticipant::caller(user, "192.0.2.1");
        AuditEvent::new(AuditKind::RequestRefused, AuditAction::Execute, vec![who])
    }

    #[test]
    fn a_stranger_has_ten_events_an_hour_and_all_of_them_a_thousand() {
        let (mut limit, now) = (AlertLimit::new(), Instant::now());
        let taken = (0..50).filter(|_| limit.takes(&alert("x"), now)).count();
        assert_eq!(taken, 10);
        let taken = (0..5000)
            .filter(|n| limit.takes(&alert(&n.to_string()), now))
            .count();
        assert_eq!(taken, 990);
        assert!(limit.seen.len() <= STRANGERS);
        assert!(limit.takes(&alert("x"), now + WINDOW));
    }
}
