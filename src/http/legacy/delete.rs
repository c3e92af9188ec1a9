//! `deleteStudy.php`: a GET that deletes, as the original has it. The job ends at once and is listed no more; its files go
//! afterwards, once nobody works on them.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::model::Timestamp;
use crate::store::{Act, Deletion, StoreError};

use super::super::Context;
use super::super::api::ask;
use super::super::auth::Caller;
use super::super::problem::Problem;
use super::job_of;

#[derive(Deserialize)]
pub struct Which {
    scratchdir: String,
}

/// Who asks for the head only, as what checks links does, wants nothing done: axum would do what GET does.
pub async fn only_get() -> impl IntoResponse {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET")])
}

pub async fn delete(
    State(context): State<Context>,
    Extension(caller): Extension<Caller>,
    Extension(act): Extension<Act>,
    query: Result<Query<Which>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(which) = query?;
    let job = job_of(&which.scratchdir)?;
    let there = ask({
        let (store, job) = (context.store.clone(), job.clone());
        move || store.job(&job)
    });
    if there.await?.is_none() {
        return Err(Problem::not_found("there is no such scratchdir"));
    }
    let deleted = context
        .store
        .acting(&act)
        .delete(&job, caller.0.clone(), Timestamp::now())
        .await;
    match deleted {
        Ok(Deletion::Begun { cancelled }) => {
            if cancelled {
                context.cancelled.send_replace(());
            }
            tracing::info!(job.id = %job, caller = caller.0, cancelled, "job deleted");
        }
        // It was told when it happened.
        Ok(Deletion::Already) => act.leave(),
        Err(StoreError::State(why)) => return Err(Problem::new(StatusCode::CONFLICT, why)),
        Err(error) => return Err(error.into()),
    }
    Ok(Json(json!({ "message": "deleted" })))
}
