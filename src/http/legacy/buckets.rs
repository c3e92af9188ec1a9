//! `getInstalledBuckets.php`, `getStatus.php`.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::super::Context;
use super::super::api::ask;
use super::super::problem::Problem;

/// The buckets that take studies. All values that the original's client reads are texts, whatever info.json has.
pub async fn installed(State(context): State<Context>) -> Result<Json<Vec<Value>>, Problem> {
    let buckets = context.buckets.clone();
    let installed = ask(move || buckets.list()).await?;
    let open = installed.into_iter().filter(|bucket| bucket.manifest.enabled);
    let shown = open.map(|bucket| {
        json!({
            "name": bucket.manifest.name,
            "description": bucket.manifest.description,
            "version": bucket.manifest.version,
            "AETitle": bucket.row.ae_title.as_str(),
            "license": bucket.manifest.license,
            "enabled": 1,
        })
    });
    Ok(Json(shown.collect()))
}

/// A row for each bucket: its name, jobs that wait or run, jobs that run, jobs that may run at once.
pub async fn status(State(context): State<Context>) -> Result<Json<Vec<[String; 4]>>, Problem> {
    let rows = ask(move || {
        let mut rows = Vec::new();
        for bucket in context.buckets.list()? {
            let there = context.store.occupancy(&bucket.row.ae_title)?;
            rows.push([
                bucket.manifest.name,
                (there.waiting + there.running).to_string(),
                there.running.to_string(),
                bucket.manifest.settings.parallel.to_string(),
            ]);
        }
        Ok(rows)
    });
    rows.await.map(Json)
}
