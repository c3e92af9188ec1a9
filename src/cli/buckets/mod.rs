//! `buckets`: one file per subcommand.

mod install;
mod list;
mod open;
mod remove;
pub mod run;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use serde_json::Value;

/// Install buckets on a node, list them, try them out.
#[derive(Parser, Debug)]
#[command(name = "buckets", version, arg_required_else_help = true)]
pub struct Buckets {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Install the bucket of an image that is on the node's machine
    Install {
        /// Name, name:tag or id of the image
        image: String,
        /// Take the place of a bucket with the same AE title
        #[arg(short, long)]
        force: bool,
        #[command(flatten)]
        node: NodeUrl,
    },
    /// Remove a bucket and the node's files of it; the image stays
    Remove {
        /// The bucket's AE title
        ae_title: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        #[command(flatten)]
        node: NodeUrl,
    },
    /// List the installed buckets
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        node: NodeUrl,
    },
    /// Open a bucket: a shell in it, and a page that edits and tries it
    Open(open::Open),
    /// Run a bucket here as a node would: no node needed
    Run(run::Options),
}

#[derive(Args, Debug)]
struct NodeUrl {
    /// The node
    #[arg(
        long,
        env = "MAGICKBOX_NODE",
        default_value = "http://127.0.0.1:2813",
        value_name = "URL"
    )]
    node: String,
}

impl Buckets {
    /// Does what was asked.
    ///
    /// # Errors
    /// What the node or the engine refused, by name.
    pub fn run(self) -> Result<ExitCode> {
        match self.command {
            Command::Install { image, force, node } => install::install(&image, force, &node.node),
            Command::Remove { ae_title, yes, node } => remove::remove(&ae_title, yes, &node.node),
            Command::List { json, node } => list::list(json, &node.node),
            Command::Open(asked) => return open::open(asked),
            Command::Run(options) => return run::run(options),
        }?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A text of an answer; none is an empty one.
fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
