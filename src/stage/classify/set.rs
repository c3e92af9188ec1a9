//! The series of one set, object by object.

use std::io::ErrorKind;

use serde_json::{Map, Value};

use crate::dicom::header::{Wanted, read_attributes};
use crate::model::classify::{Attributes, Found, RuleSet, Seen, evaluate};
use crate::model::{Job, Layout};
use crate::store::{InstanceRow, Store};

use super::super::input::places;
use super::super::{StageError, io};
use super::view::{self, SeriesView};

/// What is known of a set, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Set {
    /// The newest row that was looked at.
    after: i64,
    /// In the order of their first objects.
    series: Vec<Series>,
}

#[derive(Debug)]
struct Series {
    uid: String,
    shown: Map<String, Value>,
    files: u64,
    found: Found,
    /// The last object that was judged: most of a series say the same.
    last: Attributes,
}

impl Set {
    /// Reads the objects that have come since, in the order of their rows.
    pub fn catch_up(
        &mut self,
        layout: &Layout,
        store: &Store,
        job: &Job,
        rules: &RuleSet,
        wanted: &Wanted,
    ) -> Result<(), StageError> {
        for row in store.instances_after(&job.id, self.after)? {
            // An object that is not on the disk is no business of this: who lays the job out says so.
            if let Some(object) = read(layout, job, &row.instance, wanted)? {
                self.add(&row.instance.series_instance_uid, &object, row.again, rules);
            }
            self.after = row.id;
        }
        Ok(())
    }

    /// Takes one more object.
    pub fn add(&mut self, uid: &str, object: &Attributes, again: bool, rules: &RuleSet) {
        // Objects of a series mostly come one after another.
        let place = self.series.iter().rposition(|series| series.uid == uid);
        let series = if let Some(series) = place.and_then(|place| self.series.get_mut(place)) {
            series
        } else {
            self.series.push(Series {
                uid: uid.to_owned(),
                shown: view::shown(object),
                files: 0,
                found: Found::default(),
                last: Attributes::default(),
            });
            let Some(series) = self.series.last_mut() else {
                return;
            };
            series
        };
        series.files += u64::from(!again);
        if series.files > 1 && series.last == *object && !rules.look_at_the_series() {
            return;
        }
        let seen = Seen {
            object,
            files: series.files,
        };
        evaluate(rules, seen, &mut series.found);
        series.last.clone_from(object);
    }

    /// What is shown of its series.
    pub fn views(&self, rules: &RuleSet) -> Vec<SeriesView> {
        self.judged(rules, |_, _| None)
    }

    /// The same with the word of a bucket on each, by its types and by what holds for it.
    pub fn judged(
        &self,
        rules: &RuleSet,
        accepted: impl Fn(&[&str], &Found) -> Option<bool>,
    ) -> Vec<SeriesView> {
        let view = |series: &Series| {
            let mut types = series.found.names(rules);
            // Rules that are a bucket's own have no name.
            types.retain(|name| !name.is_empty());
            let accepted = accepted(&types, &series.found);
            SeriesView::new(&series.uid, &series.shown, &types, series.files).judged(accepted)
        };
        self.series.iter().map(view).collect()
    }
}

/// Reads an object wherever it is by now; `None` where it is nowhere.
fn read(
    layout: &Layout,
    job: &Job,
    instance: &InstanceRow,
    wanted: &Wanted,
) -> Result<Option<Attributes>, StageError> {
    for path in places(layout, job, instance) {
        match read_attributes(&path, wanted) {
            Ok(object) => return Ok(Some(object)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(io("read the attributes of an object")(error)),
        }
    }
    Ok(None)
}
