//! PEM files become what ureq needs, or an error that names the file.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use super::StowError;

/// TLS that trusts these CAs and shows this certificate.
pub(super) fn config(ca: &Path, identity: Option<&(PathBuf, PathBuf)>) -> Result<TlsConfig, StowError> {
    let roots = certificates(ca)?;
    let shown = match identity {
        None => None,
        Some((certificate, key)) => {
            let secret = PrivateKey::from_pem(&read(key)?)
                .map_err(|_| wrong(key, "no private key inside, it has to be PEM and not encrypted"))?;
            Some(ClientCert::new_with_certs(&certificates(certificate)?, secret))
        }
    };
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .client_cert(shown)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, StowError> {
    let pem = read(path)?;
    let items = parse_pem(&pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let found: Vec<_> = items.collect();
    if found.is_empty() {
        return Err(wrong(path, "no certificate inside, it has to be PEM"));
    }
    Ok(found)
}

fn read(path: &Path) -> Result<Vec<u8>, StowError> {
    fs::read(path).map_err(|error| wrong(path, error.to_string()))
}

fn wrong(path: &Path, reason: impl Into<String>) -> StowError {
    StowError::File {
        path: path.to_owned(),
        reason: reason.into(),
    }
}
