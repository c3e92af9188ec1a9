//! What became of each file: all of them as JSON, those that were refused as a table.

use std::io::IsTerminal;

use anyhow::Result;
use serde_json::{Value, json};

use super::scan::Object;
use super::work::Fate;
use crate::cli::mb::ending::{Ending, warn};
use crate::cli::mb::print_json;
use crate::cli::text::plain;
use crate::dicom::scu::Answer;
use crate::dicom::status::{Status, StatusClass};
use crate::model::RemoteAe;

/// Lines of the table; the rest is in the JSON.
const MOST_LINES: usize = 50;

/// The fates of files, in their order.
pub(super) struct Report<'o> {
    objects: &'o [Object],
    fates: Vec<Option<Fate>>,
}

impl<'o> Report<'o> {
    /// Nothing is known yet.
    pub fn new(objects: &'o [Object]) -> Self {
        Self {
            objects,
            fates: vec![None; objects.len()],
        }
    }

    /// A file's fate.
    pub fn add(&mut self, index: usize, fate: Fate) {
        if let Some(place) = self.fates.get_mut(index) {
            *place = Some(fate);
        }
    }

    /// Whether no file has an answer.
    pub fn is_empty(&self) -> bool {
        !self
            .fates
            .iter()
            .any(|fate| matches!(fate, Some(Fate::Answered(_))))
    }

    /// Prints all of it; answers what it comes to.
    ///
    /// # Errors
    /// What stdout says.
    pub fn print(&self, remote: &RemoteAe) -> Result<Ending> {
        let files: Vec<_> = self.objects.iter().zip(&self.fates).collect();
        let bad: Vec<_> = files
            .iter()
            .filter(|(_, fate)| !is_stored(fate.as_ref()))
            .collect();
        let warnings = files.iter().filter(|(_, fate)| is_warning(fate.as_ref())).count();
        let (stored, all) = (files.len() - bad.len(), files.len());
        if !bad.is_empty() {
            let width = |text: &str| text.chars().count();
            let widest = bad
                .iter()
                .map(|(o, _)| width(&o.shown))
                .max()
                .unwrap_or(0)
                .min(60);
            for (object, fate) in bad.iter().take(MOST_LINES) {
                let why = words(fate.as_ref());
                eprintln!("  {:<widest$}  {}", plain(&object.shown), plain(&why));
            }
            if let Some(more) = bad.len().checked_sub(MOST_LINES).filter(|more| *more > 0) {
                eprintln!("  and {more} more");
            }
        }
        let remarks = match warnings {
            0 => String::new(),
            n => format!(", {n} of them with a warning"),
        };
        warn(&format!(
            "{stored} of {all} files stored by {} at {}{remarks}",
            remote.ae_title, remote.address
        ));
        if !std::io::stdout().is_terminal() {
            print_json(&json!({
                "AETitle": remote.ae_title.as_str(),
                "address": remote.address,
                "stored": stored,
                "warnings": warnings,
                "refused": bad.len(),
                "files": files.iter().map(|(object, fate)| line(object, fate.as_ref())).collect::<Vec<_>>(),
            }))?;
        }
        Ok(if bad.is_empty() {
            Ending::Done
        } else {
            Ending::FileRefused
        })
    }
}

fn class(fate: Option<&Fate>) -> Option<StatusClass> {
    match fate {
        Some(Fate::Answered(Answer::Status(status, _))) => Some(status.class()),
        _ => None,
    }
}

fn is_stored(fate: Option<&Fate>) -> bool {
    matches!(
        class(fate),
        Some(StatusClass::Success | StatusClass::Warning | StatusClass::Duplicate)
    )
}

fn is_warning(fate: Option<&Fate>) -> bool {
    matches!(class(fate), Some(StatusClass::Warning | StatusClass::Duplicate))
}

/// Why a file is not stored, or with what remark it is.
fn words(fate: Option<&Fate>) -> String {
    match fate {
        Some(Fate::Answered(Answer::Status(status, comment))) => {
            let comment = comment.as_deref().filter(|c| !c.trim().is_empty());
            format!(
                "{status}  {}",
                comment.map_or_else(|| meaning(*status), str::trim)
            )
        }
        Some(Fate::Answered(Answer::NoContext)) => {
            "not sent: the peer takes no such SOP class in this transfer syntax".to_owned()
        }
        Some(Fate::Answered(Answer::Unreadable(why)) | Fate::NotSent(why)) => format!("not sent: {why}"),
        None => "not sent".to_owned(),
    }
}

/// What a status without a comment says (PS3.4 §B.2.3).
const fn meaning(status: Status) -> &'static str {
    match status.0 {
        0xA700..=0xA7FF => "refused: out of resources",
        0xA900..=0xA9FF => "data set does not match SOP class",
        0xC000..=0xCFFF => "cannot understand",
        0x0122 => "SOP class not supported",
        0x0124 => "not authorized",
        _ => "no reason given",
    }
}

fn line(object: &Object, fate: Option<&Fate>) -> Value {
    let status = match fate {
        Some(Fate::Answered(Answer::Status(status, _))) => Some(status.to_string()),
        _ => None,
    };
    let mut line = json!({
        "file": object.shown,
        "SOPInstanceUID": object.outgoing.sop_instance_uid.as_str(),
        "status": status,
    });
    if class(fate) != Some(StatusClass::Success)
        && let Some(line) = line.as_object_mut()
    {
        line.insert("reason".to_owned(), words(fate).into());
    }
    line
}
