//! `getOutputZip.php`, `processing.log`: from any byte on (RFC 9110 §14), so that a client goes on where a connection
//! broke, and follows a log that grows.

use std::io::SeekFrom;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::model::{Job, Place};
use crate::stage::inputs;
use crate::store::StoreError;

use super::super::Context;
use super::super::api::ask;
use super::super::problem::Problem;
use super::zip::{Plan, stream};
use super::{known, scratchdir};

/// Bytes of a log that are read at once.
const PIECE: usize = 64 << 10;

#[derive(Deserialize)]
pub struct Wanted {
    folder: String,
    /// `input`: what the job received.
    #[serde(rename = "type")]
    kind: Option<String>,
}

pub async fn zip(
    State(context): State<Context>,
    query: Result<Query<Wanted>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(wanted) = query?;
    let of_input = match wanted.kind.as_deref() {
        None | Some("" | "output") => false,
        Some("input") => true,
        Some(_) => return Err(Problem::bad_request("type is input, output or not there")),
    };
    let job = known(&context, &wanted.folder).await?;
    let name = {
        let kind = if of_input { "_input" } else { "" };
        format!("{}_{}{kind}.zip", job.id, scratchdir(&job.id))
    };
    let plan = ask(move || plan(&context, &job, of_input)).await?;
    let from = begin(&headers, plan.length, Some(&plan.tag));
    let (length, tag) = (plan.length, HeaderValue::from_str(&plan.tag));
    let mut response = partial(from, length, |from| Body::from_stream(stream(plan, from)));
    if !response.status().is_success() {
        return Ok(response);
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    if let Ok(tag) = tag {
        headers.insert(header::ETAG, tag);
    }
    Ok(response)
}

fn plan(context: &Context, job: &Job, of_input: bool) -> Result<Plan, StoreError> {
    let directory = scratchdir(&job.id);
    let disk = |error| StoreError::State(format!("read the files of job {}: {error}", job.id));
    if !of_input {
        let root = context.layout.path(Place::Output(&job.stream, &job.id));
        return Plan::of_directory(&root, &format!("{directory}/OUTPUT/")).map_err(disk);
    }
    let prefix = format!("{directory}/INPUT/");
    let laid = || -> Result<_, StoreError> {
        let files = inputs(&context.layout, &context.store, job)?;
        Ok(files.into_iter().map(|file| (file.name, file.path)))
    };
    // Laid out at this very moment, they are elsewhere at the second look.
    match Plan::of_files(laid()?, &prefix) {
        Ok(plan) => Ok(plan),
        Err(_) => Plan::of_files(laid()?, &prefix).map_err(disk),
    }
}

/// Without a log there is nothing yet, and that is no error: clients print what they get.
pub async fn log(
    State(context): State<Context>,
    Path(scratchdir): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let job = known(&context, &scratchdir).await?;
    let path = context.layout.path(Place::ProcessingLog(&job.stream, &job.id));
    let file = match tokio::fs::File::open(path).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            return Err(StoreError::State(format!("open the log of job {}: {error}", job.id)).into());
        }
        Ok(file) => Some(file),
    };
    let length = match &file {
        Some(file) => file.metadata().await.map(|m| m.len()).unwrap_or(0),
        None => 0,
    };
    let from = begin(&headers, length, None);
    let mut response = partial(from, length, |from| match file {
        Some(file) => Body::from_stream(read(file, from, length)),
        None => Body::empty(),
    });
    if !response.status().is_success() {
        return Ok(response);
    }
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

/// A part of a file that only grows.
fn read(
    file: tokio::fs::File,
    from: u64,
    to: u64,
) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> {
    futures_util::stream::try_unfold((file, from), move |(mut file, at)| async move {
        if at >= to {
            return Ok(None);
        }
        file.seek(SeekFrom::Start(at)).await?;
        let want = usize::try_from(to - at).unwrap_or(PIECE).min(PIECE);
        let mut piece = vec![0; want];
        file.read_exact(&mut piece).await?;
        Ok(Some((Bytes::from(piece), (file, at + want as u64))))
    })
}

/// Where an answer begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begin {
    /// At its beginning: the whole was asked for.
    Whole,
    /// At this byte.
    At(u64),
    /// At none that there is.
    Nowhere,
}

/// What `Range` and `If-Range` ask for. Of ranges only those that go to the end are known; any other is answered with the
/// whole, as it may be.
fn begin(headers: &HeaderMap, length: u64, tag: Option<&str>) -> Begin {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let from = text(header::RANGE)
        .and_then(|range| range.strip_prefix("bytes="))
        .and_then(|range| range.trim().strip_suffix('-'))
        .and_then(|from| from.parse::<u64>().ok());
    // Of something else than the client has, it wants all.
    let other = headers.contains_key(header::IF_RANGE) && text(header::IF_RANGE) != tag;
    match from {
        Some(from) if !other && from < length => Begin::At(from),
        Some(_) if !other => Begin::Nowhere,
        _ => Begin::Whole,
    }
}

fn partial(begin: Begin, length: u64, body: impl FnOnce(u64) -> Body) -> Response {
    let (status, from) = match begin {
        Begin::Whole => (StatusCode::OK, 0),
        Begin::At(from) => (StatusCode::PARTIAL_CONTENT, from),
        Begin::Nowhere => {
            let why = format!("there are {length} bytes, and none from there on");
            let mut response = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, why).into_response();
            set(&mut response, header::CONTENT_RANGE, &format!("bytes */{length}"));
            return response;
        }
    };
    let mut response = (status, body(from)).into_response();
    set(&mut response, header::ACCEPT_RANGES, "bytes");
    set(
        &mut response,
        header::CONTENT_LENGTH,
        &(length - from).to_string(),
    );
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {from}-{}/{length}", length.saturating_sub(1));
        set(&mut response, header::CONTENT_RANGE, &range);
    }
    response
}

fn set(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_taken_up_where_it_can_be() {
        let ask = |range: &str, if_range: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, range.parse().unwrap());
            if let Some(tag) = if_range {
                headers.insert(header::IF_RANGE, HeaderValue::from_static(tag));
            }
            begin(&headers, 100, Some("\"a\""))
        };
        for (range, if_range, expected) in [
            ("bytes=0-", None, Begin::At(0)),
            ("bytes=99-", Some("\"a\""), Begin::At(99)),
            ("bytes=99-", Some("\"b\""), Begin::Whole),
            ("bytes=100-", Some("\"b\""), Begin::Whole),
            ("bytes=100-", None, Begin::Nowhere),
            ("bytes=5-9", None, Begin::Whole),
            ("bytes=-5", None, Begin::Whole),
            ("bytes=1-,5-", None, Begin::Whole),
            ("lines=1-", None, Begin::Whole),
            ("bytes=99999999999999999999-", None, Begin::Whole),
        ] {
            assert_eq!(ask(range, if_range), expected, "{range} {if_range:?}");
        }
        assert_eq!(begin(&HeaderMap::new(), 100, None), Begin::Whole);
    }
}
