//! `GET /api/v1/jobs/{id}/series`: what the series of a job are, while its objects arrive too.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use crate::stage::StageError;
use crate::store::StoreError;

use super::Context;
use super::api::{ask, job_id};
use super::problem::Problem;

pub(super) async fn list(
    State(context): State<Context>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let id = job_id(&id)?;
    let series = ask({
        let id = id.clone();
        move || {
            let Some(job) = context.store.job(&id)? else {
                return Ok(None);
            };
            context
                .classifier
                .series(&job)
                .map(Some)
                .map_err(|error| match error {
                    StageError::Store(error) => error,
                    other => StoreError::State(other.to_string()),
                })
        }
    });
    let series = series
        .await?
        .ok_or_else(|| Problem::not_found(format!("there is no job {id}")))?;
    Ok(Json(json!({ "series": series })))
}
