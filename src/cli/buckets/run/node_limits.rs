//! `--node-limits`: what a site says of a bucket on its node.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cli::node_client::NodeArgs;
use crate::model::AeTitle;

/// The overrides of `[bucket.TITLE]` of a node's configuration; `None` when there are none.
///
/// # Errors
/// That the node cannot be reached, or has no bucket of that AE title.
pub(super) fn fetch(node: &NodeArgs, ae_title: &AeTitle) -> Result<Option<Value>> {
    let title = percent_encoding::utf8_percent_encode(ae_title.as_str(), percent_encoding::NON_ALPHANUMERIC);
    let bucket = node
        .client()?
        .get(&format!("buckets/{title}"))
        .with_context(|| format!("--node-limits: ask the node for the limits of {ae_title}"))?;
    Ok(bucket.get("overrides").filter(|o| o.is_object()).cloned())
}
