//! `buckets install`

use anyhow::Result;
use serde_json::json;

use crate::cli::node_client::NodeClient;

use super::text;

pub(super) fn install(image: &str, force: bool, node: &str) -> Result<()> {
    let body = json!({ "image": image, "force": force });
    let bucket = NodeClient::new(node).post("buckets", &body)?;
    println!(
        "installed {} {} as {}",
        text(&bucket, "name"),
        text(&bucket, "version"),
        text(&bucket, "ae_title")
    );
    println!("  digest     {}", text(&bucket, "digest"));
    println!("  directory  {}", text(&bucket, "directory"));
    Ok(())
}
