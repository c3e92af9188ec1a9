//! The HTTP side: the API of version 1, the original's addresses, whether the node is ready, and numbers for a monitoring
//! system.

mod actions;
mod api;
mod associations;
mod auth;
mod buckets;
mod commitments;
mod connections;
mod door;
mod legacy;
mod measures;
mod measures_format;
mod memory;
mod metrics;
mod problem;
mod push;
mod refusals;
mod remotes;
mod routes;
mod series;
mod trail;
mod uploads;
mod view;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use crate::bucket::Buckets;
use crate::bucket::uploads::Uploads;
use crate::container::Runtime;
use crate::delivery::{Destinations, Probes};
use crate::model::Layout;
use crate::routing::Routes;
use crate::stage::{Classifier, Completion};
use crate::store::Store;

pub use auth::Access;
pub use door::{Peer, Shown};
pub use legacy::Scratch;
#[cfg(feature = "fuzzing")]
pub use legacy::parts;
pub use push::Pushes;

/// What handlers need.
#[derive(Clone)]
pub struct Context {
    /// The job store.
    pub store: Store,
    /// The data directory.
    pub layout: Layout,
    /// Tells what the series of jobs are.
    pub classifier: Classifier,
    /// The installed buckets.
    pub buckets: Buckets,
    /// What clients upload.
    pub uploads: Uploads,
    /// Where results go.
    pub routes: Routes,
    /// What takes pushed studies.
    pub pushes: Pushes,
    /// The list of jobs as the original told it.
    pub scratch: Scratch,
    /// Where deliveries go.
    pub destinations: Arc<Destinations>,
    /// Whether destinations answer.
    pub probes: Probes,
    /// Who may use the API.
    pub access: Access,
    /// The container engine, for what it says of itself.
    pub runtime: Arc<dyn Runtime>,
    /// Where DICOM is spoken.
    pub dicom: SocketAddr,
    /// Where DICOM is spoken over TLS.
    pub dicom_tls: Option<SocketAddr>,
    /// Where HTTP is, as a URL.
    pub http: String,
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
    let access = auth::Guard {
        access: Arc::new(context.access.clone()),
        store: context.store.clone(),
    };
    let trail = trail::Trail::new(context.store.clone());
    let pages = Router::new()
        .route("/readyz", get(async || "ready\n"))
        .route("/metrics", get(metrics::show))
        .nest("/api/v1", api::router())
        .merge(legacy::router())
        .fallback(async || {
            problem::Problem::not_found("there is no such page here; the API is below /api/v1")
        })
        .layer(from_fn_with_state(trail, trail::tell))
        .layer(from_fn_with_state(access, auth::check))
        .with_state(context);
    // Around all of them: what a page's own layers see of a wrong method says not yet which are right.
    Router::new()
        .fallback_service(pages)
        .layer(from_fn(refusals::tell))
}

/// Serves, over TLS where something is to be shown, until `stopped`, then finishes what is under way.
///
/// # Errors
/// What the system says.
pub async fn serve(
    socket: TcpListener,
    tls: Option<Shown>,
    context: Context,
    stopped: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    context
        .scratch
        .warm(context.store.clone(), context.layout.clone());
    let door = door::Door::new(socket, tls);
    connections::serve(door, router(context), stopped).await;
    Ok(())
}
