//! What became of deliveries.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use rusqlite::{Connection, params};

use super::super::Result;
use super::jobs::{about_job, of_studies};
use crate::model::{
    AuditAction, AuditEvent, AuditKind, AuditOutcome, AuditParticipant, AuditRole, AuditThing, DeliveryState,
    InstanceState, JobId,
};

/// How a destination is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditDestination {
    /// An AE: its address, and our title when we call it.
    Ae {
        /// Host and port.
        address: String,
        /// Our title.
        calling: String,
    },
    /// A folder or a DICOMweb server: a URI.
    Uri(String),
}

/// What the configuration says of destinations, by name; set once, when the node starts.
pub type AuditDestinations = Arc<OnceLock<HashMap<String, AuditDestination>>>;

/// A delivery as an event tells of it.
struct Sent {
    job: String,
    destination: String,
    attempts: i64,
    to: Option<AuditDestination>,
}

impl Sent {
    /// What its end is told as.
    const fn kind(&self) -> AuditKind {
        match self.to {
            Some(AuditDestination::Uri(_)) => AuditKind::Exported,
            _ => AuditKind::Transferred,
        }
    }
}

fn look_up(db: &Connection, id: i64, destinations: &AuditDestinations) -> Result<Sent> {
    let (job, destination, attempts, given): (_, String, _, (Option<String>, Option<String>)) = db
        .prepare_cached(
            "SELECT j.id, d.destination, d.attempts, d.address, d.calling FROM deliveries d JOIN jobs j ON j.seq = d.job \
             WHERE d.id = ?1",
        )?
        .query_row([id], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, (row.get(3)?, row.get(4)?)))
        })?;
    let to = match given {
        (Some(address), Some(calling)) => Some(AuditDestination::Ae { address, calling }),
        _ => destinations.get().and_then(|all| all.get(&destination).cloned()),
    };
    Ok(Sent {
        job,
        destination,
        attempts,
        to,
    })
}

/// An attempt begins; the first one to an AE is told.
pub(in crate::store) fn begun(db: &Connection, id: i64, destinations: &AuditDestinations) -> Result<()> {
    let sent = look_up(db, id, destinations)?;
    if sent.attempts != 1 || matches!(sent.to, Some(AuditDestination::Uri(_))) {
        return Ok(());
    }
    let classes = classes(db, id, |_| true)?;
    tell(
        db,
        &sent,
        AuditKind::TransferBegun,
        AuditAction::Execute,
        (AuditOutcome::Success, None),
        classes,
    )
}

/// An attempt has ended. What was sent and what was not are told apart (PS3.15 §A.5.2), and that only once nothing more
/// is tried.
pub(in crate::store) fn settled(
    db: &Connection,
    id: i64,
    state: DeliveryState,
    destinations: &AuditDestinations,
) -> Result<()> {
    let over = matches!(
        state,
        DeliveryState::Sent | DeliveryState::Committing | DeliveryState::Refused | DeliveryState::Held
    );
    if !over {
        return Ok(());
    }
    let sent = look_up(db, id, destinations)?;
    let kind = sent.kind();
    arrivals(db, id, &sent)?;
    let left = classes(db, id, |state| !arrived(state))?;
    if !left.is_empty() {
        // Not the error: it may name a file, and names of results may be a patient's.
        let how = (AuditOutcome::SeriousFailure, Some(state.name()));
        tell(db, &sent, kind, AuditAction::Read, how, left)?;
    }
    Ok(())
}

/// Tells what is at the destination and was not told before: once for each object, however often it is tried.
fn arrivals(db: &Connection, id: i64, sent: &Sent) -> Result<()> {
    let there = untold(db, id)?;
    if there.is_empty() {
        return Ok(());
    }
    let mut classes = BTreeMap::new();
    for (class, state, objects) in there {
        *classes.entry(class).or_insert(0) += objects;
        db.prepare_cached("UPDATE delivery_instances SET told = 1 WHERE delivery = ?1 AND state = ?2")?
            .execute(params![id, state])?;
    }
    let how = (AuditOutcome::Success, None);
    tell(db, sent, sent.kind(), AuditAction::Read, how, classes)
}

/// SOP class, state and number of objects that arrived and are not told.
fn untold(db: &Connection, id: i64) -> Result<Vec<(String, String, u64)>> {
    let mut statement = db.prepare_cached(
        "SELECT sop_class_uid, state, count(*) FROM delivery_instances WHERE delivery = ?1 AND told = 0 GROUP BY 1, 2",
    )?;
    let rows = statement.query_map([id], |row| {
        Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?))
    })?;
    let rows: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
    Ok(rows.into_iter().filter(|(_, state, _)| arrived(state)).collect())
}

/// Tells what arrived of deliveries that were cancelled, of one job or of all: a cancelled one comes to no other end.
pub(in crate::store) fn sent_and_cancelled(
    db: &Connection,
    job: Option<&JobId>,
    destinations: &AuditDestinations,
) -> Result<()> {
    let mut statement = db.prepare_cached(
        "SELECT id FROM deliveries d WHERE state = 'cancelled' \
         AND (?1 IS NULL OR job = (SELECT seq FROM jobs WHERE id = ?1)) \
         AND EXISTS (SELECT 1 FROM delivery_instances i WHERE i.delivery = d.id AND i.told = 0 \
                     AND i.state NOT IN ('waiting', 'refused')) ORDER BY id",
    )?;
    let rows = statement.query_map([job.map(JobId::as_str)], |row| row.get(0))?;
    for id in rows.collect::<rusqlite::Result<Vec<i64>>>()? {
        arrivals(db, id, &look_up(db, id, destinations)?)?;
    }
    Ok(())
}

/// Whether an object of that state is at the destination.
fn arrived(state: &str) -> bool {
    !matches!(
        InstanceState::from_name(state),
        None | Some(InstanceState::Waiting | InstanceState::Refused)
    )
}

fn classes(db: &Connection, id: i64, counts: impl Fn(&str) -> bool) -> Result<BTreeMap<String, u64>> {
    let mut statement = db.prepare_cached(
        "SELECT sop_class_uid, state, count(*) FROM delivery_instances WHERE delivery = ?1 GROUP BY 1, 2",
    )?;
    let mut rows = statement.query(params![id])?;
    let mut found = BTreeMap::new();
    while let Some(row) = rows.next()? {
        if counts(&row.get::<_, String>(1)?) {
            *found.entry(row.get::<_, String>(0)?).or_insert(0) += row.get::<_, u64>(2)?;
        }
    }
    Ok(found)
}

fn tell(
    db: &Connection,
    sent: &Sent,
    kind: AuditKind,
    action: AuditAction,
    (outcome, why): (AuditOutcome, Option<&str>),
    sop_classes: BTreeMap<String, u64>,
) -> Result<()> {
    let participants = match &sent.to {
        Some(AuditDestination::Ae { address, calling }) => vec![
            AuditParticipant::ae(calling, None, AuditRole::Source).asking(),
            AuditParticipant::ae(&sent.destination, Some(host(address)), AuditRole::Destination),
        ],
        Some(AuditDestination::Uri(uri)) => vec![
            AuditParticipant::node(Some(AuditRole::Source)).asking(),
            AuditParticipant::medium(&sent.destination, uri, AuditRole::DestinationMedia),
        ],
        // The configuration does not name it any more.
        None => vec![
            AuditParticipant::node(Some(AuditRole::Source)).asking(),
            AuditParticipant::ae(&sent.destination, None, AuditRole::Destination),
        ],
    };
    let mut event = AuditEvent::new(kind, action, participants).about(AuditThing::Job, sent.job.as_str());
    event.outcome = outcome;
    event.text = why.map(str::to_owned);
    let studies = super::jobs::studies(db, &sent.job)?;
    if studies.is_empty() {
        return about_job(db, &event);
    }
    of_studies(db, &event, studies, sop_classes)
}

fn host(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}
