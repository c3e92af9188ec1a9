//! `/api/v1`: jobs, and what the node says of itself, as JSON.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::model::{AeTitle, GpuId, Job, JobId, JobState, Place};
use crate::store::{GivenOut, JobFilter, StoreError};

use super::Context;
use super::associations;
use super::commitments;
use super::problem::Problem;
use super::push;
use super::view::{DeliveryDetails, JobView};

/// Jobs of one answer when nothing is asked for, and at most.
const JOBS: u32 = 100;
const MOST_JOBS: u32 = 1000;

/// What is read of a processing.log for one answer, in bytes: the end of it.
const LOG_TAIL: u64 = 4 << 20;

pub fn router() -> Router<Context> {
    Router::new()
        .route("/node", get(node))
        .route("/jobs", get(jobs).post(push::create))
        .route("/jobs/{id}", get(job))
        .route("/jobs/{id}/log", get(log))
        .route("/jobs/{id}/series", get(super::series::list))
        .route("/associations", get(associations::list))
        .route("/commitments", get(commitments::list))
        .route("/audit", get(super::trail::list))
        .merge(super::buckets::router())
        .merge(super::actions::router())
        .merge(super::routes::router())
        .merge(super::remotes::router())
}

/// `?limit=N` of a list that has the newest first: 100 entries if absent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Newest {
    limit: Option<u32>,
}

impl Newest {
    /// How many are shown.
    pub fn at_most(&self, most: u32) -> u32 {
        self.limit.unwrap_or(100).min(most)
    }
}

/// Runs a question to store or disk off the runtime's threads.
pub(super) async fn ask<T: Send + 'static>(
    question: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(question).await {
        Ok(answer) => Ok(answer?),
        Err(error) => Err(StoreError::State(error.to_string()).into()),
    }
}

async fn node(State(context): State<Context>) -> Json<Value> {
    let engine = match context.runtime.info().await {
        Ok(info) => json!({
            "version": info.version,
            "api_version": info.api_version,
            "cpus": info.cpus,
            "memory_bytes": info.memory_bytes,
        }),
        Err(error) => json!({ "error": error.to_string() }),
    };
    let capacity = context.buckets.capacity();
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "dicom": context.dicom.to_string(),
        "dicom_tls": context.dicom_tls.map(|a| a.to_string()),
        "http": context.http,
        "data": context.layout.root(),
        "engine": engine,
        "capacity": {
            "cpus": capacity.cpus,
            "memory_bytes": capacity.memory,
            "gpus": capacity.gpus.iter().map(GpuId::as_str).collect::<Vec<_>>(),
        },
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    stream: Option<String>,
    state: Option<String>,
    limit: Option<u32>,
    /// `next` of the page before.
    before: Option<String>,
}

async fn jobs(
    State(context): State<Context>,
    query: Result<Query<Listing>, QueryRejection>,
) -> Result<(Extension<GivenOut>, Json<Value>), Problem> {
    let Query(asked) = query?;
    let state = asked.state.as_deref().map(job_state).transpose()?;
    let stream = asked.stream.as_deref().map(ae_title).transpose()?;
    let before = asked.before.as_deref().map(job_id).transpose()?;
    let limit = asked.limit.unwrap_or(JOBS).clamp(1, MOST_JOBS);
    let filter = JobFilter {
        stream,
        state,
        before: before.clone(),
        // One more tells whether there are more.
        limit: limit + 1,
    };
    let page = ask(move || {
        if let Some(before) = filter.before.as_ref()
            && context.store.job(before)?.is_none()
        {
            return Ok(None);
        }
        let mut jobs = context.store.jobs(&filter)?;
        let more = jobs.len() > limit as usize;
        jobs.truncate(limit as usize);
        let next = jobs.last().filter(|_| more).map(|job| job.id.to_string());
        let ids: Vec<_> = jobs.iter().map(|job| job.id.clone()).collect();
        let given = context.store.studies_listed(&ids)?;
        let shown = json!({ "jobs": with_measures(&context, jobs)?, "next": next });
        Ok(Some((Extension(given), Json(shown))))
    });
    page.await?.ok_or_else(|| {
        let before = before.map_or(String::new(), |id| id.to_string());
        Problem::bad_request(format!(
            "before={before}: there is no such job; give what the page before has as next"
        ))
    })
}

fn with_measures(context: &Context, jobs: Vec<Job>) -> Result<Vec<JobView>, StoreError> {
    let ids: Vec<_> = jobs.iter().map(|job| job.id.clone()).collect();
    let mut measures = context.store.measures(&ids)?;
    let view = |job: Job| {
        let measures = measures.remove(&job.id).unwrap_or_default();
        let held_until = match job.state {
            JobState::Held => Some(context.store.held_since(&job.id)?.plus(context.hold)),
            _ => None,
        };
        Ok(JobView::new(job, &context.layout)
            .with_measures(measures)
            .with_held_until(held_until))
    };
    jobs.into_iter().map(view).collect()
}

pub(super) async fn job(
    State(context): State<Context>,
    Path(id): Path<String>,
) -> Result<Json<JobView>, Problem> {
    let id = job_id(&id)?;
    let shown = ask({
        let id = id.clone();
        move || {
            let Some(job) = context.store.job(&id)? else {
                return Ok(None);
            };
            let mut deliveries = Vec::new();
            for delivery in context.store.deliveries(&id)? {
                deliveries.push(DeliveryDetails {
                    instances: context.store.delivery_instances(delivery.id)?,
                    findings: context.store.gate_findings(delivery.id)?,
                    ahead: context.destinations.ahead(&context.store, &delivery)?,
                    delivery,
                });
            }
            let events = context.store.events(&id)?;
            let shown = with_measures(&context, vec![job])?.into_iter().next();
            Ok(shown.map(|job| job.with_deliveries(&deliveries).with_events(events)))
        }
    });
    shown
        .await?
        .map(Json)
        .ok_or_else(|| Problem::not_found(format!("there is no job {id}")))
}

async fn log(State(context): State<Context>, Path(id): Path<String>) -> Result<Response, Problem> {
    let id = job_id(&id)?;
    let text = ask(move || {
        let Some(job) = context.store.job(&id)? else {
            return Ok(None);
        };
        let path = context.layout.path(Place::ProcessingLog(&job.stream, &job.id));
        Ok(Some(tail(&path).unwrap_or_default()))
    });
    let text = text
        .await?
        .ok_or_else(|| Problem::not_found("there is no such job"))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

/// The end of a log; a job that has not started has none.
fn tail(path: &std::path::Path) -> std::io::Result<Vec<u8>> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL)))?;
    let mut bytes = Vec::new();
    file.take(LOG_TAIL).read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub(super) fn ae_title(text: &str) -> Result<AeTitle, Problem> {
    AeTitle::parse(text).map_err(|error| Problem::bad_request(format!("{:?}: {error}", shown(text))))
}

pub(super) fn job_id(text: &str) -> Result<JobId, Problem> {
    JobId::parse(text).map_err(|error| Problem::bad_request(format!("{:?}: {error}", shown(text))))
}

/// As much of what was asked for as people read.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

fn job_state(name: &str) -> Result<JobState, Problem> {
    JobState::from_name(name).ok_or_else(|| {
        let known: Vec<_> = JobState::ALL.iter().map(|s| s.name()).collect();
        Problem::bad_request(format!("{name:?} is no state; one of: {}", known.join(", ")))
    })
}
