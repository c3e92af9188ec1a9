//! The node a statement is for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cli::node_client::NodeClient;
use crate::config::Config;
use crate::model::Timestamp;

/// A configuration, beside what it would be without a file.
pub(super) struct Site {
    /// What the node runs with.
    pub config: Config,
    /// What it would run with if nothing were configured.
    pub defaults: Config,
    /// The configuration's file; `None`: the statement is for the defaults.
    pub file: Option<PathBuf>,
    /// AE titles of the installed buckets, where a running node was asked.
    pub buckets: Option<Vec<String>>,
    /// The day it was printed, `2026-07-01`; the statement for the defaults has none, as it is the release's.
    pub printed: Option<String>,
}

impl Site {
    /// Reads the configuration and asks the node, if one is named.
    ///
    /// # Errors
    /// Every finding of the configuration; that the node does not answer.
    pub(super) fn load(file: Option<&Path>, node: Option<&str>) -> Result<Self> {
        let buckets = node.map(|url| ae_titles(&NodeClient::new(url))).transpose()?;
        let own = file.is_some() || node.is_some();
        Ok(Self {
            config: Config::load(file)?,
            defaults: Config::load(None)?,
            file: file.map(Path::to_owned),
            buckets,
            printed: own.then(|| Timestamp::now().to_date_time().date().to_string()),
        })
    }
}

fn ae_titles(node: &NodeClient) -> Result<Vec<String>> {
    let buckets = node.get("buckets")?;
    let titles = buckets.as_array().and_then(|list| {
        let title = |bucket: &Value| bucket.get("ae_title")?.as_str().map(str::to_owned);
        list.iter().map(title).collect()
    });
    titles.context("the node's answer is no list of buckets")
}

/// A length of time as the configuration has it: `30s`, `10m`, `72h`.
pub(super) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if duration.subsec_nanos() > 0 || seconds == 0 {
        return humantime::format_duration(duration).to_string();
    }
    match (seconds % 3600, seconds % 60) {
        (0, _) => format!("{}h", seconds / 3600),
        (_, 0) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

/// Bytes as the configuration has them: `128 KiB`, `1 GiB`.
pub(super) fn bytes(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units
        .iter()
        .find(|(size, _)| bytes > 0 && bytes.is_multiple_of(*size))
    {
        Some((size, unit)) => format!("{} {unit}", bytes / size),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_stand_there_as_they_are_configured() {
        assert_eq!(bytes(128 << 10), "128 KiB");
        assert_eq!(bytes(1 << 30), "1 GiB");
        assert_eq!(bytes(1500), "1500 bytes");
        for (seconds, text) in [(30, "30s"), (90, "90s"), (600, "10m"), (72 * 3600, "72h")] {
            assert_eq!(duration(Duration::from_secs(seconds)), text);
        }
        assert_eq!(duration(Duration::from_millis(500)), "500ms");
    }
}
