//! `[engine]`

use crate::model::{Deviation, Reader};

/// `[engine]`: where containers run and what they may have.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// `docker`: the engine's socket. Default `unix:///var/run/docker.sock`.
    pub docker: String,
    /// `cpus`: processors that may be promised to runs. Default: the machine's.
    pub cpus: Option<f64>,
    /// `memory`: bytes that may be promised to runs. Default: the machine's.
    pub memory: Option<u64>,
    /// `queue`: jobs of one stream that may wait; beyond, new studies for it are refused for the moment. Default 1000.
    pub queue: u64,
    /// `forbid`: what no bucket may ask for, of `network`, `capabilities`, `user`, `writable-root`. Default: nothing.
    pub forbid: Vec<Deviation>,
}

pub(super) fn read(r: &Reader<'_>) -> EngineConfig {
    let socket = |text: &str| {
        let known = text.starts_with("unix://") && text.len() > 7;
        if known {
            Ok(text.to_owned())
        } else {
            Err("the engine's socket, like \"unix:///var/run/docker.sock\"")
        }
    };
    let config = EngineConfig {
        docker: r
            .text("docker", socket)
            .unwrap_or_else(|| "unix:///var/run/docker.sock".into()),
        cpus: r.number("cpus"),
        memory: r.bytes("memory"),
        queue: r.whole("queue", 1..=1_000_000).unwrap_or(1000),
        forbid: r.list("forbid", Deviation::parse).unwrap_or_default(),
    };
    r.deny_unknown();
    config
}
