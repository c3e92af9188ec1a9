//! `/api/v1/buckets`: the installed buckets.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::bucket::log::{self, LogPlace};
use crate::bucket::{Installed, Standing};
use crate::store::StoreError;

use super::api::{ae_title, ask};
use super::problem::Problem;
use super::uploads::Taken;
use super::{Context, measures, memory, view};

pub fn router() -> Router<Context> {
    Router::new()
        .route("/buckets", get(buckets).post(install))
        .route("/buckets/{ae_title}", get(bucket).delete(remove))
        .route("/buckets/{ae_title}/rollback", post(roll_back))
        .route("/buckets/{ae_title}/enable", post(enable))
        .route("/buckets/{ae_title}/disable", post(disable))
        .route("/buckets/{ae_title}/log", get(read_log))
        .route("/buckets/{ae_title}/measures", get(measures::export))
        .route(
            "/buckets/{ae_title}/memory",
            get(memory::export).put(memory::import),
        )
        .merge(super::uploads::router())
}

async fn show(context: &Context, bucket: Installed) -> Result<Value, Problem> {
    let context = context.clone();
    ask(move || {
        let occupancy = context.store.occupancy(&bucket.row.ae_title)?;
        let versions = context.store.versions(&bucket.row.ae_title)?;
        Ok(view::bucket(&bucket, occupancy, &versions, &context.layout))
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
    /// An image of the node's machine: a reference or an id.
    image: Option<String>,
    /// What people call it, where `image` is an id.
    name: Option<String>,
    /// Or a file that was uploaded.
    upload: Option<Taken>,
    #[serde(default)]
    force: bool,
}

async fn install(
    State(context): State<Context>,
    body: Result<Json<Install>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(asked) = body?;
    let of_task = context.clone();
    // In a task of its own: a client that goes away does not leave half of it.
    let installing = tokio::spawn(async move { do_install(&of_task, asked).await });
    let installed = installing.await.map_err(|e| StoreError::State(e.to_string()));
    let standing = installed??;
    // Jobs may have waited for it, or it waits for jobs.
    context.queued.notify_one();
    answer(&context, standing, StatusCode::CREATED).await
}

async fn do_install(context: &Context, asked: Install) -> Result<Standing, Problem> {
    match (asked.image, asked.upload) {
        (Some(image), None) => Ok(context
            .buckets
            .install(&image, asked.name.as_deref(), asked.force)
            .await?),
        (None, Some(upload)) => {
            let whole = upload.whole(context).await?;
            let limit = context.uploads.largest();
            let installed = context.buckets.install_upload(&whole, limit, asked.force).await;
            // It can be asked for again with -f, or when the engine is back.
            let again = installed
                .as_ref()
                .is_err_and(crate::bucket::InstallError::may_pass);
            if !again {
                context.uploads.discard(&whole.id)?;
            }
            Ok(installed?)
        }
        _ => Err(Problem::bad_request("give either image or upload")),
    }
}

/// 202 where what was asked for waits for runs that are under way.
async fn answer(context: &Context, standing: Standing, now: StatusCode) -> Result<Response, Problem> {
    let status = if standing.waits { StatusCode::ACCEPTED } else { now };
    Ok((status, Json(show(context, standing.bucket).await?)).into_response())
}

async fn remove(State(context): State<Context>, Path(title): Path<String>) -> Result<StatusCode, Problem> {
    context.buckets.remove(&ae_title(&title)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn roll_back(State(context): State<Context>, Path(title): Path<String>) -> Result<Response, Problem> {
    let standing = context.buckets.roll_back(&ae_title(&title)?).await?;
    context.queued.notify_one();
    answer(&context, standing, StatusCode::OK).await
}

async fn enable(State(context): State<Context>, Path(title): Path<String>) -> Result<Json<Value>, Problem> {
    switch(&context, &title, true).await
}

async fn disable(State(context): State<Context>, Path(title): Path<String>) -> Result<Json<Value>, Problem> {
    switch(&context, &title, false).await
}

async fn switch(context: &Context, title: &str, enabled: bool) -> Result<Json<Value>, Problem> {
    let bucket = context.buckets.set_enabled(&ae_title(title)?, enabled).await?;
    Ok(Json(show(context, bucket).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadOn {
    /// `next` of the answer before.
    after: Option<String>,
}

async fn read_log(
    State(context): State<Context>,
    Path(title): Path<String>,
    query: Result<Query<ReadOn>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let title = ae_title(&title)?;
    let Query(from) = query?;
    let from = from
        .after
        .map(|text| {
            let place = LogPlace::parse(&text);
            place.ok_or_else(|| Problem::bad_request("after: give what the answer before had as next"))
        })
        .transpose()?;
    let read = ask(move || {
        if context.store.bucket(&title)?.is_none() {
            return Ok(None);
        }
        log::read(&context.layout, &title, from)
            .map(Some)
            .map_err(|error| StoreError::State(format!("read the bucket's log: {error}")))
    });
    let (text, next) = read
        .await?
        .ok_or_else(|| Problem::not_found("no bucket is installed for this AE title"))?;
    Ok(Json(json!({
        "text": String::from_utf8_lossy(&text),
        "next": next.to_text(),
    })))
}
