//! `saveRouting.php`: a form whose field `text` is the new routing.json.

use axum::Form;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::StatusCode;
use serde::Deserialize;

use super::super::Context;
use super::super::problem::Problem;
use super::super::routes::put_in_force;

#[derive(Deserialize)]
pub struct Saved {
    text: String,
}

/// Puts the rules in force, or says what is wrong with them and leaves those before; success has no words.
pub async fn save(
    State(context): State<Context>,
    form: Result<Form<Saved>, FormRejection>,
) -> Result<StatusCode, Problem> {
    let Form(saved) = form.map_err(|error| Problem::new(error.status(), error.body_text()))?;
    put_in_force(&context, Bytes::from(saved.text)).await?;
    Ok(StatusCode::OK)
}
