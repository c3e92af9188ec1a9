//! The buckets this node has installed, and the streams they open.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{Mutex, watch};

use crate::container::{ImageId, Images, Labels, Runtime, label};
use crate::model::deviation;
use crate::model::{AeTitle, Deviation, JobId, Layout, Stream, StreamTable};
use crate::store::{BucketRow, Store, StoreError};

use super::capacity::Capacity;
use super::gate::{Gate, Run, Shut};
use super::install::InstallError;
use super::manifest::{Manifest, ManifestError};

/// An installed bucket, ready to run.
#[derive(Clone, Debug)]
pub struct Installed {
    /// What the store knows.
    pub row: BucketRow,
    /// Its description with the site's overrides.
    pub manifest: Manifest,
    /// Its image.
    pub image: ImageId,
}

/// Why a bucket was not removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// There is none.
    #[error("no bucket is installed for AE title {0}")]
    NotInstalled(AeTitle),
    /// It has work to do.
    #[error(
        "{ae_title} has {open} jobs that are not over or not delivered: wait for them, retry or cancel them"
    )]
    Busy {
        /// The title.
        ae_title: AeTitle,
        /// Jobs from receiving to delivering.
        open: u64,
    },
    /// The disk did not answer.
    #[error("remove the bucket's files: {0}")]
    Io(#[from] std::io::Error),
    /// The store did not.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a bucket's version or switch was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is none.
    #[error("no bucket is installed for AE title {0}")]
    NotInstalled(AeTitle),
    /// There is nothing to go back to.
    #[error(
        "the bucket of {0} has no version before this one: there is one once it was replaced (buckets install -f)"
    )]
    NoVersionBefore(AeTitle),
    /// What there was to go back to has been removed from the engine.
    #[error(
        "the image of the version of {ae_title} before this one, {image} ({digest}), is not on the node's machine any \
         more: install it anew"
    )]
    ImageGone {
        /// The title.
        ae_title: AeTitle,
        /// What people call the image.
        image: String,
        /// What it was.
        digest: String,
    },
    /// What an installation would say too.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The buckets of a node.
#[derive(Clone)]
pub struct Buckets {
    pub(super) store: Store,
    pub(super) layout: Layout,
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) images: Images,
    pub(super) site: Arc<BTreeMap<AeTitle, Value>>,
    capacity: Arc<Capacity>,
    forbidden: Arc<[Deviation]>,
    streams: Arc<watch::Sender<StreamTable>>,
    /// Runs that are under way.
    gate: Gate,
    /// One change at a time.
    pub(super) changing: Arc<Mutex<()>>,
}

impl Buckets {
    /// Reads the installed buckets and opens their streams.
    ///
    /// # Errors
    /// What the store says.
    pub fn open(
        store: Store,
        layout: Layout,
        (runtime, images): (Arc<dyn Runtime>, Images),
        site: BTreeMap<AeTitle, Value>,
        capacity: Capacity,
    ) -> Result<Self, StoreError> {
        let (streams, _) = watch::channel(StreamTable::default());
        let buckets = Self {
            store,
            layout,
            runtime,
            images,
            site: Arc::new(site),
            capacity: Arc::new(capacity),
            forbidden: Arc::default(),
            streams: Arc::new(streams),
            gate: Gate::default(),
            changing: Arc::default(),
        };
        buckets.publish()?;
        Ok(buckets)
    }

    /// The same, with what no bucket may ask for.
    #[must_use]
    pub fn with_forbidden(self, forbidden: Vec<Deviation>) -> Self {
        Self {
            forbidden: forbidden.into(),
            ..self
        }
    }

    /// Why this node does not run a bucket, to be read after its AE title: it asks for what is forbidden.
    #[must_use]
    pub fn forbids(&self, manifest: &Manifest) -> Option<String> {
        deviation::forbidden(&manifest.settings, manifest.site.as_ref(), &self.forbidden)
    }

    /// The open streams, now and whenever they change.
    #[must_use]
    pub fn streams(&self) -> watch::Receiver<StreamTable> {
        self.streams.subscribe()
    }

    /// What there is to give to runs.
    #[must_use]
    pub fn capacity(&self) -> &Capacity {
        &self.capacity
    }

    pub(super) fn publish(&self) -> Result<(), StoreError> {
        let mut table = HashMap::new();
        for row in self.store.buckets()? {
            match self.installed(row) {
                Ok(bucket) if bucket.manifest.enabled => {
                    let ae_title = bucket.row.ae_title;
                    let settings = bucket.manifest.settings;
                    let stream = Stream {
                        ae_title: ae_title.clone(),
                        complete: settings.complete,
                        priority: settings.priority,
                    };
                    table.insert(ae_title, stream);
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "a bucket of the store cannot be used; its stream stays closed")
                }
            }
        }
        self.streams.send_replace(Arc::new(table));
        Ok(())
    }

    fn installed(&self, row: BucketRow) -> Result<Installed, ManifestError> {
        let mut manifest = Manifest::read(row.info.clone(), self.site.get(&row.ae_title))?;
        manifest.ae_title = row.ae_title.clone();
        // The site has the last word; a store in trouble has none.
        let said = self.store.versions(&row.ae_title).unwrap_or_default().enabled;
        manifest.enabled = said.unwrap_or(manifest.enabled);
        let image = row.digest.parse().map_err(|error: crate::container::Error| {
            let finding = crate::model::Finding {
                path: "digest".into(),
                message: error.to_string(),
            };
            ManifestError::Findings(vec![finding])
        })?;
        Ok(Installed { row, manifest, image })
    }

    /// One installed bucket.
    ///
    /// # Errors
    /// What the store says.
    pub fn get(&self, ae_title: &AeTitle) -> Result<Option<Installed>, StoreError> {
        Ok(self
            .store
            .bucket(ae_title)?
            .and_then(|row| self.installed(row).ok()))
    }

    /// The bucket of a job's last attempt, as it was then, with the site's overrides of now.
    ///
    /// # Errors
    /// What the store says.
    pub fn of_attempt(&self, job: &JobId) -> Result<Option<Installed>, StoreError> {
        Ok(self
            .store
            .attempt_bucket(job)?
            .and_then(|row| self.installed(row).ok()))
    }

    /// The installed buckets, by AE title.
    ///
    /// # Errors
    /// What the store says.
    pub fn list(&self) -> Result<Vec<Installed>, StoreError> {
        Ok(self
            .store
            .buckets()?
            .into_iter()
            .filter_map(|row| self.installed(row).ok())
            .collect())
    }

    pub(super) fn labels(&self) -> Labels {
        Labels::from([(label::NODE.to_owned(), self.store.node_id().to_owned())])
    }

    /// Whether a run of a bucket may begin now: not while a new version waits for those under way.
    ///
    /// # Errors
    /// What the store says.
    pub fn may_begin(&self, ae_title: &AeTitle) -> Result<bool, StoreError> {
        Ok(self.store.versions(ae_title)?.next.is_none())
    }

    /// A run of a bucket begins; it counts as under way as long as the answer lives. `None` while somebody changes what
    /// runs stand on.
    #[must_use]
    pub fn begin_run(&self, ae_title: &AeTitle) -> Option<Run> {
        self.gate.enter(ae_title)
    }

    /// A run that began before this start of the node.
    #[must_use]
    pub fn found_run(&self, ae_title: &AeTitle) -> Run {
        self.gate.found(ae_title)
    }

    /// Keeps runs of a bucket from beginning; `None` where one is under way.
    pub(super) fn shut(&self, ae_title: &AeTitle) -> Result<Option<Shut>, StoreError> {
        let shut = self.gate.shut(ae_title);
        // Those from before this start may not have been found yet.
        let running = self.store.occupancy(ae_title)?.running;
        Ok(shut.filter(|_| running == 0))
    }
}
