//! `[dicom.tls]`

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{require, socket_address};
use crate::model::Reader;

/// `[dicom.tls]`: a second port, for DICOM over TLS (PS3.15 §B.12). Without this table there is none.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    /// `address`: where to listen. Default `0.0.0.0:2762`, the port registered as dicom-tls.
    pub address: SocketAddr,
    /// `certificate`: PEM file with the node's certificate, then those of the CAs between it and the root.
    pub certificate: PathBuf,
    /// `key`: PEM file with the certificate's private key, not encrypted.
    pub key: PathBuf,
    /// `client_certificate`: what a sender has to show. Default `required`.
    pub client_certificate: ClientCertificate,
    /// `client_ca`: PEM file with the CAs whose certificates senders may show; there unless `client_certificate` is
    /// `none`.
    pub client_ca: Option<PathBuf>,
    /// `minimum`: the oldest version of TLS that is spoken. Default 1.2, which PS3.15 asks every node to speak.
    pub minimum: TlsVersion,
}

/// Whether a sender has to show a certificate.
///
/// `required` is the default because an AE title is only a claim: without a certificate on both sides, encryption
/// keeps a stranger from reading along, not from sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificate {
    /// Not asked for one.
    None,
    /// Asked for one, taken without; one that is shown has to be good.
    Optional,
    /// Hung up on without a good one.
    Required,
}

/// A version of TLS; older ones are not spoken (RFC 8996).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}

/// `None` where the table is absent or not complete; the latter is a finding.
pub(super) fn read(r: &Reader<'_>) -> Option<TlsConfig> {
    r.map()?;
    require(r, &["certificate", "key"]);
    let words = [
        ("none", ClientCertificate::None),
        ("optional", ClientCertificate::Optional),
        ("required", ClientCertificate::Required),
    ];
    let address = r.text("address", socket_address);
    let (certificate, key) = (pem_file(r, "certificate"), pem_file(r, "key"));
    let client_certificate = r
        .word("client_certificate", &words)
        .unwrap_or(ClientCertificate::Required);
    let client_ca = pem_file(r, "client_ca");
    let minimum = r.word("minimum", &[("1.2", TlsVersion::V1_2), ("1.3", TlsVersion::V1_3)]);
    let named = r.map().is_some_and(|map| map.contains_key("client_ca"));
    match client_certificate {
        ClientCertificate::None if named => {
            r.find("client_ca", "is of no use while client_certificate is \"none\"");
        }
        ClientCertificate::Optional | ClientCertificate::Required if !named => {
            let how = "is missing: a PEM file with the CAs of the senders, or client_certificate = \"none\"";
            r.find("client_ca", how);
        }
        _ => {}
    }
    r.deny_unknown();
    Some(TlsConfig {
        address: address.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 2762))),
        certificate: certificate?,
        key: key?,
        client_certificate,
        client_ca,
        minimum: minimum.unwrap_or(TlsVersion::V1_2),
    })
}

pub(super) fn pem_file(r: &Reader<'_>, key: &'static str) -> Option<PathBuf> {
    r.text(key, |text| match text {
        "" => Err("the name of a PEM file"),
        name => Ok(PathBuf::from(name)),
    })
}
