//! `buckets list`

use anyhow::Result;
use serde_json::Value;

use crate::cli::node_client::NodeClient;
use crate::cli::table::print_table;

use super::text;

pub(super) fn list(json: bool, node: &str) -> Result<()> {
    let buckets = NodeClient::new(node).get("buckets")?;
    if json {
        println!("{}", serde_json::to_string_pretty(&buckets)?);
        return Ok(());
    }
    let rows: Vec<_> = buckets.as_array().into_iter().flatten().map(row).collect();
    if rows.is_empty() {
        println!("no bucket is installed (buckets install IMAGE)");
        return Ok(());
    }
    print_table(
        &[
            "AE TITLE", "NAME", "VERSION", "DIGEST", "ENABLED", "WAITING", "RUNNING",
        ],
        &rows,
    );
    Ok(())
}

fn row(bucket: &Value) -> [String; 7] {
    let digest: String = text(bucket, "digest")
        .trim_start_matches("sha256:")
        .chars()
        .take(12)
        .collect();
    let enabled = bucket.get("enabled").and_then(Value::as_bool).unwrap_or(false);
    let count = |key| bucket.get(key).and_then(Value::as_u64).unwrap_or(0).to_string();
    [
        text(bucket, "ae_title").to_owned(),
        text(bucket, "name").to_owned(),
        text(bucket, "version").to_owned(),
        digest,
        if enabled { "yes" } else { "no" }.to_owned(),
        count("waiting"),
        count("running"),
    ]
}
