//! `processZip.php`: a form with a zip and what is said of it, in any order.

use std::collections::HashMap;

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::{Extension, Json};
use serde_json::Value;
use tokio::io::AsyncWriteExt;

use crate::stage::{Spooled, StageError};

use super::super::Context;
use super::super::auth::Caller;
use super::super::door::Peer;
use super::super::problem::Problem;
use super::super::push::{About, From, answer, push, stream, too_large};
use super::form::{Form, FormError};

/// The part that is the zip.
const FILE: &str = "theFile";

/// Bytes of a part that is a text.
const LONGEST_TEXT: usize = 64 << 10;

/// Parts of a form.
const MOST_PARTS: usize = 32;

/// Bytes between two looks at the disk.
const LOOK: u64 = 64 << 20;

/// What is gathered before it is written, in bytes.
const WRITE: usize = 1 << 20;

/// What came in a form.
struct Received {
    zip: Spooled,
    bytes: u64,
    about: About,
}

pub async fn process(
    State(context): State<Context>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    let mut form = Form::new(&headers, body)?;
    let received = receive(&context, &mut form, announced).await?;
    let from = From {
        caller,
        address: peer.ip().to_canonical(),
    };
    // In a task of its own: a client that goes away once all has come does not leave half of it.
    let pushing = tokio::spawn(async move {
        let zip = received.zip;
        push(&context, from, &received.about, zip.path(), received.bytes).await
    });
    let pushed = pushing
        .await
        .map_err(|e| crate::store::StoreError::State(e.to_string()))??;
    Ok(Json(answer(&pushed)))
}

async fn receive(context: &Context, form: &mut Form, announced: Option<u64>) -> Result<Received, Problem> {
    has_room(context, announced.unwrap_or(0))?;
    let (mut zip, mut fields) = (None, HashMap::new());
    for _ in 0..=MOST_PARTS {
        let Some(name) = form.next().await? else {
            return whole(zip, fields);
        };
        if name == FILE {
            if zip.is_some() {
                return Err(Problem::bad_request("the form has theFile twice"));
            }
            zip = Some(spool(context, form).await?);
            continue;
        }
        let text = form.text(LONGEST_TEXT).await?;
        if name == "aetitle" {
            // Known before the file came: it need not come.
            stream(context, &text)?;
        }
        if fields.insert(name, text).is_some() {
            return Err(Problem::bad_request("the form has a field twice"));
        }
    }
    Err(Problem::bad_request(format!(
        "the form has more than {MOST_PARTS} parts"
    )))
}

fn whole(zip: Option<(Spooled, u64)>, mut fields: HashMap<String, String>) -> Result<Received, Problem> {
    let (zip, bytes) = zip.ok_or_else(|| Problem::bad_request("the form has no part theFile, the zip"))?;
    let mut field = |name: &str| fields.remove(name);
    let aetitle = field("aetitle").ok_or_else(|| Problem::bad_request("the form has no field aetitle"))?;
    let about = About {
        aetitle,
        sender: field("sender").unwrap_or_default(),
        jobname: field("jobname").unwrap_or_default(),
        arguments: field("arguments").unwrap_or_default(),
        description: field("description").unwrap_or_default(),
    };
    Ok(Received { zip, bytes, about })
}

/// Writes the file to the spool as it comes.
async fn spool(context: &Context, form: &mut Form) -> Result<(Spooled, u64), Problem> {
    let stage = context.pushes.stage.clone();
    let made = tokio::task::spawn_blocking(move || stage.spool()).await;
    let (spooled, file) = made.map_err(|e| disk(std::io::Error::other(e)))??;
    let mut file = tokio::io::BufWriter::with_capacity(WRITE, tokio::fs::File::from_std(file));
    let (mut bytes, mut until_look) = (0_u64, 0_u64);
    while let Some(piece) = form.piece().await? {
        let length = piece.len() as u64;
        bytes += length;
        if bytes > context.pushes.largest {
            return Err(too_large(context.pushes.largest));
        }
        if until_look < length {
            has_room(context, LOOK)?;
            until_look = LOOK;
        }
        until_look = until_look.saturating_sub(length);
        file.write_all(&piece).await.map_err(disk)?;
    }
    // The zip need not last: what lasts is what comes out of it.
    file.flush().await.map_err(disk)?;
    Ok((spooled, bytes))
}

fn has_room(context: &Context, bytes: u64) -> Result<(), Problem> {
    if bytes > context.pushes.largest.saturating_add(LOOK) {
        return Err(too_large(context.pushes.largest));
    }
    let room = context.pushes.stage.spare_bytes();
    if bytes > room {
        let error = crate::stage::PushError::NoRoom { bytes, room };
        return Err(error.into());
    }
    Ok(())
}

fn disk(source: std::io::Error) -> Problem {
    StageError::Io {
        action: "write a push to the spool",
        source,
    }
    .into()
}

impl std::convert::From<FormError> for Problem {
    fn from(error: FormError) -> Self {
        let status = match &error {
            FormError::NoForm => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            FormError::Damaged(_) | FormError::CutOff | FormError::Broken(_) => StatusCode::BAD_REQUEST,
            FormError::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            FormError::Silent => StatusCode::REQUEST_TIMEOUT,
        };
        Self::new(status, error.to_string())
    }
}
