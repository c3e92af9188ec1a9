//! What became of deliveries.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use rusqlite::{Connection, params};

use super::super::Result;
use super::append;
use super::jobs::about_job;
use crate::model::{
    AuditAction, AuditEvent, AuditKind, AuditOutcome, AuditParticipant, AuditRole, AuditThing, DeliveryState,
    InstanceState,
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
    let kind = match sent.to {
        Some(AuditDestination::Uri(_)) => AuditKind::Exported,
        _ => AuditKind::Transferred,
    };
    let there = classes(db, id, arrived)?;
    if !there.is_empty() {
        tell(
            db,
            &sent,
            kind,
            AuditAction::Read,
            (AuditOutcome::Success, None),
            there,
        )?;
    }
    let left = classes(db, id, |state| !arrived(state))?;
    if !left.is_empty() {
        // Not the error: it may name a file, and names of results may be a patient's.
        let how = (AuditOutcome::SeriousFailure, Some(state.name()));
        tell(db, &sent, kind, AuditAction::Read, how, left)?;
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
    // What is sent is not told apart by study: a job has one, or the objects are of the first.
    match studies.into_iter().next() {
        Some(mut study) => {
            study.sop_classes = sop_classes;
            append(db, &event.of_study(study))
        }
        None => about_job(db, &event),
    }
}

fn host(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}
