//! PEM files become what rustls needs, or an error that names the file and what to do.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};

use sha2::{Digest, Sha256};

use super::certificate::Certificate;
use super::profile;
use crate::config::{ClientCertificate, TlsConfig};

/// The longest file that is read, in bytes: a bundle of all public CAs has a quarter of it.
const LONGEST_FILE: u64 = 1 << 20;

/// Why TLS cannot be spoken with these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file has not what is looked for in it.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what is expected.
        reason: String,
    },
    /// Certificate and key are not a pair.
    #[error("the key in {} does not match the certificate in {}", key.display(), certificate.display())]
    NoPair {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        certificate: PathBuf,
    },
    /// rustls would not take the settings.
    #[error("set TLS up: {0}")]
    Setup(String),
}

/// What the files say, ready for use.
#[derive(Debug)]
pub(super) struct Loaded {
    pub config: Arc<ServerConfig>,
    pub certificate: Certificate,
}

/// Tells one content from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hash([u8; 32]);

impl Hash {
    pub fn of(content: impl AsRef<[u8]>) -> Self {
        Self(Sha256::digest(content).into())
    }
}

/// The content of the files.
pub(super) struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<(PathBuf, Vec<u8>)>,
}

impl Files {
    pub fn read(config: &TlsConfig) -> Result<Self, TlsError> {
        let client_ca = match &config.client_ca {
            Some(path) => Some((path.clone(), read(path)?)),
            None => None,
        };
        Ok(Self {
            certificate: read(&config.certificate)?,
            key: read(&config.key)?,
            client_ca,
        })
    }

    pub fn hash(&self) -> Hash {
        let ca = self.client_ca.as_ref().map(|(_, content)| content.as_slice());
        let contents = [&self.certificate, &self.key, ca.unwrap_or_default()];
        Hash::of(contents.map(Sha256::digest).concat())
    }

    pub fn load(&self, config: &TlsConfig) -> Result<Loaded, TlsError> {
        let chain = certificates(&config.certificate, &self.certificate)?;
        let leaf = chain.first().and_then(|der| Certificate::parse(der));
        let certificate =
            leaf.ok_or_else(|| content(&config.certificate, "the first certificate is broken"))?;
        let key = private_key(&config.key, &self.key)?;
        let builder = ServerConfig::builder_with_provider(profile::provider())
            .with_protocol_versions(profile::versions(config.minimum))
            .map_err(|error| TlsError::Setup(error.to_string()))?;
        let builder = match self.client_verifier(config)? {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let server = builder
            .with_single_cert(chain, key)
            .map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => TlsError::NoPair {
                    key: config.key.clone(),
                    certificate: config.certificate.clone(),
                },
                rustls::Error::InvalidCertificate(why) => {
                    content(&config.certificate, format!("unusable certificate: {why}"))
                }
                other => content(&config.key, format!("unusable key: {other}")),
            })?;
        Ok(Loaded {
            config: Arc::new(server),
            certificate,
        })
    }

    fn client_verifier(&self, config: &TlsConfig) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
        let (Some((path, pem)), ClientCertificate::Optional | ClientCertificate::Required) =
            (&self.client_ca, config.client_certificate)
        else {
            return Ok(None);
        };
        let builder = WebPkiClientVerifier::builder_with_provider(roots(path, pem)?, profile::provider());
        let builder = match config.client_certificate {
            ClientCertificate::Optional => builder.allow_unauthenticated(),
            _ => builder,
        };
        let verifier = builder
            .build()
            .map_err(|error| TlsError::Setup(error.to_string()))?;
        Ok(Some(verifier))
    }
}

/// The private key of a PEM file.
pub(super) fn private_key(path: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| {
        let reason = match error {
            pem::Error::NoItemsFound => {
                "no private key inside, it has to be PEM and not encrypted".to_owned()
            }
            other => format!("broken PEM: {other}"),
        };
        content(path, reason)
    })
}

/// The CAs of a PEM file.
pub(super) fn roots(path: &Path, pem: &[u8]) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    for (i, ca) in certificates(path, pem)?.into_iter().enumerate() {
        roots
            .add(ca)
            .map_err(|error| content(path, format!("certificate {} is unusable: {error}", i + 1)))?;
    }
    Ok(Arc::new(roots))
}

pub(super) fn content(path: &Path, reason: impl Into<String>) -> TlsError {
    TlsError::Content {
        path: path.to_owned(),
        reason: reason.into(),
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::Read {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(LONGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(content(path, "longer than 1 MiB, which no PEM file has to be"));
    }
    Ok(bytes)
}

pub(super) fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(pem::Error::NoItemsFound) => Err(content(
            path,
            "no certificate inside, it has to be PEM (-----BEGIN CERTIFICATE-----)",
        )),
        Err(error) => Err(content(path, format!("broken PEM: {error}"))),
    }
}
