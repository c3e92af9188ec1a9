//! `/api/v1/buckets`: the installed buckets.

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::Value;

use crate::bucket::Installed;

use super::api::{ae_title, ask};
use super::problem::Problem;
use super::{Context, view};

pub fn router() -> Router<Context> {
    Router::new()
        .route("/buckets", get(buckets).post(install))
        .route("/buckets/{ae_title}", get(bucket).delete(remove))
}

async fn show(context: &Context, bucket: Installed) -> Result<Value, Problem> {
    let context = context.clone();
    ask(move || {
        let occupancy = context.store.occupancy(&bucket.row.ae_title)?;
        Ok(view::bucket(&bucket, occupancy, &context.layout))
    })
    .await
}

async fn buckets(State(context): State<Context>) -> Result<Json<Vec<Value>>, Problem> {
    let installed = ask({
        let buckets = context.buckets.clone();
        move || buckets.list()
    });
    let mut shown = Vec::new();
    for bucket in installed.await? {
        shown.push(show(&context, bucket).await?);
    }
    Ok(Json(shown))
}

async fn bucket(State(context): State<Context>, Path(title): Path<String>) -> Result<Json<Value>, Problem> {
    let title = ae_title(&title)?;
    match context.buckets.get(&title)? {
        Some(bucket) => Ok(Json(show(&context, bucket).await?)),
        None => Err(Problem::not_found(format!(
            "no bucket is installed for AE title {title}"
        ))),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Install {
    image: String,
    #[serde(default)]
    force: bool,
}

async fn install(
    State(context): State<Context>,
    body: Result<Json<Install>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(request) = body?;
    let bucket = context.buckets.install(&request.image, request.force).await?;
    // Jobs may have waited for it.
    context.queued.notify_one();
    Ok((StatusCode::CREATED, Json(show(&context, bucket).await?)).into_response())
}

async fn remove(State(context): State<Context>, Path(title): Path<String>) -> Result<StatusCode, Problem> {
    context.buckets.remove(&ae_title(&title)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
