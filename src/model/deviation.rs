//! What a bucket may ask for beyond the rule, and what a site may forbid it.
//!
//! By rule a container has no network, three capabilities, the image's root as its user, and a root file system that it
//! may write and that is thrown away (the engine's module of a run says why). Each of these a bucket may change by a key of its
//! info.json, and each of these keys a site may forbid: `[engine] forbid`.

use serde_json::Value;

use super::bucket::{Network, Root};
use super::settings::Settings;

/// A capability that a bucket may ask for (capabilities(7)): what some programs need to run at all, and what leads no
/// further into the machine. Those that reach devices, the network's settings, other processes or the kernel are not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// Keep the set-user-id bit of a file that is changed: installers do that.
    Fsetid,
    /// Hold memory where it is: drivers of accelerators do that.
    IpcLock,
    /// Signals to processes of other users of the container.
    Kill,
    /// Ports below 1024, of the container's own network.
    NetBindService,
    /// Become another group of the container.
    Setgid,
    /// Become another user of the container: a database server that will not run as root.
    Setuid,
    /// Enter another root directory in the container.
    SysChroot,
    /// Priorities and placement of processes: numerical libraries do that.
    SysNice,
}

impl Capability {
    /// All there are, by name.
    pub const ALL: [Self; 8] = [
        Self::Fsetid,
        Self::IpcLock,
        Self::Kill,
        Self::NetBindService,
        Self::Setgid,
        Self::Setuid,
        Self::SysChroot,
        Self::SysNice,
    ];

    /// Its name as in info.json and as the engine takes it, without `CAP_`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fsetid => "FSETID",
            Self::IpcLock => "IPC_LOCK",
            Self::Kill => "KILL",
            Self::NetBindService => "NET_BIND_SERVICE",
            Self::Setgid => "SETGID",
            Self::Setuid => "SETUID",
            Self::SysChroot => "SYS_CHROOT",
            Self::SysNice => "SYS_NICE",
        }
    }

    /// Reads a name.
    ///
    /// # Errors
    /// The names there are.
    pub fn parse(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|c| c.word() == text);
        found.ok_or_else(|| format!("one of: {}", Self::ALL.map(Self::word).join(", ")))
    }
}

/// A way in which a bucket leaves the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deviation {
    /// `network` is not `none`.
    Network,
    /// `capabilities` are asked for.
    Capabilities,
    /// `user` is given.
    User,
    /// `root` is `writable`, which is the default: where this is forbidden, buckets have to say `"root": "read-only"`.
    WritableRoot,
}

impl Deviation {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Network, Self::Capabilities, Self::User, Self::WritableRoot];

    /// Its name in `[engine] forbid`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Capabilities => "capabilities",
            Self::User => "user",
            Self::WritableRoot => "writable-root",
        }
    }

    /// The key of info.json.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::WritableRoot => "root",
            other => other.word(),
        }
    }

    /// Reads a name.
    ///
    /// # Errors
    /// The names there are.
    pub fn parse(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|d| d.word() == text);
        found.ok_or_else(|| format!("one of: {}", Self::ALL.map(Self::word).join(", ")))
    }

    /// What settings ask for in this way, as info.json writes it; `None` when they do not.
    #[must_use]
    pub fn of(self, settings: &Settings) -> Option<String> {
        match self {
            Self::Network => (settings.network != Network::None)
                .then(|| format!("\"network\": \"{}\"", settings.network.word())),
            Self::Capabilities => {
                let names: Vec<_> = settings
                    .capabilities
                    .iter()
                    .map(|c| format!("\"{}\"", c.word()))
                    .collect();
                (!names.is_empty()).then(|| format!("\"capabilities\": [{}]", names.join(", ")))
            }
            Self::User => settings.user.as_ref().map(|user| format!("\"user\": \"{user}\"")),
            Self::WritableRoot => {
                (settings.root == Root::Writable).then(|| "\"root\": \"writable\", the default".to_owned())
            }
        }
    }
}

/// Why a site does not run a bucket, to be read after its AE title: what it asks for, and what to do; `None` when nothing
/// of it is forbidden.
///
/// `site` are the keys of `[bucket.TITLE]`: what a site says there itself it has let.
#[must_use]
pub fn forbidden(settings: &Settings, site: Option<&Value>, forbidden: &[Deviation]) -> Option<String> {
    let own_word = |d: &Deviation| site.is_some_and(|site| site.get(d.key()).is_some());
    let (deviation, asked) = forbidden
        .iter()
        .filter(|d| !own_word(d))
        .find_map(|d| Some((d, d.of(settings)?)))?;
    Some(format!(
        "asks for {asked}, which this node forbids ([engine] forbid has \"{}\"): change info.json, or set {} for it in \
         [bucket.TITLE] of the node's configuration",
        deviation.word(),
        deviation.key()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_deviation_is_found_and_the_rule_is_none() {
        let rule = Settings {
            root: Root::ReadOnly,
            ..Settings::default()
        };
        assert_eq!(forbidden(&rule, None, &Deviation::ALL), None);
        let asks = [
            (
                Deviation::Network,
                Settings {
                    network: Network::Bridge,
                    ..rule.clone()
                },
                "\"network\": \"bridge\"",
            ),
            (
                Deviation::Capabilities,
                Settings {
                    capabilities: vec![Capability::Setuid, Capability::Kill],
                    ..rule.clone()
                },
                "\"capabilities\": [\"SETUID\", \"KILL\"]",
            ),
            (
                Deviation::User,
                Settings {
                    user: Some("7:7".into()),
                    ..rule.clone()
                },
                "\"user\": \"7:7\"",
            ),
            (
                Deviation::WritableRoot,
                Settings::default(),
                "\"root\": \"writable\"",
            ),
        ];
        for (deviation, settings, asked) in asks {
            let why = forbidden(&settings, None, &[deviation]).unwrap();
            assert!(why.contains(asked) && why.contains(deviation.word()), "{why}");
            let others: Vec<_> = Deviation::ALL.into_iter().filter(|d| *d != deviation).collect();
            assert_eq!(forbidden(&settings, None, &others), None);
            let own_word = serde_json::json!({ deviation.key(): "whatever the site says of this bucket" });
            assert_eq!(forbidden(&settings, Some(&own_word), &[deviation]), None);
        }
    }

    #[test]
    fn a_capability_that_leads_out_of_the_container_has_no_name() {
        for name in [
            "SYS_ADMIN",
            "NET_ADMIN",
            "NET_RAW",
            "SYS_PTRACE",
            "MKNOD",
            "SYS_MODULE",
            "CAP_KILL",
            "kill",
            "ALL",
        ] {
            assert!(
                Capability::parse(name)
                    .unwrap_err()
                    .starts_with("one of: FSETID, IPC_LOCK"),
                "{name}"
            );
        }
        assert_eq!(Capability::parse("KILL"), Ok(Capability::Kill));
    }
}
