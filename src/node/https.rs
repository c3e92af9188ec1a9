//! What the API shows over TLS: loaded once, and again when the files change.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::config::{ClientCertificate, HttpConfig, TlsConfig, TlsVersion};
use crate::dicom::tls::{Look, Server};
use crate::http::Shown;

/// Between two looks at the files.
const LOOK: Duration = Duration::from_secs(5);

/// Loads certificate and key of `[http.tls]`; `None` without the table.
///
/// # Errors
/// What is wrong with the files, by name.
pub(super) fn open(config: &HttpConfig) -> Result<Option<Arc<Server>>> {
    let Some(tls) = &config.tls else { return Ok(None) };
    let server = Server::open(TlsConfig {
        address: config.address,
        certificate: tls.certificate.clone(),
        key: tls.key.clone(),
        // Who may is said by tokens and networks.
        client_certificate: ClientCertificate::None,
        client_ca: None,
        minimum: TlsVersion::V1_2,
    });
    server
        .map(|server| Some(Arc::new(server)))
        .context("set HTTPS up")
}

/// Says what the configuration leaves open.
pub(super) fn warn(config: &HttpConfig) {
    if !config.address.ip().is_loopback() && config.tls.is_none() {
        tracing::warn!(
            address = %config.address,
            "the API is plain HTTP on the network: whoever can read along has the tokens; [http.tls] encrypts it"
        );
    }
}

/// What is shown now.
pub(super) fn shown(server: Arc<Server>) -> Shown {
    Arc::new(move || server.rustls_config())
}

/// Puts renewed files in force; never ends.
pub(super) async fn watch(server: Arc<Server>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let server = server.clone();
        match tokio::task::spawn_blocking(move || server.look()).await {
            Ok(Look::New(certificate)) => {
                tracing::info!(?certificate, "a new certificate of HTTPS is in force");
            }
            Ok(Look::Unfit(error)) => {
                tracing::error!(%error, "the new certificate of HTTPS is not fit; the one before stays");
            }
            Ok(Look::Same) | Err(_) => {}
        }
    }
}
