//! `buckets check`

mod show;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::bucket::lint::{LintFinding, Seen, Severity, Subject, lint, read_archive};
use crate::bucket::{InstallError, Manifest};
use crate::container::{self, Docker, Labels, Runtime};

use super::create::{connect, interruptible};

/// What is to be checked.
enum Target {
    Image(String),
    Archive(PathBuf),
    Directory(PathBuf),
}

/// Says what a node would refuse of a bucket, and what will hurt later.
pub(super) fn check(target: &str, as_json: bool, endpoint: &str) -> Result<ExitCode> {
    interruptible(async {
        let (seen, engine) = match named(target) {
            Target::Image(name) => {
                let docker = connect(endpoint).await?;
                let Some(seen) = image(&docker, &name).await? else {
                    return Err(nothing(&name));
                };
                (seen, architecture(&docker).await)
            }
            // The engine tells what this machine runs; without one, nobody asks.
            Target::Archive(path) => {
                let seen = tokio::task::spawn_blocking(move || read_archive(&path)).await??;
                (seen, beside(endpoint).await)
            }
            Target::Directory(path) => (
                Seen::in_directory(&path).with_context(|| format!("read {}", path.display()))?,
                None,
            ),
        };
        let found = lint(&seen, engine.as_deref());
        if as_json {
            println!(
                "{}",
                serde_json::to_string_pretty(&report(target, &seen, &found))?
            );
        } else {
            show::print(target, &seen, &found);
        }
        Ok(status(&found))
    })
}

/// The check at the end of a build: only what is found.
pub(super) async fn after_build(docker: &Docker, name: &str) -> Result<ExitCode> {
    let Some(seen) = image(docker, name).await? else {
        bail!("the image {name} is gone again: did something else remove it");
    };
    let found = lint(&seen, architecture(docker).await.as_deref());
    show::print_findings(&found);
    Ok(status(&found))
}

/// A path is one with a `/` or the ending of a tar; a plain word is an image, as in the other commands.
fn named(target: &str) -> Target {
    let path = Path::new(target);
    let ends = [".tar", ".tar.gz", ".tgz"]
        .iter()
        .any(|end| target.ends_with(end));
    let is_path =
        ends || target == "." || target == ".." || target.starts_with(['/', '.']) || target.ends_with('/');
    if path.is_dir() && is_path {
        Target::Directory(path.to_owned())
    } else if is_path || path.is_file() {
        Target::Archive(path.to_owned())
    } else {
        Target::Image(target.to_owned())
    }
}

fn nothing(name: &str) -> anyhow::Error {
    if Path::new(name).is_dir() {
        anyhow::anyhow!(
            "no image {name:?} on this machine; for the directory say ./{name}, to make its image buckets build {name}"
        )
    } else {
        anyhow::anyhow!("no image {name:?} on this machine, and no file or directory of that name")
    }
}

async fn image(docker: &Docker, name: &str) -> Result<Option<Seen>> {
    let info = match docker.resolve_image(name).await {
        Err(container::Error::NoSuchImage { .. }) => return Ok(None),
        answer => answer?,
    };
    let files = docker.open_image(&info.id, &Labels::new()).await?;
    let seen = Seen::in_image(&info, files.as_ref()).await;
    files.close().await.map_err(InstallError::Engine)?;
    Ok(Some(seen?))
}

async fn architecture(docker: &Docker) -> Option<String> {
    docker.images().architecture().await.ok()
}

async fn beside(endpoint: &str) -> Option<String> {
    architecture(&connect(endpoint).await.ok()?).await
}

fn count(found: &[LintFinding], severity: Severity) -> usize {
    found.iter().filter(|f| f.severity == severity).count()
}

fn status(found: &[LintFinding]) -> ExitCode {
    ExitCode::from(u8::from(count(found, Severity::Error) > 0))
}

fn report(target: &str, seen: &Seen, found: &[LintFinding]) -> serde_json::Value {
    let manifest = seen.info.as_ref().and_then(|info| Manifest::parse(info).ok());
    json!({
        "target": target,
        "kind": kind(seen.subject),
        "ae_title": manifest.as_ref().map(|m| m.ae_title.as_str()),
        "version": manifest.as_ref().map(|m| m.version.as_str()),
        "architecture": seen.architecture,
        "size_bytes": seen.size,
        "errors": count(found, Severity::Error),
        "warnings": count(found, Severity::Warning),
        "findings": found,
    })
}

const fn kind(subject: Subject) -> &'static str {
    match subject {
        Subject::Image => "image",
        Subject::Saved => "saved image",
        Subject::Exported => "exported container",
        Subject::Directory => "directory",
    }
}
