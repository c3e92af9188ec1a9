//! What is in force, and looking at the files again.

use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::ServerConnection;

use super::certificate::Certificate;
use super::load::{Files, Hash, Loaded, TlsError};
use super::stream::TlsStream;
use crate::config::TlsConfig;

/// The server's side of TLS: certificate, key and accepted CAs, as they lie on disk.
///
/// Everything is swapped at once, the memory of earlier sessions included: nobody comes in by a session that began
/// under CAs that are not accepted any more. Open associations go on.
#[derive(Debug)]
pub struct Server {
    config: TlsConfig,
    current: RwLock<Arc<Loaded>>,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    /// Of the files in force.
    current: Hash,
    /// Of files that are not fit, and at how many looks.
    unfit: Option<(Hash, u32)>,
}

/// What a look at the files found.
#[derive(Debug)]
pub enum Look {
    /// Nothing new.
    Same,
    /// New files, in force from now on.
    New(Certificate),
    /// New files that are not fit; what was in force stays. Told once for each content.
    Unfit(TlsError),
}

impl Server {
    /// Loads the files.
    ///
    /// # Errors
    /// [`TlsError`]. A certificate that has expired is none: the site's peers may be told to take it.
    pub fn open(config: TlsConfig) -> Result<Self, TlsError> {
        let files = Files::read(&config)?;
        let loaded = files.load(&config)?;
        Ok(Self {
            config,
            current: RwLock::new(Arc::new(loaded)),
            seen: Mutex::new(Seen {
                current: files.hash(),
                unfit: None,
            }),
        })
    }

    /// The certificate in force.
    #[must_use]
    pub fn certificate(&self) -> Certificate {
        self.loaded().certificate.clone()
    }

    fn loaded(&self) -> Arc<Loaded> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What rustls is to show now, for connections that others begin.
    #[must_use]
    pub fn rustls_config(&self) -> Arc<rustls::ServerConfig> {
        self.loaded().config.clone()
    }

    /// Begins TLS on a connection that was accepted; the handshake runs with the first reads.
    ///
    /// # Errors
    /// When rustls does not take the settings.
    pub fn accept(&self, socket: TcpStream) -> Result<TlsStream, TlsError> {
        let session = ServerConnection::new(self.loaded().config.clone())
            .map_err(|error| TlsError::Setup(error.to_string()))?;
        Ok(TlsStream::new(session, socket))
    }

    /// Looks at the files again and puts them in force where they have changed.
    ///
    /// Unfit ones are told of at the second look in a row: the first may have come between two files being written.
    pub fn look(&self) -> Look {
        let read = Files::read(&self.config);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = match &read {
            Ok(files) => files.hash(),
            Err(error) => Hash::of(error.to_string()),
        };
        if hash == seen.current {
            seen.unfit = None;
            return Look::Same;
        }
        let looks = match seen.unfit {
            Some((before, looks)) if before == hash => looks.saturating_add(1),
            _ => 1,
        };
        if looks > 2 {
            seen.unfit = Some((hash, looks));
            return Look::Same;
        }
        match read.and_then(|files| files.load(&self.config)) {
            Ok(loaded) => {
                let certificate = loaded.certificate.clone();
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
                *seen = Seen {
                    current: hash,
                    unfit: None,
                };
                Look::New(certificate)
            }
            Err(error) => {
                seen.unfit = Some((hash, looks));
                if looks == 2 {
                    Look::Unfit(error)
                } else {
                    Look::Same
                }
            }
        }
    }
}
