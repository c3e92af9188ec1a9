//! `buckets measures`: what a bucket measured, as a table for other programs.

use std::io::{Read, Write};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::cli::node_client::NodeClient;
use crate::model::{AeTitle, Timestamp};

/// Which measures, and how.
#[derive(Args, Debug)]
pub(super) struct Wanted {
    /// Of studies whose first object came then or later: a day, which begins at midnight UTC, or a moment such as
    /// 2026-11-01T08:00:00Z
    #[arg(long)]
    from: Option<String>,
    /// And before this
    #[arg(long)]
    to: Option<String>,
    /// As comma-separated values, which is what is written without a word
    #[arg(long)]
    csv: bool,
    /// As JSON
    #[arg(long, conflicts_with = "csv")]
    json: bool,
}

pub(super) fn measures(ae_title: &str, wanted: &Wanted, node: &NodeClient) -> Result<()> {
    let title = AeTitle::parse(ae_title)?;
    let format = if wanted.json { "json" } else { "csv" };
    let mut path = format!("buckets/{}/measures?format={format}", title.encoded());
    for (name, text) in [("from", &wanted.from), ("to", &wanted.to)] {
        if let Some(text) = text {
            let Some(moment) = Timestamp::parse(text) else {
                bail!(
                    "--{name} {text:?}: give a day such as 2026-11-01, or a moment such as 2026-11-01T08:00:00Z"
                );
            };
            path.push_str(&format!("&{name}={}", moment.to_rfc3339()));
        }
    }
    let (_, mut reader) = node.download(&path)?;
    let mut out = std::io::stdout().lock();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let n = reader
            .read(&mut buffer)
            .context("read from the node: what was printed is not all")?;
        match buffer.get(..n) {
            Some(piece) if n > 0 => out.write_all(piece)?,
            _ => break,
        }
    }
    out.flush()?;
    Ok(())
}
