//! `[audit]`

use std::time::Duration;

use super::remotes::read_identity;
use super::tls::pem_file;
use crate::model::{Reader, RemoteTls};

/// `[audit]`: the trail of who did what (PS3.15 §A.5), and who collects it.
#[derive(Clone, Debug)]
pub struct AuditConfig {
    /// `keep`: how long an event stays in the node's own trail. Default 10 years.
    pub keep: Duration,
    /// `source_id`: what the node calls itself in its messages. Default: the name of the machine.
    pub source_id: Option<String>,
    /// `site`: the hospital, or its part, in the messages. Default: none.
    pub site: Option<String>,
    /// `collector` and what belongs to it; absent: nobody collects.
    pub collector: Option<CollectorConfig>,
}

/// A syslog collector.
#[derive(Clone, Debug)]
pub struct CollectorConfig {
    /// `collector`: host and port; 6514 is registered for syslog over TLS.
    pub address: String,
    /// `transport`: `tls`, or bare `tcp` or `udp` where that is said. Default `tls`.
    pub transport: AuditTransport,
    /// `confirm`: whether a batch counts as taken only when the collector closes its end too. Default true.
    pub confirm: bool,
    /// `response`: time for the collector to take each step: connection, handshake, a batch, its end. Default 20 s.
    pub response: Duration,
    /// `longest_retry`: the longest wait between two tries; the first is 1 s, then doubled. Default 5 min.
    pub longest_retry: Duration,
}

/// How messages go to a collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditTransport {
    /// RFC 5425: `ca`, `certificate`, `key`, `name` as in `[[remote_ae]] tls`.
    Tls(RemoteTls),
    /// RFC 6587, octet counting; anybody on the way can read and change it.
    Tcp,
    /// RFC 5426; nobody knows what arrives.
    Udp,
}

/// Two leap years more than ten times 365 days.
const TEN_YEARS: Duration = Duration::from_secs((3650 + 2) * 24 * 3600);

/// An hour: less is a slip. A century: more is one too.
const SHORTEST: Duration = Duration::from_secs(3600);
const LONGEST: Duration = Duration::from_secs(36525 * 24 * 3600);

#[derive(Clone, Copy)]
enum Kind {
    Tls,
    Tcp,
    Udp,
}

/// Keys that say nothing without a collector.
const OF_COLLECTOR: [&str; 8] = [
    "transport",
    "confirm",
    "response",
    "longest_retry",
    "ca",
    "certificate",
    "key",
    "name",
];

pub(super) fn read(r: &Reader<'_>) -> AuditConfig {
    let keep = r.text("keep", |text| match humantime::parse_duration(text) {
        Ok(keep) if (SHORTEST..=LONGEST).contains(&keep) => Ok(keep),
        _ => Err("a length of time, like \"10y\" or \"400d\", from 1 hour to 100 years"),
    });
    let word = |text: &str| {
        let fits = (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if fits {
            Ok(text.to_owned())
        } else {
            Err("1 to 64 characters")
        }
    };
    let (source_id, site) = (r.text("source_id", word), r.text("site", word));
    let collector = collector(r);
    r.deny_unknown();
    AuditConfig {
        keep: keep.unwrap_or(TEN_YEARS),
        source_id,
        site,
        collector,
    }
}

/// `None` where there is none, or where what is said of it is wrong; the latter is a finding.
fn collector(r: &Reader<'_>) -> Option<CollectorConfig> {
    let address = r.text("collector", |text| match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p > 0) => {
            Ok(text.to_owned())
        }
        _ => Err("a host and port, like \"audit.example:6514\""),
    });
    let words = [("tls", Kind::Tls), ("tcp", Kind::Tcp), ("udp", Kind::Udp)];
    let kind = r.word("transport", &words).unwrap_or(Kind::Tls);
    let confirm = r.get("confirm", |value| value.as_bool().ok_or("true or false"));
    let (response, longest) = (r.duration("response"), r.duration("longest_retry"));
    let (ca, identity) = (pem_file(r, "ca"), read_identity(r));
    let name = r.text("name", |text| {
        match rustls::pki_types::ServerName::try_from(text.to_owned()) {
            Ok(_) => Ok(text.to_owned()),
            Err(_) => Err("the name of a host, or an address"),
        }
    });
    if r.raw("collector").is_none() {
        let said = |key: &&&str| r.map().is_some_and(|map| map.contains_key(**key));
        for key in OF_COLLECTOR.iter().filter(said) {
            r.find(key, "is of no use without collector");
        }
        return None;
    }
    let transport = match kind {
        Kind::Tls => {
            if r.raw("ca").is_none() {
                let how = "is missing: a PEM file with the CAs that vouch for the collector, or transport = \"tcp\"";
                r.find("ca", how);
            }
            AuditTransport::Tls(RemoteTls {
                ca: ca?,
                identity,
                name,
            })
        }
        Kind::Tcp | Kind::Udp => {
            if ca.is_some() || identity.is_some() || name.is_some() {
                r.find(
                    "transport",
                    "has to be \"tls\" where ca, certificate, key or name are given",
                );
            }
            if matches!(kind, Kind::Tcp) {
                AuditTransport::Tcp
            } else {
                AuditTransport::Udp
            }
        }
    };
    Some(CollectorConfig {
        address: address?,
        transport,
        confirm: confirm.unwrap_or(true),
        response: response.unwrap_or(Duration::from_secs(20)),
        longest_retry: longest.unwrap_or(Duration::from_secs(300)),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    fn read(text: &str) -> Result<AuditConfig, String> {
        let config = Config::parse(Path::new("x.toml"), text);
        config
            .map(|config| config.audit)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_word_the_trail_is_kept_for_ten_years_and_nobody_collects() {
        let config = read("").unwrap();
        assert_eq!(config.keep.as_secs() / (365 * 24 * 3600), 10);
        assert!(config.collector.is_none());
    }

    #[test]
    fn a_collector_is_called_over_tls_unless_something_else_is_said() {
        let config = read(include_str!("../../fixtures/config/full.toml")).unwrap();
        let collector = config.collector.unwrap();
        assert!(matches!(collector.transport, AuditTransport::Tls(tls) if tls.identity.is_some()));
        let plain = read("[audit]\ncollector = \"c:514\"\ntransport = \"udp\"\nconfirm = false\n").unwrap();
        assert_eq!(plain.collector.unwrap().transport, AuditTransport::Udp);
    }

    #[test]
    fn what_would_be_sent_otherwise_than_it_says_is_found() {
        for (text, expected) in [
            ("collector = \"c:6514\"", "audit.ca: is missing: a PEM file"),
            ("collector = \"c\"", "audit.collector: \"c\": a host and port"),
            ("ca = \"x\"", "audit.ca: is of no use without collector"),
            ("keep = \"1s\"", "audit.keep: \"1s\": a length of time"),
            (
                "collector = \"c:1\"\ntransport = \"tcp\"\nca = \"x\"",
                "audit.transport: has to be \"tls\"",
            ),
            (
                "collector = \"c:1\"\nca = \"x\"\ncertificate = \"y\"",
                "audit.key: is missing",
            ),
            ("source_id = \"\"", "audit.source_id: \"\": 1 to 64 characters"),
        ] {
            let error = read(&format!("[audit]\n{text}\n")).unwrap_err();
            assert!(error.contains(expected), "{expected} not in\n{error}");
        }
    }
}
