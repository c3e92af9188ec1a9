//! `/api/v1/buckets/{ae_title}/measures`: what a bucket measured in a period, as CSV or JSON.
//!
//! Streamed, page by page: the memory it takes does not grow with the period. No patient is named in it; studies and
//! series are, by their UIDs.

use axum::Extension;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;

use crate::model::Timestamp;
use crate::store::{MeasuredRow, MeasuresFilter, MeasuresPlace, Store, StoreError};

use super::Context;
use super::api::{ae_title, ask};
use super::measures_format::Format;
use super::problem::Problem;

/// Measures of one page.
const PAGE: u32 = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Jobs whose first object came then or later.
    from: Option<String>,
    /// And before this.
    to: Option<String>,
    format: Option<String>,
}

/// Where the answer stands.
struct Pages {
    store: Store,
    filter: MeasuresFilter,
    format: Format,
    /// What was read and not written yet.
    read: Option<Vec<MeasuredRow>>,
    first: bool,
}

/// Answers with the measures of a bucket.
pub async fn export(
    State(context): State<Context>,
    Path(title): Path<String>,
    query: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(wanted) = query?;
    let format = Format::parse(wanted.format.as_deref().unwrap_or("csv")).map_err(Problem::bad_request)?;
    let filter = MeasuresFilter {
        stream: ae_title(&title)?,
        from: moment("from", wanted.from.as_deref())?,
        to: moment("to", wanted.to.as_deref())?,
        limit: PAGE,
    };
    // The first page before the first word: what goes wrong at once is answered as a problem.
    let (store, asked) = (context.store.clone(), filter.clone());
    let first = ask(move || {
        let rows = store.measures_page(&asked, None)?;
        let known =
            !rows.is_empty() || store.bucket(&asked.stream)?.is_some() || store.has_jobs(&asked.stream)?;
        let given = store.studies_measured(&asked)?;
        Ok(known.then_some((rows, given)))
    });
    let Some((rows, given)) = first.await? else {
        let title = &filter.stream;
        return Err(Problem::not_found(format!(
            "no bucket is installed for AE title {title}, and none was run there"
        )));
    };
    let name = format!("attachment; filename=\"measures.{}\"", format.extension());
    let headers = [
        (header::CONTENT_TYPE, format.content_type().to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    let pages = Pages {
        store: context.store,
        filter,
        format,
        read: Some(rows),
        first: true,
    };
    let body = Body::from_stream(stream::try_unfold(pages, next));
    Ok((Extension(given), headers, body).into_response())
}

/// The next piece of the answer.
async fn next(mut pages: Pages) -> Result<Option<(Bytes, Pages)>, StoreError> {
    let Some(rows) = pages.read.take() else {
        return Ok(None);
    };
    let mut text = String::new();
    if pages.first {
        text.push_str(&pages.format.beginning(&pages.filter.stream));
    }
    for (i, row) in rows.iter().enumerate() {
        pages.format.row(&mut text, row, pages.first && i == 0);
    }
    pages.first = pages.first && rows.is_empty();
    let full = rows.len() >= PAGE as usize;
    match rows.last().map(|row| row.place).filter(|_| full) {
        Some(place) => pages.read = Some(read(&pages, place).await?),
        None => text.push_str(pages.format.end()),
    }
    Ok(Some((Bytes::from(text), pages)))
}

async fn read(pages: &Pages, after: MeasuresPlace) -> Result<Vec<MeasuredRow>, StoreError> {
    let (store, filter) = (pages.store.clone(), pages.filter.clone());
    let page = tokio::task::spawn_blocking(move || store.measures_page(&filter, Some(after)));
    page.await.map_err(|error| StoreError::State(error.to_string()))?
}

fn moment(name: &str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    text.map(|text| {
        Timestamp::parse(text).ok_or_else(|| {
            Problem::bad_request(format!(
                "{name}={text:?}: give a day such as 2026-11-01, which begins at midnight UTC, or a moment such as \
                 2026-11-01T08:00:00Z"
            ))
        })
    })
    .transpose()
}
