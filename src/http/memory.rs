//! `/api/v1/buckets/{ae_title}/memory`: what lasts between runs, taken out and replaced.

use std::fs::File;

use axum::body::Body;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;

use super::Context;
use super::api::{ae_title, ask};
use super::problem::Problem;
use super::uploads::Taken;

/// A piece of an answer, in bytes.
const PIECE: usize = 1 << 20;

/// Answers with the memory as a tar.
pub async fn export(State(context): State<Context>, Path(title): Path<String>) -> Result<Response, Problem> {
    let title = ae_title(&title)?;
    let tar = context.buckets.export_memory(&title, &context.uploads).await;
    // Runs may have waited for the copy.
    context.queued.notify_one();
    let tar = tar?;
    let store = context.store.clone();
    let given = ask(move || store.studies_run(&title)).await?;
    let length = tar.metadata().map_err(crate::bucket::MemoryError::Io)?.len();
    let headers = [
        (header::CONTENT_TYPE, "application/x-tar".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
    ];
    Ok((Extension(given), headers, Body::from_stream(pieces(tar))).into_response())
}

fn pieces(file: File) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> {
    stream::try_unfold(file, |mut file| async move {
        let read = tokio::task::spawn_blocking(move || {
            use std::io::Read;
            let mut piece = Vec::with_capacity(PIECE);
            file.by_ref().take(PIECE as u64).read_to_end(&mut piece)?;
            Ok::<_, std::io::Error>((piece, file))
        });
        let (piece, file) = read.await.map_err(std::io::Error::other)??;
        Ok((!piece.is_empty()).then(|| (Bytes::from(piece), file)))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    upload: Taken,
}

/// Replaces the memory by an upload.
pub async fn import(
    State(context): State<Context>,
    Path(title): Path<String>,
    body: Result<Json<Import>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let title = ae_title(&title)?;
    let Json(asked) = body?;
    let whole = asked.upload.whole(&context).await?;
    // In a task of its own: a client that goes away does not leave half of it.
    let replacing = tokio::spawn(async move {
        let replaced = context
            .buckets
            .import_memory(&title, &whole, &context.uploads)
            .await;
        context.queued.notify_one();
        // Whoever was refused because of a run wants to try again with what is here.
        if !matches!(replaced, Err(crate::bucket::MemoryError::InUse(_))) {
            context.uploads.discard(&whole.id)?;
        }
        replaced
    });
    replacing
        .await
        .map_err(|error| crate::bucket::MemoryError::Io(std::io::Error::other(error)))??;
    Ok(StatusCode::NO_CONTENT)
}
