//! The Error Report: a series of images beside the study that could not be processed, so that whoever waits for the
//! result at a PACS reads why there is none (Secondary Capture, PS3.3 §A.8.1).
//!
//! ```text
//! names    the words of the patient, which no line of the report may carry
//! text     what is told, as lines of a page's width
//! page     lines as pixels, with a font that is part of the program
//! object   a page as a Part 10 file
//! ```
//!
//! Pure: from what is known of the job to files. The same report makes the same bytes.

mod names;
mod object;
mod page;
mod text;

use crate::dicom::composite::Composite;
use crate::dicom::derived_uid::derived;
use crate::dicom::part10::{FileMeta, WriteMetaError};
use crate::model::uid::UidError;
use crate::model::{JobId, Timestamp};

/// Pages of one report, at most; of a long log the end is told.
pub const MOST_PAGES: usize = 8;

/// Why no report could be made.
#[derive(Debug, thiserror::Error)]
pub enum ErrorReportError {
    /// dicom-object refused it.
    #[error(transparent)]
    Write(#[from] WriteMetaError),
    /// A UID of the dictionary is none.
    #[error(transparent)]
    Uid(#[from] UidError),
}

/// What is to be told.
#[derive(Clone, Copy, Debug)]
pub struct ErrorReport<'a> {
    /// An object of the study.
    pub beside: &'a Composite,
    /// What the node calls itself.
    pub node: &'a str,
    /// The job that failed.
    pub job: &'a JobId,
    /// Which of its runs.
    pub attempt: u32,
    /// The bucket's AE title.
    pub ae_title: &'a str,
    /// The bucket's name.
    pub bucket: &'a str,
    /// The bucket's version.
    pub version: &'a str,
    /// When it failed.
    pub at: Timestamp,
    /// Why, in a sentence.
    pub reason: &'a str,
    /// The end of what the bucket said.
    pub log: &'a [u8],
}

/// One image of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What it is.
    pub meta: FileMeta,
    /// The Part 10 file.
    pub file: Vec<u8>,
}

/// The images of a report, in their order.
///
/// # Errors
/// [`ErrorReportError`], which only a mistake of ours can cause.
pub fn pages(report: &ErrorReport<'_>) -> Result<Vec<Page>, ErrorReportError> {
    let lines = text::lines(report);
    let pages: Vec<_> = lines.chunks(page::LINES).collect();
    let attempt = report.attempt.to_string();
    let uid = |what: &str| derived(&["error report", what, report.node, report.job.as_str(), &attempt]);
    let series = uid("series");
    let image = |(i, lines): (usize, &&[String])| {
        let number = i + 1;
        let pixels = page::draw(lines, &format!("page {number} of {}", pages.len()));
        object::file(report, &series, &uid(&number.to_string()), number, pixels)
    };
    pages.iter().enumerate().map(image).collect()
}

#[cfg(test)]
mod tests;
