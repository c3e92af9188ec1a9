//! The page of an open bucket: its files, its documentation, a run to try it; for this machine's user only.
//!
//! ```text
//! guard.rs          who may ask
//! files.rs          reading and writing work.sh, info.json, db-plugin.code
//! check.rs          info.json while it is typed
//! documentation.rs  what the bucket says of itself
//! runs.rs           the bucket as it is now on a study
//! assets.rs         what the browser loads, made from ../page
//! ```

mod assets;
mod check;
mod documentation;
mod files;
mod guard;
mod runs;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use anyhow::{Context, Result};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router, middleware};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::container::{Docker, ImageId, OpenFile};

use self::guard::Guard;
use super::LARGEST_FILE;

/// Label of an image that was made to try a bucket; its value is the container it was made of.
const RUN_LABEL: &str = "magickbox.open";

/// Ports that are tried, beginning with the one that was asked for.
const PORTS: u16 = 100;

/// Directories that are suggested at most.
const MOST_SUGGESTED: usize = 200;

/// What the page is of.
pub(super) struct Opened {
    pub docker: Docker,
    /// As people say it.
    pub name: String,
    pub container: String,
    /// The image the session began with.
    pub base: ImageId,
    /// Directories whose studies may be run on; the developer's own first.
    pub roots: Vec<PathBuf>,
}

/// The page, for the session and for each request.
pub(super) struct Page {
    opened: Opened,
    guard: Guard,
    /// Names of files with edits that are on the page only.
    drafts: StdMutex<Vec<String>>,
    /// Held while a file is written.
    writing: Mutex<()>,
    run: Mutex<runs::Slot>,
}

type Shared = Arc<Page>;

impl Page {
    /// Where it is, with its key.
    pub fn url(&self) -> String {
        self.guard.url()
    }

    /// Directories whose studies may be run on.
    pub fn roots(&self) -> &[PathBuf] {
        &self.opened.roots
    }

    /// Names of files with edits that are on the page only.
    pub fn drafts(&self) -> Vec<String> {
        self.drafts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends a run that is under way and removes the results of the last.
    pub async fn close(self: &Arc<Self>) {
        // What is left then is found by the next session.
        let _ = runs::stop_run(self).await;
        if let Some((_, task)) = self.run.lock().await.take() {
            // The directory of the results goes with the value.
            drop(task.await);
        }
    }

    fn docker(&self) -> &Docker {
        &self.opened.docker
    }

    fn container(&self) -> &str {
        &self.opened.container
    }

    fn base(&self) -> &ImageId {
        &self.opened.base
    }

    async fn read(&self, path: &str) -> crate::container::Result<Option<OpenFile>> {
        self.docker()
            .read_open(self.container(), path, LARGEST_FILE)
            .await
    }

    /// The directory that a person named, if it may be read; a relative name is one in the first root.
    fn allowed(&self, named: &str) -> Result<PathBuf, Failure> {
        let roots = &self.opened.roots;
        let first = roots.first().cloned().unwrap_or_default();
        let path = std::fs::canonicalize(first.join(named))
            .map_err(|e| Failure::new(StatusCode::BAD_REQUEST, format!("directory {named:?}: {e}")))?;
        if !path.is_dir() {
            return Err(Failure::new(
                StatusCode::BAD_REQUEST,
                format!("{named:?} is no directory"),
            ));
        }
        if roots.iter().any(|root| path.starts_with(root)) {
            return Ok(path);
        }
        let places: Vec<_> = roots.iter().map(|r| r.display().to_string()).collect();
        Err(Failure::new(
            StatusCode::FORBIDDEN,
            format!(
                "{named:?} is not below {}: open the bucket with --data {named}",
                places.join(" or ")
            ),
        ))
    }
}

/// Serves the page on loopback, on `port` or the next free one.
pub(super) async fn serve(opened: Opened, port: u16) -> Result<(JoinHandle<()>, Arc<Page>)> {
    let socket = bind(port).await?;
    let page = Arc::new(Page {
        guard: Guard::new(socket.local_addr()?.port()),
        opened,
        drafts: StdMutex::default(),
        writing: Mutex::default(),
        run: Mutex::default(),
    });
    let router = Router::new()
        .route("/", get(assets::page))
        .route("/editor.js", get(assets::script))
        .route("/editor.css", get(assets::style))
        .route("/licences.txt", get(assets::licences))
        .route("/api/bucket", get(bucket))
        .route("/api/files", get(files::list))
        .route("/api/files/{name}", put(files::put))
        .route("/api/check", post(check::check))
        .route("/api/drafts", post(drafts))
        .route("/api/directories", get(directories))
        .route("/api/run", post(runs::begin).delete(runs::stop))
        .route("/api/run/events", get(runs::events))
        .fallback(async || Failure::new(StatusCode::NOT_FOUND, "there is nothing here"))
        .layer(middleware::from_fn_with_state(page.guard.clone(), guard::guard))
        .with_state(Arc::clone(&page));
    let server = tokio::spawn(async move {
        // It ends with the session; a socket that breaks before leaves the shell as it is.
        let _ = axum::serve(socket, router).await;
    });
    Ok((server, page))
}

async fn bind(port: u16) -> Result<TcpListener> {
    let mut port = port;
    for _ in 0..PORTS {
        match TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => port = port.saturating_add(1),
            answer => return answer.with_context(|| format!("listen on port {port}")),
        }
    }
    anyhow::bail!(
        "no port is free from {} to {port}: give another with --port",
        port.saturating_sub(PORTS)
    )
}

/// Removes images that were made to try a bucket and stayed when their session was killed.
pub(super) async fn sweep(docker: &Docker, container: &str) -> crate::container::Result<()> {
    for image in docker.nameless_images(RUN_LABEL, container).await? {
        docker.images().remove_nameless(&image).await?;
    }
    Ok(())
}

/// `GET /api/bucket`: all that the page shows at first.
async fn bucket(State(page): State<Shared>) -> Answer<Json<Value>> {
    let (documentation_path, documentation) = documentation::read(&page).await?;
    let roots: Vec<_> = page.roots().iter().map(|r| r.display().to_string()).collect();
    Ok(Json(json!({
        "name": page.opened.name,
        "files": files::all(&page).await?,
        "documentation": { "path": documentation_path, "text": documentation },
        "roots": roots,
        "has_run": page.run.lock().await.is_some(),
    })))
}

/// `POST /api/drafts`: which files have edits that are not saved; the session asks before it ends.
async fn drafts(State(page): State<Shared>, Json(names): Json<Vec<String>>) -> StatusCode {
    let known = files::FILES.iter().map(|(name, _)| (*name).to_owned());
    *page.drafts.lock().unwrap_or_else(PoisonError::into_inner) =
        known.filter(|name| names.contains(name)).collect();
    StatusCode::NO_CONTENT
}

/// Below which directory.
#[derive(Deserialize)]
struct Below {
    #[serde(default)]
    path: String,
}

/// `GET /api/directories`: the directories in one, to choose from.
async fn directories(State(page): State<Shared>, Query(below): Query<Below>) -> Answer<Json<Vec<String>>> {
    let directory = page.allowed(&below.path)?;
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .map_err(|e| {
            Failure::new(
                StatusCode::BAD_REQUEST,
                format!("directory {:?}: {e}", below.path),
            )
        })?
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|t| t.is_dir()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .take(MOST_SUGGESTED)
        .collect();
    names.sort();
    Ok(Json(names))
}

/// An answer that is no success: a status, and a sentence for the page.
#[derive(Debug)]
struct Failure {
    status: StatusCode,
    detail: String,
}

type Answer<T> = Result<T, Failure>;

impl Failure {
    fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
        }
    }
}

impl From<crate::container::Error> for Failure {
    fn from(error: crate::container::Error) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "detail": self.detail }))).into_response()
    }
}
