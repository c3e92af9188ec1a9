//! The HTTP side: the API of version 1, whether the node is ready, and numbers for a monitoring system.

mod actions;
mod api;
mod associations;
mod buckets;
mod problem;
mod view;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use crate::bucket::Buckets;
use crate::container::Runtime;
use crate::model::Layout;
use crate::stage::Completion;
use crate::store::Store;
use crate::telemetry::metrics::{self, METRICS};

/// What handlers need.
#[derive(Clone)]
pub struct Context {
    /// The job store.
    pub store: Store,
    /// The data directory.
    pub layout: Layout,
    /// The installed buckets.
    pub buckets: Buckets,
    /// The container engine, for what it says of itself.
    pub runtime: Arc<dyn Runtime>,
    /// Where DICOM is spoken.
    pub dicom: SocketAddr,
    /// Where DICOM is spoken over TLS.
    pub dicom_tls: Option<SocketAddr>,
    /// Where HTTP is.
    pub http: SocketAddr,
    /// Completes open sets.
    pub completion: Completion,
    /// Told when a job was queued.
    pub queued: Arc<Notify>,
    /// Told when a delivery is due.
    pub due: Arc<Notify>,
    /// Told when a job was cancelled.
    pub cancelled: Arc<watch::Sender<()>>,
    /// How long a job may be held.
    pub hold: Duration,
}

/// Every request this node answers.
pub fn router(context: Context) -> Router {
    Router::new()
        .route("/readyz", get(async || "ready\n"))
        .route("/metrics", get(metrics))
        .nest("/api/v1", api::router())
        .fallback(async || {
            problem::Problem::not_found("there is no such page here; the API is below /api/v1")
        })
        .with_state(context)
}

async fn metrics() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], METRICS.text())
}

/// Serves until `stopped`, then finishes what is under way.
///
/// # Errors
/// What the system says.
pub async fn serve(
    socket: TcpListener,
    context: Context,
    stopped: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(socket, router(context))
        .with_graceful_shutdown(stopped)
        .await
}
