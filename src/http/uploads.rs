//! `/api/v1/uploads`: files sent piece by piece, for [`super::buckets`] and [`super::memory`] to take.

use axum::body::Body;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::json;

use crate::bucket::UploadError;
use crate::bucket::uploads::{About, KEPT, Whole};
use crate::model::UploadId;

use super::Context;
use super::auth::Caller;
use super::problem::Problem;

/// Where a piece begins, and where the next one does; tus 1.0 calls it so.
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");

pub fn router() -> Router<Context> {
    Router::new().route("/uploads", post(begin)).route(
        "/uploads/{id}",
        axum::routing::get(progress).patch(append).delete(discard),
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Begin {
    /// What the client finds it again by.
    key: String,
    /// What people call it.
    name: String,
    /// How much it will be, where that is known.
    bytes: Option<u64>,
}

async fn begin(
    State(context): State<Context>,
    Extension(caller): Extension<Caller>,
    body: Result<Json<Begin>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(asked) = body?;
    for (what, text) in [("key", &asked.key), ("name", &asked.name)] {
        if text.is_empty() || text.len() > 256 || text.chars().any(char::is_control) {
            let detail = format!("{what} has to be 1 to 256 bytes without control characters");
            return Err(Problem::bad_request(detail));
        }
    }
    let about = About {
        key: asked.key,
        name: asked.name,
        by: caller.0,
    };
    let (uploads, bytes) = (context.uploads.clone(), asked.bytes);
    let begun = tokio::task::spawn_blocking(move || uploads.begin(about, bytes)).await;
    let id = begun.map_err(|error| UploadError::Io(std::io::Error::other(error)))??;
    let progress = context.uploads.progress(&id).await?;
    let body = json!({
        "id": id.as_str(),
        "offset": progress.offset,
        "sha256": progress.sha256,
        "kept_seconds": KEPT.as_secs(),
    });
    let mut response = (StatusCode::CREATED, Json(body)).into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/api/v1/uploads/{id}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

async fn progress(State(context): State<Context>, Path(id): Path<String>) -> Result<Response, Problem> {
    let progress = context.uploads.progress(&upload_id(&id)?).await?;
    let body = json!({ "id": progress.id.as_str(), "offset": progress.offset, "sha256": progress.sha256 });
    let mut response = Json(body).into_response();
    response.headers_mut().insert(OFFSET, progress.offset.into());
    Ok(response)
}

async fn append(
    State(context): State<Context>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let id = upload_id(&id)?;
    let offset = headers
        .get(&OFFSET)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| {
            Problem::bad_request("Upload-Offset is missing: the byte at which this piece begins")
        })?;
    // In a task of its own: what came is kept also when the connection goes.
    let uploads = context.uploads.clone();
    let appended = tokio::spawn(async move {
        let mut body = body
            .into_data_stream()
            .map(|piece| piece.map_err(std::io::Error::other));
        uploads.append(&id, offset, &mut body).await
    });
    let offset = appended
        .await
        .map_err(|error| UploadError::Io(std::io::Error::other(error)))??;
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert(OFFSET, offset.into());
    Ok(response)
}

async fn discard(State(context): State<Context>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    context.uploads.discard(&upload_id(&id)?)?;
    Ok(StatusCode::NO_CONTENT)
}

fn upload_id(text: &str) -> Result<UploadId, Problem> {
    UploadId::parse(text).map_err(|error| Problem::bad_request(format!("{text:?}: {error}")))
}

/// An upload that a request takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Taken {
    /// Its name.
    pub id: String,
    /// All of it, in bytes.
    pub bytes: u64,
    /// And its hash, hexadecimal.
    pub sha256: String,
}

impl Taken {
    pub async fn whole(&self, context: &Context) -> Result<Whole, Problem> {
        let id = upload_id(&self.id)?;
        Ok(context.uploads.whole(&id, self.bytes, &self.sha256).await?)
    }
}
