//! A directory of DICOM files, laid out as a node lays out what it received.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::dicom::header;
use crate::engine::output::{self, OutputFile};
use crate::model::classify::Accept;
use crate::stage::{self, SeriesView};

/// What a study is, as far as its papers tell.
#[derive(Debug)]
pub struct Study {
    /// The files of INPUT.
    pub files: Vec<OutputFile>,
    /// Their Series Instance UIDs, in the same order.
    series_of: Vec<String>,
    /// Study Instance UID of the first.
    pub study_instance_uid: String,
    /// Series Instance UIDs, each once.
    pub series: BTreeSet<String>,
    /// Files of the directory that are left out: no DICOM, unreadable, or a SOP Instance that was there already.
    pub left_out: usize,
}

/// Links (or, across file systems, copies) the DICOM files below `from` to `INPUT/<SOP Instance UID>.dcm`.
pub fn lay_out(from: &Path, input: &Path) -> Result<Study> {
    fs::create_dir_all(input)?;
    let listing = output::files(from).with_context(|| format!("read {}", from.display()))?;
    let mut study = Study {
        files: Vec::new(),
        series_of: Vec::new(),
        study_instance_uid: String::new(),
        series: BTreeSet::new(),
        left_out: listing.left_alone,
    };
    for file in listing.files {
        let source = from.join(&file.path);
        let Ok(Some((meta, header))) = header::file::read(&source) else {
            study.left_out += 1;
            continue;
        };
        let name = format!("{}.dcm", meta.sop_instance_uid);
        let target = input.join(&name);
        if target.exists() {
            study.left_out += 1;
            continue;
        }
        if fs::hard_link(&source, &target).is_err() {
            fs::copy(&source, &target).with_context(|| format!("copy {}", source.display()))?;
        }
        if study.study_instance_uid.is_empty() {
            study.study_instance_uid = header.study_instance_uid.to_string();
        }
        study.series.insert(header.series_instance_uid.to_string());
        study.files.push(OutputFile { path: name, ..file });
        study.series_of.push(header.series_instance_uid.to_string());
    }
    if study.files.is_empty() {
        bail!("there is no DICOM file in {}", from.display());
    }
    Ok(study)
}

impl Study {
    /// Removes from INPUT what a bucket does not accept, by the rules that are built into a node; answers which series
    /// those are, and what to say about them.
    pub fn sort(&mut self, input: &Path, accept: &Accept) -> Result<(Vec<SeriesView>, String)> {
        let files = self.series_of.iter().zip(&self.files);
        let sorted = stage::sort_files(
            files.map(|(series, file)| (series.as_str(), input.join(&file.path))),
            accept,
        )?;
        let text = sorted.text().unwrap_or_default();
        if sorted.is_nothing() {
            bail!("a node would not run it: {text}");
        }
        let left = sorted.left_out();
        let series_of = std::mem::take(&mut self.series_of);
        for (series, file) in series_of.into_iter().zip(std::mem::take(&mut self.files)) {
            if left.contains(&series) {
                fs::remove_file(input.join(&file.path))
                    .with_context(|| format!("remove {} from INPUT", file.path))?;
            } else {
                self.files.push(file);
                self.series_of.push(series);
            }
        }
        Ok((sorted.into_left_out(), text))
    }
}
