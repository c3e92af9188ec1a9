//! `magickbox audit`: who did what, and whether the trail is as it was written.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::node_client::NodeArgs;
use super::table::print_table;
use super::text::plain;
use crate::model::{Layout, Place};
use crate::store::StoreReader;

/// Look at the audit trail: who sent, looked at, changed, released or deleted what
#[derive(Args, Debug)]
pub struct AuditCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// The newest events, from a running node; that you looked is an event too
    List(List),
    /// Check that no event was changed or removed; reads only, also while the node runs
    Verify(Check),
}

#[derive(Args, Debug)]
struct List {
    #[command(flatten)]
    node: NodeArgs,
    /// Not before this moment or day, like 2026-11-01
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Before this moment or day
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// About this study only
    #[arg(long, value_name = "UID")]
    study: Option<String>,
    /// About this job only
    #[arg(long)]
    job: Option<String>,
    /// Of this kind only, like deleted or node_refused
    #[arg(long)]
    kind: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// One JSON document instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Check {
    /// Data directory
    #[arg(long, env = "MAGICKBOX_DATA", value_name = "DIR", default_value = "/data")]
    data: PathBuf,
    /// Number and hash that an earlier check printed: that event has to be in the trail still
    #[arg(long, value_name = "NUMBER:HASH", value_parser = written)]
    written: Option<(i64, String)>,
    /// One JSON document instead of text
    #[arg(long)]
    json: bool,
}

fn written(text: &str) -> Result<(i64, String), &'static str> {
    text.split_once(':')
        .and_then(|(id, hash)| Some((id.parse().ok()?, hash.to_ascii_lowercase())))
        .filter(|(_, hash)| hash.len() == 64 && hash.chars().all(|c| c.is_ascii_hexdigit()))
        .ok_or("the number of an event and its hash, like 42:9f86…, as `magickbox audit verify` prints them")
}

impl AuditCommand {
    /// Prints events, or whether they are as they were written.
    ///
    /// # Errors
    /// What the node refused; a trail that is not as it was written.
    pub fn run(self) -> Result<()> {
        match self.command {
            Command::List(list) => list.run(),
            Command::Verify(check) => check.run(),
        }
    }
}

impl List {
    /// Page by page, until there are as many as wanted or no more.
    fn events(&self, query: &str) -> Result<Vec<Value>> {
        let client = self.node.client()?;
        let wanted = usize::try_from(self.limit)?;
        let (mut events, mut before) = (Vec::new(), String::new());
        while events.len() < wanted {
            let limit = (wanted - events.len()).min(PAGE);
            let mut answer = client.get(&format!("audit?limit={limit}{query}{before}"))?;
            if let Some(page) = answer.get_mut("events").and_then(Value::as_array_mut) {
                events.append(page);
            }
            match answer.get("next").and_then(Value::as_i64) {
                Some(next) => before = format!("&before={next}"),
                None => break,
            }
        }
        Ok(events)
    }

    fn run(&self) -> Result<()> {
        let mut query = String::new();
        for (key, value) in [
            ("since", &self.since),
            ("until", &self.until),
            ("study", &self.study),
            ("job", &self.job),
            ("kind", &self.kind),
        ] {
            if let Some(value) = value {
                query.push_str(&format!("&{key}={}", encoded(value)));
            }
        }
        let events = self.events(&query)?;
        if self.json {
            return print(&json!({ "events": events }));
        }
        let rows: Vec<_> = events.iter().map(row).collect();
        print_table(&["EVENT", "WHEN", "WHAT", "OUTCOME", "WHO", "OF"], &rows);
        Ok(())
    }
}

/// Events of one answer of a node, at most.
const PAGE: usize = 1000;

/// One event in one line.
fn row(event: &Value) -> [String; 6] {
    let text = |value: &Value, key: &str| plain(value.get(key).and_then(Value::as_str).unwrap_or("-"));
    let list = |key: &str| {
        event
            .get(key)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let who: Vec<_> = list("participants").iter().map(|p| text(p, "user")).collect();
    let study = event.get("study").map(|study| text(study, "uid"));
    let study = study.map(|uid| if uid.is_empty() { "unknown".to_owned() } else { uid });
    let of = list("objects")
        .iter()
        .map(|o| format!("{} {}", text(o, "what"), text(o, "name")))
        .collect::<Vec<_>>();
    let of: Vec<_> = study
        .map(|uid| format!("study {uid}"))
        .into_iter()
        .chain(of)
        .collect();
    [
        event.get("id").map(ToString::to_string).unwrap_or_default(),
        text(event, "at"),
        format!("{} ({})", text(event, "kind"), text(event, "action")),
        text(event, "outcome"),
        who.join(", "),
        of.join(", "),
    ]
}

impl Check {
    fn run(&self) -> Result<()> {
        let root = std::path::absolute(&self.data)?;
        let path = Layout::new(root).path(Place::Store);
        if !path.is_file() {
            bail!(
                "{} is no data directory of a node, it has no store/magickbox.sqlite: name it with --data",
                self.data.display()
            );
        }
        let written = self.written.as_ref().map(|(id, hash)| (*id, hash.as_str()));
        let checked = StoreReader::open(&path)?.check_audit_trail(written)?;
        let (last, hash) = checked.last.clone().unwrap_or_default();
        if self.json {
            print(&json!({
                "events": checked.rows,
                "pruned_up_to": checked.pruned,
                "last": last,
                "hash": hash,
                "problem": checked.breaks.as_ref().map(ToString::to_string),
            }))?;
        } else {
            println!(
                "{} events, the last is number {last} with the hash {hash}",
                checked.rows
            );
        }
        match checked.breaks {
            None => Ok(()),
            Some(wrong) => bail!("{wrong}: compare with what the collector has, or with a backup"),
        }
    }
}

fn print(document: &Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, document).context("write the answer")?;
    Ok(writeln!(out)?)
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
