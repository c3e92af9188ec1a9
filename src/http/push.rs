//! Pushes: a zip that is on the disk becomes a job. `POST /api/v1/jobs` takes one that was uploaded piece by piece.

use std::fs::File;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::model::{AeTitle, Stream};
use crate::stage::{Limits, Push, PushError, Pushed, Stage, StageError};
use crate::store::StoreError;

use super::Context;
use super::auth::Caller;
use super::door::Peer;
use super::legacy;
use super::problem::{Problem, ours};
use super::uploads::Taken;

/// Zips that are unpacked at once; who comes later waits, but not for longer than that.
const AT_ONCE: usize = 4;
const TURN: Duration = Duration::from_secs(600);

/// Bytes of the arguments of a job: they become a variable of its container.
const LONGEST_ARGUMENTS: usize = 16 << 10;

/// Characters of what a sender says in words.
const LONGEST_TEXT: usize = 1000;

/// What takes pushes.
#[derive(Clone)]
pub struct Pushes {
    /// Where they are spooled and unpacked.
    pub stage: Stage,
    /// The most bytes of a zip.
    pub largest: u64,
    limits: Limits,
    places: Arc<Semaphore>,
}

impl Pushes {
    /// Takes zips of at most so many bytes, with at most so many bytes in them.
    #[must_use]
    pub fn new(stage: Stage, largest: u64, unpacked: u64) -> Self {
        Self {
            stage,
            largest,
            limits: Limits::new(unpacked),
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

/// What a push says of itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct About {
    /// The stream it is for.
    pub aetitle: String,
    /// Who sends it.
    pub sender: String,
    /// What it is called.
    pub jobname: String,
    /// For its bucket.
    pub arguments: String,
    /// More in words.
    pub description: String,
}

/// Who pushes, for the node.
#[derive(Clone, Debug)]
pub(super) struct From {
    pub caller: Caller,
    pub address: IpAddr,
}

/// The open stream of that AE title; else a refusal that names those there are.
pub(super) fn stream(context: &Context, aetitle: &str) -> Result<Stream, Problem> {
    let streams = context.buckets.streams().borrow().clone();
    let found = AeTitle::parse(aetitle)
        .ok()
        .and_then(|title| streams.get(&title).cloned());
    found.ok_or_else(|| {
        let mut titles: Vec<_> = streams.keys().map(AeTitle::as_str).collect();
        titles.sort_unstable();
        let there = match titles.as_slice() {
            [] => "no bucket takes studies here".to_owned(),
            titles => format!("there are: {}", titles.join(", ")),
        };
        let asked: String = aetitle.chars().take(64).collect();
        Problem::not_found(format!(
            "no bucket takes studies for the AE title {asked:?}; {there}"
        ))
    })
}

/// A zip becomes a job; answered once that is on the disk.
pub(super) async fn push(
    context: &Context,
    from: From,
    about: &About,
    zip: &Path,
    bytes: u64,
) -> Result<Pushed, Problem> {
    let too_long = about.arguments.len() > LONGEST_ARGUMENTS;
    if too_long
        || about
            .arguments
            .chars()
            .any(|c| c.is_control() && c != '\t' && c != '\n')
    {
        let why = format!("arguments have at most {LONGEST_ARGUMENTS} bytes and no control characters");
        return Err(Problem::bad_request(why));
    }
    let push = Push {
        stream: stream(context, &about.aetitle)?,
        calling: calling(&about.sender),
        address: from.address,
        by: from.caller.0.clone(),
        sender: words(&about.sender, 64),
        name: words(&about.jobname, 200),
        description: words(&about.description, LONGEST_TEXT),
        arguments: (!about.arguments.is_empty()).then(|| about.arguments.clone()),
    };
    let turn = tokio::time::timeout(TURN, context.pushes.places.clone().acquire_owned()).await;
    // It is closed by its owner only, which is this node.
    let Ok(Ok(_turn)) = turn else {
        let why = "too many pushes are being unpacked: send it again later";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, why));
    };
    let (stage, limits, zip) = (
        context.pushes.stage.clone(),
        context.pushes.limits.clone(),
        zip.to_owned(),
    );
    let title = push.stream.ae_title.clone();
    let unpacked = tokio::task::spawn_blocking(move || {
        let file = File::open(zip).map_err(|source| StageError::Io {
            action: "open the upload",
            source,
        })?;
        stage.push(file, push, &limits)
    });
    let pushed = unpacked.await.map_err(|e| StoreError::State(e.to_string()))??;
    tracing::info!(
        caller = from.caller.0, peer.addr = %from.address, job.id = %pushed.job, stream.ae = %title, bytes,
        objects = pushed.objects, others = pushed.others, "a study was pushed"
    );
    Ok(pushed)
}

/// What the answer to a push is.
pub(super) fn answer(pushed: &Pushed) -> serde_json::Value {
    json!({ "job": pushed.job.as_str(), "scratchdir": legacy::scratchdir(&pushed.job) })
}

/// A sender as an AE title: what VR AE has no place for is an underscore.
fn calling(sender: &str) -> AeTitle {
    let fits = |c: char| matches!(c, ' '..='~') && c != '\\';
    let plain: String = sender
        .trim()
        .chars()
        .map(|c| if fits(c) { c } else { '_' })
        .take(16)
        .collect();
    AeTitle::parse(&plain).unwrap_or_else(|_| AeTitle::unknown())
}

/// A text of a sender, on one line and not longer than that.
fn words(text: &str, most: usize) -> String {
    let spaced = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    spaced.take(most).collect::<String>().trim().to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Create {
    aetitle: String,
    #[serde(default)]
    sender: String,
    #[serde(default)]
    jobname: String,
    #[serde(default)]
    arguments: String,
    #[serde(default)]
    description: String,
    upload: Taken,
}

/// `POST /api/v1/jobs`.
pub(super) async fn create(
    State(context): State<Context>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    Extension(caller): Extension<Caller>,
    body: Result<Json<Create>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(asked) = body?;
    stream(&context, &asked.aetitle)?;
    let most = context.pushes.largest;
    if asked.upload.bytes > most {
        return Err(too_large(most));
    }
    let from = From {
        caller,
        address: peer.ip().to_canonical(),
    };
    // In a task of its own: a client that goes away does not leave half of it.
    let creating = tokio::spawn(async move {
        let about = About {
            aetitle: asked.aetitle,
            sender: asked.sender,
            jobname: asked.jobname,
            arguments: asked.arguments,
            description: asked.description,
        };
        let whole = asked.upload.whole(&context).await?;
        let pushed = push(&context, from, &about, &whole.path, whole.bytes).await;
        // What is the node's fault can be asked for again.
        if pushed.as_ref().map_or_else(Problem::is_the_callers, |_| true) {
            context.uploads.discard(&whole.id)?;
        }
        pushed
    });
    let pushed = creating.await.map_err(|e| StoreError::State(e.to_string()))??;
    Ok((StatusCode::CREATED, Json(answer(&pushed))).into_response())
}

pub(super) fn too_large(most: u64) -> Problem {
    let why = format!("a push has at most {most} bytes here: raise [http] largest_push");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, why)
}

impl std::convert::From<PushError> for Problem {
    fn from(error: PushError) -> Self {
        let status = match &error {
            PushError::NoZip(_)
            | PushError::Encrypted
            | PushError::Method(_)
            | PushError::Name { .. }
            | PushError::Kind { .. }
            | PushError::Duplicate { .. }
            | PushError::Damaged { .. }
            | PushError::Empty => StatusCode::UNPROCESSABLE_ENTITY,
            PushError::TooMany { .. } | PushError::TooLarge { .. } | PushError::Ratio { .. } => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            PushError::NoBucket => StatusCode::NOT_FOUND,
            PushError::NoRoom { .. } | PushError::Stage(StageError::NoRoom) => {
                StatusCode::INSUFFICIENT_STORAGE
            }
            PushError::Stage(StageError::QueueFull | StageError::Behind) => StatusCode::SERVICE_UNAVAILABLE,
            PushError::Stage(_) => return ours(&error),
        };
        Self::new(status, error.to_string())
    }
}

impl std::convert::From<StageError> for Problem {
    fn from(error: StageError) -> Self {
        PushError::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_an_ae_title_whatever_it_calls_itself() {
        for (sender, title) in [
            ("mb-shell", "mb-shell"),
            ("Müller\\x", "M_ller_x"),
            ("", "UNKNOWN"),
            ("  ", "UNKNOWN"),
            ("a very long name of somebody", "a very long name"),
            ("a\nb", "a_b"),
            ("日本", "__"),
        ] {
            assert_eq!(calling(sender).as_str(), title, "{sender:?}");
        }
    }

    #[test]
    fn words_stay_on_a_line() {
        assert_eq!(words(" a\r\nb\0 ", 9), "a  b");
        assert_eq!(words("日本語", 2), "日本");
    }
}
