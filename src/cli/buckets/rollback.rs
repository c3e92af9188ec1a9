//! `buckets rollback`

use anyhow::Result;
use serde_json::json;

use crate::cli::node_client::NodeClient;
use crate::model::AeTitle;

use super::text;
use super::wait::until_in_force;

pub(super) fn roll_back(ae_title: &str, node: &NodeClient) -> Result<()> {
    let title = AeTitle::parse(ae_title)?;
    let bucket = node.post(&format!("buckets/{}/rollback", title.encoded()), &json!({}))?;
    let bucket = until_in_force(bucket, node)?;
    println!(
        "{title} is {} {} again ({})",
        text(&bucket, "name"),
        text(&bucket, "version"),
        text(&bucket, "image")
    );
    println!("  digest     {}", text(&bucket, "digest"));
    Ok(())
}
