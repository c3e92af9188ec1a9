//! The audit trail: rows that are only added, each bound to the one before it.
//!
//! ```text
//! begun     changes outside the store, noted before they are made
//! limit     what strangers and failing senders cause, at a bounded rate
//! alerts    who was turned away
//! failed    what an association was to bring and did not
//! changed   what somebody may have changed with an editor
//! chain     appending, and whether the chain still holds
//! given     whose studies an answer gives out
//! jobs      events about a job: whose studies they are
//! receipts  what an association brought, told once for each study
//! sending   what became of a delivery
//! taken_over  jobs of another installation
//! listing   reading, and how far the collector is
//! pruning   the one way in which rows go
//! ```
//!
//! An event about a row of the store is written in the transaction that changes the row ([`Store::acting`]). What was
//! received is told when its association is over; until then a row of `audit_receiving` says that it is to be told, so that
//! a start after a crash tells it ([`Store::tell_what_was_received`]).

mod alerts;
mod begun;
mod chain;
mod changed;
mod failed;
mod given;
mod jobs;
mod limit;
mod listing;
mod pruning;
mod receipts;
mod sending;
mod taken_over;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;

use super::writer::When;
use super::{Pending, Result, Store};
use crate::model::AuditEvent;

pub use chain::{TrailBreak, TrailChecked};
pub use given::GivenOut;
pub use listing::{AuditFilter, AuditRow};
pub use receipts::{Receipt, ReceiptMark};
pub use sending::{AuditDestination, AuditDestinations};

pub(super) use alerts::refused;
pub(super) use failed::failed;
pub(super) use jobs::{about_job, all_of_bucket, deleted};
pub(super) use limit::Limits;
pub(super) use receipts::{Unheard, mark, pushed};
pub(super) use sending::{begun, sent_and_cancelled, settled};
pub(super) use taken_over::taken_over;

/// An event that is written with the next change, and whether it was.
#[derive(Clone, Debug)]
pub struct Act {
    event: Arc<AuditEvent>,
    told: Arc<AtomicBool>,
}

impl Act {
    /// An event that is to be written with a change.
    #[must_use]
    pub fn new(event: AuditEvent) -> Self {
        Self {
            event: Arc::new(event),
            told: Arc::default(),
        }
    }

    /// The event.
    #[must_use]
    pub fn event(&self) -> &AuditEvent {
        &self.event
    }

    /// Whether it was written.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.told.load(Ordering::Acquire)
    }

    /// Writes it within a request of the writer, once.
    pub(super) fn tell(&self, db: &Connection) -> Result<()> {
        if !self.is_told() {
            about_job(db, &self.event)?;
            // Only now: a refused event takes its change back with it, and that is to be told too.
            self.leave();
        }
        Ok(())
    }

    /// It is told elsewhere: by what it is about.
    pub fn leave(&self) {
        self.told.store(true, Ordering::Release);
    }
}

impl Store {
    /// The same store, whose next change writes this event in the same transaction.
    #[must_use]
    pub fn acting(&self, act: &Act) -> Self {
        Self {
            act: Some(act.clone()),
            ..self.clone()
        }
    }

    /// Writes an event; what it is about changes no row of the store.
    pub fn audit(&self, event: AuditEvent) -> Pending<()> {
        self.writer.submit(When::Synced, move |db| about_job(db, &event))
    }

    /// Writes that the node starts, and whether the run before it came to an end in order.
    pub fn audit_start(&self, event: AuditEvent) -> Pending<()> {
        self.writer.submit(When::Synced, move |db| {
            let cut_off: bool = db.query_row(
                "SELECT coalesce((SELECT max(id) FROM audit WHERE kind = 'started'), 0) \
                 > coalesce((SELECT max(id) FROM audit WHERE kind = 'stopped'), 0)",
                [],
                |row| row.get(0),
            )?;
            let said = event.text.clone().unwrap_or_default();
            let event = match cut_off {
                true => event.saying(format!("{said}; the run before it did not end in order")),
                false => event,
            };
            append(db, &event)
        })
    }

    /// Writes that the node stops, behind what strangers caused; nothing of theirs is taken any more.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn audit_stop(&self, event: AuditEvent) -> Result<()> {
        self.associations.close();
        self.audit(event).wait()
    }

    /// Hands over an event that strangers cause, to be written soon. Never waits: when too many wait already it is counted.
    pub fn note_alert(&self, event: AuditEvent) {
        self.associations.submit_alert(event);
    }
}

/// Writes an event as it is, within a request of the writer.
pub(super) fn append(db: &Connection, event: &AuditEvent) -> Result<()> {
    chain::append(db, event)
}

#[cfg(test)]
mod tests;
