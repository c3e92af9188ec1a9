//! What an association was to bring and did not, for the audit trail: by study, never by object.

use std::collections::BTreeMap;

use crate::dicom::header::{Found, HeaderScanner};
use crate::dicom::status::Status;
use crate::dicom::transfer_syntax::Encoding;
use crate::dicom::upper_layer::Sink;
use crate::model::{FailedObjects, Uid};

/// Studies of one association that are told apart; what fails of more is told as of no study in particular.
const MOST_STUDIES: usize = 20;

/// Whose an object is, as far as its data set tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Whose {
    study: Uid,
    patient_id: String,
}

impl Whose {
    /// `None` where there is no Study Instance UID that is one.
    pub(super) fn of(found: &Found) -> Option<Self> {
        Some(Self {
            study: found.study()?,
            patient_id: found.patient_id_text(),
        })
    }
}

/// Counts what failed, in little memory whatever the peer does.
#[derive(Debug, Default)]
pub(super) struct Failures {
    of: BTreeMap<Option<Uid>, FailedObjects>,
    /// Whose the last object was, while it came or since.
    last: Option<Whose>,
}

impl Failures {
    /// An object came, whatever becomes of it.
    pub(super) fn came(&mut self, whose: Option<Whose>) {
        self.last = whose;
    }

    /// The object that came last was refused.
    pub(super) fn refused(&mut self, sop_class: Option<&Uid>, status: Status) {
        let objects = self.of_last(sop_class);
        *objects.statuses.entry(status.0).or_insert(0) += 1;
    }

    /// The association broke within the object that came last.
    pub(super) fn cut_off(&mut self, sop_class: Option<&Uid>) {
        self.of_last(sop_class).cut_off += 1;
    }

    /// All of it. `broken`: the association did not end in order, although it had brought something; then there is something
    /// to tell even where nothing failed.
    pub(super) fn told(mut self, broken: bool) -> Vec<FailedObjects> {
        if broken && self.of.is_empty() {
            self.of_last(None);
        }
        self.of.into_values().collect()
    }

    fn of_last(&mut self, sop_class: Option<&Uid>) -> &mut FailedObjects {
        let room = self.of.len() < MOST_STUDIES;
        let known = |whose: &&Whose| room || self.of.contains_key(&Some(whose.study.clone()));
        let whose = self.last.as_ref().filter(known).cloned();
        let objects = self
            .of
            .entry(whose.as_ref().map(|whose| whose.study.clone()))
            .or_insert_with(|| FailedObjects::of(whose.map(|whose| (whose.study, whose.patient_id))));
        if let Some(class) = sop_class {
            *objects.sop_classes.entry(class.clone()).or_insert(0) += 1;
        }
        objects
    }
}

/// Looks at a data set that nobody wants, to learn whose it is.
pub(super) struct Glance(Option<HeaderScanner>);

impl Glance {
    /// At a data set of this encoding; of an unknown one nothing is learned.
    pub(super) fn at(encoding: Option<Encoding>) -> Self {
        Self(encoding.map(HeaderScanner::new))
    }

    /// What was learned.
    pub(super) fn whose(&self) -> Option<Whose> {
        self.0.as_ref().and_then(|scanner| Whose::of(scanner.found()))
    }
}

impl Sink for Glance {
    fn room(&mut self, _most: usize) -> &mut [u8] {
        &mut []
    }

    fn filled(&mut self, _bytes: usize) {}

    fn take(&mut self, bytes: &[u8]) {
        // The rest only walks past values.
        if let Some(scanner) = self.0.as_mut().filter(|scanner| !scanner.is_identified()) {
            scanner.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid(text: &str) -> Uid {
        Uid::parse(text.as_bytes()).unwrap()
    }

    fn whose(study: &str) -> Option<Whose> {
        Some(Whose {
            study: uid(study),
            patient_id: "P".to_owned(),
        })
    }

    #[test]
    fn failures_are_counted_by_study_and_status() {
        let (mut failures, mr) = (Failures::default(), uid("1.2.3"));
        for status in [
            Status::OUT_OF_RESOURCES,
            Status::OUT_OF_RESOURCES,
            Status::CANNOT_UNDERSTAND,
        ] {
            failures.came(whose("1.1"));
            failures.refused(Some(&mr), status);
        }
        failures.came(None);
        failures.refused(None, Status::MISTYPED_ARGUMENT);
        failures.came(whose("1.2"));
        failures.cut_off(Some(&mr));
        let told = failures.told(true);
        let shown: Vec<_> = told
            .iter()
            .map(|f| (f.study.as_ref().map(Uid::as_str), f.statuses.clone(), f.cut_off))
            .collect();
        assert_eq!(
            shown,
            [
                (None, BTreeMap::from([(0x0212, 1)]), 0),
                (Some("1.1"), BTreeMap::from([(0xA700, 2), (0xC000, 1)]), 0),
                (Some("1.2"), BTreeMap::new(), 1),
            ]
        );
        assert_eq!(told[1].sop_classes, BTreeMap::from([(mr, 3)]));
        assert_eq!(told[1].patient_id, "P");
    }

    #[test]
    fn a_sender_that_gives_each_object_a_study_takes_no_memory_and_none_is_left_out() {
        let mut failures = Failures::default();
        for n in 0..1000 {
            failures.came(whose(&format!("1.{n}")));
            failures.refused(None, Status::DATA_SET_DOES_NOT_MATCH);
        }
        let told = failures.told(false);
        assert_eq!(told.len(), MOST_STUDIES + 1);
        let all: u64 = told.iter().flat_map(|f| f.statuses.values()).sum();
        assert_eq!(all, 1000);
    }

    #[test]
    fn an_association_that_breaks_behind_its_objects_is_told_for_the_last_study() {
        let mut failures = Failures::default();
        failures.came(whose("1.1"));
        failures.came(whose("1.2"));
        let told = failures.told(true);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].study, Some(uid("1.2")));
        assert_eq!((told[0].cut_off, told[0].statuses.len()), (0, 0));
        assert_eq!(Failures::default().told(false), []);
    }
}
