//! A finished job of the original becomes one of this node's history.
//!
//! First its files, then its row: cut off in between, its directory has no row, and the next try begins it anew.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::tree::FoundJob;
use crate::engine::output::{self, Hashed, OutputFile};
use crate::engine::record;
use crate::files;
use crate::model::{Layout, Place};
use crate::stage::{TakenOver, studies_below, take_over_objects};
use crate::store::{FinishedJob, Store};

/// What became of a job.
#[derive(Debug)]
pub enum Taken {
    /// It is here now.
    Whole,
    /// It is here; so many files of it are not: no DICOM objects, or the same object twice.
    But(usize),
    /// It was here before.
    Already,
}

/// Takes a job over; `objects`: with what it received. Of one that cannot be taken nothing stays.
pub async fn take_over(layout: &Layout, store: &Store, job: &FoundJob, objects: bool) -> Result<Taken> {
    let taken = take(layout, store, job, objects).await;
    // With a row they are the job's, whatever went wrong then.
    if taken.is_err() && matches!(store.job(&job.id), Ok(None)) {
        let copied = layout.path(Place::Job(&job.stream, &job.id));
        files::remove_directory(&copied).with_context(|| format!("remove {}", copied.display()))?;
    }
    taken
}

async fn take(layout: &Layout, store: &Store, job: &FoundJob, objects: bool) -> Result<Taken> {
    if store.job(&job.id)?.is_some() {
        return Ok(Taken::Already);
    }
    let at = |place| layout.path(place);
    let (stream, id) = (&job.stream, &job.id);
    files::remove_directory(&at(Place::Job(stream, id)))?;
    let taken = if objects {
        take_over_objects(&job.directory.join("INPUT"), &at(Place::Input(stream, id)))?
    } else {
        TakenOver::default()
    };
    let studies = if objects {
        taken.studies.values().cloned().collect()
    } else {
        studies_below(&job.directory.join("INPUT"))?
    };
    let output = at(Place::Output(stream, id));
    files::make_directory(&output)?;
    let results = copy_results(&job.directory.join("OUTPUT"), &output)?;
    for (name, place) in [
        ("info.json", Place::JobInfo(stream, id)),
        ("proc.json", Place::ProcJson(stream, id)),
        ("processing.log", Place::ProcessingLog(stream, id)),
    ] {
        let source = job.directory.join(name);
        if source.is_file() {
            copy(&source, &at(place))?;
        }
    }
    let record = record_of(job, &taken, &results);
    files::replace_file(&at(Place::Record(stream, id)), &record::pretty(&record))?;
    files::sync_directory(&at(Place::Job(stream, id)))?;
    let left_out = taken.left_out;
    store
        .add_finished(FinishedJob {
            id: id.clone(),
            stream: stream.clone(),
            calling_ae_title: job.calling.clone(),
            caller_address: job.address.clone(),
            study_instance_uid: taken.study_instance_uid.unwrap_or_default(),
            received_at: job.received_at,
            ended_at: job.ended_at,
            verdict: job.verdict.clone(),
            instances: taken.instances,
            from: format!("file://{}", job.directory.display()),
            studies,
        })
        .await?;
    Ok(if left_out == 0 {
        Taken::Whole
    } else {
        Taken::But(left_out)
    })
}

/// Copies the regular files of a result.
fn copy_results(from: &Path, to: &Path) -> Result<Vec<OutputFile>> {
    if !from.is_dir() {
        return Ok(Vec::new());
    }
    let listing = output::files(from).with_context(|| format!("read {}", from.display()))?;
    for file in &listing.files {
        copy(&from.join(&file.path), &to.join(&file.path))?;
    }
    Ok(listing.files)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    files::make_directory(to.parent().unwrap_or(to))?;
    fs::copy(from, to).with_context(|| format!("copy {}", from.display()))?;
    fs::File::open(to)?.sync_all()?;
    Ok(())
}

/// What is known of a run that was not ours.
fn record_of(job: &FoundJob, taken: &TakenOver, results: &[OutputFile]) -> Value {
    let objects: Vec<_> = taken
        .instances
        .iter()
        .map(|i| i.sop_instance_uid.as_str())
        .collect();
    let output: Vec<_> = results.iter().map(Hashed::from).collect();
    json!({
        "job": job.id.as_str(),
        "taken_over_from": "a data directory of the original",
        "bucket": { "AETitle": job.stream.as_str() },
        "attempt": 1,
        "times": { "received": job.received_at, "ended": job.ended_at },
        "outcome": job.verdict.outcome.word(),
        "reason": job.verdict.reason,
        "input": objects.iter().map(|uid| json!({ "sop_instance_uid": uid })).collect::<Vec<_>>(),
        "output": output,
    })
}
