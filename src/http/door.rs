//! The port of the API: plain, or TLS; so many connections at once, each begun in time.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Connections at once; who comes later waits until one ends.
const CONNECTIONS: usize = 512;

/// Time for the handshake of TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// As long as a client may take nothing of an answer: one that is paused holds its place no longer.
const STALLED: Duration = Duration::from_secs(600);

/// After an accept that failed: no file descriptor, mostly.
const AGAIN: Duration = Duration::from_millis(500);

/// What is shown to a client of TLS; asked at each connection, since certificates are renewed.
pub type Shown = Arc<dyn Fn() -> Arc<rustls::ServerConfig> + Send + Sync>;

/// A bound port.
pub struct Door {
    address: io::Result<SocketAddr>,
    begun: mpsc::Receiver<(Connection, Peer)>,
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// A connection that was begun.
pub struct Connection {
    stream: Stream,
    /// As long as nothing may be taken of what is written.
    patience: Duration,
    /// Ends it, while nothing can be written.
    stalled: Option<Pin<Box<Sleep>>>,
    _place: OwnedSemaphorePermit,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Door {
    /// Opens a door at a bound socket.
    pub fn new(socket: TcpListener, tls: Option<Shown>) -> Self {
        let (sender, begun) = mpsc::channel(1);
        let address = socket.local_addr();
        tokio::spawn(accept(socket, tls, sender));
        Self { address, begun }
    }
}

/// Accepts until nobody asks any more.
async fn accept(socket: TcpListener, tls: Option<Shown>, begun: mpsc::Sender<(Connection, Peer)>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // A semaphore is closed by its owner only, which is this.
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let (stream, address) = tokio::select! {
            accepted = socket.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "accept an HTTP connection");
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
            },
            () = begun.closed() => return,
        };
        let (begun, tls) = (begun.clone(), tls.clone());
        tokio::spawn(async move {
            let stream = match tls {
                None => Stream::Plain(stream),
                Some(shown) => {
                    let handshake = TlsAcceptor::from(shown()).accept(stream);
                    match tokio::time::timeout(HANDSHAKE, handshake).await {
                        Ok(Ok(stream)) => Stream::Tls(Box::new(stream)),
                        Ok(Err(error)) => return tracing::info!(peer.addr = %address, %error, "no TLS"),
                        Err(_) => return tracing::info!(peer.addr = %address, "no TLS in time"),
                    }
                }
            };
            let connection = Connection {
                stream,
                patience: STALLED,
                stalled: None,
                _place: place,
            };
            // Nobody asks any more: the node stops.
            let _ = begun.send((connection, Peer(address))).await;
        });
    }
}

impl Listener for Door {
    type Io = Connection;
    type Addr = Peer;

    async fn accept(&mut self) -> (Connection, Peer) {
        match self.begun.recv().await {
            Some(begun) => begun,
            // The one that accepts broke down; what is under way goes on.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Peer> {
        match &self.address {
            Ok(address) => Ok(Peer(*address)),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        }
    }
}

impl Connection {
    /// What became of writing; an error once nothing could be written for long.
    fn in_time<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        stalled
            .as_mut()
            .poll(cx)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        };
        this.in_time(cx, written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        };
        this.in_time(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn who_takes_nothing_of_an_answer_loses_its_place() {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (_idle, accepted) = tokio::join!(TcpStream::connect(address), socket.accept());
        let places = Arc::new(Semaphore::new(1));
        let mut connection = Connection {
            stream: Stream::Plain(accepted.unwrap().0),
            patience: Duration::from_millis(50),
            stalled: None,
            _place: places.acquire_owned().await.unwrap(),
        };
        let piece = vec![0; 1 << 20];
        let error = loop {
            if let Err(error) = connection.write_all(&piece).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
