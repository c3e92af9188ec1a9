//! `buckets logs`

use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use crate::cli::node_client::{Failed, NodeClient};
use crate::model::AeTitle;

use super::text;

/// Between two looks at a log that is followed.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) fn logs(ae_title: &str, follow: bool, node: &NodeClient) -> Result<()> {
    let title = AeTitle::parse(ae_title)?;
    let path = format!("buckets/{}/log", title.encoded());
    let mut answer = node.get(&path)?;
    let mut away = false;
    loop {
        let printed = print(&answer)?;
        let next = text(&answer, "next").to_owned();
        if !follow && !printed {
            return Ok(());
        }
        if !printed {
            std::thread::sleep(PAUSE);
        }
        answer = match node.ask(&format!("{path}?after={next}")) {
            Ok(answer) => answer,
            Err(Failed::NotReached(error)) if follow => {
                if !away {
                    eprintln!("{error:#}; trying again");
                }
                away = true;
                std::thread::sleep(PAUSE);
                continue;
            }
            Err(failed) => return Err(failed.into()),
        };
        away = false;
    }
}

/// Whether there was anything.
fn print(answer: &Value) -> Result<bool> {
    let lines = text(answer, "text");
    let mut out = std::io::stdout().lock();
    for line in lines.lines() {
        // What a log says does not steer a terminal.
        let line: String = line
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    Ok(!lines.is_empty())
}
