//! What the API shows of jobs, deliveries and buckets. The field names are the contract.

use serde::Serialize;
use serde_json::{Value, json};

use crate::bucket::Installed;
use crate::model::{
    Delivery, DeliveryInstance, GateFindings, Job, Layout, Measure, Place, StoreStatus, Timestamp,
};
use crate::store::{BucketRow, EventRow, Occupancy, Versions};

/// A job.
#[derive(Debug, Serialize)]
pub struct JobView {
    id: String,
    stream: String,
    state: &'static str,
    outcome: Option<String>,
    reason: Option<String>,
    called_ae_title: String,
    calling_ae_title: String,
    caller_address: String,
    study_instance_uid: String,
    instances: u64,
    bytes: u64,
    received_at: Timestamp,
    last_object_at: Timestamp,
    queued_at: Option<Timestamp>,
    started_at: Option<Timestamp>,
    run_ended_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    attempt: u32,
    image: Option<String>,
    exit_status: Option<i64>,
    oom_killed: bool,
    timed_out: bool,
    peak_memory: Option<u64>,
    priority: &'static str,
    /// When it is cancelled unless somebody releases it; of a held job only.
    held_until: Option<Timestamp>,
    superseded_by: Option<String>,
    made_from: Option<String>,
    stopped_why: Option<String>,
    removed_at: Option<Timestamp>,
    removed_why: Option<String>,
    directory: String,
    measures: Vec<Measure>,
    deliveries: Vec<Value>,
    events: Vec<Value>,
}

impl JobView {
    /// The job alone, as it stands in a list.
    pub fn new(job: Job, layout: &Layout) -> Self {
        let directory = layout
            .path(Place::Job(&job.stream, &job.id))
            .display()
            .to_string();
        Self {
            id: job.id.to_string(),
            stream: job.stream.to_string(),
            state: job.state.name(),
            outcome: job.outcome.map(|o| o.to_string()),
            reason: job.reason,
            called_ae_title: job.stream.to_string(),
            calling_ae_title: job.calling_ae_title,
            caller_address: job.caller_address,
            study_instance_uid: job.study_instance_uid,
            instances: job.instances,
            bytes: job.bytes,
            received_at: job.received_at,
            last_object_at: job.last_object_at,
            queued_at: job.queued_at,
            started_at: job.started_at,
            run_ended_at: job.run_ended_at,
            ended_at: job.ended_at,
            attempt: job.attempt,
            image: job.image,
            exit_status: job.exit_status,
            oom_killed: job.oom_killed,
            timed_out: job.timed_out,
            peak_memory: job.peak_memory,
            priority: job.priority.word(),
            held_until: None,
            superseded_by: job.superseded_by,
            made_from: job.made_from,
            stopped_why: job.stopped_why,
            removed_at: job.removed_at,
            removed_why: job.removed_why,
            directory,
            measures: Vec::new(),
            deliveries: Vec::new(),
            events: Vec::new(),
        }
    }

    /// With what was measured.
    pub fn with_measures(self, measures: Vec<Measure>) -> Self {
        Self { measures, ..self }
    }

    /// With its deadline, if it is held.
    pub fn with_held_until(self, held_until: Option<Timestamp>) -> Self {
        Self { held_until, ..self }
    }

    /// With what happened to it.
    pub fn with_events(self, events: Vec<EventRow>) -> Self {
        let events = events
            .into_iter()
            .map(|e| json!({ "at": e.at, "kind": e.kind, "text": e.text }))
            .collect();
        Self { events, ..self }
    }

    /// With its deliveries.
    pub fn with_deliveries(self, deliveries: &[DeliveryDetails]) -> Self {
        Self {
            deliveries: deliveries.iter().map(detailed).collect(),
            ..self
        }
    }
}

/// Everything that is shown of a delivery with its job.
#[derive(Debug)]
pub struct DeliveryDetails {
    /// The delivery.
    pub delivery: Delivery,
    /// The objects in it.
    pub instances: Vec<DeliveryInstance>,
    /// What the gate found.
    pub findings: Vec<GateFindings>,
    /// The delivery that has to be over before it goes.
    pub ahead: Option<crate::delivery::Ahead>,
}

fn detailed(details: &DeliveryDetails) -> Value {
    let mut view = delivery(&details.delivery, &details.instances);
    if let Some(gate) = view.get_mut("gate").and_then(Value::as_object_mut) {
        let findings = details.findings.iter().map(finding).collect();
        gate.insert("findings".to_owned(), Value::Array(findings));
    }
    if let Some(view) = view.as_object_mut() {
        let behind = details.ahead.as_ref();
        let behind = behind.map(|a| json!({ "delivery": a.delivery, "job": a.job.as_str() }));
        view.insert("behind".to_owned(), behind.into());
    }
    view
}

/// A delivery and the objects in it.
pub fn delivery(delivery: &Delivery, instances: &[DeliveryInstance]) -> Value {
    let instances: Vec<_> = instances
        .iter()
        .map(|i| {
            json!({
                "sop_instance_uid": i.sop_instance_uid,
                "state": i.state.name(),
                "status": i.status.map(|s| format!("{s:04X}")),
                "commitment": i.commitment.map(|reason| format!("{reason:04X}")),
                "not_committed": i.not_committed(),
                "meaning": i.status.map(|s| StoreStatus::of(s).name),
                "reason": i.reason,
            })
        })
        .collect();
    json!({
        "id": delivery.id,
        "destination": delivery.destination.as_str(),
        "address": delivery.remote.as_ref().map(|remote| &remote.address),
        "after": delivery.after,
        "sends": delivery.direction.name(),
        "route": delivery.route,
        "state": delivery.state.name(),
        "attempts": delivery.attempts,
        "next_at": delivery.next_at,
        "error": delivery.error,
        "gate": { "mode": delivery.gate.word(), "state": delivery.gate_state.word() },
        "instances": instances,
    })
}

/// What the gate found: the one place where the values are shown.
fn finding(found: &GateFindings) -> Value {
    let GateFindings {
        finding,
        objects,
        file,
    } = found;
    json!({
        "action": finding.action.word(),
        "attribute": finding.attribute,
        "result": finding.result,
        "input": finding.input,
        "why": finding.why,
        "objects": objects,
        "file": file,
    })
}

/// An installed bucket.
pub fn bucket(bucket: &Installed, occupancy: Occupancy, versions: &Versions, layout: &Layout) -> Value {
    let manifest = &bucket.manifest;
    json!({
        "ae_title": bucket.row.ae_title.as_str(),
        "name": manifest.name,
        "description": manifest.description,
        "version": manifest.version,
        "license": manifest.license,
        "image": bucket.row.image,
        "digest": bucket.row.digest,
        "enabled": manifest.enabled,
        "overrides": manifest.site,
        "installed_at": bucket.row.installed_at,
        "timeout_seconds": manifest.settings.timeout.as_secs(),
        "previous": versions.previous.as_ref().map(version),
        "next": versions.next.as_ref().map(version),
        "waiting": occupancy.waiting,
        "running": occupancy.running,
        "directory": layout.path(Place::Stream(&bucket.row.ae_title)),
    })
}

/// A version that is not in force.
fn version(row: &BucketRow) -> Value {
    let version = row.info.get("version");
    json!({
        "version": version.map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)),
        "image": row.image,
        "digest": row.digest,
        "installed_at": row.installed_at,
    })
}
