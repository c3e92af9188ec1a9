//! The gate between what a bucket left behind and a PACS: what contradicts its input does not leave, what is missing is
//! filled in, and where it comes from is written into it.
//!
//! ```text
//! attribute    the attributes that a result has in common with its input
//! text         character sets
//! value        whether two values say the same
//! walk         a data set from its first element to its last
//! object       an object that is a file
//! input        the identity of the input
//! examine      the decision about one result, and the reasons for its rules
//! characters   … about its character set
//! encode       elements as bytes
//! provenance   Contributing Equipment Sequence, source references
//! rewrite      a copy with other elements
//! vr           value representations
//! copies       whether an object is one of the input's; hashes
//! round        one look at all results of a delivery
//! ```
//!
//! # What it looks at
//! Objects of OUTPUT. INPUT that is routed as it came is not touched: it is the sender's. Nor is an object of OUTPUT that has
//! the data set of an object of INPUT, byte by byte: a bucket that passes a study on makes nothing, and its objects have
//! their UIDs by right. Any other object under such a UID is held.
//!
//! # Modes
//! `repair` fills in what is missing and holds what contradicts. `strict` holds both. Either names the node, the bucket and
//! its image in the object, which a bucket cannot do. `off` sends what is there.
//!
//! # Once for all destinations
//! What is decided about the results of a job holds for every destination that gets the same files in the same mode: they are
//! read, held against the input and copied once, whether they pass or are held. Another mode, or a rule that chooses among the
//! files by what they are, is another decision, as is the first look after a person has it all sent again.
//!
//! # All or nothing
//! One object that is held holds its delivery. Half of a result is read as the whole of it.
//!
//! # After a crash
//! What is sent instead of the bucket's file is a copy in `outgoing/`; OUTPUT stays as the bucket left it. Copies are made
//! first, each whole or not at all, then the decision is one row with its findings, then it is sent. Cut off before the row,
//! all of it is done again and comes to the same bytes, since nothing in a copy depends on the time or on this attempt. After
//! the row the copies are there; one that is gone is made again: they are removed as soon as nothing of the job is sent
//! ([`super::aftermath`]). So that one that is made later is the same object, it names the program that made the first; where
//! it is not, by a program that does it otherwise, it does not go under the UID of one that a destination has.

mod attribute;
mod characters;
mod copies;
mod encode;
mod examine;
mod input;
#[cfg(test)]
pub(super) mod made;
mod object;
mod provenance;
mod rewrite;
mod round;
mod text;
mod value;
mod vr;
mod walk;

#[cfg(feature = "fuzzing")]
pub use walk::walked;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

pub(super) use self::copies::is_copy;
use self::provenance::Equipment;
use self::round::Round;
use crate::dicom::upper_layer::Stop;
use crate::files;
use crate::model::{COPIES_BY, Delivery, DeliveryInstance, Direction, GateMode, GateState, Layout, Place};
use crate::store::{Store, StoreError};

/// UIDs may be taken by another job between question and answer; after so many times it is tried again later.
const TRIES: u32 = 3;

/// What becomes of a delivery.
#[derive(Debug)]
pub(super) enum Passage {
    /// It goes; these files by a copy.
    Open(HashMap<String, PathBuf>),
    /// It does not; why, without values.
    Held(String),
}

/// Why the gate could not decide. Nothing is sent then.
#[derive(Debug, thiserror::Error)]
pub(super) enum GateError {
    /// Disk trouble.
    #[error("{what}: {source}")]
    Io {
        /// What was done.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node stops.
    #[error("the node is stopping")]
    Stopping,
    /// Others take the same UIDs at the same time.
    #[error("the UIDs of its results are being taken by other jobs")]
    Busy,
}

fn disk(what: &'static str) -> impl FnOnce(io::Error) -> GateError {
    move |source| GateError::Io { what, source }
}

fn held() -> Passage {
    Passage::Held("held at the gate: its findings stand with the delivery (GET /api/v1/jobs/JOB)".to_owned())
}

/// Where what is needed for a decision is.
pub(super) struct Gate<'a> {
    pub store: &'a Store,
    pub layout: &'a Layout,
    pub stop: &'a Stop,
    pub delivery: &'a Delivery,
}

impl Gate<'_> {
    /// Decides about a delivery, or goes by what was decided; makes the copies that are to be sent.
    ///
    /// # Errors
    /// [`GateError`]: try again later.
    pub fn pass(&self, instances: &[DeliveryInstance]) -> Result<Passage, GateError> {
        let delivery = self.delivery;
        let is_looked_at = delivery.direction == Direction::Output
            && delivery.gate != GateMode::Off
            && delivery.gate_state != GateState::Released;
        if !is_looked_at {
            return Ok(Passage::Open(HashMap::new()));
        }
        let is_decided = match delivery.gate_state {
            GateState::Passed => true,
            GateState::Open => match self.store.gate_shared(delivery.id, &delivery.job).wait()? {
                Some(GateState::Held) => return Ok(held()),
                shared => shared.is_some(),
            },
            GateState::Held | GateState::Released => false,
        };
        if is_decided && let Some(copies) = self.copies(instances)? {
            return Ok(Passage::Open(copies));
        }
        for _ in 0..TRIES {
            if let Some(passage) = self.decide(instances)? {
                return Ok(passage);
            }
        }
        Err(GateError::Busy)
    }

    fn outgoing(&self, instance: &DeliveryInstance) -> PathBuf {
        let directory = self
            .layout
            .path(Place::Outgoing(&self.delivery.stream, &self.delivery.job));
        directory.join(format!("{}.dcm", instance.sop_instance_uid))
    }

    /// The copies that were decided on, if all of them are there.
    fn copies(&self, instances: &[DeliveryInstance]) -> Result<Option<HashMap<String, PathBuf>>, GateError> {
        let copied = self.store.gate_copies(self.delivery.id)?;
        let of_copies = instances.iter().filter(|i| copied.contains(&i.file));
        let paths: HashMap<_, _> = of_copies.map(|i| (i.file.clone(), self.outgoing(i))).collect();
        Ok(paths.values().all(|path| path.is_file()).then_some(paths))
    }

    /// Looks at every result; `None` where a UID was taken meanwhile.
    fn decide(&self, instances: &[DeliveryInstance]) -> Result<Option<Passage>, GateError> {
        let (id, job) = (self.delivery.id, &self.delivery.job);
        let row = self.store.job(job)?;
        let row = row.ok_or_else(|| StoreError::State(format!("there is no job {job}")))?;
        let bucket = self.store.attempt_bucket(job)?;
        let program = self.store.copies_by(job)?;
        let equipment = Equipment::of(
            self.store.node_id(),
            &row,
            bucket.as_ref().map(|b| &b.info),
            program.as_deref().unwrap_or(COPIES_BY),
        );
        let scratch = self.layout.path(Place::Outgoing(&self.delivery.stream, job));
        // Not with what is above it: the files of a job that was deleted meanwhile do not come back.
        files::add_directory(&scratch).map_err(disk("make the directory of what is sent"))?;
        let mut round = Round::new(self, row, equipment);
        round.look_at(instances)?;
        if !round.is_held() {
            round.copy(instances)?;
        }
        if round.is_held() {
            self.store.gate_held(id, job, round.findings()).wait()?;
            return Ok(Some(held()));
        }
        crate::failpoint::reach("results-copied");
        let (findings, (copied, results)) = (round.findings(), round.outcome());
        let passed = self.store.gate_passed(id, job, findings, results, copied.clone());
        if !passed.wait()? {
            return Ok(None);
        }
        crate::failpoint::reach("gate-passed");
        let copies = instances.iter().filter(|i| copied.contains(&i.file));
        let copies = copies.map(|i| (i.file.clone(), self.outgoing(i))).collect();
        Ok(Some(Passage::Open(copies)))
    }
}

#[cfg(test)]
mod tests;
