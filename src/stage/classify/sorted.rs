//! Which series of a job belong in its input.

use std::collections::{BTreeMap, HashSet};

use crate::model::classify::Accept;

use super::SeriesView;

/// The series of a frozen job, told apart.
#[derive(Clone, Debug, Default)]
pub struct Sorted {
    series: Vec<SeriesView>,
    /// What its bucket accepts, in words; absent: everything.
    accepts: Option<String>,
}

impl Sorted {
    pub(super) fn new(series: Vec<SeriesView>, accept: Option<&Accept>) -> Self {
        Self {
            series,
            accepts: accept.map(ToString::to_string),
        }
    }

    /// Series Instance UIDs of those that are left out.
    #[must_use]
    pub fn left_out(&self) -> HashSet<String> {
        let left = self.series.iter().filter(|s| s.is_left_out());
        left.map(|s| s.uid().to_owned()).collect()
    }

    /// The series that are left out.
    #[must_use]
    pub fn into_left_out(mut self) -> Vec<SeriesView> {
        self.series.retain(SeriesView::is_left_out);
        self.series
    }

    /// Whether nothing is left for the bucket.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        !self.series.is_empty() && self.series.iter().all(SeriesView::is_left_out)
    }

    /// What became of the series, for people; `None` where everything is accepted without a question.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let accepts = self.accepts.as_ref()?;
        let left: Vec<_> = self.series.iter().filter(|s| s.is_left_out()).collect();
        let (of, in_input) = (self.series.len(), self.series.len() - left.len());
        let mut text = format!("{in_input} of {of} series are of what the bucket accepts ({accepts})");
        if left.is_empty() {
            return Some(text);
        }
        let mut kinds: BTreeMap<String, (usize, u64)> = BTreeMap::new();
        for series in left {
            let types = series.types();
            let kind = if types.is_empty() {
                "of no type".to_owned()
            } else {
                types.join(" ")
            };
            let (series_of_kind, objects) = kinds.entry(kind).or_default();
            *series_of_kind += 1;
            *objects += series.files();
        }
        let said = kinds
            .iter()
            .map(|(kind, (series, objects))| format!("{series} {kind} ({objects} objects)"));
        text.push_str("; left out: ");
        text.push_str(&said.collect::<Vec<_>>().join(", "));
        Some(text)
    }
}
