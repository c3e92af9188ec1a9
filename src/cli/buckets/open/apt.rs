//! How this machine's apt reaches Debian, for a shell in a bucket.

use anyhow::Result;

use crate::cli::buckets::create::host;

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
    /// Asks this machine. `os_release` is the container's file of that name: only a Debian uses Debian's mirrors.
    pub fn of_this_machine(os_release: &str) -> Result<Self> {
        let host = host::ask(debian(os_release))?;
        let read = |name: &str| std::fs::read(host.files.path().join("host").join(name)).ok();
        let mut proxies: Vec<(String, String)> = host.proxies.into_iter().collect();
        proxies.sort();
        if let Ok(exceptions) = std::env::var("no_proxy") {
            proxies.push(("no_proxy".to_owned(), exceptions));
        }
        Ok(Self::put_together(
            &String::from_utf8_lossy(&read("apt.conf").unwrap_or_default()),
            read("sources.list"),
            read("ca-certificates.crt"),
            proxies,
        ))
    }

    fn put_together(
        conf: &str,
        sources: Option<Vec<u8>>,
        authorities: Option<Vec<u8>>,
        proxies: Vec<(String, String)>,
    ) -> Self {
        let mut apt = Self::default();
        let mirrors = sources
            .as_deref()
            .map(String::from_utf8_lossy)
            .unwrap_or_default();
        let own_mirrors = has_a_mirror_of_its_own(&mirrors);
        let loopback = |text: &str| {
            ["//127.", "//localhost", "//[::1]"]
                .iter()
                .any(|place| text.contains(place))
        };
        apt.needs_host_network = loopback(&mirrors)
            || proxies
                .iter()
                .any(|(name, value)| name != "no_proxy" && loopback(value));
        apt.variables = proxies;
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
        if own_mirrors {
            apt.files
                .extend(sources.map(|content| (format!("{THERE}sources.list"), content)));
        }
        apt
    }
}

/// The release of a Debian; `None` for anything else.
fn debian(os_release: &str) -> Option<&str> {
    let value = |key: &str| {
        os_release
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
    };
    value("VERSION_CODENAME").filter(|_| value("ID") == Some("debian"))
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

    const CONF: &str = "Dir::Etc::SourceList \"/tmp/host/sources.list\";\nAcquire::Retries \"3\";\n";

    #[test]
    fn the_image_keeps_its_lists_where_the_machine_has_the_usual_mirrors() {
        let usual = b"deb http://deb.debian.org/debian bookworm main\n".to_vec();
        let apt = HostApt::put_together(CONF, Some(usual), None, Vec::new());
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
    fn a_mirror_of_the_machine_is_used() {
        let own = b"deb http://127.0.0.1:3142/debian bookworm main\n".to_vec();
        let apt = HostApt::put_together(CONF, Some(own), None, Vec::new());
        assert_eq!(apt.files.len(), 2, "{apt:?}");
        assert!(apt.needs_host_network);
    }

    #[test]
    fn a_proxy_on_loopback_needs_the_network_of_the_host() {
        let proxies = vec![("http_proxy".to_owned(), "http://localhost:3128".to_owned())];
        let apt = HostApt::put_together("", None, None, proxies.clone());
        assert_eq!((apt.needs_host_network, apt.variables), (true, proxies));
    }

    #[test]
    fn a_debian_is_known_by_its_release() {
        assert_eq!(debian("ID=debian\nVERSION_CODENAME=trixie\n"), Some("trixie"));
        assert_eq!(debian("ID=ubuntu\nVERSION_CODENAME=noble\n"), None);
        assert_eq!(debian(""), None);
    }
}
