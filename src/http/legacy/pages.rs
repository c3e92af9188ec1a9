//! The rest of the original's pages.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Context;
use super::super::api::{ae_title, ask};
use super::super::problem::Problem;
use super::scratch::by_file;
use super::{known, scratchdir};

/// Lines of the routing log.
const LINES: u32 = 1000;

/// Studies of the archive, when none is asked for.
const STUDIES: usize = 500;

#[derive(Deserialize)]
pub struct Study {
    /// A Study Instance UID, or a scratchdir.
    siuid: Option<String>,
}

/// `getArchive.php`: the studies that are there, newest first. What identifies a patient is not told: the original read
/// it out of the files for whoever asked.
pub async fn archive(
    State(context): State<Context>,
    query: Result<Query<Study>, QueryRejection>,
) -> Result<Json<Vec<Value>>, Problem> {
    let Query(asked) = query?;
    let wanted = asked.siuid.filter(|text| !text.is_empty());
    if let Some(name) = wanted.as_deref().filter(|name| name.starts_with("tmp.")) {
        let job = known(&context, name).await?;
        return Ok(Json(vec![json!({
            "CallerIP": job.caller_address,
            "AETitleCalled": job.stream.as_str(),
            "AETitleCaller": job.calling_ae_title,
            "received": job.received_at,
        })]));
    }
    let studies = ask(move || context.store.archived(wanted.as_deref(), STUDIES));
    let shown = studies.await?.into_iter().map(|(study, job, received_at)| {
        json!({ "SIUID": study, "scratchdir": scratchdir(&job), "received": received_at })
    });
    Ok(Json(shown.collect()))
}

#[derive(Deserialize)]
pub struct Bucket {
    aetitle: String,
    /// With it the original took a time in. This node measures.
    time: Option<String>,
}

/// `timing.php`: mean and deviation of a bucket's runs in seconds; `[]` before the first.
pub async fn timing(
    State(context): State<Context>,
    query: Result<Query<Bucket>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(asked) = query?;
    if asked.time.is_some() {
        return Err(Problem::bad_request(
            "the node measures by itself: ask without time",
        ));
    }
    let title = ae_title(asked.aetitle.trim_matches(['\\', '"']))?;
    let times = ask({
        let title = title.clone();
        move || context.store.run_times(&title)
    });
    Ok(Json(match mean_and_deviation(&times.await?) {
        None => json!([]),
        Some((mean, deviation)) => json!({
            "aetitle": title.as_str(),
            "avg": mean.round(),
            "std": (deviation * 100.0).round() / 100.0,
        }),
    }))
}

/// Mean and sample standard deviation; the latter is 0 for one value.
#[expect(
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "a thousand at most"
)]
fn mean_and_deviation(values: &[f64]) -> Option<(f64, f64)> {
    if values.is_empty() {
        return None;
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((mean, (squares / (values.len() - 1).max(1) as f64).sqrt()))
}

#[derive(Deserialize)]
pub struct Handle {
    /// Who asks: the original kept measures by sender.
    sender: Option<String>,
    /// A scratchdir, or a path that ends in one.
    query: Option<String>,
}

/// `db.php?sender=…&query=…`: what a job measured, by file and plugin.
pub async fn measures(
    State(context): State<Context>,
    query: Result<Query<Handle>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(asked) = query?;
    let (Some(_), Some(handle)) = (asked.sender, asked.query) else {
        return Err(Problem::bad_request(
            "give sender and query; what is measured is kept by itself",
        ));
    };
    let handle = handle
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let job = known(&context, handle).await?;
    let found = ask(move || {
        let mut found = context.store.measures(std::slice::from_ref(&job.id))?;
        Ok(found.remove(&job.id).unwrap_or_default())
    });
    Ok(Json(by_file(found.await?, ".json")))
}

/// `getRoutingLog.php`: what was sent where, a line each, newest first.
pub async fn routing_log(State(context): State<Context>) -> Result<Json<Vec<String>>, Problem> {
    let steps = ask(move || context.store.routing_steps(LINES));
    let lines = steps
        .await?
        .into_iter()
        .map(|(at, job, text)| format!("{} {job} {text}", at.to_rfc3339()));
    Ok(Json(lines.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_deviation_are_those_of_a_sample() {
        assert_eq!(mean_and_deviation(&[]), None);
        assert_eq!(mean_and_deviation(&[3.0]), Some((3.0, 0.0)));
        let (mean, deviation) = mean_and_deviation(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        assert!((mean - 5.0).abs() < 1e-9 && (deviation - 2.138_089_935).abs() < 1e-6);
    }
}
