//! Deliveries that are not where they belong: how many, and what each may wait for.

use rusqlite::params;

use super::delivery_rows::query;
use super::jobs::ae_title;
use super::{Result, Store, StoreError};
use crate::model::{AeTitle, Delivery, DeliveryState};

/// Deliveries to one destination in one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryCount {
    /// To whom.
    pub destination: AeTitle,
    /// Where that is, if a rule said so itself.
    pub address: Option<String>,
    /// Where they stand.
    pub state: DeliveryState,
    /// How many.
    pub count: u64,
}

impl Store {
    /// Deliveries on their way and those that a person has to decide about, of jobs that have their files.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn deliveries_outstanding(&self) -> Result<Vec<DeliveryCount>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT d.destination, d.address, d.state, count(*) FROM deliveries d \
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
                    address: row.get(1)?,
                    state,
                    count: row.get(3)?,
                });
            }
            Ok(found)
        })
    }

    /// Deliveries of the same study to destinations of the same name that are to be over before this one goes, should that be
    /// one destination; the first one first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn deliveries_before(&self, delivery: &Delivery) -> Result<Vec<Delivery>> {
        let of = params![
            delivery.id,
            delivery.destination.as_str(),
            delivery.study_instance_uid
        ];
        self.read(|db| {
            query(
                db,
                // The `+` leaves it to the index of the study: there are few jobs of one, and many deliveries to one destination.
                "+d.state IN ('waiting', 'sending', 'retrying') AND j.state = 'delivering' AND +d.id < ?1 \
                 AND +d.destination = ?2 AND j.study_instance_uid = ?3 ORDER BY d.id",
                of,
            )
        })
    }
}
