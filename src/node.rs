//! The composition root: a [`Config`] becomes a running node, in named phases, and stops in named phases.

mod announce;
mod changes;
mod data;
mod https;
mod trail;

use std::fs::File;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use announce::Announcement;
use data::{make_parent, refuse_a_lost_store};

use crate::audit;
use crate::bucket::uploads::Uploads;
use crate::bucket::{Buckets, Capacity};
use crate::config::{Config, EngineConfig, TlsConfig};
use crate::container::{Docker, DockerConfig, Runtime};
use crate::delivery::{Aftermath, Committer, Destinations, Probes, Records, Shelves, Worker};
use crate::dicom::tls;
use crate::dicom::upper_layer::Stop;
use crate::engine::{self, Engine};
use crate::files;
use crate::http;
use crate::model::{AuditKind, Layout, Place, Remote, RemoteAe};
use crate::routing::{self, Routes, RoutesConfig};
use crate::scp::{Keeper, Listener, Scp, SecurePort};
use crate::stage::{Classifier, Keeps, Retention, Stage, load_rules};
use crate::store::Store;

pub use data::lock;

/// Time that open associations have to end when the node stops.
const ASSOCIATIONS_GRACE: Duration = Duration::from_secs(30);

/// A node that serves.
pub struct Node {
    layout: Layout,
    store: Store,
    scp: Scp,
    tasks: Vec<JoinHandle<()>>,
    sending: JoinHandle<()>,
    due: Arc<Notify>,
    http: JoinHandle<std::io::Result<()>>,
    stop_http: Arc<Notify>,
    stop_sending: Stop,
    dicom_address: SocketAddr,
    dicom_tls_address: Option<SocketAddr>,
    /// Where the API is, as a URL.
    http_url: String,
    announcement: Option<Announcement>,
    /// Held as long as the process lives; given back by the system, even on kill -9.
    lock: File,
}

impl Node {
    /// Starts a node: lock, store, engine, buckets, stage, ports, tasks, node.json.
    ///
    /// # Errors
    /// What keeps it from serving, naming the input.
    pub async fn start(config: Config) -> Result<Self> {
        let configured = changes::word_of(&config);
        // What the site has to mend is told before anything is begun.
        let (given, remotes, fixed) = (config.routing, config.remotes, config.routes);
        let tls = config.dicom.tls.clone().map(open_tls).transpose()?;
        let https = https::open(&config.http)?;
        https::warn(&config.http);
        let announced = config.http.announce;
        let series_rules = load_rules(&config.classify)?;
        let root = std::path::absolute(&config.data)?;
        let layout = Layout::new(root);
        let lock = lock(&layout)?;
        // A node that was killed left it: whoever waits for it waits for us.
        files::remove_file(&layout.path(Place::NodeFile)).context("remove run/node.json")?;
        let rules = RoutesConfig {
            fixed,
            site: routing::Site::new(given.default_pacs, &remotes),
            required: given.file.is_some(),
            file: layout
                .root()
                .join(given.file.unwrap_or_else(|| "routing.json".into())),
            kept: layout.path(Place::RoutesKept),
        };
        let routes = tokio::task::spawn_blocking(move || Routes::open(rules)).await??;
        let store_path = layout.path(Place::Store);
        make_parent(&store_path)?;
        let opening = || format!("open {}", store_path.display());
        refuse_a_lost_store(&layout).with_context(opening)?;
        let store = Store::open(&store_path).with_context(opening)?;
        store.know_destinations(trail::destinations(&remotes));

        let docker = Docker::connect(DockerConfig {
            endpoint: config.engine.docker.clone(),
            ..DockerConfig::default()
        })
        .await?;
        let images = docker.images();
        let runtime: Arc<dyn Runtime> = Arc::new(docker);
        let capacity = capacity(runtime.as_ref(), &config.engine).await?;
        let buckets = Buckets::open(
            store.clone(),
            layout.clone(),
            (runtime.clone(), images),
            config.buckets,
            capacity,
        )?
        .with_forbidden(config.engine.forbid.clone());

        let queued = Arc::new(Notify::new());
        let due = Arc::new(Notify::new());
        // It reads the disk, and waits for the store where it takes objects in.
        let (of_stage, queue) = ((layout.clone(), store.clone()), queued.clone());
        let (storage, most_waiting) = (config.storage, config.engine.queue);
        let open =
            move || Stage::open(of_stage.0, of_stage.1, storage, queue).map(|s| s.with_queue(most_waiting));
        let stage = tokio::task::spawn_blocking(open).await??;
        let streams = buckets.streams();
        stage.resume(|title| streams.borrow().get(title).cloned())?;

        let dicom = config.dicom.address;
        let of_dicom = remotes.iter().filter_map(|remote| match remote {
            Remote::Dicom(ae) => Some(ae.clone()),
            Remote::Folder(_) | Remote::Web(_) => None,
        });
        let remote_aes: Arc<Vec<RemoteAe>> = Arc::new(of_dicom.collect());
        let mut listener = Listener::bind(
            config.dicom,
            config.callers,
            stage.clone(),
            store.clone(),
            streams,
        )
        .await
        .with_context(|| format!("listen for DICOM on {dicom}"))?;
        listener = listener.with_remote_aes(remote_aes);
        let mut dicom_tls_address = None;
        if let Some((server, address)) = tls {
            let socket = TcpListener::bind(address)
                .await
                .with_context(|| format!("listen for DICOM over TLS on {address}"))?;
            dicom_tls_address = Some(socket.local_addr()?);
            listener = listener.with_tls(SecurePort::new(socket, server));
        }
        let http_socket = TcpListener::bind(config.http.address)
            .await
            .with_context(|| format!("listen for HTTP on {}", config.http.address))?;
        let (dicom_address, http_address) = (listener.address()?, http_socket.local_addr()?);
        let scp = listener.scp();

        let stop_sending = Stop::default();
        let (cancelled, told_cancelled) = watch::channel(());
        let classifier = Classifier::new(layout.clone(), store.clone(), series_rules);
        let engine = Engine {
            store: store.clone(),
            classifier: classifier.clone(),
            layout: layout.clone(),
            runtime: runtime.clone(),
            buckets: buckets.clone(),
            routes: routes.clone(),
            queued: queued.clone(),
            deliveries: due.clone(),
            at_work: stage.at_work().clone(),
            cancelled: told_cancelled,
        };
        let keeper = Keeper {
            commitments: listener.commitments(),
            layout: layout.clone(),
            completion: stage.completion().clone(),
            promise: storage.commit_for,
            completes: storage.commit_completes,
            config: config.delivery.clone(),
        };
        let destinations = Arc::new(Destinations::new(remotes));
        let committer = Committer {
            config: config.delivery.clone(),
            destinations: destinations.clone(),
            store: store.clone(),
            due: Arc::default(),
        };
        let probes = Probes::new(destinations.clone(), &config.delivery);
        let shelves = Arc::new(Shelves::default());
        let records = Records::new(store.clone(), layout.clone());
        let aftermath = Aftermath {
            store: store.clone(),
            layout: layout.clone(),
            shelves: shelves.clone(),
            records: records.clone(),
        };
        let of_store = store.clone();
        let worker = Worker {
            config: config.delivery,
            committer: committer.clone(),
            destinations: destinations.clone(),
            store: store.clone(),
            layout: layout.clone(),
            due,
            stop: stop_sending.clone(),
            shelves,
            records,
            clock: Arc::new(move || of_store.moment()),
        };
        // Before HTTP is served: what is swept here is of the last run, never of an install under way.
        let taken_up = engine::take_up(&engine).await;
        let (of_stage, of_layout, largest) = (stage.clone(), layout.clone(), config.http.largest_upload);
        let open = move || Uploads::open(of_layout, largest, Arc::new(move || of_stage.spare_bytes()));
        let uploads = tokio::task::spawn_blocking(open)
            .await?
            .context("look at the uploads")?;
        let completion = stage.completion().clone();
        let of_buckets = buckets.clone();
        let retention = Retention::new(&stage, &storage, move || keeps(&of_buckets));
        let trail = config.audit;
        // Before anything is served: no event of this run comes before it.
        store.audit_start(trail::event(AuditKind::Started)).await?;
        changes::tell_of_configuration(&store, configured).await?;
        let mut tasks = vec![
            tokio::spawn(audit::Keeper::new(store.clone(), &trail).run()),
            tokio::spawn(store.clone().keep_running()),
            tokio::spawn(uploads.clone().expire()),
            tokio::spawn(routes.clone().watch()),
            tokio::spawn(changes::watch(store.clone(), routes.clone())),
            tokio::spawn(retention.run()),
            tokio::spawn(keeper.run()),
            tokio::spawn(committer.run()),
            tokio::spawn(aftermath.run()),
            tokio::spawn(classifier.clone().run()),
            tokio::spawn(engine::end_overdue_holds(store.clone(), config.engine.hold)),
            tokio::spawn(async move { completion.run().await }),
            tokio::spawn(engine::write_last_papers(engine.clone())),
            tokio::spawn(engine::run(engine, taken_up)),
            tokio::spawn(listener.run()),
        ];
        if let Some(collector) = trail.collector.clone() {
            let sender = audit::Sender::new(store.clone(), audit::source(&trail), collector);
            tasks.push(tokio::spawn(sender.run()));
        }
        let scheme = if https.is_some() { "https" } else { "http" };
        let http_url = format!("{scheme}://{http_address}");
        if let Some(server) = https.clone() {
            tokio::spawn(https::watch(server));
        }
        let (due_again, queued_again) = (worker.due.clone(), queued);
        let sending = tokio::spawn(worker.run());
        let stop_http = Arc::new(Notify::new());
        let context = http::Context {
            store: store.clone(),
            layout: layout.clone(),
            classifier,
            buckets,
            uploads: uploads.clone(),
            routes,
            pushes: http::Pushes::new(
                stage.clone(),
                config.http.largest_push,
                config.http.largest_unpacked,
            ),
            scratch: http::Scratch::default(),
            destinations,
            probes,
            access: http::Access {
                networks: config.http.networks,
                tokens: config.http.tokens,
            },
            runtime,
            dicom: dicom_address,
            dicom_tls: dicom_tls_address,
            http: http_url.clone(),
            completion: stage.completion().clone(),
            queued: queued_again,
            due: due_again.clone(),
            cancelled: Arc::new(cancelled),
            hold: config.engine.hold,
        };
        let stopped = stop_http.clone();
        let shown = https.clone().map(https::shown);
        let http = tokio::spawn(http::serve(http_socket, shown, context, async move {
            stopped.notified().await
        }));

        let announcement = announced
            .then(|| Announcement::make(http_address, https.is_some()))
            .flatten();
        let node = Self {
            layout,
            store,
            scp,
            tasks,
            sending,
            due: due_again,
            http,
            stop_http,
            stop_sending,
            dicom_address,
            dicom_tls_address,
            http_url,
            announcement,
            lock,
        };
        node.announce()?;
        Ok(node)
    }

    /// Tells where the node is: its last step of starting.
    fn announce(&self) -> Result<()> {
        let dicom_tls = self.dicom_tls_address.map(|address| address.to_string());
        let mut said = json!({
            "pid": std::process::id(),
            "dicom": self.dicom_address.to_string(),
            "http": self.http_url,
            "version": env!("CARGO_PKG_VERSION"),
        });
        if let (Some(address), Some(said)) = (&dicom_tls, said.as_object_mut()) {
            said.insert("dicom_tls".to_owned(), address.clone().into());
        }
        files::replace_file(&self.layout.path(Place::NodeFile), said.to_string().as_bytes())
            .context("write run/node.json")?;
        tracing::info!(dicom = %self.dicom_address, dicom_tls, http = self.http_url, data = %self.layout.root().display(), "ready");
        Ok(())
    }

    /// Ends when a part of the node ends that never should: the node cannot be trusted then and has to start anew.
    pub async fn broken(&mut self) {
        let parts = self.tasks.iter_mut().chain([&mut self.sending]);
        let (end, ..) = futures_util::future::select_all(parts).await;
        tracing::error!(?end, "a part of the node broke down");
    }

    /// Stops: no new associations, open ones get 30 s, deliveries stop between two objects, containers run on and are
    /// taken up at the next start. Answers the lock of the data directory, to be held until the process ends.
    ///
    /// # Errors
    /// When node.json cannot be removed.
    pub async fn stop(self) -> Result<File> {
        tracing::info!("stopping: no new associations");
        if let Some(announcement) = self.announcement {
            announcement.take_back().await;
        }
        self.scp.close();
        self.stop_sending.raise();
        self.due.notify_one();
        let sending = async {
            // One that broke down has been waited for already.
            if !self.sending.is_finished()
                && let Err(error) = self.sending.await
            {
                tracing::error!(%error, "the sender of results broke down");
            }
        };
        let sent = tokio::time::timeout(ASSOCIATIONS_GRACE, sending);
        let (aborted, sent) = tokio::join!(self.scp.finish(ASSOCIATIONS_GRACE), sent);
        if sent.is_err() {
            tracing::warn!("a destination has not answered yet; the next start sends what it did not take");
        }
        if aborted > 0 {
            tracing::warn!(
                aborted,
                "associations were still open after {} s",
                ASSOCIATIONS_GRACE.as_secs()
            );
        }
        for task in &self.tasks {
            task.abort();
        }
        self.stop_http.notify_one();
        if tokio::time::timeout(Duration::from_secs(5), self.http)
            .await
            .is_err()
        {
            tracing::warn!("HTTP requests were still under way");
        }
        files::remove_file(&self.layout.path(Place::NodeFile)).context("remove run/node.json")?;
        let store = self.store.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = store.audit_stop(trail::event(AuditKind::Stopped)) {
                tracing::error!(%error, "tell the audit trail that the node stops");
            }
            store.close();
        })
        .await?;
        tracing::info!("stopped");
        Ok(self.lock)
    }
}

/// How long each installed bucket wants its jobs kept. A store in trouble names none, and then nothing is removed.
fn keeps(buckets: &Buckets) -> Keeps {
    let listed = buckets.list().unwrap_or_else(|error| {
        tracing::error!(%error, "ask the buckets how long their jobs are kept");
        Vec::new()
    });
    listed
        .into_iter()
        .map(|bucket| (bucket.row.ae_title, bucket.manifest.settings.keep))
        .collect()
}

/// What is shown on the TLS port, and where that is to be.
fn open_tls(config: TlsConfig) -> Result<(tls::Server, SocketAddr)> {
    let address = config.address;
    let server = tls::Server::open(config).context("set DICOM over TLS up")?;
    Ok((server, address))
}

/// What may be promised to runs: the configuration's word, else all that the engine's machine has.
///
/// # Errors
/// What the engine says.
pub async fn capacity(runtime: &dyn Runtime, config: &EngineConfig) -> Result<Capacity> {
    let info = runtime
        .info()
        .await
        .context("ask the container engine what it has")?;
    let cpus = f64::from(info.cpus);
    tracing::info!(
        version = info.version,
        api = info.api_version,
        cpus = info.cpus,
        "container engine"
    );
    Ok(Capacity {
        cpus: config.cpus.unwrap_or(cpus).min(cpus),
        memory: config.memory.unwrap_or(info.memory_bytes).min(info.memory_bytes),
        gpus: config.gpus.clone(),
    })
}
