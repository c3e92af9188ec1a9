//! `POST /api/v1/jobs/{id}/…`: what an operator does to a job. Each answers with the job as it stands then; 409 where its
//! state does not allow it.

use std::collections::HashSet;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Extension, Json, Router};
use serde::Deserialize;

use crate::model::{JobId, JobState, Priority, Timestamp};
use crate::stage::{StageError, Versions, disinherit, inherit};
use crate::store::{Act, Store, StoreError};
use crate::telemetry::field;

use super::Context;
use super::api::{ask, job as show, job_id};
use super::auth::Caller;
use super::problem::Problem;
use super::view::JobView;

pub fn router() -> Router<Context> {
    Router::new()
        .route("/jobs/{id}/hold", post(hold))
        .route("/jobs/{id}/release", post(release))
        .route("/jobs/{id}/cancel", post(cancel))
        .route("/jobs/{id}/retry", post(retry))
        .route("/jobs/{id}/restart", post(restart))
        .route("/jobs/{id}/deliveries/{delivery}/release", post(release_delivery))
        .route("/jobs/{id}/complete", post(complete))
        .route("/jobs/{id}/priority", post(priority))
}

type Shown = Result<Json<JobView>, Problem>;

/// What the state of a job does not allow is the caller's business, everything else ours.
fn refused(error: StoreError) -> Problem {
    match error {
        StoreError::State(why) => Problem::new(StatusCode::CONFLICT, why),
        other => other.into(),
    }
}

fn refused_by_stage(error: StageError) -> Problem {
    match error {
        StageError::Store(error) => refused(error),
        other => StoreError::State(other.to_string()).into(),
    }
}

/// The name of a job that there is.
fn known(store: &Store, id: &str) -> Result<JobId, Problem> {
    let id = job_id(id)?;
    match store.job(&id)? {
        Some(_) => Ok(id),
        None => Err(Problem::not_found(format!("there is no job {id}"))),
    }
}

async fn hold(
    State(context): State<Context>,
    Extension(act): Extension<Act>,
    Path(id): Path<String>,
) -> Shown {
    let job = known(&context.store, &id)?;
    context.store.acting(&act).hold(&job).await.map_err(refused)?;
    tracing::info!(job.id = %job, "job held by an operator");
    show(State(context), Path(id)).await
}

async fn release(
    State(context): State<Context>,
    Extension(act): Extension<Act>,
    Path(id): Path<String>,
) -> Shown {
    let job = known(&context.store, &id)?;
    context
        .store
        .acting(&act)
        .release(&job, Timestamp::now())
        .await
        .map_err(refused)?;
    tracing::info!(job.id = %job, "job released by an operator");
    tell(&context);
    show(State(context), Path(id)).await
}

/// Sends what the gate holds, as the bucket made it: somebody has looked at it.
async fn release_delivery(
    State(context): State<Context>,
    Extension(Caller(who)): Extension<Caller>,
    Extension(act): Extension<Act>,
    Path((id, delivery)): Path<(String, String)>,
) -> Shown {
    let job = known(&context.store, &id)?;
    let number = delivery.parse().map_err(|_| {
        Problem::bad_request(format!(
            "{delivery:?} is no delivery: give the id that the job shows with it"
        ))
    });
    let delivery: i64 = number?;
    let released = context
        .store
        .acting(&act)
        .gate_release(&job, delivery, who, Timestamp::now())
        .await;
    released.map_err(refused)?;
    tracing::info!(job.id = %job, { field::DELIVERY } = delivery, "delivery released at the gate by an operator");
    tell(&context);
    show(State(context), Path(id)).await
}

async fn cancel(
    State(context): State<Context>,
    Extension(act): Extension<Act>,
    Path(id): Path<String>,
) -> Shown {
    let job = known(&context.store, &id)?;
    let reason = "cancelled by an operator".to_owned();
    let done = context
        .store
        .acting(&act)
        .cancel(&job, reason, Timestamp::now())
        .await;
    done.map_err(refused)?;
    tracing::info!(job.id = %job, "job cancelled by an operator");
    context.completion.cancel(&job);
    context.cancelled.send_replace(());
    show(State(context), Path(id)).await
}

async fn retry(
    State(context): State<Context>,
    Extension(act): Extension<Act>,
    Path(id): Path<String>,
) -> Shown {
    let job = known(&context.store, &id)?;
    has_files(&context.store, &job)?;
    context
        .store
        .acting(&act)
        .retry(&job, Timestamp::now())
        .await
        .map_err(refused)?;
    tracing::info!(job.id = %job, "job tried again by an operator");
    tell(&context);
    show(State(context), Path(id)).await
}

/// A new job from the original input of one that is over. Answers the new one.
async fn restart(
    State(context): State<Context>,
    Extension(act): Extension<Act>,
    Path(id): Path<String>,
) -> Shown {
    let from = known(&context.store, &id)?;
    has_files(&context.store, &from)?;
    let to = JobId::generate(Timestamp::now());
    let linked = ask({
        let (context, from, to) = (context.clone(), from.clone(), to.clone());
        move || {
            let Some(job) = context.store.job(&from)? else {
                return Err(StoreError::State(format!("there is no job {from}")));
            };
            if !job.state.is_final() {
                return Ok(Err(not_over(&from, job.state)));
            }
            let rows = inherit(
                &context.layout,
                &context.store,
                &job,
                &to,
                Versions::All,
                &Default::default(),
            );
            Ok(rows.map(|rows| (job, rows)).map_err(refused_by_stage))
        }
    });
    let (job, rows) = linked.await??;
    let restarted = context
        .store
        .acting(&act)
        .restart(job.clone(), &to, rows.clone(), Timestamp::now())
        .await;
    // Links without a row go: of a restart that was refused, all of them. Cut off here, the next start removes them.
    let with_row = restarted.as_ref().map_or_else(|_| HashSet::new(), Clone::clone);
    let (layout, new) = (context.layout.clone(), to.clone());
    let left = ask(move || {
        if let Err(error) = disinherit(&layout, &job, &new, &rows, &with_row) {
            tracing::warn!(job.id = %new, %error, "links that a restart does not need; the next start removes them");
        }
        Ok(())
    });
    left.await?;
    restarted.map_err(refused)?;
    tracing::info!(job.id = %from, new = %to, "job restarted by an operator");
    tell(&context);
    show(State(context), Path(to.to_string())).await
}

fn not_over(id: &JobId, state: JobState) -> Problem {
    let why = format!(
        "job {id} is {}: only one that is over can be restarted",
        state.name()
    );
    Problem::new(StatusCode::CONFLICT, why)
}

/// Freezes an open set at once.
async fn complete(State(context): State<Context>, Path(id): Path<String>) -> Shown {
    let job = known(&context.store, &id)?;
    let done = context.completion.complete_now(&job).await;
    done.map_err(refused_by_stage)?;
    show(State(context), Path(id)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    priority: String,
}

async fn priority(
    State(context): State<Context>,
    Extension(act): Extension<Act>,
    Path(id): Path<String>,
    body: Result<Json<Wanted>, JsonRejection>,
) -> Shown {
    let job = known(&context.store, &id)?;
    let Json(wanted) = body?;
    let priority = Priority::from_word(&wanted.priority).ok_or_else(|| {
        let words = Priority::ALL.map(Priority::word).join(", ");
        Problem::bad_request(format!("{:?} is no priority; one of: {words}", wanted.priority))
    })?;
    context
        .store
        .acting(&act)
        .prioritize(&job, priority)
        .await
        .map_err(refused)?;
    tell(&context);
    show(State(context), Path(id)).await
}

/// Refuses a job whose files were removed.
fn has_files(store: &Store, id: &JobId) -> Result<(), Problem> {
    match store.job(id)?.and_then(|job| job.removed_at) {
        None => Ok(()),
        Some(at) => {
            let why = format!(
                "the files of job {id} were removed at {}: send the study again",
                at.to_rfc3339()
            );
            Err(Problem::new(StatusCode::GONE, why))
        }
    }
}

/// Scheduler and sender look at what there is to do.
fn tell(context: &Context) {
    context.queued.notify_one();
    context.due.notify_one();
}
