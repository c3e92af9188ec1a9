//! Connections in, associations out.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use crate::config::DicomConfig;
use crate::dicom::negotiation::negotiate;
use crate::dicom::tls;
use crate::dicom::upper_layer::{
    Acceptance, AssociateRq, Connection, Deadline, Error, Limits, Rejection, Stop, Transport, accept,
};
use crate::model::{AeTitle, CalledAeTitle, CallingAeTitle, Origin, Stream, StreamTable};
use crate::stage::Stage;
use crate::telemetry::field;
use crate::telemetry::metrics::METRICS;

use super::secure::{self, SecurePort};
use super::session;

/// Connections that may be open beyond the associations: about to ask, being refused, silent until ARTIM ends them.
/// More are closed at once.
const BEYOND: u32 = 256;

/// What every association needs.
#[derive(Clone)]
pub struct Scp {
    config: DicomConfig,
    stage: Stage,
    streams: watch::Receiver<StreamTable>,
    /// No new associations.
    closing: Stop,
    /// Open ones have had their time.
    stop: Stop,
    /// Connections, whatever they are up to.
    open: Arc<AtomicU32>,
    /// Those of them that are associations.
    associations: Arc<AtomicU32>,
    ended: Arc<Notify>,
    numbers: Arc<AtomicU64>,
}

/// A bound DICOM port, and the one for TLS where there is one.
pub struct Listener {
    socket: TcpListener,
    secure: Option<SecurePort>,
    scp: Scp,
}

impl Listener {
    /// Binds the port.
    ///
    /// # Errors
    /// What the system says: the port is taken, or below 1024 without the right.
    pub async fn bind(
        config: DicomConfig,
        stage: Stage,
        streams: watch::Receiver<StreamTable>,
    ) -> std::io::Result<Self> {
        let socket = TcpListener::bind(config.address).await?;
        let scp = Scp {
            config,
            stage,
            streams,
            closing: Stop::default(),
            stop: Stop::default(),
            open: Arc::default(),
            associations: Arc::default(),
            ended: Arc::default(),
            numbers: Arc::default(),
        };
        Ok(Self {
            socket,
            secure: None,
            scp,
        })
    }

    /// With a port for TLS beside: the same services, the same limits.
    #[must_use]
    pub fn with_tls(self, port: SecurePort) -> Self {
        Self {
            secure: Some(port),
            ..self
        }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the system says.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// A handle that outlives the listener, to end its associations.
    #[must_use]
    pub fn scp(&self) -> Scp {
        self.scp.clone()
    }

    /// Accepts connections until dropped.
    pub async fn run(self) {
        let Self { socket, secure, scp } = self;
        let plain = scp.take_connections(&socket, None);
        match secure {
            None => plain.await,
            Some(SecurePort { socket, server }) => {
                let encrypted = scp.take_connections(&socket, Some(&server));
                tokio::join!(plain, encrypted, secure::watch(server.clone()));
            }
        }
    }
}

impl Scp {
    async fn take_connections(&self, socket: &TcpListener, tls: Option<&Arc<tls::Server>>) {
        loop {
            match socket.accept().await {
                Ok((socket, peer)) => match socket.into_std() {
                    Ok(socket) => self.begin(socket, peer, tls.cloned()),
                    Err(error) => tracing::warn!(%error, { field::PEER } = %peer, "take a connection over"),
                },
                Err(error) => {
                    // Out of file descriptors, most likely: associations that end give some back.
                    tracing::error!(%error, "accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn begin(&self, socket: std::net::TcpStream, peer: SocketAddr, tls: Option<Arc<tls::Server>>) {
        let open = self.open.fetch_add(1, Ordering::AcqRel) + 1;
        METRICS.connections_open.up();
        let slot = Slot(self.clone());
        if open > self.config.associations + BEYOND {
            tracing::warn!({ field::PEER } = %peer, open, "too many connections: closed without an answer");
            return;
        }
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let thread = std::thread::Builder::new()
            .name(format!("association-{number}"))
            .stack_size(512 * 1024);
        let spawned = thread.spawn(move || {
            slot.0.associate(socket, peer, number, tls.as_deref());
            drop(slot);
        });
        if let Err(error) = spawned {
            tracing::error!(%error, { field::PEER } = %peer, "start a thread for an association");
        }
    }

    /// The whole life of an association.
    fn associate(
        &self,
        socket: std::net::TcpStream,
        peer: SocketAddr,
        number: u64,
        tls: Option<&tls::Server>,
    ) {
        let span = tracing::info_span!(
            "association",
            { field::ASSOCIATION } = number,
            { field::PEER } = %peer,
            { field::TLS_CLIENT } = tracing::field::Empty,
            { field::CALLING } = tracing::field::Empty,
            { field::CALLED } = tracing::field::Empty,
        );
        let _in_span = span.enter();
        let mut taken = None;
        // One deadline over everything until the whole request is there, a TLS handshake included.
        let artim = Deadline::after(self.config.artim, "send a whole A-ASSOCIATE-RQ");
        let (transport, client) = match begin_tls(socket, tls) {
            Ok(begun) => begun,
            Err(error) => return tracing::error!(%error, "begin TLS"),
        };
        let accepted = Connection::new(transport, self.stop.clone()).and_then(|connection| {
            accept(connection, self.limits(), &artim, |request| {
                if let Some(name) = client.and_then(|c| c.get()?.common_name.clone()) {
                    span.record(field::TLS_CLIENT, name);
                }
                let (place, stream, origin, contexts) = self.decide(request, peer, number)?;
                span.record(field::CALLING, origin.calling.0.as_str());
                span.record(field::CALLED, origin.called.0.as_str());
                taken = Some((place, stream, origin));
                Ok(contexts)
            })
        });
        match (accepted, taken) {
            (Ok(association), Some((place, stream, origin))) => {
                METRICS.associations_accepted.one();
                tracing::debug!("association open");
                let closing = session::serve(association, &self.stage, &stream, &origin);
                // It is over: how long the peer takes to close keeps nobody else out.
                drop(place);
                closing.wait();
            }
            (Err(Error::Refused(rejection)), _) => {
                METRICS.associations_rejected.one();
                tracing::warn!(%rejection, "association refused");
            }
            // A port that is looked at and left: load balancers do it every second.
            (Err(Error::Closed), _) => tracing::debug!("connection closed before an association"),
            (Err(error), _) => {
                METRICS.associations_failed.one();
                tracing::warn!(%error, "no association");
            }
            (Ok(_), None) => {}
        }
    }

    fn decide(
        &self,
        request: &AssociateRq,
        peer: SocketAddr,
        number: u64,
    ) -> Result<(Place, Stream, Origin, Vec<Acceptance>), Rejection> {
        if self.closing.is_raised() || !self.stage.has_room() {
            return Err(Rejection::CONGESTION);
        }
        let called = AeTitle::parse(&request.called).map_err(|_| Rejection::CALLED_AE_TITLE)?;
        let calling = AeTitle::parse(&request.calling).map_err(|_| Rejection::CALLING_AE_TITLE)?;
        let stream = self
            .streams
            .borrow()
            .get(&called)
            .cloned()
            .ok_or(Rejection::CALLED_AE_TITLE)?;
        let origin = Origin {
            called: CalledAeTitle(called),
            calling: CallingAeTitle(calling),
            address: peer.ip().to_canonical(),
            association: number,
        };
        let place =
            Place::take(&self.associations, self.config.associations).ok_or(Rejection::LOCAL_LIMIT)?;
        Ok((place, stream, origin, negotiate(&request.contexts)))
    }

    const fn limits(&self) -> Limits {
        Limits {
            artim: self.config.artim,
            idle: self.config.idle,
            object: self.config.object_time,
            maximum_pdu: self.config.maximum_pdu,
            associate_request: self.config.associate_request,
            asynchronous_operations: self.config.asynchronous_operations,
        }
    }

    /// Refuses new associations from now on, as transient.
    pub fn close(&self) {
        self.closing.raise();
    }

    /// Gives open associations `grace` to end, then aborts them; answers how many had to be.
    pub async fn finish(&self, grace: Duration) -> u32 {
        if tokio::time::timeout(grace, self.all_ended()).await.is_ok() {
            return 0;
        }
        let left = self.open.load(Ordering::Acquire);
        self.stop.raise();
        // Each sees the signal within a tick of its socket; it then has some seconds to say goodbye.
        let _ = tokio::time::timeout(Duration::from_secs(5), self.all_ended()).await;
        left
    }

    async fn all_ended(&self) {
        loop {
            let ended = self.ended.notified();
            if self.open.load(Ordering::Acquire) == 0 {
                return;
            }
            ended.await;
        }
    }
}

/// Bare TCP, or TLS with a handle that tells who the client is once the handshake is done.
type Begun = (Box<dyn Transport>, Option<Arc<OnceLock<tls::Client>>>);

fn begin_tls(socket: std::net::TcpStream, tls: Option<&tls::Server>) -> Result<Begun, tls::TlsError> {
    let Some(server) = tls else {
        return Ok((Box::new(socket), None));
    };
    let stream = server.accept(socket)?;
    let client = stream.client();
    Ok((Box::new(stream), Some(client)))
}

/// A place among the associations; given back when dropped.
struct Place(Arc<AtomicU32>);

impl Place {
    fn take(associations: &Arc<AtomicU32>, limit: u32) -> Option<Self> {
        let taken = Self(associations.clone());
        METRICS.associations_open.up();
        (associations.fetch_add(1, Ordering::AcqRel) < limit).then_some(taken)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
        METRICS.associations_open.down();
    }
}

/// An open connection; counted until dropped, whatever happens.
struct Slot(Scp);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
        METRICS.connections_open.down();
        self.0.ended.notify_waiters();
    }
}
