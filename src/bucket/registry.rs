//! The buckets this node has installed, and the streams they open.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{Mutex, watch};

use crate::container::{ImageId, Labels, Runtime, label};
use crate::model::deviation;
use crate::model::{AeTitle, Deviation, JobId, Layout, Place, Stream, StreamTable, Timestamp};
use crate::store::{BucketRow, Removed, Store, StoreError};

use super::capacity::Capacity;
use super::install::{self, InstallError};
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

/// The buckets of a node.
#[derive(Clone)]
pub struct Buckets {
    store: Store,
    layout: Layout,
    runtime: Arc<dyn Runtime>,
    site: Arc<BTreeMap<AeTitle, Value>>,
    capacity: Arc<Capacity>,
    forbidden: Arc<[Deviation]>,
    streams: Arc<watch::Sender<StreamTable>>,
    /// One change at a time.
    changing: Arc<Mutex<()>>,
}

impl Buckets {
    /// Reads the installed buckets and opens their streams.
    ///
    /// # Errors
    /// What the store says.
    pub fn open(
        store: Store,
        layout: Layout,
        runtime: Arc<dyn Runtime>,
        site: BTreeMap<AeTitle, Value>,
        capacity: Capacity,
    ) -> Result<Self, StoreError> {
        let (streams, _) = watch::channel(StreamTable::default());
        let buckets = Self {
            store,
            layout,
            runtime,
            site: Arc::new(site),
            capacity: Arc::new(capacity),
            forbidden: Arc::default(),
            streams: Arc::new(streams),
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

    fn publish(&self) -> Result<(), StoreError> {
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

    fn labels(&self) -> Labels {
        Labels::from([(label::NODE.to_owned(), self.store.node_id().to_owned())])
    }

    /// Installs the bucket of an image of this machine; with `force`, in place of one of the same AE title.
    ///
    /// # Errors
    /// [`InstallError`]: what a node refuses, by name.
    pub async fn install(&self, reference: &str, force: bool) -> Result<Installed, InstallError> {
        let _changing = self.changing.lock().await;
        let runtime = self.runtime.as_ref();
        let found = install::inspect(runtime, reference, &self.labels()).await?;
        let ae_title = found.manifest.ae_title.clone();
        if let Some(other) = self.store.bucket(&ae_title)?
            && !force
        {
            return Err(InstallError::Taken {
                ae_title,
                image: other.image,
            });
        }
        let manifest =
            Manifest::read(found.manifest.info.clone(), self.site.get(&ae_title)).map_err(|source| {
                InstallError::Manifest {
                    reference: reference.to_owned(),
                    source,
                }
            })?;
        if let Some(why) = self.forbids(&manifest) {
            return Err(InstallError::Forbidden { ae_title, why });
        }
        self.capacity.check(&ae_title, &manifest.settings.resources)?;
        let memory = self.layout.path(Place::Memory(&ae_title));
        install::seed_memory(runtime, &found.image, &self.labels(), &memory).await?;
        let info = self.layout.path(Place::BucketInfo(&ae_title));
        let text = serde_json::to_vec_pretty(&found.manifest.info).unwrap_or_default();
        tokio::task::spawn_blocking(move || crate::files::replace_file(&info, &text))
            .await
            .map_err(std::io::Error::other)??;
        let row = BucketRow {
            ae_title: ae_title.clone(),
            image: reference.to_owned(),
            digest: found.image.id.to_string(),
            info: found.manifest.info,
            has_plugin: found.has_plugin,
            installed_at: Timestamp::now(),
        };
        self.store.install_bucket(row.clone(), force).await?;
        self.publish()?;
        tracing::info!(ae = %ae_title, image = reference, digest = row.digest, "bucket installed");
        Ok(Installed {
            row,
            manifest,
            image: found.image.id,
        })
    }

    /// Removes a bucket and the node's files of it; the image and the history stay.
    ///
    /// # Errors
    /// [`RemoveError`].
    pub async fn remove(&self, ae_title: &AeTitle) -> Result<(), RemoveError> {
        let _changing = self.changing.lock().await;
        match self.store.remove_bucket(ae_title).await? {
            Removed::Yes => {}
            Removed::NotThere => return Err(RemoveError::NotInstalled(ae_title.clone())),
            Removed::Busy(open) => {
                return Err(RemoveError::Busy {
                    ae_title: ae_title.clone(),
                    open,
                });
            }
        }
        self.publish()?;
        let directory = self.layout.path(Place::Stream(ae_title));
        tokio::task::spawn_blocking(move || crate::files::remove_directory(&directory))
            .await
            .map_err(std::io::Error::other)??;
        tracing::info!(ae = %ae_title, "bucket removed");
        Ok(())
    }
}
