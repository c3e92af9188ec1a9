//! Connections in, associations out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use crate::config::DicomConfig;
use crate::dicom::negotiation::negotiate;
use crate::dicom::upper_layer::{
    Acceptance, AssociateRq, Connection, Deadline, Error, Limits, Rejection, Stop, accept,
};
use crate::model::{AeTitle, CalledAeTitle, CallingAeTitle, Origin, Stream, StreamTable};
use crate::stage::Stage;
use crate::telemetry::field;

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

/// A bound DICOM port.
pub struct Listener {
    socket: TcpListener,
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
        Ok(Self { socket, scp })
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
        loop {
            match self.socket.accept().await {
                Ok((socket, peer)) => match socket.into_std() {
                    Ok(socket) => self.scp.begin(socket, peer),
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
}

impl Scp {
    fn begin(&self, socket: std::net::TcpStream, peer: SocketAddr) {
        let open = self.open.fetch_add(1, Ordering::AcqRel) + 1;
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
            slot.0.associate(socket, peer, number);
            drop(slot);
        });
        if let Err(error) = spawned {
            tracing::error!(%error, { field::PEER } = %peer, "start a thread for an association");
        }
    }

    /// The whole life of an association.
    fn associate(&self, socket: std::net::TcpStream, peer: SocketAddr, number: u64) {
        let span = tracing::info_span!(
            "association",
            { field::ASSOCIATION } = number,
            { field::PEER } = %peer,
            { field::CALLING } = tracing::field::Empty,
            { field::CALLED } = tracing::field::Empty,
        );
        let _in_span = span.enter();
        let mut taken = None;
        // One deadline over everything until the whole request is there.
        let artim = Deadline::after(self.config.artim, "send a whole A-ASSOCIATE-RQ");
        let accepted = Connection::new(Box::new(socket), self.stop.clone()).and_then(|connection| {
            accept(connection, self.limits(), &artim, |request| {
                let (place, stream, origin, contexts) = self.decide(request, peer, number)?;
                span.record(field::CALLING, origin.calling.0.as_str());
                span.record(field::CALLED, origin.called.0.as_str());
                taken = Some((place, stream, origin));
                Ok(contexts)
            })
        });
        match (accepted, taken) {
            (Ok(association), Some((place, stream, origin))) => {
                tracing::debug!("association open");
                let closing = session::serve(association, &self.stage, &stream, &origin);
                // It is over: how long the peer takes to close keeps nobody else out.
                drop(place);
                closing.wait();
            }
            (Err(Error::Refused(rejection)), _) => tracing::warn!(%rejection, "association refused"),
            // A port that is looked at and left: load balancers do it every second.
            (Err(Error::Closed), _) => tracing::debug!("connection closed before an association"),
            (Err(error), _) => tracing::warn!(%error, "no association"),
            (Ok(_), None) => {}
        }
    }

    fn decide(
        &self,
        request: &AssociateRq,
        peer: SocketAddr,
        number: u64,
    ) -> Result<(Place, Stream, Origin, Vec<Acceptance>), Rejection> {
        if self.closing.is_raised() {
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

/// A place among the associations; given back when dropped.
struct Place(Arc<AtomicU32>);

impl Place {
    fn take(associations: &Arc<AtomicU32>, limit: u32) -> Option<Self> {
        let taken = Self(associations.clone());
        (associations.fetch_add(1, Ordering::AcqRel) < limit).then_some(taken)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// An open connection; counted until dropped, whatever happens.
struct Slot(Scp);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
        self.0.ended.notify_waiters();
    }
}
