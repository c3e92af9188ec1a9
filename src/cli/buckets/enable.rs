//! `buckets enable`, `buckets disable`

use anyhow::Result;
use serde_json::{Value, json};

use crate::cli::node_client::NodeClient;
use crate::model::AeTitle;

pub(super) fn switch(ae_title: &str, enabled: bool, node: &NodeClient) -> Result<()> {
    let title = AeTitle::parse(ae_title)?;
    let verb = if enabled { "enable" } else { "disable" };
    let bucket = node.post(&format!("buckets/{}/{verb}", title.encoded()), &json!({}))?;
    if enabled {
        println!("{title} takes studies");
        return Ok(());
    }
    let count = |key| bucket.get(key).and_then(Value::as_u64).unwrap_or(0);
    println!("{title} takes no studies; senders are told that it is not known here");
    match count("waiting") + count("running") {
        0 => {}
        jobs => println!("  {jobs} jobs it has are run all the same (magickbox job hold)"),
    }
    Ok(())
}
