//! Reading the files of an image through a container that is never started.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bollard::container::PathStatResponse;
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{ContainerArchiveInfoOptionsBuilder, DownloadFromContainerOptionsBuilder};
use futures_util::StreamExt;
use tokio::fs::File;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::create::create_from;
use super::file_stat::{GO_SYMLINK, file_stat};
use super::{Docker, lifecycle};
use crate::container::{
    Created, Error, FileEntry, FileKind, FileStat, ImageFiles, ImageId, Labels, Result, label, tar_file,
};

/// How many symbolic links are followed before a path is taken to lead nowhere, as many as Linux follows.
const MAX_LINKS: usize = 40;

/// An image opened for reading.
pub(super) struct DockerFiles {
    docker: Docker,
    container: String,
    is_open: bool,
}

impl DockerFiles {
    pub(super) async fn open(docker: &Docker, image: &ImageId, labels: &Labels) -> Result<Self> {
        loop {
            // Made before the call, so that the container goes even if this future is dropped in the middle
            // of it.
            let mut files = Self {
                docker: docker.clone(),
                container: unique_name(),
                is_open: true,
            };
            if create_from(docker, &files.container, body(image, labels)).await? == Created::New {
                return Ok(files);
            }
            // Somebody else's, by an unlikely chance: not ours to remove.
            files.is_open = false;
        }
    }

    /// The files of a container that is somebody else's to remove.
    pub(super) fn of_container(docker: &Docker, container: &str) -> Self {
        Self {
            docker: docker.clone(),
            container: container.to_owned(),
            is_open: false,
        }
    }

    /// What is at a path and where it really is, links followed.
    pub(super) async fn find(&self, path: &str) -> Result<Option<(String, FileStat)>> {
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            let Some(found) = self.look(&path).await? else {
                return Ok(None);
            };
            if found.file_mode & GO_SYMLINK == 0 {
                return Ok(Some((path, file_stat(&found))));
            }
            path = found.link_target;
        }
        Ok(None)
    }

    /// What is at a path, itself if it is a link. The engine follows links on the way there, never out of the
    /// image.
    async fn look(&self, path: &str) -> Result<Option<PathStatResponse>> {
        let options = ContainerArchiveInfoOptionsBuilder::new().path(path).build();
        let action = format!("look at {path} of the image");
        match self
            .docker
            .ask(
                &action,
                self.docker
                    .client
                    .get_container_archive_info(&self.container, Some(options)),
            )
            .await
        {
            Ok(found) => Ok(Some(found)),
            Err(Error::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Copies the tar of `place`, to which `path` led, to `sink`, which is what `dest` names; at most
    /// `limit_bytes`.
    async fn copy_tar(
        &self,
        path: &str,
        place: &str,
        limit_bytes: u64,
        sink: &mut (impl AsyncWrite + Unpin),
        dest: &Path,
    ) -> Result<u64> {
        let unwritable = |source| Error::File {
            path: dest.to_owned(),
            source,
        };
        let options = DownloadFromContainerOptionsBuilder::new().path(place).build();
        let action = format!("read {path} of the image");
        let mut pieces = std::pin::pin!(
            self.docker
                .client
                .download_from_container(&self.container, Some(options))
        );
        let mut size = 0;
        while let Some(piece) = self
            .docker
            .ask(&action, async { pieces.next().await.transpose() })
            .await?
        {
            size += piece.len() as u64;
            if size > limit_bytes {
                return Err(Error::TooLarge {
                    path: path.to_owned(),
                    limit_bytes,
                });
            }
            sink.write_all(&piece).await.map_err(unwritable)?;
        }
        sink.flush().await.map_err(unwritable)?;
        Ok(size)
    }

    /// The tar of a regular file of at most `limit_bytes`, to which `path` led.
    pub(super) async fn tar_of_file(
        &self,
        path: &str,
        place: &str,
        stat: &FileStat,
        limit_bytes: u64,
    ) -> Result<Vec<u8>> {
        if stat.size > limit_bytes {
            return Err(Error::TooLarge {
                path: path.to_owned(),
                limit_bytes,
            });
        }
        let mut tar = Vec::new();
        let limit = limit_bytes.saturating_add(tar_file::OVERHEAD);
        self.copy_tar(path, place, limit, &mut tar, Path::new(path))
            .await?;
        Ok(tar)
    }
}

#[async_trait]
impl ImageFiles for DockerFiles {
    async fn stat(&self, path: &str) -> Result<Option<FileStat>> {
        Ok(self.find(path).await?.map(|(_, stat)| stat))
    }

    async fn read_file(&self, path: &str, limit_bytes: u64) -> Result<Option<FileEntry>> {
        let Some((place, stat)) = self.find(path).await? else {
            return Ok(None);
        };
        if stat.kind != FileKind::File {
            return Err(Error::WrongKind {
                path: path.to_owned(),
                expected: "regular file",
            });
        }
        let tar = self.tar_of_file(path, &place, &stat, limit_bytes).await?;
        match tar_file::first_file(&tar) {
            Some(content) => Ok(Some(FileEntry {
                mode: stat.mode,
                bytes: content.to_vec(),
            })),
            None => Err(Error::Failed {
                action: format!("read {path} of the image"),
                message: "what it sent is not a tar of a file".to_owned(),
            }),
        }
    }

    async fn export_dir(&self, path: &str, dest_tar: &Path, limit_bytes: u64) -> Result<Option<u64>> {
        let Some((place, stat)) = self.find(path).await? else {
            return Ok(None);
        };
        if stat.kind != FileKind::Directory {
            return Err(Error::WrongKind {
                path: path.to_owned(),
                expected: "directory",
            });
        }
        let mut file = File::create(dest_tar).await.map_err(|source| Error::File {
            path: dest_tar.to_owned(),
            source,
        })?;
        // With the dot the names in the tar are relative to the directory, whatever it is called.
        let copied = self
            .copy_tar(
                path,
                &format!("{}/.", place.trim_end_matches('/')),
                limit_bytes,
                &mut file,
                dest_tar,
            )
            .await;
        if copied.is_err() {
            // The first error is the one to tell.
            let _ = tokio::fs::remove_file(dest_tar).await;
        }
        copied.map(Some)
    }

    async fn close(mut self: Box<Self>) -> Result<()> {
        self.is_open = false;
        lifecycle::remove(&self.docker, &self.container, true).await
    }
}

impl Drop for DockerFiles {
    fn drop(&mut self) {
        // Without a tokio runtime nothing can be asked of the engine any more; the next sweep by label finds
        // the container.
        let (true, Ok(tokio)) = (self.is_open, tokio::runtime::Handle::try_current()) else {
            return;
        };
        let (docker, container) = (self.docker.clone(), std::mem::take(&mut self.container));
        tokio.spawn(async move {
            if let Err(error) = lifecycle::remove(&docker, &container, true).await {
                tracing::warn!(
                    container,
                    "failed to remove a container that served to read an image: {error}"
                );
            }
        });
    }
}

/// A name that no other process on this engine's machine uses, now or after a crash.
fn unique_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos();
    format!(
        "magickbox-files-{}-{now}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

fn body(image: &ImageId, labels: &Labels) -> ContainerCreateBody {
    let mut labels: HashMap<String, String> = labels.clone().into_iter().collect();
    labels.insert(label::KIND.to_owned(), label::KIND_FILES.to_owned());
    ContainerCreateBody {
        image: Some(image.to_string()),
        // An image without a command is refused unless it is given one; this one is never run.
        entrypoint: Some(vec!["/never-started".to_owned()]),
        labels: Some(labels),
        host_config: Some(HostConfig {
            network_mode: Some("none".to_owned()),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}
