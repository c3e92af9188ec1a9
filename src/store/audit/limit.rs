//! Events that peers cause, at any rate they like: so many an hour of one of them are written, the rest is counted, and the
//! count is told: with the next event that is written, or when the hour or the run is over.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::super::Result;
use super::append;
use crate::model::{AuditEvent, AuditKind};

/// The time that events are counted over.
const WINDOW: Duration = Duration::from_secs(3600);

/// Events of all within it: the trail is kept for years.
const ALL: u32 = 1000;

/// Names, and addresses, that are told apart.
const TOLD_APART: usize = 1024;

/// Events within the time.
#[derive(Clone, Copy, Debug)]
struct Budget {
    /// Of one name from one address.
    each: u32,
    /// Of one address, whatever names it gives: one stranger does not hide the others.
    of_address: u32,
}

const STRANGERS: Budget = Budget {
    each: 10,
    of_address: 50,
};

/// An association with many studies makes as many events.
const FAILURES: Budget = Budget {
    each: 50,
    of_address: 200,
};

/// The limits of everything that peers cause.
#[derive(Clone, Debug)]
pub(in crate::store) struct Limits {
    strangers: Limit,
    failures: Limit,
}

impl Limits {
    pub(in crate::store) fn new(now: Instant) -> Self {
        Self {
            strangers: Limit::new(STRANGERS, now),
            failures: Limit::new(FAILURES, now),
        }
    }

    /// When what is left out is to be told, if anything is.
    pub(in crate::store) fn due(&self) -> Option<Instant> {
        let limits = [&self.strangers, &self.failures];
        limits.into_iter().filter_map(Limit::due).min()
    }

    /// So many events never came to be judged.
    pub(in crate::store) const fn missed(&mut self, events: u64) {
        self.strangers.left_out += events;
    }

    /// Writes the event of somebody who was turned away, or counts it.
    pub(in crate::store) fn stranger(
        &mut self,
        db: &Connection,
        event: AuditEvent,
        now: Instant,
    ) -> Result<()> {
        self.strangers.write(db, event, now)
    }

    /// Writes the event of what did not come, or counts it.
    pub(in crate::store) fn failure(
        &mut self,
        db: &Connection,
        event: AuditEvent,
        now: Instant,
    ) -> Result<()> {
        self.failures.write(db, event, now)
    }

    /// Tells what was left out so far.
    pub(in crate::store) fn tell_the_rest(&mut self, db: &Connection) -> Result<()> {
        self.strangers.tell_the_rest(db)?;
        self.failures.tell_the_rest(db)
    }
}

/// What somebody is known by: the kind of the event, the name, the address.
type Somebody = (AuditKind, String, Option<String>);

#[derive(Clone, Debug)]
struct Limit {
    budget: Budget,
    since: Instant,
    seen: HashMap<Somebody, u32>,
    of_address: HashMap<Option<String>, u32>,
    written: u32,
    left_out: u64,
    /// The last that was left out: it stands for all when nothing else is written any more.
    last: Option<AuditEvent>,
}

impl Limit {
    fn new(budget: Budget, now: Instant) -> Self {
        Self {
            budget,
            since: now,
            seen: HashMap::new(),
            of_address: HashMap::new(),
            written: 0,
            left_out: 0,
            last: None,
        }
    }

    fn due(&self) -> Option<Instant> {
        self.last.as_ref().map(|_| self.since + WINDOW)
    }

    fn write(&mut self, db: &Connection, event: AuditEvent, now: Instant) -> Result<()> {
        if now.duration_since(self.since) >= WINDOW {
            self.tell_the_rest(db)?;
            *self = Self {
                left_out: self.left_out,
                ..Self::new(self.budget, now)
            };
        }
        if !self.takes(&event) {
            self.left_out += 1;
            self.last = Some(event);
            return Ok(());
        }
        self.last = None;
        append(db, &counting(event, std::mem::take(&mut self.left_out)))
    }

    fn tell_the_rest(&mut self, db: &Connection) -> Result<()> {
        let Some(last) = self.last.take() else {
            return Ok(());
        };
        let before = std::mem::take(&mut self.left_out).saturating_sub(1);
        append(db, &counting(last, before))
    }

    fn takes(&mut self, event: &AuditEvent) -> bool {
        let who = event.participants.first();
        let address = who.and_then(|p| p.address.clone());
        let somebody = (
            event.kind,
            who.map(|p| p.user.clone()).unwrap_or_default(),
            address.clone(),
        );
        let each = self.seen.get(&somebody).copied();
        let of_address = self.of_address.get(&address).copied();
        let has_room = |known: Option<u32>, map: usize, most: u32| match known {
            Some(events) => events < most,
            None => map < TOLD_APART,
        };
        let takes = self.written < ALL
            && has_room(each, self.seen.len(), self.budget.each)
            && has_room(of_address, self.of_address.len(), self.budget.of_address);
        if takes {
            self.seen.insert(somebody, each.unwrap_or(0) + 1);
            self.of_address.insert(address, of_address.unwrap_or(0) + 1);
            self.written += 1;
        }
        takes
    }
}

/// The same, with how many are left out before it.
fn counting(event: AuditEvent, left_out: u64) -> AuditEvent {
    if left_out == 0 {
        return event;
    }
    let said = event.text.clone().unwrap_or_default();
    event.saying(format!(
        "{said}; {left_out} more before it came too fast to be written"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AuditAction, AuditParticipant};

    fn alert(user: &str, address: &str) -> AuditEvent {
        let who = AuditParticipant::caller(user, address);
        AuditEvent::new(AuditKind::RequestRefused, AuditAction::Execute, vec![who])
    }

    #[test]
    fn a_stranger_has_ten_events_an_hour_an_address_fifty_and_all_of_them_a_thousand() {
        let mut limit = Limit::new(STRANGERS, Instant::now());
        let taken = (0..50).filter(|_| limit.takes(&alert("x", "192.0.2.1"))).count();
        assert_eq!(taken, 10);
        let names = (0..5000).filter(|n| limit.takes(&alert(&n.to_string(), "192.0.2.1")));
        assert_eq!(names.count(), 40);
        let addresses = (0..5000).filter(|n| limit.takes(&alert("x", &format!("192.0.2.x{n}"))));
        assert_eq!(addresses.count(), 950);
        assert!(limit.seen.len() <= TOLD_APART && limit.of_address.len() <= TOLD_APART);
    }
}
