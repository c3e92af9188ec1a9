//! The identity of a job's input: what a result has to agree with.

use std::collections::{BTreeMap, BTreeSet};

use super::attribute::{Attribute, SERIES_INSTANCE, SOP_CLASS, SOP_INSTANCE, STUDY_INSTANCE};
use super::object::Facts;
use super::value::{Sameness, Value};

/// What the objects of one study say, each attribute's values as often as they differ.
pub(super) type Study = BTreeMap<Attribute, Vec<Value>>;

/// All objects of an input.
#[derive(Clone, Debug, Default)]
pub(super) struct Input {
    /// What is said of the patient.
    pub patient: BTreeMap<Attribute, Vec<Value>>,
    /// By Study Instance UID.
    pub studies: BTreeMap<String, Study>,
    /// Series Instance UIDs.
    pub series: BTreeSet<String>,
    /// SOP Instance UIDs, with their classes.
    pub objects: BTreeMap<String, String>,
}

impl Input {
    /// Adds an object.
    pub fn add(&mut self, facts: &Facts) {
        for attribute in Attribute::PATIENT {
            merge(
                self.patient.entry(attribute).or_default(),
                facts.value(attribute),
                attribute,
            );
        }
        let study = self.studies.entry(facts.uid(STUDY_INSTANCE.tag)).or_default();
        for attribute in Attribute::STUDY {
            merge(
                study.entry(attribute).or_default(),
                facts.value(attribute),
                attribute,
            );
        }
        self.series.insert(facts.uid(SERIES_INSTANCE));
        self.objects.insert(facts.uid(SOP_INSTANCE), facts.uid(SOP_CLASS));
    }

    /// Two values that one patient cannot have, if the objects have such.
    pub fn two_patients(&self) -> Option<(Attribute, &Value, &Value)> {
        Attribute::PATIENT.into_iter().find_map(|attribute| {
            match self.patient.get(&attribute).map_or(&[][..], Vec::as_slice) {
                [first, second, ..] => Some((attribute, first, second)),
                _ => None,
            }
        })
    }

    /// The study of that UID; of an empty one the only study there is.
    pub fn study(&self, uid: &str) -> Option<(&String, &Study)> {
        match uid {
            "" if self.studies.len() == 1 => self.studies.first_key_value(),
            uid => self.studies.get_key_value(uid),
        }
    }
}

/// Keeps a value that is none of those known. One that says less than a known one adds nothing.
fn merge(known: &mut Vec<Value>, value: Value, attribute: Attribute) {
    if value.is_empty(attribute.kind()) {
        return;
    }
    for each in known.iter_mut() {
        match value.against(each, attribute) {
            Sameness::Same | Sameness::Missing => return,
            Sameness::Different | Sameness::Unreadable => {}
        }
        if each.against(&value, attribute) == Sameness::Missing {
            *each = value;
            return;
        }
    }
    known.push(value);
}
