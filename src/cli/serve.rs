//! `magickbox serve`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Config;
use crate::node::Node;
use crate::telemetry;

/// Receive studies, run them through buckets, return the results.
#[derive(Args, Debug)]
pub struct Serve {
    /// Configuration file (TOML); without one, every setting has its default
    #[arg(long, env = "MAGICKBOX_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data directory [default: /data]
    #[arg(long, env = "MAGICKBOX_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where to listen for DICOM; port 0 takes a free one [default: 0.0.0.0:11112]
    #[arg(long, env = "MAGICKBOX_DICOM", value_name = "ADDR")]
    dicom: Option<SocketAddr>,
    /// Where to listen for HTTP; port 0 takes a free one [default: 127.0.0.1:2813]
    #[arg(long, env = "MAGICKBOX_HTTP", value_name = "ADDR")]
    http: Option<SocketAddr>,
}

impl Serve {
    /// Runs a node until SIGTERM or SIGINT.
    ///
    /// # Errors
    /// Every finding of the configuration, or what keeps the node from serving.
    pub fn run(self) -> Result<()> {
        let mut config = Config::load(self.config.as_deref())?;
        config.data = self.data.unwrap_or(config.data);
        config.dicom.address = self.dicom.unwrap_or(config.dicom.address);
        config.http.address = self.http.unwrap_or(config.http.address);
        crate::failpoint::check().map_err(anyhow::Error::msg)?;
        telemetry::start();
        more_open_files();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let stopped = runtime.block_on(async {
            // Before the node is announced: a signal that comes early is not lost.
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            // A start may wait for the container engine; somebody may not want to.
            let mut node = tokio::select! {
                node = Node::start(config) => node?,
                _ = terminate.recv() => bail!("stopped before it was ready"),
                _ = interrupt.recv() => bail!("interrupted before it was ready"),
            };
            let broken = tokio::select! {
                _ = terminate.recv() => false,
                _ = interrupt.recv() => false,
                () = node.broken() => true,
            };
            let lock = node.stop().await?;
            if broken {
                bail!("a part of the node broke down; its log says which")
            } else {
                Ok(lock)
            }
        });
        // Something that still waits for a peer does not keep the process.
        runtime.shutdown_timeout(Duration::from_secs(1));
        stopped.map(drop)
    }
}

/// Takes as many file descriptors as the system allows: an association has three, and the default of 1024 is soon used.
fn more_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, all) {
        tracing::warn!(%error, "take more file descriptors");
    }
}
