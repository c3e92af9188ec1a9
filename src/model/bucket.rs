//! What a bucket asks for (spec folder, bucket.md, info.json).

use std::time::Duration;

/// What one run needs: reserved by the scheduler, enforced on the container.
#[derive(Clone, Debug, PartialEq)]
pub struct Resources {
    /// Processors; fractions allowed. Default 1.
    pub cpus: f64,
    /// Bytes of memory, swap included. Default 4 GiB.
    pub memory: u64,
    /// Graphics processors. Default 0.
    pub gpus: u32,
    /// Bytes of `/dev/shm`. Default 64 MiB.
    pub shm: u64,
    /// Bytes on the disk that it may leave in `/output`. Default 64 GiB.
    pub output: u64,
    /// Files and directories that it may make in `/output`. Default 1,000,000.
    pub files: u64,
    /// Bytes on the engine's disk that it may write elsewhere, into its root file system. Default 64 GiB.
    pub scratch: u64,
}

impl Default for Resources {
    fn default() -> Self {
        Self {
            cpus: 1.0,
            memory: 4 << 30,
            gpus: 0,
            shm: 64 << 20,
            output: 64 << 30,
            files: 1_000_000,
            scratch: 64 << 30,
        }
    }
}

/// Which objects belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The objects of one series.
    Series,
    /// The objects of one study.
    Study,
    /// The objects of one patient.
    Patient,
}

/// When an arriving set of objects is a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complete {
    /// What is put together. Default: the study.
    pub level: Level,
    /// No object for this long, and no open association that carried one. Default 15 s.
    pub quiet: Duration,
    /// At the latest this long after the first object. Default 90 minutes.
    pub cap: Duration,
}

impl Default for Complete {
    fn default() -> Self {
        Self {
            level: Level::Study,
            quiet: Duration::from_secs(15),
            cap: Duration::from_secs(90 * 60),
        }
    }
}

/// What a run sees of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Network {
    /// Nothing but its own loopback.
    #[default]
    None,
    /// The engine's default bridge.
    Bridge,
}

impl Network {
    /// The word of info.json.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Bridge => "bridge",
        }
    }
}

/// What a run may do with its root file system, which is thrown away with its container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Root {
    /// Write wherever its user may.
    #[default]
    Writable,
    /// Nothing but `/output`, `/memory`, `/dev/shm` and a `/tmp` in memory, half of the run's at most.
    ReadOnly,
}

impl Root {
    /// The word of info.json.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Writable => "writable",
            Self::ReadOnly => "read-only",
        }
    }
}
