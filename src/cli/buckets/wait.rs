//! Waiting until a version that was installed is in force.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;

use crate::cli::node_client::{Failed, NodeClient};
use crate::model::AeTitle;

use super::text;

/// Between two questions.
const PAUSE: Duration = Duration::from_secs(1);

/// Beyond the time of a run: measuring and keeping its results.
const AFTER_A_RUN: Duration = Duration::from_secs(1800);

/// Waits for the runs that are under way; says so. Whoever stops waiting stops nothing.
pub(super) fn until_in_force(mut bucket: Value, node: &NodeClient) -> Result<Value> {
    let waits = |bucket: &Value| bucket.get("next").is_some_and(|next| !next.is_null());
    if !waits(&bucket) {
        return Ok(bucket);
    }
    let title = AeTitle::parse(text(&bucket, "ae_title"))?;
    let number = |bucket: &Value, key: &str| bucket.get(key).and_then(Value::as_u64).unwrap_or(0);
    let limit = Duration::from_secs(number(&bucket, "timeout_seconds")).saturating_add(AFTER_A_RUN);
    let begin = Instant::now();
    let mut told = None;
    while waits(&bucket) {
        let running = number(&bucket, "running");
        if told != Some(running) {
            let runs = if running == 1 { "run" } else { "runs" };
            eprintln!(
                "waits for {running} {runs} of {title} under way, at most {}; new jobs wait for it{}",
                humantime::format_duration(limit.saturating_sub(AFTER_A_RUN)),
                if std::io::stderr().is_terminal() {
                    " (Ctrl-C: the node goes on by itself)"
                } else {
                    ""
                }
            );
            told = Some(running);
        }
        if begin.elapsed() > limit {
            bail!("a run of {title} is still under way; the node replaces the version when it ends");
        }
        std::thread::sleep(PAUSE);
        bucket = match node.ask(&format!("buckets/{}", title.encoded())) {
            Ok(bucket) => bucket,
            // It restarts, and goes on with what it was asked for.
            Err(Failed::NotReached(_)) => continue,
            Err(refused) => return Err(refused.into()),
        };
    }
    Ok(bucket)
}
