//! What an association brought, for the audit trail: one event a study, never one an object.

use std::collections::BTreeMap;

use crate::dicom::header::Header;
use crate::model::{JobId, Origin};
use crate::store::{Receipt, Store};

use super::refused_rows::NOBODY;

/// Studies that are remembered; with one more, what is known is told.
pub(super) const MOST_STUDIES: usize = 1000;

/// By job and study; told when the association is over, or when they are too many.
pub(super) struct Receipts {
    store: Store,
    origin: Origin,
    counted: BTreeMap<(JobId, String), Receipt>,
}

impl Receipts {
    /// Of an association that begins.
    pub fn new(store: Store, origin: Origin) -> Self {
        Self {
            store,
            origin,
            counted: BTreeMap::new(),
        }
    }

    /// Whether the row of an object has to say that its study is to be told. Counted is what the store took: until then each
    /// row says so.
    pub fn wants_a_mark(&self, job: &JobId, study: &str) -> bool {
        self.tells() && !self.counted.contains_key(&(job.clone(), study.to_owned()))
    }

    /// One more object, which was there already or not.
    pub fn count(&mut self, job: &JobId, header: &Header, again: bool) {
        let key = (job.clone(), header.study_instance_uid.to_string());
        if self.counted.len() >= MOST_STUDIES && !self.counted.contains_key(&key) {
            self.tell();
        }
        let receipt = self.counted.entry(key).or_default();
        let side = if again {
            &mut receipt.again
        } else {
            &mut receipt.new
        };
        *side.entry(header.sop_class_uid.to_string()).or_insert(0) += 1;
    }

    /// Tells the audit trail what came. Nothing waits for it: what is not written is told later.
    pub fn tell(&mut self) {
        let counted: Vec<_> = std::mem::take(&mut self.counted).into_iter().collect();
        if self.tells() && !counted.is_empty() {
            self.store.tell_received(&self.origin, counted);
        }
    }

    /// A row that the store had refused was counted by the association that brought its object.
    fn tells(&self) -> bool {
        self.origin.association != NOBODY
    }
}
