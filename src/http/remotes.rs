//! `/api/v1/remote-aes`: where results can go, and whether it answers.

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::delivery::Probed;
use crate::model::Remote;

use super::Context;
use super::api::{ae_title, ask};
use super::problem::Problem;

pub fn router() -> Router<Context> {
    Router::new()
        .route("/remote-aes", get(list))
        .route("/remote-aes/{ae_title}/echo", post(echo))
}

async fn list(State(context): State<Context>) -> Json<Value> {
    let all = context.probes.all();
    let shown: Vec<_> = all
        .iter()
        .map(|(remote, last)| view(remote, last.as_ref()))
        .collect();
    Json(json!({ "remote_aes": shown }))
}

/// Asks a destination as a delivery would, and waits for its answer: at most connection and answer may take their time.
async fn echo(State(context): State<Context>, Path(title): Path<String>) -> Result<Json<Value>, Problem> {
    let title = ae_title(&title)?;
    let name = title.clone();
    let asked = ask(move || Ok(context.probes.ask(&name))).await?;
    let (remote, probed) = asked.ok_or_else(|| {
        Problem::not_found(format!(
            "the configuration has no [[remote_ae]], [[folder]] or [[dicomweb]] of the name {title}"
        ))
    })?;
    tracing::info!(to = %title, answers = probed.answers, "a destination was asked whether it answers");
    Ok(Json(view(&remote, Some(&probed))))
}

fn view(remote: &Remote, last: Option<&Probed>) -> Value {
    let calling = match remote {
        Remote::Dicom(ae) => Some(ae.calling.as_str()),
        Remote::Folder(_) | Remote::Web(_) => None,
    };
    let limits = remote.limits();
    json!({
        "ae_title": remote.name().as_str(),
        "kind": remote.kind(),
        "address": remote.address(),
        "calling_ae_title": calling,
        "bandwidth": limits.bandwidth,
        "associations": limits.associations,
        "echo": last.map(|probed| json!({
            "at": probed.at,
            "answers": probed.answers,
            "text": probed.text,
            "milliseconds": probed.milliseconds,
        })),
    })
}
