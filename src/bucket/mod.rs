//! Buckets: what an image says of itself, and the buckets this node has installed.

mod capacity;
mod install;
pub mod lint;
mod manifest;
mod memory;
mod registry;
mod schema;
pub mod template;

pub use capacity::{Capacity, EPSILON, Shortage};
pub use install::{Inspected, InstallError, inspect, seed_memory};
pub use manifest::{Manifest, ManifestError};
pub use registry::{Buckets, Installed, RemoveError};
pub use schema::{KEYS, Key, Kind, info_schema};

/// Where things are inside an image (spec folder, bucket.md).
pub mod inside {
    /// The entry point.
    pub const WORK_SH: &str = "/root/work.sh";
    /// The self-description.
    pub const INFO_JSON: &str = "/root/storage/info.json";
    /// First content of the persistent directory.
    pub const MEMORY: &str = "/root/storage/memory";
    /// The measures plugin.
    pub const PLUGIN: &str = "/root/storage/db-plugin.code";
    /// What a run reads.
    pub const INPUT: &str = "/input";
    /// What a run writes.
    pub const OUTPUT: &str = "/output";
    /// What lasts between runs.
    pub const MEMORY_AT_RUN_TIME: &str = "/memory";
}
