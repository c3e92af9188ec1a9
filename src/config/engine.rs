//! `[engine]`

use crate::model::{GpuId, Reader};

/// `[engine]`: where containers run and what they may have.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// `docker`: the engine's socket. Default `unix:///var/run/docker.sock`.
    pub docker: String,
    /// `cpus`: processors that may be promised to runs. Default: the machine's.
    pub cpus: Option<f64>,
    /// `memory`: bytes that may be promised to runs. Default: the machine's.
    pub memory: Option<u64>,
    /// `gpus`: graphics processors that may be promised to runs, each to one run at a time; at most 64, all named in the
    /// same way: with two ways, a device could stand in the list twice. Default none.
    pub gpus: Vec<GpuId>,
    /// `queue`: jobs of one stream that may wait; beyond, new studies for it are refused for the moment. Default 1000.
    pub queue: u64,
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
        gpus: read_gpus(r),
        queue: r.whole("queue", 1..=1_000_000).unwrap_or(1000),
    };
    r.deny_unknown();
    config
}

fn read_gpus(r: &Reader<'_>) -> Vec<GpuId> {
    let gpus = r.list("gpus", GpuId::parse).unwrap_or_default();
    if gpus.len() > 64 {
        r.find("gpus", "at most 64 devices");
    }
    for (i, gpu) in gpus.iter().enumerate() {
        if let Some(other) = gpus.iter().take(i).find(|other| gpu.may_be(other)) {
            let why = if gpu == other {
                format!("{gpu} stands there twice")
            } else {
                format!(
                    "{other} and {gpu} may be the same device: name all by index, all by UUID, or all by CDI name"
                )
            };
            r.find("gpus", why);
            break;
        }
    }
    gpus
}
