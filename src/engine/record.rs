//! The papers of a job: info.json as the original wrote it, record.json, which reproduces the run.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

use crate::bucket::Installed;
use crate::files;
use crate::model::{Job, Report, Verdict};
use crate::stage::SeriesView;

use super::output::{self, Hashed};
use super::report;

/// info.json of a job: the original's keys, then ours; `series` are its Series Instance UIDs.
#[must_use]
pub fn job_info(job: &Job, series: &BTreeSet<String>) -> Vec<u8> {
    pretty(&json!({
        "CallerIP": job.caller_address,
        "AETitleCalled": job.stream.as_str(),
        "AETitleCaller": job.calling_ae_title,
        "received": job.received_at,
        "StudyInstanceUID": job.study_instance_uid,
        "SeriesInstanceUIDs": series,
        "NumberOfSeries": series.len(),
        "NumberOfInstances": job.instances,
        "bytes": job.bytes,
    }))
}

/// What a run was, for record.json.
#[derive(Debug)]
pub struct Run<'a> {
    /// The job, as it stands after its container ended.
    pub job: &'a Job,
    /// Its bucket, if it has one still.
    pub bucket: Option<&'a Installed>,
    /// How it ended.
    pub verdict: &'a Verdict,
    /// The files of INPUT.
    pub input: Vec<Hashed>,
    /// The files of OUTPUT.
    pub output: Vec<Hashed>,
    /// Series that its bucket did not accept.
    pub left_out: Vec<SeriesView>,
    /// What was wrong with its measures.
    pub problems: &'a [String],
}

/// record.json: what reproduces the run. What becomes of deliveries is added when the last is settled.
#[must_use]
pub fn record(run: &Run<'_>) -> Value {
    let Run {
        job,
        bucket,
        verdict,
        input,
        output,
        left_out,
        problems,
    } = run;
    let manifest = bucket.map(|b| &b.manifest);
    let settings = manifest.map(|m| &m.settings);
    let resources = settings.map(|s| &s.resources);
    json!({
        "job": job.id.as_str(),
        "node": { "program": "magickbox", "version": env!("CARGO_PKG_VERSION") },
        "bucket": {
            "AETitle": job.stream.as_str(),
            "name": manifest.map(|m| &m.name),
            "version": manifest.map(|m| &m.version),
            "image": bucket.map(|b| &b.row.image),
            "digest": job.image,
        },
        "settings": {
            "cpus": resources.map(|r| r.cpus),
            "memory": resources.map(|r| r.memory),
            "gpus": resources.map(|r| r.gpus),
            "shm": resources.map(|r| r.shm),
            "timeout_seconds": settings.map(|s| s.timeout.as_secs()),
            "network": settings.map(|s| s.network.word()),
            "user": settings.map(|s| &s.user),
            "root": settings.map(|s| s.root.word()),
            "capabilities": settings.map(|s| s.capabilities.iter().map(|c| c.word()).collect::<Vec<_>>()),
            "parallel": settings.map(|s| s.parallel),
            "arguments": job.arguments.as_ref().or(settings.and_then(|s| s.arguments.as_ref())),
        },
        "attempt": job.attempt,
        "times": {
            "received": job.received_at,
            "last_object": job.last_object_at,
            "queued": job.queued_at,
            "started": job.started_at,
            "ended": job.run_ended_at,
        },
        "exit_status": job.exit_status,
        "oom_killed": job.oom_killed,
        "timed_out": job.timed_out,
        "peak_memory": job.peak_memory,
        "outcome": verdict.outcome.word(),
        "reason": verdict.reason,
        "problems": problems,
        "input": listed(input),
        "left_out": left_out.iter().map(series).collect::<Vec<_>>(),
        "output": listed(output),
        "report": bucket.filter(|b| b.manifest.settings.report != Report::None).and_then(|_| of_node(job, output)),
        "deliveries": [],
    })
}

/// A series that was left out: no patient's attribute.
fn series(series: &SeriesView) -> Value {
    json!({ "SeriesInstanceUID": series.uid(), "ClassifyType": series.types(), "NumFiles": series.files() })
}

/// The one result that is the node's work.
fn of_node(job: &Job, output: &[Hashed]) -> Option<Value> {
    let name = report::file_name(&job.id);
    let file = output.iter().find(|f| f.file == name)?;
    Some(json!({
        "file": name,
        "sop_instance_uid": file.sop_instance_uid,
        "template": "TID 1500",
        "made_by": concat!("magickbox ", env!("CARGO_PKG_VERSION")),
    }))
}

fn listed(files: &[Hashed]) -> Value {
    serde_json::to_value(files).unwrap_or_default()
}

/// The largest proc.json that is read, in bytes.
const LARGEST_PROC: u64 = 1 << 20;

/// The bucket's own proc.json, moved from OUTPUT beside it, or from where an earlier try has moved it.
///
/// # Errors
/// What the system says.
pub fn take_proc_json(left: &Path, kept: &Path) -> std::io::Result<Option<Value>> {
    if let Some(bytes) = output::read_small(left, LARGEST_PROC)? {
        files::replace_file(kept, &bytes)?;
        fs::remove_file(left)?;
        return Ok(serde_json::from_slice(&bytes).ok());
    }
    // Ours from an earlier try says the same as will be decided again.
    Ok(output::read_small(kept, LARGEST_PROC)?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// The proc.json of a run that left none: what was decided.
#[must_use]
pub fn proc_json(verdict: &Verdict) -> Vec<u8> {
    pretty(
        &json!([{ "success": verdict.outcome.word(), "message": verdict.reason.as_deref().unwrap_or_default() }]),
    )
}

/// JSON as people read it, with a line end.
#[must_use]
pub fn pretty(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).unwrap_or_default();
    text.push(b'\n');
    text
}
