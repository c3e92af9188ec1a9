//! The port for DICOM over TLS: its certificate is watched, on disk and on the calendar.

use std::net::TcpStream;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::dicom::tls::{Certificate, Client, Look, Server, TlsError};
use crate::dicom::upper_layer::Transport;
use crate::telemetry::metrics::METRICS;

/// Between two looks at the files: short for whoever has renewed a certificate, nothing for the disk.
const LOOK: Duration = Duration::from_secs(5);

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A certificate that is valid for less is warned of.
const SOON: Duration = Duration::from_secs(30 * 24 * 3600);

/// A bound port for DICOM over TLS.
pub struct SecurePort {
    pub(super) socket: TcpListener,
    pub(super) server: Arc<Server>,
}

impl SecurePort {
    /// A bound socket with what is to be shown on it.
    #[must_use]
    pub fn new(socket: TcpListener, server: Server) -> Self {
        tell(&server.certificate());
        Self {
            socket,
            server: Arc::new(server),
        }
    }
}

/// Bare TCP, or TLS with a handle that tells who the client is once the handshake is done.
pub(super) type Begun = (Box<dyn Transport>, Option<Arc<OnceLock<Client>>>);

/// Begins TLS on a connection of the TLS port; the handshake runs with the first reads.
pub(super) fn begin(socket: TcpStream, server: Option<&Server>) -> Result<Begun, TlsError> {
    let Some(server) = server else {
        return Ok((Box::new(socket), None));
    };
    let stream = server.accept(socket)?;
    let client = stream.client();
    Ok((Box::new(stream), Some(client)))
}

/// Puts new files in force within seconds, at once on SIGHUP; tells daily how long the certificate is valid.
pub(super) async fn watch(server: Arc<Server>) {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut hangup = signal(SignalKind::hangup())
        .inspect_err(|error| tracing::warn!(%error, "SIGHUP will not reload the TLS certificate"))
        .ok();
    let mut daily = Instant::now() + DAY;
    loop {
        let asked = async {
            match &mut hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = looks.tick() => {}
            _ = asked => {}
            () = sleep_until(daily) => {
                daily += DAY;
                tell(&server.certificate());
            }
        }
        let looking = server.clone();
        match tokio::task::spawn_blocking(move || looking.look()).await {
            Ok(Look::New(certificate)) => tell(&certificate),
            Ok(Look::Unfit(error)) => {
                tracing::error!(%error, "the new TLS files are not fit: the certificate before them stays in force");
            }
            Ok(Look::Same) => {}
            Err(error) => tracing::error!(%error, "look at the TLS files"),
        }
    }
}

/// Says until when the certificate is valid, the louder the sooner that is.
fn tell(certificate: &Certificate) {
    METRICS
        .tls_certificate_expiry
        .set(certificate.not_after.0.div_euclid(1000));
    let until = certificate.not_after.to_rfc3339();
    let name = certificate.common_name.as_deref().unwrap_or("no name");
    let left = certificate.left();
    let days = left.as_secs() / DAY.as_secs();
    if left.is_zero() {
        tracing::error!(
            name,
            until,
            "the TLS certificate has expired: peers will refuse it"
        );
    } else if left < SOON {
        tracing::warn!(name, until, days, "the TLS certificate expires soon");
    } else {
        tracing::info!(name, until, days, "TLS certificate in force");
    }
}
