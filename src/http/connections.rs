//! Connections: each asks in time or is closed, and those that are under way end before the node does.

use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::serve::Listener;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;

use super::door::Door;

/// From the beginning of a connection, or the end of the request before, until all of a request's head is there.
const HEAD: Duration = Duration::from_secs(30);

/// Answers whoever comes through the door until `stopped`, then finishes what is under way.
pub async fn serve(mut door: Door, router: Router, stopped: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    let mut stopped = std::pin::pin!(stopped);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = door.accept() => accepted,
            () = &mut stopped => break,
        };
        let service = TowerToHyperService::new(router.clone().layer(Extension(ConnectInfo(peer))));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(peer.addr = %peer.0, %error, "an HTTP connection ended early");
            }
        });
    }
    drop(door);
    graceful.shutdown().await;
}
