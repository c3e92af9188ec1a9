//! `[http]`

use std::net::SocketAddr;
use std::path::PathBuf;

use super::callers::read_networks;
use super::tls::pem_file;
use super::{require, socket_address};
use crate::model::{AddressRange, Permission, Reader, Token};

/// The least `largest_upload` and its like: smaller ones would take no bucket and no study.
const SMALLEST: u64 = 1 << 20;

/// `[http]`: the API.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// `address`: where to listen. Default `127.0.0.1:2813`, loopback only.
    pub address: SocketAddr,
    /// `networks`: from there the API is free to use, without a token. A list that is given replaces the default, this
    /// machine.
    pub networks: Vec<AddressRange>,
    /// `largest_upload`: bytes of a bucket or a memory that is uploaded, and of what comes out of it. Default 64 GiB.
    pub largest_upload: u64,
    /// `largest_push`: bytes of a zip with a study that is pushed. Default 64 GiB.
    pub largest_push: u64,
    /// `largest_unpacked`: bytes of what comes out of one. Default 256 GiB.
    pub largest_unpacked: u64,
    /// `announce`: whether the API is announced in this network, by multicast DNS, so that `mb queryMachines` finds it.
    /// Default: no.
    pub announce: bool,
    /// `[[http.token]]`: who may use the API from elsewhere.
    pub tokens: Vec<Token>,
    /// `[http.tls]`: HTTPS in place of HTTP.
    pub tls: Option<HttpTlsConfig>,
}

/// `[http.tls]`: the API over TLS 1.2 and 1.3. Without this table it is plain HTTP.
#[derive(Clone, Debug)]
pub struct HttpTlsConfig {
    /// `certificate`: PEM file with the node's certificate, then those of the CAs between it and the root.
    pub certificate: PathBuf,
    /// `key`: PEM file with the certificate's private key, not encrypted.
    pub key: PathBuf,
}

pub(super) fn read(r: &Reader<'_>) -> HttpConfig {
    let tokens: Vec<_> = r.tables("token").iter().filter_map(read_token).collect();
    for (i, token) in tokens.iter().enumerate() {
        let same = |other: &&Token| other.name == token.name;
        if tokens.iter().take(i).any(|other| same(&other)) {
            r.find("token", format!("{:?} is there twice", token.name));
        }
    }
    let config = HttpConfig {
        address: r
            .text("address", socket_address)
            .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 2813))),
        networks: read_networks(r),
        largest_upload: r
            .bytes_within("largest_upload", SMALLEST..=1 << 50)
            .unwrap_or(64 << 30),
        largest_push: r
            .bytes_within("largest_push", SMALLEST..=1 << 50)
            .unwrap_or(64 << 30),
        largest_unpacked: r
            .bytes_within("largest_unpacked", SMALLEST..=1 << 50)
            .unwrap_or(256 << 30),
        announce: r.flag("announce").unwrap_or(false),
        tokens,
        tls: read_tls(&r.table("tls")),
    };
    r.deny_unknown();
    config
}

fn read_token(r: &Reader<'_>) -> Option<Token> {
    require(r, &["name", "sha256"]);
    let (name, sha256) = (r.text("name", read_name), r.text("sha256", Token::parse_sha256));
    let may = r.list("may", Permission::parse);
    r.deny_unknown();
    Some(Token {
        name: name?,
        sha256: sha256?,
        may: may.unwrap_or_else(|| vec![Permission::Read]),
    })
}

/// A name that may stand in a line of the log.
fn read_name(text: &str) -> Result<String, &'static str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
    if (1..=64).contains(&text.len()) && text.chars().all(fits) {
        Ok(text.to_owned())
    } else {
        Err("1 to 64 letters, digits, \".\", \"_\", \"-\" and \"@\"")
    }
}

fn read_tls(r: &Reader<'_>) -> Option<HttpTlsConfig> {
    r.map()?;
    require(r, &["certificate", "key"]);
    let (certificate, key) = (pem_file(r, "certificate"), pem_file(r, "key"));
    r.deny_unknown();
    Some(HttpTlsConfig {
        certificate: certificate?,
        key: key?,
    })
}
