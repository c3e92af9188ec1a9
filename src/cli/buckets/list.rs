//! `buckets list`

use anyhow::Result;
use serde_json::Value;

use crate::cli::node_client::NodeClient;
use crate::cli::table::print_table;

use super::text;

pub(super) fn list(json: bool, node: &NodeClient) -> Result<()> {
    let buckets = node.get("buckets")?;
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
            "AE TITLE", "NAME", "VERSION", "DIGEST", "ENABLED", "WAITING", "RUNNING", "BEFORE", "NEXT",
        ],
        &rows,
    );
    Ok(())
}

fn row(bucket: &Value) -> [String; 9] {
    let short = |digest: &str| -> String { digest.trim_start_matches("sha256:").chars().take(12).collect() };
    let digest = short(text(bucket, "digest"));
    // Versions of researchers are often all the same: the digest tells them apart.
    let other = |key| match bucket.get(key).filter(|v| !v.is_null()) {
        Some(v) => format!("{} {}", printable(text(v, "version")), short(text(v, "digest"))),
        None => "-".to_owned(),
    };
    let enabled = bucket.get("enabled").and_then(Value::as_bool).unwrap_or(false);
    let count = |key| bucket.get(key).and_then(Value::as_u64).unwrap_or(0).to_string();
    [
        text(bucket, "ae_title").to_owned(),
        printable(text(bucket, "name")),
        printable(text(bucket, "version")),
        digest,
        if enabled { "yes" } else { "no" }.to_owned(),
        count("waiting"),
        count("running"),
        other("previous"),
        other("next"),
    ]
}

/// An image's words on a terminal: nothing that steers it.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(40)
        .collect()
}
