//! `saveRouting.php`: a form whose field `text` is the new routing.json.

use axum::Form;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::{StatusCode, header};
use serde::Deserialize;

use super::super::Context;
use super::super::problem::Problem;
use super::super::routes::put_in_force;
use super::form::Form as Parts;

/// Bytes of a text that is read; the rules say themselves how long they may be.
const LONGEST: usize = 2 << 20;

#[derive(Deserialize)]
pub struct Saved {
    text: String,
}

/// Puts the rules in force, or says what is wrong with them and leaves those before; success has no words.
pub async fn save(State(context): State<Context>, request: Request) -> Result<StatusCode, Problem> {
    // PHP took a form whichever way it was written.
    let kind = request.headers().get(header::CONTENT_TYPE);
    let in_parts = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/"));
    let text = if in_parts {
        text_of_parts(request).await?
    } else {
        let Form(saved) = Form::<Saved>::from_request(request, &()).await?;
        saved.text
    };
    put_in_force(&context, Bytes::from(text)).await?;
    Ok(StatusCode::OK)
}

async fn text_of_parts(request: Request) -> Result<String, Problem> {
    let (head, body) = request.into_parts();
    let mut form = Parts::new(&head.headers, body)?;
    while let Some(name) = form.next().await? {
        if name == "text" {
            return Ok(form.text(LONGEST).await?);
        }
    }
    let why = "the form has no field text, the rules";
    Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why))
}
