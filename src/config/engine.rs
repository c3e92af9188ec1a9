//! `[engine]`

use std::time::Duration;

use crate::model::{Deviation, GpuId, Reader};

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
    /// `hold`: time an operator has to release a job that is held; then it is cancelled. Default 30 days.
    pub hold: Duration,
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
        gpus: read_gpus(r),
        queue: r.whole("queue", 1..=1_000_000).unwrap_or(1000),
        hold: r.duration("hold").unwrap_or(Duration::from_secs(30 * 24 * 3600)),
        forbid: r.list("forbid", Deviation::parse).unwrap_or_default(),
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::Config;

    fn read(gpus: &str) -> Result<Vec<String>, String> {
        let text = format!("[engine]\ngpus = {gpus}\n");
        let config = Config::parse(Path::new("x.toml"), &text).map_err(|error| error.to_string())?;
        Ok(config.engine.gpus.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn gpus_are_named_once_each_and_all_in_the_same_way() {
        assert_eq!(read("[\"1\", \"0\"]").unwrap(), ["1", "0"]);
        assert_eq!(read("[]").unwrap(), Vec::<String>::new());
        let many: Vec<_> = (0..65).map(|n| n.to_string()).collect();
        for (gpus, expected) in [
            (
                "[\"0\", \"1\", \"0\"]",
                "x.toml:2: engine.gpus: 0 stands there twice",
            ),
            (
                "[\"0\", \"GPU-a\"]",
                "x.toml:2: engine.gpus: 0 and GPU-a may be the same device",
            ),
            (
                "[\"all\"]",
                "x.toml:2: engine.gpus[0]: \"all\": a GPU is named by its index",
            ),
            ("2", "x.toml:2: engine.gpus: has to be a list"),
            (&format!("{many:?}"), "x.toml:2: engine.gpus: at most 64 devices"),
        ] {
            let error = read(gpus).unwrap_err();
            assert!(error.contains(expected), "{expected} not in\n{error}");
        }
    }
}
