//! Making a bucket's image of its directory.

use std::collections::HashMap;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::container::{ContextFile, Docker, ImageId, Recipe, Runtime};

use super::show::Show;
use super::{base, context, host};

/// An image that was built.
pub(super) struct Built {
    name: String,
    bytes: u64,
    seconds: f64,
}

impl Built {
    pub(super) fn line(&self) -> String {
        format!(
            "built {}, {} MB ({:.1} s)",
            self.name,
            (self.bytes + 500_000) / 1_000_000,
            self.seconds
        )
    }
}

/// Runs what may be interrupted from the terminal.
pub(in crate::cli::buckets) fn interruptible(
    work: impl Future<Output = Result<ExitCode>>,
) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(async {
        tokio::select! {
            done = work => done,
            _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        }
    });
    // A piece of the context that waits for an engine which is gone is not waited for.
    runtime.shutdown_background();
    done
}

/// Makes the image of a bucket's directory anew, and checks it.
pub(in crate::cli::buckets) fn build(directory: &Path, endpoint: &str) -> Result<ExitCode> {
    let directory =
        fs::canonicalize(directory).with_context(|| format!("no directory {}", directory.display()))?;
    if !directory.join("Dockerfile").is_file() {
        bail!(
            "{} has no Dockerfile: it is no directory of a bucket (see: buckets create)",
            directory.display()
        );
    }
    let name = name_of(&directory)?;
    interruptible(async {
        let docker = super::connect(endpoint).await?;
        let built = build_here(&docker, &directory, &format!("{name}:latest")).await?;
        println!("{}", built.line());
        crate::cli::buckets::check::after_build(&docker, &name).await
    })
}

/// The name of a directory, which becomes the image's.
fn name_of(directory: &Path) -> Result<String> {
    let name = directory
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let word =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if !name.split(['-', '_', '.']).all(word) {
        bail!(
            "the image is called like its directory, and {name:?} is no name of an image: \
             give the directory one of lower-case letters and digits"
        );
    }
    Ok(name.to_owned())
}

/// Builds the image; the one it takes the place of goes, unless something still uses it.
pub(super) async fn build_here(docker: &Docker, directory: &Path, image: &str) -> Result<Built> {
    let before: Option<ImageId> = docker.resolve_image(image).await.ok().map(|found| found.id);
    let from = first_from(&fs::read_to_string(directory.join("Dockerfile")).context("Dockerfile")?);
    let release = match &from {
        Some(from) => {
            let plain = format!("{}:{}", base::BASE.0, base::BASE.1);
            if *from == plain {
                base::ready(docker, None).await?;
            }
            base::debian_release(docker, from).await
        }
        None => None,
    };
    let host = host::ask(release.as_deref())?;
    let recipe = Recipe {
        name: image.to_owned(),
        files: with_host(context::files(directory)?, &host)?,
        arguments: host.proxies.clone(),
        labels: HashMap::new(),
    };
    let images = docker.images();
    let mut show = Show::new(image);
    let id = match images.build(&recipe, &mut |p| show.progress(p)).await {
        Ok(id) => id,
        Err(error) => {
            show.failed();
            return Err(error.into());
        }
    };
    show.clear();
    if let Some(before) = before.filter(|before| *before != id) {
        images.remove_nameless(&before).await?;
    }
    let found = docker.resolve_image(image).await?;
    Ok(Built {
        name: image.to_owned(),
        bytes: found.size_bytes,
        seconds: show.seconds(),
    })
}

/// The machine's way to its archives in place of the directory's empty one, where it has one.
fn with_host(files: Vec<ContextFile>, host: &host::Host) -> Result<Vec<ContextFile>> {
    let folder = PathBuf::from("host");
    if !files.iter().any(|file| file.name == folder.join("apt.conf")) {
        return Ok(files);
    }
    let mut all: Vec<_> = files
        .into_iter()
        .filter(|file| file.name.parent() != Some(&folder))
        .collect();
    for entry in fs::read_dir(host.files.path().join("host"))? {
        let entry = entry?;
        all.push(ContextFile {
            source: entry.path(),
            name: folder.join(entry.file_name()),
        });
    }
    Ok(all)
}

/// What the first stage of a Dockerfile begins with.
fn first_from(dockerfile: &str) -> Option<String> {
    let line = dockerfile
        .lines()
        .find_map(|line| line.trim().strip_prefix("FROM "))?;
    line.split_whitespace()
        .find(|word| !word.starts_with("--"))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_is_read_from_the_dockerfile() {
        assert_eq!(
            first_from("# FROM no\n\nFROM --platform=linux/amd64 debian:12 AS a\nFROM a\n").as_deref(),
            Some("debian:12")
        );
        assert_eq!(first_from("RUN x\n"), None);
    }

    #[test]
    fn an_image_is_called_like_its_directory_if_it_can_be() {
        assert_eq!(name_of(Path::new("/x/t1-volumes")).unwrap(), "t1-volumes");
        for bad in ["/", "/x/My Bucket", "/x/-a", "/x/a..b"] {
            assert!(name_of(Path::new(bad)).is_err(), "{bad}");
        }
    }
}
