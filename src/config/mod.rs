//! The configuration: one struct per concern, read from one TOML file.
//!
//! Every key has a default; unknown keys are refused; all findings are told at once, each with its line and what
//! is allowed. Command line and environment win over the file.

mod audit;
mod callers;
mod classify;
mod delivery;
mod dicom;
mod engine;
mod http;
mod remotes;
mod routes;
mod storage;
mod tls;
mod toml_file;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::model::{AeTitle, Caller, Reader, Remote, Route, Settings};

pub use audit::{AuditConfig, AuditTransport, CollectorConfig};
pub use classify::ClassifyConfig;
pub use delivery::DeliveryConfig;
pub use dicom::DicomConfig;
pub use engine::EngineConfig;
pub use http::{HttpConfig, HttpTlsConfig};
pub use routes::RoutingConfig;
pub use storage::{StorageConfig, quarter_above};
pub use tls::{ClientCertificate, TlsConfig, TlsVersion};

/// The whole configuration of a node.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data directory. Default `/data`.
    pub data: PathBuf,
    /// `[dicom]`
    pub dicom: DicomConfig,
    /// `[[caller]]`: who may call, beside the peers in `[dicom] networks`.
    pub callers: Vec<Caller>,
    /// `[storage]`
    pub storage: StorageConfig,
    /// `[classify]`
    pub classify: ClassifyConfig,
    /// `[http]`
    pub http: HttpConfig,
    /// `[audit]`
    pub audit: AuditConfig,
    /// `[engine]`
    pub engine: EngineConfig,
    /// `[delivery]`
    pub delivery: DeliveryConfig,
    /// `[[remote_ae]]`, then `[[folder]]`, then `[[dicomweb]]`
    pub remotes: Vec<Remote>,
    /// `[[route]]`
    pub routes: Vec<Route>,
    /// `[routing]`
    pub routing: RoutingConfig,
    /// `[bucket.AETITLE]`: the site's overrides of info.json, by AE title.
    pub buckets: BTreeMap<AeTitle, Value>,
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
        let delivery = delivery::read(&top.table("delivery"));
        let remote_aes: Vec<_> = top
            .tables("remote_ae")
            .iter()
            .filter_map(|r| remotes::read_remote_ae(r, &delivery.calling))
            .collect();
        let folders: Vec<_> = top
            .tables("folder")
            .iter()
            .filter_map(remotes::read_folder)
            .collect();
        let dicomwebs: Vec<_> = top
            .tables("dicomweb")
            .iter()
            .filter_map(remotes::read_dicomweb)
            .collect();
        let remotes = remotes::all(top, &remote_aes, &folders, &dicomwebs);
        let routes = top
            .tables("route")
            .iter()
            .filter_map(|r| routes::read_route(r, &remotes))
            .collect();
        let config = Self {
            data: top
                .text("data", |t| Ok::<_, String>(PathBuf::from(t)))
                .unwrap_or_else(|| "/data".into()),
            dicom: dicom::read(&top.table("dicom")),
            callers: top
                .tables("caller")
                .iter()
                .filter_map(callers::read_caller)
                .collect(),
            storage: storage::read(&top.table("storage")),
            classify: classify::read(&top.table("classify")),
            http: http::read(&top.table("http")),
            audit: audit::read(&top.table("audit")),
            engine: engine::read(&top.table("engine")),
            delivery,
            routing: routes::read_routing(&top.table("routing"), &remote_aes),
            remotes,
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

fn require(r: &Reader<'_>, keys: &[&str]) {
    let Some(map) = r.map() else { return };
    for key in keys.iter().filter(|k| !map.contains_key(**k)) {
        r.find(key, "is missing");
    }
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
        let networks: Vec<_> = config.dicom.networks.iter().map(ToString::to_string).collect();
        assert_eq!(networks, ["127.0.0.0/8", "::1"]);
        assert!(config.callers.is_empty());
        assert_eq!(config.http.address.to_string(), "127.0.0.1:2813");
        assert_eq!(config.delivery.calling.as_str(), "MAGICKBOX");
    }

    #[test]
    fn a_full_file_is_read() {
        let text = include_str!("../../fixtures/config/full.toml");
        let config = Config::parse(Path::new("full.toml"), text).unwrap();
        assert_eq!(config.remotes.len(), 5);
        assert_eq!(
            config
                .routes
                .first()
                .unwrap()
                .to
                .first()
                .unwrap()
                .peer
                .ae_title()
                .as_str(),
            "PACS"
        );
        assert_eq!(config.routing.default_pacs.unwrap().address, "pacs.example:104");
        assert_eq!(config.buckets.len(), 2);
        assert_eq!(config.dicom.networks.len(), 2);
        assert_eq!(config.callers.len(), 2);
        let scanner = config.callers.first().unwrap();
        assert_eq!(scanner.ae_title.as_ref().unwrap().as_str(), "SCANNER");
        assert!(scanner.may_call(&AeTitle::parse("PROC T2").unwrap()));
        assert!(!scanner.may_call(&AeTitle::parse("Other").unwrap()));
        assert_eq!(config.http.networks.len(), 2);
        assert_eq!(config.http.largest_upload, 20 << 30);
        assert_eq!(config.http.largest_push, 10 << 30);
        assert!(config.http.announce);
        assert_eq!(config.http.largest_unpacked, 40 << 30);
        let token = config.http.tokens.first().unwrap();
        assert_eq!((token.name.as_str(), token.sha256[0]), ("anna", 0x9f));
        assert!(token.may(crate::model::Permission::Install));
        assert!(config.http.tls.is_some());
        let tls = config.dicom.tls.unwrap();
        assert_eq!(tls.address.port(), 12762);
        assert_eq!(tls.client_certificate, ClientCertificate::Optional);
        assert_eq!(tls.minimum, TlsVersion::V1_3);
    }

    #[test]
    fn the_examples_of_the_readme_are_read() {
        let blocks = include_str!("../../README.md").split("```toml\n").skip(1);
        let examples: Vec<_> = blocks.filter_map(|rest| rest.split("```").next()).collect();
        assert!(examples.len() >= 2);
        for example in examples {
            Config::parse(Path::new("README.md"), example).unwrap();
        }
    }

    #[test]
    fn a_caller_that_allows_everybody_or_nobody_by_a_slip_is_found() {
        let text = "[dicom]\nnetworks = [\"10.1.2.3/8\", \"::/0\"]\n[[caller]]\nbuckets = [\"A\"]\n\
                    [[caller]]\nae_title = \"S\"\naddresses = []\n[[caller]]\naddresses = [\"here\"]\naet = \"S\"\n";
        let error = Config::parse(Path::new("x.toml"), text).unwrap_err().to_string();
        for expected in [
            "x.toml has 5 findings",
            "x.toml:2: dicom.networks[0]: \"10.1.2.3/8\": an address within a network",
            "x.toml:3: caller[0].ae_title: is missing, and addresses too",
            "x.toml:7: caller[1].addresses: is empty",
            "x.toml:9: caller[2].addresses[0]: \"here\": an address or a network",
            "x.toml:10: caller[2].aet: unknown key; allowed here: ae_title, addresses, buckets",
        ] {
            assert!(error.contains(expected), "{expected} not in\n{error}");
        }
    }

    #[test]
    fn tls_takes_a_certificate_and_a_key_and_unless_told_otherwise_the_senders_ca() {
        let tls = |text: &str| {
            Config::parse(Path::new("x.toml"), &format!("[dicom.tls]\n{text}")).map(|c| c.dicom.tls)
        };
        let read = tls("certificate = \"c\"\nkey = \"k\"\nclient_ca = \"a\"")
            .unwrap()
            .unwrap();
        assert_eq!(read.address.to_string(), "0.0.0.0:2762");
        assert_eq!(read.client_certificate, ClientCertificate::Required);
        assert_eq!(read.minimum, TlsVersion::V1_2);
        let error = tls("minimum = \"1.1\"\nkey = \"\"").unwrap_err().to_string();
        for expected in [
            "x.toml has 4 findings",
            "x.toml:1: dicom.tls.certificate: is missing",
            "x.toml:1: dicom.tls.client_ca: is missing: a PEM file with the CAs of the senders, or ",
            "x.toml:2: dicom.tls.minimum: \"1.1\": one of: 1.2, 1.3",
            "x.toml:3: dicom.tls.key: \"\": the name of a PEM file",
        ] {
            assert!(error.contains(expected), "{expected} not in\n{error}");
        }
        let error = tls("certificate = \"c\"\nkey = \"k\"\nclient_ca = \"a\"\nclient_certificate = \"none\"");
        assert!(error.unwrap_err().to_string().contains("is of no use"));
    }

    #[test]
    fn a_token_that_is_none_or_may_what_nobody_may_is_found() {
        let hash = "9f".repeat(32);
        let text = format!(
            "[http]\nlargest_upload = \"1KiB\"\nlargest_push = \"1KiB\"\nlargest_unpacked = \"1KiB\"\n[[http.token]]\nname = \"a b\"\nsha256 = \"9f\"\n\
             may = [\"fly\"]\n[[http.token]]\nname = \"anna\"\n[[http.token]]\nname = \"ben\"\nsha256 = \"{hash}\"\n\
             [[http.token]]\nname = \"ben\"\nsha256 = \"{hash}\"\n"
        );
        let error = Config::parse(Path::new("x.toml"), &text).unwrap_err().to_string();
        for expected in [
            "x.toml has 8 findings",
            "x.toml:2: http.largest_upload: from 1.0 MiB to ",
            "x.toml:3: http.largest_push: from 1.0 MiB to ",
            "x.toml:4: http.largest_unpacked: from 1.0 MiB to ",
            "x.toml:6: http.token[0].name: \"a b\": 1 to 64 letters",
            "x.toml:7: http.token[0].sha256: \"9f\": 64 hexadecimal digits",
            "x.toml:8: http.token[0].may[0]: \"fly\": one of: read, operate, install",
            "http.token[1].sha256: is missing",
            "http.token: \"ben\" is there twice",
        ] {
            assert!(error.contains(expected), "{expected} not in\n{error}");
        }
        let text = format!("[[http.token]]\nname = \"ben\"\nsha256 = \"{hash}\"\n");
        let config = Config::parse(Path::new("x.toml"), &text).unwrap();
        let token = config.http.tokens.first().unwrap();
        assert!(token.may(crate::model::Permission::Read) && !token.may(crate::model::Permission::Operate));
    }

    #[test]
    fn every_finding_is_told_with_its_line() {
        let text = "[dicom]\naddress = \"here\"\nport = 104\n\n[[route]]\nname = \"r\"\nto = [\"NOBODY\"]\n\n\
                    [bucket.ProcT1]\ntimeout = \"soon\"\n[bucket.\"much too long an AE title\"]\n";
        let error = Config::parse(Path::new("x.toml"), text).unwrap_err().to_string();
        for expected in [
            "x.toml has 5 findings",
            "x.toml:2: dicom.address: \"here\": an address and port",
            "x.toml:3: dicom.port: unknown key; allowed here: address, networks, associations, ",
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
