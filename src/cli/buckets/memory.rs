//! `buckets memory`: what a bucket keeps between runs, taken out as a tar and replaced by one.

use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use serde_json::json;

use crate::cli::node_client::NodeClient;
use crate::cli::upload::{self, FileSource, Progress};
use crate::model::AeTitle;

/// What is done with a memory.
#[derive(Subcommand, Debug)]
pub(super) enum MemoryCommand {
    /// Take it out as a tar
    Export {
        /// The tar; it may not exist yet
        file: PathBuf,
    },
    /// Replace it by a tar
    Import {
        /// The tar, as export writes it
        file: PathBuf,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

pub(super) fn memory(ae_title: &str, command: &MemoryCommand, node: &NodeClient) -> Result<()> {
    let title = AeTitle::parse(ae_title)?;
    match command {
        MemoryCommand::Export { file } => export(&title, file, node),
        MemoryCommand::Import { file, yes } => import(&title, file, *yes, node),
    }
}

fn export(title: &AeTitle, path: &Path, node: &NodeClient) -> Result<()> {
    if path.exists() {
        bail!("{} exists already: give another name", path.display());
    }
    let (bytes, reader) = node.download(&format!("buckets/{}/memory", title.encoded()))?;
    // Beside it, and renamed: what has the name is whole.
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let written = write(&beside, bytes, reader, title);
    if let Err(error) = written {
        // The first error is the one to tell.
        let _ = std::fs::remove_file(&beside);
        return Err(error);
    }
    std::fs::rename(&beside, path).with_context(|| format!("write {}", path.display()))?;
    println!("wrote the memory of {title} to {}", path.display());
    Ok(())
}

fn write(path: &Path, bytes: u64, mut reader: impl Read, title: &AeTitle) -> Result<()> {
    let writing = || format!("write {}", path.display());
    let mut file = File::create(path).with_context(writing)?;
    let progress = Progress::begin(&format!("reading the memory of {title}"), Some(bytes), 0);
    let (mut written, mut buffer) = (0, vec![0; 1 << 20]);
    loop {
        let n = reader.read(&mut buffer).context("read from the node")?;
        let piece = buffer.get(..n).unwrap_or_default();
        if piece.is_empty() {
            break;
        }
        file.write_all(piece).with_context(writing)?;
        written += n as u64;
        progress.at(written);
    }
    if written != bytes {
        bail!("only {written} of {bytes} bytes came: try again");
    }
    file.sync_all().with_context(writing)?;
    Ok(())
}

fn import(title: &AeTitle, path: &Path, yes: bool, node: &NodeClient) -> Result<()> {
    let source = FileSource::new(path)?;
    // A bucket that is not there is told before anything is sent.
    node.get(&format!("buckets/{}", title.encoded()))?;
    if !yes && !confirmed(title, path)? {
        bail!("nothing was replaced");
    }
    let sent = upload::send(node, &source)?;
    let body = json!({ "upload": sent.to_json() });
    node.put(&format!("buckets/{}/memory", title.encoded()), &body)?;
    println!("replaced the memory of {title} by {}", path.display());
    Ok(())
}

fn confirmed(title: &AeTitle, path: &Path) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!(
            "this replaces all that {title} remembers by {}: say -y to mean it",
            path.display()
        );
    }
    print!("Replace all that {title} remembers by {}? [y/N] ", path.display());
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
