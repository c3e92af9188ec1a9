//! TLS as the one who calls.

use std::io::{Error, ErrorKind, Result as IoResult};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection};

use super::load::{TlsError, certificates, content, private_key, read, roots};
use super::profile;
use super::stream::TlsStream;
use crate::config::TlsVersion;
use crate::model::RemoteTls;

/// The longest a read of the handshake blocks before its deadline is looked at.
const TICK: Duration = Duration::from_millis(250);

/// What is needed to call a peer over TLS; the files are read when this is made, so that new ones hold from the next
/// association on.
#[derive(Clone, Debug)]
pub struct Connector {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Connector {
    /// Loads the files; `address` is the peer's `host:port`.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn open(tls: &RemoteTls, address: &str) -> Result<Self, TlsError> {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = tls.name.as_deref().unwrap_or(host).to_owned();
        let name = ServerName::try_from(name.clone())
            .map_err(|_| TlsError::Setup(format!("{name:?} is no name that a certificate can have")))?;
        let ca = read(&tls.ca)?;
        let verifier = WebPkiServerVerifier::builder_with_provider(roots(&tls.ca, &ca)?, profile::provider())
            .build()
            .map_err(|error| TlsError::Setup(error.to_string()))?;
        let builder = ClientConfig::builder_with_provider(profile::provider())
            .with_protocol_versions(profile::versions(TlsVersion::V1_2))
            .map_err(|error| TlsError::Setup(error.to_string()))?
            .with_webpki_verifier(verifier);
        let config = match &tls.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let (chain, secret) = identity(certificate, key)?;
                let shown = builder.with_client_auth_cert(chain, secret);
                shown.map_err(|error| match error {
                    rustls::Error::InconsistentKeys(_) => TlsError::NoPair {
                        key: key.clone(),
                        certificate: certificate.clone(),
                    },
                    other => content(certificate, format!("unusable certificate or key: {other}")),
                })?
            }
        };
        Ok(Self {
            config: Arc::new(config),
            name,
        })
    }

    /// Shakes hands on a connection, all of it within `limit`.
    ///
    /// # Errors
    /// What the network says; [`ErrorKind::InvalidData`] where either side does not trust the other.
    pub fn connect(&self, socket: TcpStream, limit: Duration) -> IoResult<TlsStream> {
        let end = Instant::now() + limit;
        socket.set_read_timeout(Some(TICK.min(limit)))?;
        socket.set_write_timeout(Some(limit))?;
        let session = ClientConnection::new(self.config.clone(), self.name.clone())
            .map_err(|error| Error::new(ErrorKind::InvalidInput, error))?;
        let mut stream = TlsStream::new(session, socket);
        stream.shake_hands(end)?;
        Ok(stream)
    }
}

type Identity = (
    Vec<rustls::pki_types::CertificateDer<'static>>,
    PrivateKeyDer<'static>,
);

fn identity(certificate: &Path, key: &Path) -> Result<Identity, TlsError> {
    let chain = certificates(certificate, &read(certificate)?)?;
    Ok((chain, private_key(key, &read(key)?)?))
}
