//! Docker Engine over its Unix socket: what all calls share is here, the calls are in `docker/`.

mod build;
mod call;
mod changes;
mod commit;
mod create;
mod edit;
mod file_stat;
mod files;
mod images;
mod inspect;
mod lifecycle;
mod logs;
mod machine;
mod seam;
mod shell;
mod wait;

pub use changes::{Change, ChangeKind};
pub use edit::{Edited, OpenFile};
pub use shell::{Attached, Left, Piece, ShellOutput, ShellSpec};

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use bollard::API_DEFAULT_VERSION;
use tokio::time::Instant;

use super::{
    ContainerState, ContainerSummary, Created, EngineInfo, Error, ImageFiles, ImageId, ImageInfo, Labels,
    LogCopy, Output, Result, RunSpec, Runtime, WaitEnd,
};

/// Where the engine is and how patient to be with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerConfig {
    /// `unix://` and the absolute path of the engine's socket; default `unix:///var/run/docker.sock`.
    pub endpoint: String,
    /// How long the engine may take for one answer, or for the next piece of a long one; default 60 s.
    pub call_timeout: Duration,
    /// How long calls on containers keep trying while the engine is away, as when it is upgraded; default
    /// 5 min.
    pub patience: Duration,
}

impl Default for DockerConfig {
    fn default() -> Self {
        Self {
            endpoint: "unix:///var/run/docker.sock".to_owned(),
            call_timeout: Duration::from_secs(60),
            patience: Duration::from_secs(300),
        }
    }
}

/// Docker Engine, API 1.41 (20.10) or newer.
///
/// Every request opens its own connection, so that an engine that restarts is found again.
#[derive(Debug, Clone)]
pub struct Docker {
    client: bollard::Docker,
    config: DockerConfig,
}

impl Docker {
    /// Connects, once, and sees that an engine answers.
    ///
    /// # Errors
    /// [`Error::BadEndpoint`], [`Error::Unreachable`], [`Error::Denied`], [`Error::TimedOut`].
    pub async fn connect(config: DockerConfig) -> Result<Self> {
        // The client's own limit ends streams that are merely silent, so it is out of the way; `call` sets
        // the deadlines.
        const CLIENT_LIMIT_SECS: u64 = 365 * 24 * 3600;
        let Some(socket) = config
            .endpoint
            .strip_prefix("unix://")
            .filter(|path| path.starts_with('/'))
        else {
            return Err(Error::BadEndpoint {
                endpoint: config.endpoint,
            });
        };
        let client = bollard::Docker::connect_with_unix(socket, CLIENT_LIMIT_SECS, API_DEFAULT_VERSION)
            .map_err(|e| call::engine_error(&config, "connect", e))?;
        let docker = Self {
            client: client.clone(),
            config,
        };
        // This client's URLs carry no version, so each engine speaks its newest; what is agreed on here is only
        // what `info` tells.
        let client = docker
            .ask("agree on a version", client.negotiate_version())
            .await?;
        Ok(Self { client, ..docker })
    }
}

#[cfg(test)]
impl Docker {
    /// The client itself, for what tests need beyond [`Runtime`].
    pub(super) fn client(&self) -> &bollard::Docker {
        &self.client
    }
}

#[async_trait]
impl Runtime for Docker {
    async fn info(&self) -> Result<EngineInfo> {
        machine::info(self).await
    }

    async fn resolve_image(&self, reference: &str) -> Result<ImageInfo> {
        machine::resolve_image(self, reference).await
    }

    async fn open_image(&self, image: &ImageId, labels: &Labels) -> Result<Box<dyn ImageFiles>> {
        Ok(Box::new(files::DockerFiles::open(self, image, labels).await?))
    }

    async fn create(&self, spec: &RunSpec) -> Result<Created> {
        create::create(self, spec).await
    }

    async fn start(&self, name: &str) -> Result<()> {
        lifecycle::start(self, name).await
    }

    async fn inspect(&self, name: &str) -> Result<Option<ContainerState>> {
        self.patiently(|| inspect::inspect(self, name)).await
    }

    async fn list(&self, labels: &Labels) -> Result<Vec<ContainerSummary>> {
        self.patiently(|| inspect::list(self, labels)).await
    }

    async fn wait(&self, name: &str, deadline: Instant) -> Result<WaitEnd> {
        wait::wait(self, name, deadline).await
    }

    async fn stop(&self, name: &str, grace: Duration) -> Result<()> {
        lifecycle::stop(self, name, grace).await
    }

    async fn kill(&self, name: &str) -> Result<()> {
        lifecycle::kill(self, name).await
    }

    async fn remove(&self, name: &str, force: bool) -> Result<()> {
        lifecycle::remove(self, name, force).await
    }

    async fn follow_logs(&self, name: &str, file: &Path, max_bytes: u64) -> Result<LogCopy> {
        logs::follow(self, name, file, max_bytes).await
    }

    async fn fetch_logs(&self, name: &str, file: &Path, max_bytes: u64) -> Result<LogCopy> {
        self.patiently(|| logs::fetch(self, name, file, max_bytes)).await
    }

    async fn output(&self, name: &str, stdout_limit: usize, stderr_limit: usize) -> Result<Output> {
        self.patiently(|| logs::output(self, name, stdout_limit, stderr_limit))
            .await
    }

    async fn written(&self, name: &str) -> Option<u64> {
        machine::written(self, name).await
    }

    async fn peak_memory(&self, name: &str) -> Option<u64> {
        machine::peak_memory(self, name).await
    }
}
