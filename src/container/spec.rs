//! What a container is made from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::{Error, Result};

/// Labels of a container, name to value.
pub type Labels = BTreeMap<String, String>;

/// The id of an image, `sha256:` and 64 lower-case hexadecimal digits: the digest of its configuration, which
/// names its content.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageId(String);

impl ImageId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ImageId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let is_hex = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
        match text.strip_prefix("sha256:") {
            Some(hex) if hex.len() == 64 && hex.bytes().all(is_hex) => Ok(Self(text.to_owned())),
            _ => Err(Error::NotAnImageId {
                text: text.to_owned(),
            }),
        }
    }
}

impl fmt::Display for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One container to be created.
///
/// What is not here is the same for all: capabilities are dropped but DAC_OVERRIDE, CHOWN, FOWNER (so that
/// root of the image can write the directories it is given) and those asked for, no new privileges, an init process that reaps
/// and forwards signals, the engine's `local` log driver bounded to 2 × 5 MB, no core dumps, no health check,
/// no restart and no automatic removal.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSpec {
    /// Unique on the engine; letters, digits, `_`, `.` and `-`. Creating the same name twice is how a
    /// repeated attempt is noticed.
    pub name: String,
    /// The image by its digest.
    pub image: ImageId,
    /// The program and its first arguments, in place of the image's ENTRYPOINT; not empty, since imported
    /// images have none.
    pub entrypoint: Vec<String>,
    /// Further arguments, in place of the image's CMD.
    pub command: Vec<String>,
    /// Environment, added to the image's.
    pub env: BTreeMap<String, String>,
    /// Labels; [`super::label::NODE`] among them.
    pub labels: Labels,
    /// Directories of the host seen inside.
    pub binds: Vec<Bind>,
    /// What it may use.
    pub resources: Resources,
    /// Graphics processors that it gets, by the engine's names for them: indices (`0`), UUIDs (`GPU-…`) or names of the
    /// Container Device Interface (`nvidia.com/gpu=0`). Empty: none.
    pub gpus: Vec<String>,
    /// What it may reach.
    pub network: Network,
    /// `uid:gid` to run as, `None` for the image's own user.
    pub user: Option<String>,
    /// Capabilities beyond those all have, by name without `CAP_`.
    pub capabilities: Vec<String>,
    /// Whether `/` is read-only; `/tmp` and the binds are as they say.
    pub read_only_root: bool,
    /// Time between SIGTERM and SIGKILL when stopped, in whole seconds, rounded up.
    pub stop_grace: Duration,
}

/// A directory (or file) of the host that a container sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// Absolute path on the engine's host. If it does not exist, creating the container is refused; it is
    /// never made.
    pub source: PathBuf,
    /// Absolute path in the container.
    pub target: String,
    /// Whether writing to it is refused.
    pub read_only: bool,
}

impl Bind {
    /// A bind that the container can only read.
    #[must_use]
    pub fn read_only(source: impl Into<PathBuf>, target: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            target: target.into(),
            read_only: true,
        }
    }

    /// A bind that the container can write.
    #[must_use]
    pub fn writable(source: impl Into<PathBuf>, target: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            target: target.into(),
            read_only: false,
        }
    }
}

/// What a container may use; enforced by the kernel.
#[derive(Debug, Clone, PartialEq)]
pub struct Resources {
    /// Share of CPU time in CPUs, 0.01 to what the machine has.
    pub cpus: f64,
    /// Memory in bytes, at least 6 MiB; there is no swap beyond it. Page cache, `/tmp` and `/dev/shm` count
    /// towards it.
    pub memory_bytes: u64,
    /// Size of `/dev/shm` in bytes.
    pub shm_bytes: u64,
    /// Processes and threads at once.
    pub pids_limit: u32,
    /// Size of `/tmp` in bytes, a tmpfs everyone may write and execute in; 0 leaves `/tmp` to the image.
    pub tmp_bytes: u64,
}

impl Default for Resources {
    /// One CPU, 4 GiB, 64 MiB of shared memory, 4096 processes, `/tmp` of 1 GiB.
    fn default() -> Self {
        Self {
            cpus: 1.0,
            memory_bytes: 4 << 30,
            shm_bytes: 64 << 20,
            pids_limit: 4096,
            tmp_bytes: 1 << 30,
        }
    }
}

/// What a container may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    /// Nothing but itself.
    #[default]
    None,
    /// The engine's default network, and through it what the host reaches.
    Bridge,
}
