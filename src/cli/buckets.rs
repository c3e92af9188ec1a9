//! `buckets`

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand};
use serde_json::{Value, json};

use crate::model::AeTitle;

use super::node_client::NodeClient;
use super::run_bucket;

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
    /// Run a bucket here as a node would: no node needed
    Run {
        /// Name, name:tag or id of an image of this machine
        image: String,
        /// Directory with a study
        input: PathBuf,
        /// Directory for the results; made if it is not there, refused if it is not empty
        output: PathBuf,
        /// What the bucket finds in MB_ARGUMENTS
        #[arg(long, value_name = "TEXT")]
        arguments: Option<String>,
        /// Where the container engine is
        #[arg(long, env = "MAGICKBOX_DOCKER", default_value = "unix:///var/run/docker.sock")]
        docker: String,
    },
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
            Command::Install { image, force, node } => install(&image, force, &node.node),
            Command::Remove { ae_title, yes, node } => remove(&ae_title, yes, &node.node),
            Command::List { json, node } => list(json, &node.node),
            Command::Run {
                image,
                input,
                output,
                arguments,
                docker,
            } => {
                return run_bucket::run(&image, &input, &output, arguments, docker);
            }
        }?;
        Ok(ExitCode::SUCCESS)
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn install(image: &str, force: bool, node: &str) -> Result<()> {
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

fn remove(ae_title: &str, yes: bool, node: &str) -> Result<()> {
    let client = NodeClient::new(node);
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

fn list(json: bool, node: &str) -> Result<()> {
    let buckets = NodeClient::new(node).get("buckets")?;
    if json {
        println!("{}", serde_json::to_string_pretty(&buckets)?);
        return Ok(());
    }
    let rows: Vec<_> = buckets.as_array().into_iter().flatten().map(row).collect();
    if rows.is_empty() {
        println!("no bucket is installed (buckets install IMAGE)");
        return Ok(());
    }
    print_table(
        &[
            "AE TITLE", "NAME", "VERSION", "DIGEST", "ENABLED", "WAITING", "RUNNING",
        ],
        &rows,
    );
    Ok(())
}

fn row(bucket: &Value) -> [String; 7] {
    let digest: String = text(bucket, "digest")
        .trim_start_matches("sha256:")
        .chars()
        .take(12)
        .collect();
    let enabled = bucket.get("enabled").and_then(Value::as_bool).unwrap_or(false);
    let count = |key| bucket.get(key).and_then(Value::as_u64).unwrap_or(0).to_string();
    [
        text(bucket, "ae_title").to_owned(),
        text(bucket, "name").to_owned(),
        text(bucket, "version").to_owned(),
        digest,
        if enabled { "yes" } else { "no" }.to_owned(),
        count("waiting"),
        count("running"),
    ]
}

fn print_table<const N: usize>(head: &[&str; N], rows: &[[String; N]]) {
    let width = |i: usize| {
        let cells = rows.iter().filter_map(|r| r.get(i)).map(|c| c.chars().count());
        cells.chain(head.get(i).map(|h| h.len())).max().unwrap_or(0)
    };
    let line = |cells: Vec<&str>| {
        let padded: Vec<_> = cells
            .iter()
            .enumerate()
            .map(|(i, c)| format!("{c:<width$}", width = width(i)))
            .collect();
        println!("{}", padded.join("  ").trim_end());
    };
    line(head.to_vec());
    rows.iter()
        .for_each(|row| line(row.iter().map(String::as_str).collect()));
}
