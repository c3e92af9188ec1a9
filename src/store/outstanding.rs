//! Deliveries that are not where they belong: how many, and what each waits for.

use rusqlite::{OptionalExtension, params};

use super::jobs::{ae_title, job_id};
use super::{Result, Store, StoreError};
use crate::model::{AeTitle, Delivery, DeliveryState, JobId};

/// Deliveries to one destination in one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryCount {
    /// To whom.
    pub destination: AeTitle,
    /// Whether a rule said itself where that is.
    pub given: bool,
    /// Where they stand.
    pub state: DeliveryState,
    /// How many.
    pub count: u64,
}

/// A delivery that another one keeps its place behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// Its number.
    pub delivery: i64,
    /// Its job.
    pub job: JobId,
}

impl Store {
    /// Deliveries on their way and those that a person has to decide about, of jobs that have their files.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn deliveries_outstanding(&self) -> Result<Vec<DeliveryCount>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT d.destination, d.address IS NOT NULL, d.state, count(*) FROM deliveries d \
                 JOIN jobs j ON j.seq = d.job WHERE d.state IN \
                 ('waiting', 'sending', 'retrying', 'committing', 'uncommitted', 'refused', 'held') \
                 AND j.removed_at IS NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
            )?;
            let mut rows = statement.query([])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let name: String = row.get(2)?;
                let state = DeliveryState::from_name(&name)
                    .ok_or_else(|| StoreError::State(format!("{name:?} is no state of a delivery")))?;
                found.push(DeliveryCount {
                    destination: ae_title(&row.get::<_, String>(0)?)?,
                    given: row.get(1)?,
                    state,
                    count: row.get(3)?,
                });
            }
            Ok(found)
        })
    }

    /// The first delivery of the same study to the same destination that has to be over before this one goes.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn delivery_ahead(&self, delivery: &Delivery) -> Result<Option<Ahead>> {
        if !matches!(delivery.state, DeliveryState::Waiting | DeliveryState::Retrying) {
            return Ok(None);
        }
        let address = delivery.remote.as_ref().map(|remote| &remote.address);
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT d.id, j.id FROM deliveries d JOIN jobs j ON j.seq = d.job \
                 WHERE d.state IN ('waiting', 'sending', 'retrying') AND j.state = 'delivering' AND d.id < ?1 \
                 AND d.destination = ?2 AND d.address IS ?3 AND j.study_instance_uid = ?4 ORDER BY d.id LIMIT 1",
            )?;
            let of = params![
                delivery.id,
                delivery.destination.as_str(),
                address,
                delivery.study_instance_uid
            ];
            let found: Option<(i64, String)> = statement
                .query_row(of, |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let ahead = |(delivery, job): (i64, String)| Ok(Ahead { delivery, job: job_id(&job)? });
            found.map(ahead).transpose()
        })
    }
}
