//! `[engine]`

use std::time::Duration;

use crate::model::Reader;

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
    /// `hold`: time an operator has to release a job that is held; then it is cancelled. Default 30 days.
    pub hold: Duration,
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
        hold: r.duration("hold").unwrap_or(Duration::from_secs(30 * 24 * 3600)),
    };
    r.deny_unknown();
    config
}
