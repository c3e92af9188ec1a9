//! `magickbox route`: the rules that say where results go, and why one would or would not go somewhere.

mod explain;
mod list;
mod paint;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::node_client::{NodeArgs, NodeClient};
use crate::model::{AttributeTag, JobId};
use crate::routing::{Attributes, is_dicom, read_attributes};

use paint::Paint;

/// The rules that say where results go: what they are, and what they decide
#[derive(Args, Debug)]
pub struct RouteCommand {
    #[command(flatten)]
    node: NodeArgs,
    /// Print the node's answer as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// The rules in force, and where they come from
    List,
    /// Say rule by rule why a result would or would not go where
    Explain(Explain),
}

#[derive(Args, Debug)]
struct Explain {
    /// A job, or a DICOM file as if it were a result
    what: String,
    /// The AE title that was called; needed for a file
    #[arg(long, value_name = "AET")]
    called: Option<String>,
    /// The AE title that called
    #[arg(long, value_name = "AET")]
    calling: Option<String>,
    /// How the job ended: success, partial, failed or a bucket's own word
    #[arg(long, value_name = "WORD")]
    outcome: Option<String>,
}

impl RouteCommand {
    /// Asks the node and prints its answer.
    ///
    /// # Errors
    /// What the node refused, or why it could not be reached; a file that is none.
    pub fn run(self) -> Result<()> {
        let node = self.node.client()?;
        let answer = match &self.command {
            Command::List => node.get("routes")?,
            Command::Explain(asked) => node.post("routes/explain", &asked.question(&node)?)?,
        };
        if self.json {
            println!("{}", serde_json::to_string_pretty(&answer)?);
            return Ok(());
        }
        let paint = Paint::of_stdout();
        let lines = match &self.command {
            Command::List => list::lines(&answer, paint),
            Command::Explain(_) => explain::lines(&answer, paint),
        };
        print!("{lines}");
        Ok(())
    }
}

impl Explain {
    fn question(&self, node: &NodeClient) -> Result<Value> {
        let mut question = json!({
            "called": self.called,
            "calling": self.calling,
            "outcome": self.outcome,
        });
        let path = PathBuf::from(&self.what);
        let (key, value) = if path.exists() {
            ("files", json!([self.file(&path, node)?]))
        } else if JobId::parse(&self.what).is_ok() {
            ("job", self.what.clone().into())
        } else {
            bail!("{} is no file, and no name of a job", self.what);
        };
        if let Some(map) = question.as_object_mut() {
            map.insert(key.to_owned(), value);
        }
        Ok(question)
    }

    /// The file with the attributes that a rule of the node may ask for, and no others: they leave this machine.
    fn file(&self, path: &Path, node: &NodeClient) -> Result<Value> {
        if self.called.is_none() {
            bail!("--called AET is missing: the bucket whose result the file would be");
        }
        if !is_dicom(path).with_context(|| format!("read {}", path.display()))? {
            bail!(
                "{} is no DICOM file (PS3.10): the node would not send it",
                path.display()
            );
        }
        let rules = node.get("routes")?;
        let tags = rules.get("attributes").and_then(Value::as_array);
        let tags = tags
            .into_iter()
            .flatten()
            .filter_map(|tag| AttributeTag::parse(tag.as_str()?).ok())
            .collect();
        match read_attributes(path, &tags) {
            Attributes::Read(values) => {
                let values: serde_json::Map<_, _> = values
                    .into_iter()
                    .map(|(tag, value)| (tag.to_string(), value.into()))
                    .collect();
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                Ok(json!({ "name": name, "attributes": values }))
            }
            Attributes::Unreadable(why) => bail!("{}: {why}", path.display()),
        }
    }
}
