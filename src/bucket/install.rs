//! Looking at an image without running anything of it.

use std::path::Path;

use crate::container::{self, ImageFiles, ImageInfo, Labels, Runtime};
use crate::model::AeTitle;
use crate::store::StoreError;

use super::archive::ArchiveError;
use super::capacity::Shortage;
use super::inside;
use super::manifest::{Manifest, ManifestError};
use super::memory;
use super::uploads::UploadError;

/// The largest info.json that is read, in bytes.
const LARGEST_INFO: u64 = 1 << 20;

/// Why a bucket was not installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    // The image's.
    /// This machine has no such image.
    #[error("no image {reference:?} on the node's machine: build, load or pull it there first")]
    NoSuchImage {
        /// What was asked for.
        reference: String,
    },
    /// It has no self-description.
    #[error("image {reference:?} has no /root/storage/info.json: it is no bucket (see: buckets create)")]
    NoInfo {
        /// What was asked for.
        reference: String,
    },
    /// Its self-description is wrong.
    #[error("image {reference:?}: {source}")]
    Manifest {
        /// What was asked for.
        reference: String,
        /// Every finding.
        source: ManifestError,
    },
    /// It has no entry point.
    #[error("image {reference:?} has no /root/work.sh that may be executed: add it, and chmod +x it")]
    NoWorkSh {
        /// What was asked for.
        reference: String,
    },
    /// It needs what this machine does not have.
    #[error(transparent)]
    TooLarge(#[from] Shortage),

    /// It asks for what the site forbids.
    #[error("{ae_title} {why}")]
    Forbidden {
        /// Its AE title.
        ae_title: AeTitle,
        /// What it asks for, and what to do.
        why: String,
    },

    // The caller's.
    /// Another bucket has this AE title.
    #[error("AE title {ae_title} is taken by image {image:?}: install with -f to put this one in its place")]
    Taken {
        /// The title.
        ae_title: AeTitle,
        /// Who has it.
        image: String,
    },

    // The upload's.
    /// It is not whole, or not there.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// It is no file of a bucket.
    #[error("the upload is no bucket: {0}")]
    Archive(#[from] ArchiveError),

    // Ours.
    /// The engine did not answer.
    #[error(transparent)]
    Engine(container::Error),
    /// The disk did not.
    #[error("write the bucket's files: {0}")]
    Io(#[from] std::io::Error),
    /// The store did not.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl InstallError {
    /// Whether the same upload may be installed yet: by another word of the caller, or when engine and disk are well.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Taken { .. } | Self::Engine(_) | Self::Io(_) | Self::Store(_) | Self::Upload(_)
        )
    }

    /// The same about an image by the name that people know.
    pub(super) fn of(mut self, name: &str) -> Self {
        if let Self::NoSuchImage { reference }
        | Self::NoInfo { reference }
        | Self::Manifest { reference, .. }
        | Self::NoWorkSh { reference } = &mut self
        {
            name.clone_into(reference);
        }
        self
    }
}

/// What was found in an image.
#[derive(Debug)]
pub struct Inspected {
    /// The image.
    pub image: ImageInfo,
    /// Its self-description.
    pub manifest: Manifest,
    /// Whether it has an executable measures plugin.
    pub has_plugin: bool,
}

/// Reads what an image says of itself.
///
/// # Errors
/// [`InstallError`]: everything a node refuses.
pub async fn inspect(
    runtime: &dyn Runtime,
    reference: &str,
    labels: &Labels,
) -> Result<Inspected, InstallError> {
    let image = runtime
        .resolve_image(reference)
        .await
        .map_err(|error| no_image(reference, error))?;
    let files = runtime
        .open_image(&image.id, labels)
        .await
        .map_err(|error| no_image(reference, error))?;
    let found = look(files.as_ref(), reference).await;
    files.close().await.map_err(InstallError::Engine)?;
    let (manifest, has_plugin) = found?;
    Ok(Inspected {
        image,
        manifest,
        has_plugin,
    })
}

async fn look(files: &dyn ImageFiles, reference: &str) -> Result<(Manifest, bool), InstallError> {
    let own = || reference.to_owned();
    let info = files
        .read_file(inside::INFO_JSON, LARGEST_INFO)
        .await
        .map_err(InstallError::Engine)?;
    let info = info.ok_or_else(|| InstallError::NoInfo { reference: own() })?;
    let manifest = Manifest::parse(&info.bytes).map_err(|source| InstallError::Manifest {
        reference: own(),
        source,
    })?;
    let work = files.stat(inside::WORK_SH).await.map_err(InstallError::Engine)?;
    if !work.is_some_and(|stat| stat.is_executable()) {
        return Err(InstallError::NoWorkSh { reference: own() });
    }
    let plugin = files.stat(inside::PLUGIN).await.map_err(InstallError::Engine)?;
    Ok((manifest, plugin.is_some_and(|stat| stat.is_executable())))
}

/// Seeds a memory from an image, unless there is one.
///
/// # Errors
/// [`InstallError::Engine`], [`InstallError::Io`]; no memory is left then.
pub async fn seed_memory(
    runtime: &dyn Runtime,
    image: &ImageInfo,
    labels: &Labels,
    memory: &Path,
) -> Result<(), InstallError> {
    if memory.is_dir() {
        return Ok(());
    }
    if let Some(parent) = memory.parent() {
        tokio::fs::create_dir_all(parent).await?;
    }
    let tar = memory.with_extension("tar");
    let files = runtime
        .open_image(&image.id, labels)
        .await
        .map_err(InstallError::Engine)?;
    let exported = files.export_dir(inside::MEMORY, &tar, memory::LARGEST_SEED).await;
    files.close().await.map_err(InstallError::Engine)?;
    if exported.map_err(InstallError::Engine)?.is_none() {
        tokio::fs::create_dir_all(memory).await?;
        return Ok(());
    }
    let (source, target) = (tar.clone(), memory.to_owned());
    let seeded = tokio::task::spawn_blocking(move || memory::seed(&source, &target)).await;
    tokio::fs::remove_file(&tar).await?;
    Ok(seeded.map_err(std::io::Error::other)??)
}

fn no_image(reference: &str, error: container::Error) -> InstallError {
    match error {
        container::Error::NoSuchImage { .. } => InstallError::NoSuchImage {
            reference: reference.to_owned(),
        },
        other => InstallError::Engine(other),
    }
}
