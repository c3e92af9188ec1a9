//! The image a bucket begins with: the one asked for, or a plain Debian.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::container::{Docker, Images, Labels, Runtime};

use super::host;
use super::show::Show;

/// A plain Debian 12, the same that docker/base/build.sh makes.
pub(super) const BASE: (&str, &str) = ("magickbox/base", "bookworm");

/// Where it comes from on a machine with a way to the registry.
const REGISTRY_BASE: &str = "debian:bookworm-slim";

const SCRIPT: &str = include_str!("../../../../docker/base/build.sh");

/// How long a bootstrap may take: some 150 packages from a slow mirror.
const BOOTSTRAP: Duration = Duration::from_secs(30 * 60);

/// Sees that the base is on this machine and answers its name.
pub(super) async fn ready(docker: &Docker, from: Option<&str>) -> Result<String> {
    let plain = format!("{}:{}", BASE.0, BASE.1);
    let wanted = from.unwrap_or(&plain);
    if docker.resolve_image(wanted).await.is_ok() {
        return Ok(wanted.to_owned());
    }
    let images = docker.images();
    let mut show = Show::new(wanted);
    if let Some(from) = from {
        let pulled = images.pull(from, &mut |p| show.progress(p)).await;
        show.clear();
        pulled.with_context(|| format!("--from {from}: not on this machine, and it cannot be had"))?;
        return Ok(from.to_owned());
    }
    let pulled = images.pull(REGISTRY_BASE, &mut |p| show.progress(p)).await;
    match pulled {
        Ok(()) => {
            let image = docker.resolve_image(REGISTRY_BASE).await?;
            images.tag(&image.id, BASE.0, BASE.1).await?;
        }
        Err(refused) => {
            show.note(
                "no image registry answers; making a Debian with debootstrap, which takes some minutes",
            );
            bootstrap(&images, &mut show)
                .await
                .with_context(|| format!("there is no base image: {refused}"))?;
        }
    }
    show.clear();
    Ok(plain)
}

/// A process that is asked to end when nobody waits for it any more.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            // Asked, not killed: it removes what it made.
            let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
            let _ = self.0.wait();
        }
    }
}

/// Makes the base from Debian's packages, by the script that `make` uses too.
async fn bootstrap(images: &Images, show: &mut Show) -> Result<()> {
    let scripts = host::Scratch::new()?;
    fs::create_dir(scripts.path().join("base"))?;
    let script = scripts.path().join("base/build.sh");
    fs::write(&script, SCRIPT)?;
    fs::write(scripts.path().join("host-apt.sh"), host::SCRIPT)?;
    let (tar, said): (PathBuf, PathBuf) = (scripts.path().join("tar"), scripts.path().join("said"));
    let mut running = Running(
        Command::new("sh")
            .arg(&script)
            .arg("--tar")
            .stdin(Stdio::null())
            .stdout(File::create(&tar)?)
            .stderr(File::create(&said)?)
            .spawn()
            .context("start sh")?,
    );
    let deadline = tokio::time::Instant::now() + BOOTSTRAP;
    let status = loop {
        if let Some(status) = running.0.try_wait()? {
            break status;
        }
        if tokio::time::Instant::now() > deadline {
            bail!("debootstrap did not end within {} min", BOOTSTRAP.as_secs() / 60);
        }
        show.said(fs::read_to_string(&said)?.lines().last().unwrap_or_default());
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    if !status.success() {
        bail!("{}", fs::read_to_string(&said)?.trim());
    }
    let image = images.import(&tar).await?;
    Ok(images.tag(&image, BASE.0, BASE.1).await?)
}

/// The Debian release of an image, such as `bookworm`; none for what is no Debian or is not on this machine.
pub(super) async fn debian_release(docker: &Docker, image: &str) -> Option<String> {
    let info = docker.resolve_image(image).await.ok()?;
    let files = docker.open_image(&info.id, &Labels::new()).await.ok()?;
    let found = files.read_file("/etc/os-release", 64 << 10).await;
    // It goes by itself otherwise.
    let _ = files.close().await;
    let text = String::from_utf8(found.ok()??.bytes).ok()?;
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        Some(line.trim_matches('"').to_owned())
    };
    let plain = |word: &String| word.bytes().all(|b| b.is_ascii_lowercase());
    value("ID=").filter(|id| id == "debian")?;
    value("VERSION_CODENAME=").filter(plain)
}
