//! Buckets: what an image says of itself, and the buckets this node has installed.
//!
//! ```text
//! manifest    info.json
//! install     an image looked at without running it, a memory seeded
//! registry    the installed buckets and the streams they open
//! versions    installed, replaced once no run is under way, rolled back, switched off, removed
//! gate        runs under way, and what has to wait for them
//! uploads     files that clients send piece by piece
//! archive     what such a file is: docker save or docker export
//! bring       it becomes an image of the engine
//! memory      what lasts between runs: seeded, taken out, replaced
//! log         what the node did when it called a bucket
//! schema      the keys of info.json as one table
//! template    the files a new bucket begins with
//! lint        what a node would refuse of a bucket, and what will hurt later
//! ```

mod archive;
mod bring;
mod capacity;
mod gate;
mod install;
pub mod lint;
pub mod log;
mod manifest;
mod memory;
mod memory_copy;
mod registry;
mod schema;
pub mod template;
pub mod uploads;
mod versions;

pub use archive::{Archive, ArchiveError};
pub use capacity::{Capacity, EPSILON, Shortage};
pub use gate::Run;
pub use install::{Inspected, InstallError, inspect, seed_memory};
pub use manifest::{Manifest, ManifestError};
pub use memory::MemoryError;
pub use registry::{Buckets, ChangeError, Installed, RemoveError};
pub use schema::{KEYS, Key, Kind, info_schema};
pub use uploads::UploadError;
pub use versions::Standing;

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
