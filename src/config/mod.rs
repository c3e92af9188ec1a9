//! The configuration: one struct per concern, read from one TOML file.
//!
//! Every key has a default; unknown keys are refused; all findings are told at once, each with its line and what
//! is allowed. Command line and environment win over the file.

mod toml_file;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use crate::model::{AeTitle, Direction, Reader, RemoteAe, Route, Settings};

/// The whole configuration of a node.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data directory. Default `/data`.
    pub data: PathBuf,
    /// `[dicom]`
    pub dicom: DicomConfig,
    /// `[http]`
    pub http: HttpConfig,
    /// `[engine]`
    pub engine: EngineConfig,
    /// `[delivery]`
    pub delivery: DeliveryConfig,
    /// `[[remote_ae]]`
    pub remote_aes: Vec<RemoteAe>,
    /// `[[route]]`
    pub routes: Vec<Route>,
    /// `[bucket.AETITLE]`: the site's overrides of info.json, by AE title.
    pub buckets: BTreeMap<AeTitle, Value>,
}

/// `[dicom]`: how associations are taken.
#[derive(Clone, Debug)]
pub struct DicomConfig {
    /// `address`: where to listen. Default `0.0.0.0:11112`.
    pub address: SocketAddr,
    /// `associations`: open at once; one more is rejected as transient. Default 256.
    pub associations: u32,
    /// `artim`: time for the whole first PDU, and for the peer to close at the end (PS3.8 §9.1.5). Default 30 s.
    pub artim: Duration,
    /// `idle`: time without a byte from the peer before the association is aborted. Default 10 min.
    pub idle: Duration,
}

/// `[http]`: the API.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// `address`: where to listen. Default `127.0.0.1:2813`, loopback only.
    pub address: SocketAddr,
}

/// `[engine]`: where containers run and what they may have.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// `docker`: the engine's socket. Default `unix:///var/run/docker.sock`.
    pub docker: String,
    /// `cpus`: processors that may be promised to runs. Default: the machine's.
    pub cpus: Option<f64>,
    /// `memory`: bytes that may be promised to runs. Default: the machine's.
    pub memory: Option<u64>,
}

/// `[delivery]`: how results are sent.
#[derive(Clone, Debug)]
pub struct DeliveryConfig {
    /// `calling_ae_title`: our title when we send. Default `MAGICKBOX`.
    pub calling: AeTitle,
    /// `first_retry`: wait after the first failure; doubled each time. Default 30 s.
    pub first_retry: Duration,
    /// `longest_retry`: the longest wait between two tries. Default 1 h.
    pub longest_retry: Duration,
    /// `give_up`: after this long without success a delivery is held. Default 72 h.
    pub give_up: Duration,
    /// `connect`: time for the connection to a peer to open. Default 10 s.
    pub connect: Duration,
    /// `response`: time for a peer to answer one message. Default 60 s.
    pub response: Duration,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("read the configuration {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something in it is wrong: one line per finding, `FILE:LINE: key: what is allowed`.
    #[error("the configuration {} has {count} finding{}:\n{text}", path.display(), if *count == 1 { "" } else { "s" })]
    Findings {
        /// The file.
        path: PathBuf,
        /// How many.
        count: usize,
        /// One line each.
        text: String,
    },
}

impl Config {
    /// Reads the file, or takes the defaults without one.
    ///
    /// # Errors
    /// [`ConfigError`] with every finding of the file.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else {
            return Ok(Self::read(&Reader::new(
                &serde_json::Map::new(),
                &RefCell::default(),
            )));
        };
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let file = toml_file::TomlFile::parse(text);
        let findings = RefCell::new(file.findings.clone());
        let config = Self::read(&Reader::new(&file.document, &findings));
        let findings = findings.into_inner();
        if findings.is_empty() {
            return Ok(config);
        }
        let mut lines: Vec<_> = findings
            .iter()
            .map(|f| (file.line_of(&f.path), f.to_string()))
            .collect();
        lines.sort();
        let text: Vec<_> = lines
            .iter()
            .map(|(n, f)| format!("{}:{n}: {f}", path.display()))
            .collect();
        Err(ConfigError::Findings {
            path: path.to_owned(),
            count: findings.len(),
            text: text.join("\n"),
        })
    }

    fn read(top: &Reader<'_>) -> Self {
        let delivery = read_delivery(&top.table("delivery"));
        let remote_aes: Vec<_> = top
            .tables("remote_ae")
            .iter()
            .filter_map(|r| read_remote_ae(r, &delivery.calling))
            .collect();
        let routes = top
            .tables("route")
            .iter()
            .filter_map(|r| read_route(r, &remote_aes))
            .collect();
        for (i, remote) in remote_aes.iter().enumerate() {
            if remote_aes.iter().take(i).any(|r| r.ae_title == remote.ae_title) {
                top.find(
                    &format!("remote_ae[{i}]"),
                    format!("{} is there twice", remote.ae_title),
                );
            }
        }
        let config = Self {
            data: top
                .text("data", |t| Ok::<_, String>(PathBuf::from(t)))
                .unwrap_or_else(|| "/data".into()),
            dicom: read_dicom(&top.table("dicom")),
            http: read_http(&top.table("http")),
            engine: read_engine(&top.table("engine")),
            delivery,
            remote_aes,
            routes,
            buckets: top
                .named_tables("bucket")
                .into_iter()
                .filter_map(read_bucket)
                .collect(),
        };
        top.deny_unknown();
        config
    }
}

fn socket_address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_| "an address and port, like \"127.0.0.1:11112\" or \"[::]:11112\"")
}

fn read_dicom(r: &Reader<'_>) -> DicomConfig {
    let config = DicomConfig {
        address: r
            .text("address", socket_address)
            .unwrap_or(SocketAddr::from(([0, 0, 0, 0], 11112))),
        associations: r
            .whole("associations", 1..=10_000)
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(256),
        artim: r.duration("artim").unwrap_or(Duration::from_secs(30)),
        idle: r.duration("idle").unwrap_or(Duration::from_secs(600)),
    };
    r.deny_unknown();
    config
}

fn read_http(r: &Reader<'_>) -> HttpConfig {
    let config = HttpConfig {
        address: r
            .text("address", socket_address)
            .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 2813))),
    };
    r.deny_unknown();
    config
}

fn read_engine(r: &Reader<'_>) -> EngineConfig {
    let socket = |text: &str| {
        let known = text.starts_with("unix://") && text.len() > 7;
        if known {
            Ok(text.to_owned())
        } else {
            Err("the engine's socket, like \"unix:///var/run/docker.sock\"")
        }
    };
    let config = EngineConfig {
        docker: r
            .text("docker", socket)
            .unwrap_or_else(|| "unix:///var/run/docker.sock".into()),
        cpus: r.number("cpus"),
        memory: r.bytes("memory"),
    };
    r.deny_unknown();
    config
}

fn read_delivery(r: &Reader<'_>) -> DeliveryConfig {
    #[expect(clippy::expect_used, reason = "a constant title that a test parses")]
    let own = || AeTitle::parse("MAGICKBOX").expect("a valid AE title");
    let config = DeliveryConfig {
        calling: r.text("calling_ae_title", AeTitle::parse).unwrap_or_else(own),
        first_retry: r.duration("first_retry").unwrap_or(Duration::from_secs(30)),
        longest_retry: r.duration("longest_retry").unwrap_or(Duration::from_secs(3600)),
        give_up: r.duration("give_up").unwrap_or(Duration::from_secs(72 * 3600)),
        connect: r.duration("connect").unwrap_or(Duration::from_secs(10)),
        response: r.duration("response").unwrap_or(Duration::from_secs(60)),
    };
    r.deny_unknown();
    config
}

fn read_remote_ae(r: &Reader<'_>, own: &AeTitle) -> Option<RemoteAe> {
    let host_port = |text: &str| match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p > 0) => {
            Ok(text.to_owned())
        }
        _ => Err("a host and port, like \"pacs.example:104\""),
    };
    let (ae_title, address) = (r.text("ae_title", AeTitle::parse), r.text("address", host_port));
    let calling = r
        .text("calling_ae_title", AeTitle::parse)
        .unwrap_or_else(|| own.clone());
    r.deny_unknown();
    require(r, &["ae_title", "address"]);
    Some(RemoteAe {
        ae_title: ae_title?,
        address: address?,
        calling,
    })
}

fn read_route(r: &Reader<'_>, remote_aes: &[RemoteAe]) -> Option<Route> {
    let name = r.text("name", |t| Ok::<_, String>(t.to_owned()));
    let route = Route {
        name: name.clone().unwrap_or_default(),
        called: r.text("called", pattern),
        calling: r.text("calling", pattern),
        outcome: r.text("outcome", pattern),
        send: r
            .word(
                "send",
                &[("output", Direction::Output), ("input", Direction::Input)],
            )
            .unwrap_or_default(),
        to: r
            .get("to", |value| destinations(value, remote_aes))
            .unwrap_or_default(),
    };
    r.deny_unknown();
    require(r, &["name", "to"]);
    name.map(|_| route)
}

fn require(r: &Reader<'_>, keys: &[&str]) {
    let Some(map) = r.map() else { return };
    for key in keys.iter().filter(|k| !map.contains_key(**k)) {
        r.find(key, "is missing");
    }
}

fn pattern(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text).case_insensitive(true).build()
}

fn destinations(value: &Value, remote_aes: &[RemoteAe]) -> Result<Vec<AeTitle>, String> {
    let how = || "a list of AE titles of remote AEs, like [\"PACS\"]".to_owned();
    let titles = value.as_array().filter(|l| !l.is_empty()).ok_or_else(how)?;
    titles
        .iter()
        .map(|title| {
            let title = AeTitle::parse(title.as_str().ok_or_else(how)?).map_err(|e| e.to_string())?;
            let known = remote_aes.iter().any(|r| r.ae_title == title);
            if known {
                Ok(title)
            } else {
                Err(format!("{title} is no [[remote_ae]] of this file"))
            }
        })
        .collect()
}

fn read_bucket((name, r): (&str, Reader<'_>)) -> Option<(AeTitle, Value)> {
    // Read for its findings: the values are laid over info.json when the bucket is loaded.
    let _ = Settings::read(&r);
    r.deny_unknown();
    let title = AeTitle::parse(name).map_err(|e| r.find("", e.to_string())).ok()?;
    Some((title, Value::Object(r.map()?.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_file_the_defaults_hold() {
        let config = Config::load(None).unwrap();
        assert_eq!(config.data, PathBuf::from("/data"));
        assert_eq!(config.dicom.address.to_string(), "0.0.0.0:11112");
        assert_eq!(config.http.address.to_string(), "127.0.0.1:2813");
        assert_eq!(config.delivery.calling.as_str(), "MAGICKBOX");
    }

    #[test]
    fn a_full_file_is_read() {
        let text = include_str!("../../fixtures/config/full.toml");
        let config = Config::parse(Path::new("full.toml"), text).unwrap();
        assert_eq!(config.remote_aes.len(), 1);
        assert_eq!(
            config.routes.first().unwrap().to.first().unwrap().as_str(),
            "PACS"
        );
        assert_eq!(config.buckets.len(), 2);
    }

    #[test]
    fn every_finding_is_told_with_its_line() {
        let text = "[dicom]\naddress = \"here\"\nport = 104\n\n[[route]]\nname = \"r\"\nto = [\"NOBODY\"]\n\n\
                    [bucket.ProcT1]\ntimeout = \"soon\"\n[bucket.\"much too long an AE title\"]\n";
        let error = Config::parse(Path::new("x.toml"), text).unwrap_err().to_string();
        for expected in [
            "x.toml has 5 findings",
            "x.toml:2: dicom.address: \"here\": an address and port",
            "x.toml:3: dicom.port: unknown key; allowed here: address, associations, artim, idle",
            "x.toml:7: route[0].to: NOBODY is no [[remote_ae]]",
            "x.toml:10: bucket.ProcT1.timeout: \"soon\": a length of time",
            "x.toml:11: bucket.much too long an AE title",
        ] {
            assert!(error.contains(expected), "{expected} not in\n{error}");
        }
    }

    #[test]
    fn broken_toml_is_told_with_its_line() {
        let error = Config::parse(Path::new("x.toml"), "[dicom]\naddress = \n[http\n")
            .unwrap_err()
            .to_string();
        assert!(error.contains("x.toml:2: "), "{error}");
        assert!(error.contains("x.toml:3: "), "{error}");
    }
}
