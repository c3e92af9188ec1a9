//! How this machine's apt reaches Debian, for a shell in a bucket.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Reads mirrors, proxies and the certificate authorities of this machine; the builds of images use it too.
const HOST_APT: &str = include_str!("../../../../docker/host-apt.sh");

/// Where its files lie in the container: in its `/tmp`, which is no part of a saved image.
const THERE: &str = "/tmp/.host-";

/// Mirrors that an image knows by itself.
const USUAL: [&str; 2] = ["deb.debian.org", "security.debian.org"];

/// What a shell needs to have packages as this machine has them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct HostApt {
    /// Files of the container, path and content.
    pub files: Vec<(String, Vec<u8>)>,
    /// Variables of the shell.
    pub variables: Vec<(String, String)>,
    /// Whether a proxy or mirror listens on this machine's loopback.
    pub needs_host_network: bool,
}

impl HostApt {
    /// Asks this machine. `os_release` is the container's: only a Debian 12 can use Debian 12's mirrors.
    pub fn of_this_machine(os_release: &str) -> Result<Self> {
        let directory = super::Scratch::new()?;
        let script = format!(
            "{HOST_APT}\nhost_apt_write \"$1\"\nhost_apt_proxy\n\
             printf '%s\\n' \"$http_proxy\" \"$https_proxy\" \"${{no_proxy:-}}\"\n"
        );
        let ran = Command::new("sh")
            .args(["-c", &script, "sh"])
            .arg(directory.path())
            .stdin(Stdio::null())
            .output()
            .context("run sh")?;
        if !ran.status.success() {
            bail!(
                "read this machine's apt settings: {}",
                String::from_utf8_lossy(&ran.stderr).trim()
            );
        }
        let read = |name: &str| std::fs::read(directory.path().join(name)).ok();
        let told = String::from_utf8_lossy(&ran.stdout);
        Ok(Self::put_together(
            &String::from_utf8_lossy(&read("apt.conf").unwrap_or_default()),
            read("sources.list"),
            read("ca-certificates.crt"),
            &told.lines().collect::<Vec<_>>(),
            os_release,
        ))
    }

    fn put_together(
        conf: &str,
        sources: Option<Vec<u8>>,
        authorities: Option<Vec<u8>>,
        proxies: &[&str],
        os_release: &str,
    ) -> Self {
        let mut apt = Self::default();
        for (name, value) in ["http_proxy", "https_proxy", "no_proxy"].iter().zip(proxies) {
            if !value.is_empty() {
                apt.variables.push(((*name).to_owned(), (*value).to_owned()));
            }
        }
        let mirrors = sources.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        let own_mirrors = is_bookworm(os_release) && has_a_mirror_of_its_own(&mirrors);
        let kept: Vec<String> = conf
            .lines()
            // Without them the image's own lists hold, and what the developer adds to them.
            .filter(|line| own_mirrors || !line.starts_with("Dir::Etc::"))
            .map(|line| line.replace("/tmp/host/", THERE))
            .collect();
        if !kept.is_empty() {
            let text = kept.join("\n") + "\n";
            let path = format!("{THERE}apt.conf");
            apt.variables.push(("APT_CONFIG".to_owned(), path.clone()));
            apt.files.push((path, text.into_bytes()));
            apt.files
                .extend(authorities.map(|content| (format!("{THERE}ca-certificates.crt"), content)));
        }
        let loopback = |text: &str| {
            ["//127.", "//localhost", "//[::1]"].iter().any(|l| text.contains(l))
        };
        apt.needs_host_network = proxies.iter().take(2).any(|p| loopback(p)) || (own_mirrors && loopback(&mirrors));
        if own_mirrors {
            apt.files
                .extend(sources.map(|content| (format!("{THERE}sources.list"), content)));
        }
        apt
    }
}

fn is_bookworm(os_release: &str) -> bool {
    os_release
        .lines()
        .any(|line| line == "VERSION_CODENAME=bookworm")
}

fn has_a_mirror_of_its_own(sources: &str) -> bool {
    sources
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1))
        .any(|uri| {
            let host = uri.split("://").nth(1).unwrap_or_default();
            !USUAL.contains(&host.split('/').next().unwrap_or_default())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOKWORM: &str = "ID=debian\nVERSION_CODENAME=bookworm\n";
    const CONF: &str = "Dir::Etc::SourceList \"/tmp/host/sources.list\";\nAcquire::Retries \"3\";\n";

    #[test]
    fn the_image_keeps_its_lists_where_the_machine_has_the_usual_mirrors() {
        let usual = b"deb http://deb.debian.org/debian bookworm main\n".to_vec();
        let apt = HostApt::put_together(CONF, Some(usual), None, &["", "", ""], BOOKWORM);
        assert_eq!(
            apt.files,
            [(
                "/tmp/.host-apt.conf".to_owned(),
                b"Acquire::Retries \"3\";\n".to_vec()
            )]
        );
        assert!(!apt.needs_host_network);
    }

    #[test]
    fn a_mirror_of_the_machine_is_used_by_the_debian_it_is_for() {
        let own = b"deb http://127.0.0.1:3142/debian bookworm main\n".to_vec();
        let apt = HostApt::put_together(CONF, Some(own.clone()), None, &["", "", ""], BOOKWORM);
        assert_eq!(apt.files.len(), 2, "{apt:?}");
        assert!(apt.needs_host_network);
        let other = HostApt::put_together(CONF, Some(own), None, &["", "", ""], "VERSION_CODENAME=noble");
        assert_eq!(other.files.len(), 1, "{other:?}");
        assert!(!other.needs_host_network);
    }

    #[test]
    fn a_proxy_on_loopback_needs_the_network_of_the_host() {
        let apt = HostApt::put_together("", None, None, &["http://localhost:3128", "", ""], BOOKWORM);
        assert_eq!(
            apt.variables,
            [("http_proxy".to_owned(), "http://localhost:3128".to_owned())]
        );
        assert!(apt.needs_host_network);
    }
}
