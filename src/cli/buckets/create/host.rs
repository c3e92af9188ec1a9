//! How this machine reaches its package archives, for the time of a build.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The script that `make` uses too.
pub(super) const SCRIPT: &str = include_str!("../../../../docker/host-apt.sh");

/// A directory of this build's own, gone with the value.
pub(in crate::cli::buckets) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("buckets-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&path).with_context(|| format!("make {}", path.display()))?;
        Ok(Self(path))
    }

    pub(in crate::cli::buckets) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It lies in the system's directory for such things, which is cleared anyway.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a build is told of the machine.
pub(in crate::cli::buckets) struct Host {
    /// Holds `apt.conf` and what it names.
    pub(in crate::cli::buckets) files: Scratch,
    /// Proxies as build arguments, which an engine keeps out of the image.
    pub(in crate::cli::buckets) proxies: HashMap<String, String>,
}

/// Asks the machine. `release`: the Debian release of the image; none: it is no Debian and keeps its own archives.
pub(in crate::cli::buckets) fn ask(release: Option<&str>) -> Result<Host> {
    const CALL: &str = r#". "$1/host-apt.sh"; mkdir "$1/host"; host_apt_write "$1/host" "$2"; host_apt_proxy
        printf '%s\n%s\n' "${http_proxy:-}" "${https_proxy:-}""#;
    let files = Scratch::new()?;
    fs::write(files.path().join("host-apt.sh"), SCRIPT)?;
    let asked = Command::new("sh")
        .args(["-c", CALL, "sh"])
        .arg(files.path())
        .arg(release.unwrap_or("-"))
        .stdin(Stdio::null())
        .output()
        .context("start sh")?;
    if !asked.status.success() {
        bail!(
            "asking this machine's apt for its archives: {}",
            String::from_utf8_lossy(&asked.stderr).trim()
        );
    }
    let said = String::from_utf8_lossy(&asked.stdout).into_owned();
    let proxies = ["http_proxy", "https_proxy"]
        .into_iter()
        .zip(said.lines())
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Ok(Host { files, proxies })
}
