//! Where rows of associations that did not end well wait for the writer, and events of the audit trail that peers cause.
//!
//! Peers cause them, at any rate they like, so nobody waits for one: a row is handed over or, when too many wait,
//! counted. A thread of its own passes what has come to the writer, many rows a request.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::associations;
use super::audit::{self, Limits};
use super::writer::{When, Writer};
use super::{Result, StoreError};
use crate::model::{AssociationEnd, AuditEvent};

/// Rows waiting to be written; more are counted only.
pub(super) const QUEUE: usize = 1000;

/// Rows of one request to the writer, so that none holds others up for long.
pub(super) const BATCH: usize = 250;

/// The time behind a failure of the store before what was left out is tried again.
const PAUSE: Duration = Duration::from_secs(30);

/// What waits for the writer.
pub(super) enum Entry {
    End(AssociationEnd),
    Alert(AuditEvent),
}

impl Entry {
    /// Whether the audit trail is to tell of it.
    const fn is_for_the_trail(&self) -> bool {
        match self {
            Self::End(end) => end.stranger || !end.failed.is_empty(),
            Self::Alert(_) => true,
        }
    }
}

/// What came too fast to be written.
#[derive(Default)]
struct Lost {
    rows: AtomicU64,
    /// Of them and of alerts, what the audit trail would have told.
    events: AtomicU64,
}

/// Where ends of associations wait for the writer.
#[derive(Clone)]
pub(super) struct Journal {
    /// `None` once the store is closed.
    waiting: Arc<Mutex<Option<SyncSender<Entry>>>>,
    lost: Arc<Lost>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Journal {
    pub(super) fn start(writer: Writer) -> Result<Self> {
        let (sender, receiver) = sync_channel(QUEUE);
        let lost = Arc::new(Lost::default());
        let counted = lost.clone();
        let thread = std::thread::Builder::new()
            .name("associations".into())
            .spawn(move || run(&writer, &receiver, &counted))
            .map_err(|error| StoreError::State(format!("start the writer of associations: {error}")))?;
        Ok(Self {
            waiting: Arc::new(Mutex::new(Some(sender))),
            lost,
            thread: Arc::new(Mutex::new(Some(thread))),
        })
    }

    pub(super) fn submit(&self, end: AssociationEnd) {
        self.hand_over(Entry::End(end));
    }

    pub(super) fn submit_alert(&self, event: AuditEvent) {
        self.hand_over(Entry::Alert(event));
    }

    fn hand_over(&self, entry: Entry) {
        let (is_row, is_event) = (matches!(entry, Entry::End(_)), entry.is_for_the_trail());
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = waiting.as_ref().is_some_and(|w| w.try_send(entry).is_ok());
        if !taken {
            self.lost.rows.fetch_add(u64::from(is_row), Ordering::Relaxed);
            self.lost.events.fetch_add(u64::from(is_event), Ordering::Relaxed);
        }
    }

    /// Writes what waits; takes nothing more.
    pub(super) fn close(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the writer of associations had died");
        }
    }
}

fn run(writer: &Writer, waiting: &Receiver<Entry>, lost: &Lost) {
    let mut limits = Limits::new(Instant::now());
    // Behind a failure what is due is not tried at once again.
    let mut not_before = Instant::now();
    loop {
        let due = limits.due().map(|due| due.max(not_before));
        let (entries, over) = some(waiting, due);
        let now = Instant::now();
        let tells_the_rest = over || due.is_some_and(|due| due <= now);
        let rows = entries.iter().filter(|e| matches!(e, Entry::End(_))).count() as u64;
        let events = entries.iter().filter(|e| e.is_for_the_trail()).count() as u64;
        let missing = lost.rows.swap(0, Ordering::Relaxed);
        let unheard = lost.events.swap(0, Ordering::Relaxed);
        let mut new = limits.clone();
        // Peers cause them: they cost no sync of the disk, and nothing was answered by them.
        let request = move |db: &Connection| {
            new.missed(unheard);
            if tells_the_rest {
                new.tell_the_rest(db)?;
            }
            alert(db, &entries, &mut new, now)?;
            if over {
                new.tell_the_rest(db)?;
            }
            let ends: Vec<_> = entries.into_iter().filter_map(Entry::end).collect();
            associations::write(db, &ends, missing)?;
            Ok(new)
        };
        match writer.submit(When::Unsynced, request).wait() {
            Ok(new) => limits = new,
            Err(error) => {
                tracing::error!(%error, rows, "write the events of associations");
                not_before = now + PAUSE;
                lost.rows.fetch_add(rows + missing, Ordering::Relaxed);
                lost.events.fetch_add(events + unheard, Ordering::Relaxed);
            }
        }
        if over {
            return;
        }
    }
}

/// What waits, or nothing when that moment comes first; and whether nothing more will.
fn some(waiting: &Receiver<Entry>, due: Option<Instant>) -> (Vec<Entry>, bool) {
    let first = match due {
        None => waiting.recv().map_err(|_| RecvTimeoutError::Disconnected),
        Some(due) => waiting.recv_timeout(due.saturating_duration_since(Instant::now())),
    };
    match first {
        Ok(first) => {
            let more = waiting.try_iter().take(BATCH - 1);
            (std::iter::once(first).chain(more).collect(), false)
        }
        Err(RecvTimeoutError::Timeout) => (Vec::new(), false),
        Err(RecvTimeoutError::Disconnected) => (Vec::new(), true),
    }
}

impl Entry {
    fn end(self) -> Option<AssociationEnd> {
        match self {
            Self::End(end) => Some(end),
            Self::Alert(_) => None,
        }
    }
}

/// Writes the events that are for the audit trail too.
fn alert(db: &Connection, entries: &[Entry], limits: &mut Limits, now: Instant) -> Result<()> {
    for entry in entries {
        match entry {
            Entry::Alert(event) => limits.stranger(db, event.clone(), now)?,
            Entry::End(end) => {
                if end.stranger {
                    limits.stranger(db, audit::refused(end), now)?;
                }
                for event in audit::failed(end) {
                    limits.failure(db, event, now)?;
                }
            }
        }
    }
    Ok(())
}
