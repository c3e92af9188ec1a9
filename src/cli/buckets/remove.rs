//! `buckets remove`

use std::io::{IsTerminal, Write};

use anyhow::{Result, bail};

use crate::cli::node_client::NodeClient;
use crate::model::AeTitle;

use super::text;

pub(super) fn remove(ae_title: &str, yes: bool, client: &NodeClient) -> Result<()> {
    let title = AeTitle::parse(ae_title)?;
    let path = format!("buckets/{}", title.encoded());
    let bucket = client.get(&path)?;
    if !yes && !confirmed(&title, text(&bucket, "directory"))? {
        bail!("not removed");
    }
    client.delete(&path)?;
    println!("removed {title}; image {} is still there", text(&bucket, "image"));
    Ok(())
}

fn confirmed(title: &AeTitle, directory: &str) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("removing {title} deletes {directory} with its memory and jobs: say -y to mean it");
    }
    print!("Remove {title} and everything in {directory}, its memory and its jobs' files? [y/N] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
