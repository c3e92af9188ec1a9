//! Deliveries as they stand in their rows.

use rusqlite::{Connection, Row};

use super::jobs::{ae_title, job_id};
use super::{Result, StoreError};
use crate::model::{Delivery, DeliveryState, Direction, GateMode, GateState, RemoteAe, RunTime, Timestamp};

pub(super) fn query(
    db: &Connection,
    condition: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<Delivery>> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT d.id, j.id, j.stream, d.destination, d.route, d.direction, d.state, d.attempts, d.created_at, \
         d.next_at, d.error, d.address, d.calling, d.after, d.gate, d.gate_state, j.study_instance_uid, d.tried, d.faults, \
         d.attempts_before FROM deliveries d JOIN jobs j ON j.seq = d.job WHERE {condition}"
    ))?;
    let mut rows = statement.query(values)?;
    let mut deliveries = Vec::new();
    while let Some(row) = rows.next()? {
        deliveries.push(read(row)?);
    }
    Ok(deliveries)
}

fn read(row: &Row<'_>) -> Result<Delivery> {
    let text = |i: usize| -> Result<String> { Ok(row.get(i)?) };
    let state = text(6)?;
    let destination = ae_title(&text(3)?)?;
    let given: (Option<String>, Option<String>) = (row.get(11)?, row.get(12)?);
    let remote = match given {
        (Some(address), Some(calling)) => {
            Some(RemoteAe::plain(destination.clone(), address, ae_title(&calling)?))
        }
        _ => None,
    };
    Ok(Delivery {
        id: row.get(0)?,
        job: job_id(&text(1)?)?,
        stream: ae_title(&text(2)?)?,
        study_instance_uid: text(16)?,
        destination,
        remote,
        after: row.get(13)?,
        route: text(4)?,
        direction: match text(5)?.as_str() {
            "input" => Direction::Input,
            "report" => Direction::Report,
            _ => Direction::Output,
        },
        state: DeliveryState::from_name(&state)
            .ok_or_else(|| StoreError::State(format!("{state:?} is no state of a delivery")))?,
        attempts: row.get(7)?,
        created_at: Timestamp(row.get(8)?),
        tried: row.get::<_, Option<i64>>(17)?.map(RunTime),
        next_at: row.get::<_, Option<i64>>(9)?.map(Timestamp),
        error: row.get(10)?,
        faults: row.get(18)?,
        attempts_before: row.get(19)?,
        gate: GateMode::from_word(&text(14)?).unwrap_or_default(),
        gate_state: GateState::from_word(&text(15)?).unwrap_or_default(),
    })
}
