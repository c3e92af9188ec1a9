//! Containers: one trait, [`Runtime`], and its Docker implementation.
//!
//! ```text
//! mod.rs       the trait Runtime, ImageFiles, the labels every container carries
//! spec.rs      what goes in:  ImageId, RunSpec, Bind, Resources, Network
//! state.rs     what comes out: EngineInfo, ImageInfo, ContainerState, WaitEnd, LogCopy …
//! error.rs     one Error, sorted by whose fault it is
//! docker.rs    Docker: connect, deadlines, patience; docker/ has one file per group of calls
//! build.rs     images built and pulled
//! images.rs    images brought in and out, and their names
//! short_run.rs a container from create to remove
//! log_file.rs  a log file that keeps both its ends below a bound
//! tar_file.rs  the one regular file of a tar the engine sent
//! ```
//!
//! # Who calls what, and when
//!
//! | when | calls |
//! | --- | --- |
//! | the node starts | [`Runtime::info`], then [`Runtime::list`] by [`label::NODE`]: what runs is waited for again, what ended is harvested, what nobody knows is removed |
//! | a bucket is installed | [`Runtime::resolve_image`], [`Runtime::open_image`] and its [`ImageFiles`] |
//! | a job runs | [`Runtime::create`], [`Runtime::start`], then [`Runtime::wait`] and [`Runtime::follow_logs`] side by side with a [`Runtime::peak_memory`] every few seconds |
//! | its time is over | [`Runtime::stop`], which kills when the grace is over, then [`Runtime::wait`] again |
//! | it ended | the [`ContainerState`] of [`WaitEnd::Exited`]; [`Runtime::fetch_logs`] if following broke; last of all [`Runtime::remove`] |
//! | measures | [`Runtime::run_to_end`] |
//!
//! # What holds for every call
//!
//! * Names are the idempotency keys: the caller chooses a unique name per attempt, and every call on a
//!   container may be repeated. Creating one that exists says [`Created::Exists`]; starting one that runs,
//!   stopping one that ended and removing one that is gone are successes.
//! * Containers are created from an [`ImageId`], never from a tag: what was looked at when the bucket was
//!   installed is what runs.
//! * Nothing is removed behind the caller's back. After a crash of the node the containers are still there,
//!   with their state and their log.
//! * Every call ends. A single request has a deadline, and calls on containers are patient while the engine
//!   restarts, up to a configured time; [`Runtime::info`], [`Runtime::resolve_image`] and
//!   [`Runtime::open_image`], for which a person waits, fail at once.

mod build;
mod docker;
mod error;
mod images;
mod log_file;
mod short_run;
mod spec;
mod state;
mod tar_file;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

pub use build::{ContextFile, Progress, Recipe};
pub use docker::{
    Attached, Change, ChangeKind, Docker, DockerConfig, Edited, Left, OpenFile, Piece, ShellOutput, ShellSpec,
};
pub use error::{EngineError, Error, Result};
pub use images::{Images, NamedImage};
pub use spec::{Bind, ImageId, Labels, Network, Resources, RunSpec};
pub use state::{
    ContainerState, ContainerSummary, Created, EngineInfo, FileEntry, FileKind, FileStat, ImageInfo, LogCopy,
    Output, RunOutput, Status, WaitEnd,
};

/// The labels by which a node finds its containers again.
pub mod label {
    /// The node that made the container; its value is the node's id. Every container carries it.
    pub const NODE: &str = "magickbox.node";
    /// The job the container belongs to; its value is the job's id.
    pub const JOB: &str = "magickbox.job";
    /// The graphics processors that were promised to it; its value are their names, with commas between.
    pub const GPUS: &str = "magickbox.gpus";
    /// What the container is for: [`KIND_RUN`], [`KIND_MEASURES`] or [`KIND_FILES`].
    pub const KIND: &str = "magickbox.kind";
    /// Value of [`KIND`]: an attempt to process a job.
    pub const KIND_RUN: &str = "run";
    /// Value of [`KIND`]: the measures plugin on the output of a job.
    pub const KIND_MEASURES: &str = "measures";
    /// Value of [`KIND`]: never started, only there to read files of an image; one that is found later was
    /// left by a crash and can go.
    pub const KIND_FILES: &str = "files";
}

/// What runs containers.
///
/// Used as `Arc<dyn Runtime>`. All methods may be called from many tasks at once. Dropping a returned future
/// abandons the call; what the engine has begun by then goes on, and the container is found again by name or
/// label.
#[async_trait]
pub trait Runtime: Send + Sync + std::fmt::Debug {
    /// Asks the engine what it is and what its machine has.
    ///
    /// # Errors
    /// [`Error::Unreachable`] or [`Error::Denied`] at once when the engine does not answer.
    async fn info(&self) -> Result<EngineInfo>;

    /// Finds the image that a reference (`name`, `name:tag`, `name@sha256:…` or an id) means on this machine
    /// now. Never pulls.
    ///
    /// # Errors
    /// [`Error::NoSuchImage`] when this machine has none by that reference.
    async fn resolve_image(&self, reference: &str) -> Result<ImageInfo>;

    /// Opens an image for reading its files without running anything of it.
    ///
    /// Behind it is a container that is created and never started. It carries `labels` and [`label::KIND`] =
    /// [`label::KIND_FILES`], and goes with [`ImageFiles::close`] or, if that is forgotten or an error comes
    /// in between, when the value is dropped.
    ///
    /// # Errors
    /// [`Error::NoSuchImage`].
    async fn open_image(&self, image: &ImageId, labels: &Labels) -> Result<Box<dyn ImageFiles>>;

    /// Creates a container, not yet running, with the fixed rules of [`RunSpec`].
    ///
    /// # Errors
    /// [`Error::NoSuchImage`]; [`Error::Refused`] with status 400 for what the engine will not do, such as a
    /// bind whose source does not exist or more CPUs than the machine has.
    async fn create(&self, spec: &RunSpec) -> Result<Created>;

    /// Starts a created container; one that already runs or has already run to its end is left alone.
    ///
    /// What the kernel refuses and a missing GPU driver are found out here, not at create. A command that is
    /// not in the image is not: its container ends with exit status 127 and a word on stderr.
    ///
    /// # Errors
    /// [`Error::NoSuchContainer`], [`Error::NoGpu`], [`Error::Refused`].
    async fn start(&self, name: &str) -> Result<()>;

    /// The state of a container, or `None` if there is none by that name.
    ///
    /// # Errors
    /// Only those of the engine not answering.
    async fn inspect(&self, name: &str) -> Result<Option<ContainerState>>;

    /// All containers, running or not, that carry every one of `labels`; an empty value stands for any value.
    ///
    /// # Errors
    /// Only those of the engine not answering.
    async fn list(&self, labels: &Labels) -> Result<Vec<ContainerSummary>>;

    /// Waits until a started container has ended, but not beyond `deadline`, and leaves it as it is.
    ///
    /// The engine may restart meanwhile: what its inspect says then is the truth. The state is looked at once
    /// even if `deadline` has passed, so that a container which ended while nobody waited is
    /// [`WaitEnd::Exited`].
    ///
    /// # Errors
    /// [`Error::Unreachable`] when the engine was away longer than configured; [`Error::NotStarted`].
    async fn wait(&self, name: &str, deadline: Instant) -> Result<WaitEnd>;

    /// Asks the container's processes to end (SIGTERM) and kills them after `grace` (whole seconds, rounded
    /// up). One that has ended or is gone is a success.
    ///
    /// # Errors
    /// Only those of the engine.
    async fn stop(&self, name: &str, grace: Duration) -> Result<()>;

    /// Kills the container at once (SIGKILL). One that has ended or is gone is a success.
    ///
    /// # Errors
    /// Only those of the engine.
    async fn kill(&self, name: &str) -> Result<()>;

    /// Removes a container, its log and the anonymous volumes its image declared. One that is gone is a
    /// success.
    ///
    /// # Errors
    /// [`Error::Refused`] with status 409 if it runs and `force` is false; with `force` it is killed first.
    async fn remove(&self, name: &str, force: bool) -> Result<()>;

    /// Writes stdout and stderr to `file`, replacing it, as they come and in the order they came, until the
    /// container ends.
    ///
    /// The file stays below `max_bytes`: beyond that its first part and its last 64 KiB are kept with a line
    /// between that says what is missing. The container must have been started. A restart of the engine is
    /// survived without a gap; a flood faster than the engine is read leaves one, with a line that says so. Dropping the future stops following; the file then ends where it is.
    ///
    /// # Errors
    /// [`Error::File`] for the file. That the engine went away for good is not an error but
    /// [`LogCopy::broken`]: [`Runtime::fetch_logs`] may get what is missing later.
    async fn follow_logs(&self, name: &str, file: &Path, max_bytes: u64) -> Result<LogCopy>;

    /// Writes what the engine has of the container's log now to `file`, bounded as in
    /// [`Runtime::follow_logs`]; written beside it and renamed.
    ///
    /// The engine keeps only the end of a log: 10 MB with its own notes, of which short lines are as little as
    /// 2 MB.
    ///
    /// # Errors
    /// [`Error::NoSuchContainer`], [`Error::File`], those of the engine. The old file then stays.
    async fn fetch_logs(&self, name: &str, file: &Path, max_bytes: u64) -> Result<LogCopy>;

    /// What the engine has of a container's stdout and stderr now, apart: the first `stdout_limit` bytes of
    /// one, the last `stderr_limit` of the other.
    ///
    /// # Errors
    /// [`Error::NoSuchContainer`], those of the engine.
    async fn output(&self, name: &str, stdout_limit: usize, stderr_limit: usize) -> Result<Output>;

    /// The most memory a running container has used so far, in bytes, page cache included; `None` when it
    /// does not run or the engine does not say.
    ///
    /// On cgroup v2 it is what is used at this moment, so the caller keeps the largest of its samples.
    async fn peak_memory(&self, name: &str) -> Option<u64>;

    /// Bytes a container has written into its root file system, its binds and what is in memory not counted; `None` when
    /// there is none by that name or the engine does not say. The engine reads all its files for it: not to be asked often.
    async fn written(&self, name: &str) -> Option<u64>;

    /// Runs a short container from create to remove and returns what it printed.
    ///
    /// At `deadline` it is stopped with the grace of its specification. The container is removed on every way
    /// out; only a dropped future leaves one, to be found by its labels. One of the same name that exists
    /// already is removed first.
    ///
    /// # Errors
    /// As [`Runtime::create`], [`Runtime::start`] and [`Runtime::wait`]. Exit statuses and the deadline are
    /// no errors.
    async fn run_to_end(&self, spec: &RunSpec, deadline: Instant, stdout_limit: usize) -> Result<RunOutput> {
        short_run::run_to_end(self, spec, deadline, stdout_limit).await
    }
}

/// The files of an image, read without running it. Paths are absolute in the image; symbolic links are
/// followed inside it.
///
/// Not existing is not an error here: a path that leads nowhere is `None`. One that leads through a regular
/// file, or round in circles, is an error.
#[async_trait]
pub trait ImageFiles: Send + Sync {
    /// What is at `path`, links followed.
    ///
    /// # Errors
    /// Those of the engine.
    async fn stat(&self, path: &str) -> Result<Option<FileStat>>;

    /// Reads a regular file of at most `limit_bytes`.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::WrongKind`] when there is something else at `path`, those of the engine.
    async fn read_file(&self, path: &str, limit_bytes: u64) -> Result<Option<FileEntry>>;

    /// Writes the directory at `path` as a tar to the new or replaced file `dest_tar`, at most `limit_bytes`
    /// of it, and returns its size.
    ///
    /// The names in the tar begin with `./`, the directory itself being `./`. They, and the links and modes
    /// among them, are the image's and not to be trusted. On an error the file is removed.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::WrongKind`], [`Error::File`], those of the engine.
    async fn export_dir(&self, path: &str, dest_tar: &Path, limit_bytes: u64) -> Result<Option<u64>>;

    /// Removes the container behind it and says whether that went well; dropping does the same, without an
    /// answer.
    ///
    /// # Errors
    /// Those of the engine.
    async fn close(self: Box<Self>) -> Result<()>;
}
