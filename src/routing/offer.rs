//! The files that rules choose from.

use std::collections::BTreeSet;
use std::path::Path;

use super::attributes::{Attributes, read};
use crate::model::{AttributeTag, Direction};

/// A DICOM file that may be sent.
#[derive(Clone, Debug, Default)]
pub struct Offered {
    /// Relative to its directory.
    pub file: String,
    /// What [`needed`] asked for.
    pub attributes: Attributes,
}

/// The DICOM files of a job.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    /// What the bucket left behind.
    pub output: Vec<Offered>,
    /// What the job received.
    pub input: Vec<Offered>,
    /// The end of its log as images, if [`wants_report`](super::wants_report) said so.
    pub report: Vec<Offered>,
}

/// Files of a directory with what is needed of their attributes.
#[must_use]
pub fn offered(
    directory: &Path,
    files: Vec<String>,
    needed: Option<&BTreeSet<AttributeTag>>,
) -> Vec<Offered> {
    let offer = |file: String| Offered {
        attributes: needed.map_or_else(Attributes::default, |tags| read(&directory.join(&file), tags)),
        file,
    };
    files.into_iter().map(offer).collect()
}

impl Offer {
    /// What a person should know of it. Names are not told: they may be a patient's.
    #[must_use]
    pub fn unreadable(&self) -> Option<String> {
        let why = |file: &Offered| match &file.attributes {
            Attributes::Read(_) => None,
            Attributes::Unreadable(why) => Some(why.clone()),
        };
        let all: Vec<_> = self.output.iter().chain(&self.input).filter_map(why).collect();
        let first = all.first()?;
        let count = all.len();
        Some(format!(
            "{count} files go nowhere that `which` chooses for: their attributes could not be read, {first}"
        ))
    }

    pub(super) fn of(&self, direction: Direction) -> &[Offered] {
        match direction {
            Direction::Output => &self.output,
            Direction::Input => &self.input,
            Direction::Report => &self.report,
        }
    }
}
