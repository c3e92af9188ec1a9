//! Connections in, associations out.

mod admission;

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::config::DicomConfig;
use crate::dicom::tls;
use crate::dicom::upper_layer::{Connection, Deadline, Error, Limits, Stop, accept};
use crate::model::{AssociationEnd, Caller, RemoteAe, StreamTable};
use crate::stage::Stage;
use crate::store::Store;
use crate::telemetry::field;
use crate::telemetry::metrics::METRICS;

use super::access::Access;
use super::commitment::Commitments;
use super::event::Event;
use super::log_limit::LogLimit;
use super::places::{self, Connected, Places};
use super::secure::{self, SecurePort};
use super::session::{self, Services};

/// Lines a minute about refused associations of one address: enough for the mistakes of a person who sets it up.
const REFUSALS_LOGGED: u32 = 10;

/// What every association needs.
#[derive(Clone)]
pub struct Scp {
    config: DicomConfig,
    access: Arc<Access>,
    stage: Stage,
    store: Store,
    commitments: Commitments,
    streams: watch::Receiver<StreamTable>,
    /// No new associations.
    closing: Stop,
    /// Open ones have had their time.
    stop: Stop,
    places: Arc<Places>,
    numbers: Arc<AtomicU64>,
    /// Lines about connections that found no place, and about associations that were refused.
    turned_away: Arc<Mutex<LogLimit>>,
    refusals: Arc<Mutex<LogLimit>>,
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
        callers: Vec<Caller>,
        stage: Stage,
        store: Store,
        streams: watch::Receiver<StreamTable>,
    ) -> std::io::Result<Self> {
        let socket = TcpListener::bind(config.address).await?;
        let access = Access {
            networks: config.networks.clone(),
            callers,
        };
        tell(&access, &config, &streams.borrow());
        let limits = places::Limits {
            associations: config.associations,
            associations_per_address: config.associations_per_address,
        };
        let scp = Scp {
            config,
            access: Arc::new(access),
            stage,
            commitments: Commitments::new(store.clone(), Arc::default()),
            store,
            streams,
            closing: Stop::default(),
            stop: Stop::default(),
            places: Places::new(limits),
            numbers: Arc::new(AtomicU64::new(1)),
            turned_away: Arc::new(Mutex::new(LogLimit::new(1))),
            refusals: Arc::new(Mutex::new(LogLimit::new(REFUSALS_LOGGED))),
        };
        Ok(Self {
            socket,
            secure: None,
            scp,
        })
    }

    /// With peers that answers about storage commitment are brought to, and come from.
    #[must_use]
    pub fn with_remote_aes(mut self, remote_aes: Arc<Vec<RemoteAe>>) -> Self {
        self.scp.commitments = Commitments::new(self.scp.store.clone(), remote_aes);
        self
    }

    /// What its associations take of requests for storage commitment.
    #[must_use]
    pub fn commitments(&self) -> Commitments {
        self.scp.commitments.clone()
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

/// Says at the start what of the rules somebody may not have meant.
fn tell(access: &Access, config: &DicomConfig, streams: &StreamTable) {
    let tls = config.tls.as_ref().map(|tls| tls.address);
    let mut addresses = std::iter::once(config.address).chain(tls);
    if access.is_this_machine_alone() && addresses.any(|a| !a.ip().is_loopback()) {
        tracing::warn!(
            "nobody but this machine may call: to take studies from the network, add a [[caller]] or [dicom] networks \
             to the configuration"
        );
    }
    for ae_title in access.missing(|title| streams.contains_key(title)) {
        tracing::warn!(%ae_title, "a [[caller]] names a bucket that is not installed");
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
        let address = peer.ip().to_canonical();
        let connected = match self.places.connect(address) {
            Ok(connected) => connected,
            Err(full) => {
                if let Some(unlogged) = due(&self.turned_away, address) {
                    tracing::warn!({ field::PEER } = %peer, %full, unlogged, "connection closed without an answer");
                }
                return;
            }
        };
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let thread = std::thread::Builder::new()
            .name(format!("association-{number}"))
            .stack_size(512 * 1024);
        let scp = self.clone();
        let spawned = thread.spawn(move || {
            scp.associate(socket, peer, number, &connected, tls.as_deref());
            drop(connected);
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
        connected: &Connected,
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
        let address = peer.ip().to_canonical();
        let mut event = Event::new(number, address, tls.is_some());
        let mut taken = None;
        // One deadline over everything until the whole request is there, a TLS handshake included.
        let artim = Deadline::after(self.config.artim, "send a whole A-ASSOCIATE-RQ");
        let (transport, client) = match secure::begin(socket, tls) {
            Ok(begun) => begun,
            Err(error) => return tracing::error!(%error, "begin TLS"),
        };
        let accepted = Connection::new(transport, self.stop.clone()).and_then(|connection| {
            accept(connection, self.limits(), &artim, |request| {
                if let Some(name) = client.and_then(|c| c.get()?.common_name.clone()) {
                    span.record(field::TLS_CLIENT, name);
                }
                event.requested(request);
                event.record_titles(&span);
                let admitted = self.decide(request, address, number, connected);
                let (place, stream, origin) = admitted.map_err(|no| event.reject(no))?;
                let answers_only = stream.is_none();
                taken = Some((place, stream, origin));
                Ok(self.negotiate(request, answers_only))
            })
        });
        match (accepted, taken) {
            (Ok(mut association), Some((place, stream, origin))) => {
                METRICS.associations_accepted.one();
                tracing::debug!("association open");
                let services = Services {
                    stage: &self.stage,
                    commitments: &self.commitments,
                    stream: stream.as_ref(),
                    origin: &origin,
                };
                let (account, error) = session::serve(&mut association, &services);
                // It is over: whoever is told so may come again, and a peer that is slow to close keeps nobody out.
                drop(place);
                let closing = session::farewell(association, error.as_ref());
                self.note(event.ended(error.as_ref(), account));
                closing.wait();
            }
            (Err(error), _) => {
                if event.reason_of_rejection(&error).is_some() {
                    METRICS.associations_rejected.one();
                } else if !matches!(error, Error::Closed) {
                    METRICS.associations_failed.one();
                }
                self.log_refusal(&event, &error, address);
                self.note(event.refused(&error));
            }
            (Ok(_), None) => {}
        }
    }

    fn note(&self, end: Option<AssociationEnd>) {
        if let Some(end) = end {
            self.store.note_association(end);
        }
    }

    fn log_refusal(&self, event: &Event, error: &Error, address: IpAddr) {
        let rejected = event.reason_of_rejection(error);
        // A port that is looked at and left: load balancers do it every second.
        if rejected.is_none() && matches!(error, Error::Closed) {
            tracing::debug!("connection closed before an association");
            return;
        }
        let Some(unlogged) = due(&self.refusals, address) else {
            return;
        };
        match rejected {
            Some(reason) => tracing::warn!(%reason, unlogged, "association refused"),
            None => tracing::warn!(%error, unlogged, "no association"),
        }
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
        if tokio::time::timeout(grace, self.places.all_left()).await.is_ok() {
            return 0;
        }
        let left = self.places.open();
        self.stop.raise();
        // Each sees the signal within a tick of its socket; it then has some seconds to say goodbye.
        let _ = tokio::time::timeout(Duration::from_secs(5), self.places.all_left()).await;
        left
    }
}

fn due(limit: &Mutex<LogLimit>, address: IpAddr) -> Option<u64> {
    let mut limit = limit.lock().unwrap_or_else(PoisonError::into_inner);
    limit.due(address, Instant::now())
}
