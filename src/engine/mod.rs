//! Jobs are run: one driver per job, from its place in the queue to its results.
//!
//! ```text
//! scheduler  which job may start now: `parallel` of the bucket; drives what was begun
//! queue      in which order: priorities that age, a fair share for each stream
//! round      who of them begins, who steps aside, who never can
//! ledger     cpus, memory and graphics processors, never promised twice
//! driver     one attempt: INPUT laid out, container created, watched, its end kept
//! watching   until the container ends: time, output, an operator; the same for the node and for `buckets run`
//! run        what a container of a bucket looks like; the same for the node and for `buckets run`
//! harvest    after the end: proc.json, measures, results, deliveries, record
//! error_report the end of the log as images, where a route asks for it
//! output_size how much it has written so far
//! output     what a bucket left behind, read without trusting it
//! measures   the plugin and measures.json
//! report     the node's own result: a structured report of what was measured
//! record     info.json and record.json of a job
//! holds      the deadline of held jobs
//! last_papers record.json of a job that failed or was cancelled
//! recovery   what a start finds of the last run of the node
//! ```

mod driver;
mod error_report;
mod harvest;
mod holds;
mod last_papers;
mod ledger;
pub mod measures;
pub mod output;
pub mod output_size;
mod queue;
pub mod record;
mod recovery;
pub mod report;
mod round;
pub mod run;
mod scheduler;
pub mod watching;

use std::sync::Arc;

use tokio::sync::{Notify, watch};

use crate::bucket::Buckets;
use crate::container::Runtime;
use crate::model::{AeTitle, GpuId, Layout};
use crate::routing::Routes;
use crate::stage::{AtWork, Classifier, StageError};
use crate::store::{Store, StoreError};

pub use holds::end_overdue_holds;
pub use last_papers::run as write_last_papers;
pub use recovery::{TakenUp, take_up};
pub use scheduler::run;

/// What engine and drivers share.
#[derive(Clone)]
pub struct Engine {
    /// The job store.
    pub store: Store,
    /// The data directory.
    pub layout: Layout,
    /// Where containers run.
    pub runtime: Arc<dyn Runtime>,
    /// The installed buckets.
    pub buckets: Buckets,
    /// Tells what the series of jobs are.
    pub classifier: Classifier,
    /// Where results go.
    pub routes: Routes,
    /// Told when a job was queued or one is over.
    pub queued: Arc<Notify>,
    /// Told when a delivery was created.
    pub deliveries: Arc<Notify>,
    /// What drivers are at.
    pub at_work: AtWork,
    /// Told when a job was cancelled: its driver stops its container.
    pub cancelled: watch::Receiver<()>,
}

/// Why an attempt did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The container engine.
    #[error(transparent)]
    Container(#[from] crate::container::Error),
    /// The job store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Laying out the job's directory.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The job's files.
    #[error("{action}: {source}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The site forbids what its bucket asks for.
    #[error("{ae_title} {why}")]
    Forbidden {
        /// The bucket's AE title.
        ae_title: AeTitle,
        /// What it asks for, and what to do.
        why: String,
    },
    /// The engine cannot give it the graphics processors that were promised to it.
    #[error(
        "bucket {bucket} asks for gpus and was promised {}, but {source}; then run it again",
        names(gpus)
    )]
    NoGpu {
        /// The bucket.
        bucket: AeTitle,
        /// The devices.
        gpus: Vec<GpuId>,
        /// What the engine said.
        source: crate::container::Error,
    },
    /// Its bucket is not installed any more.
    #[error("no bucket is installed for AE title {0} any more: install one, then send the study again")]
    NoBucket(AeTitle),
}

/// What an error asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// Waiting, however long it takes: the engine is away, the disk is full.
    Waits,
    /// Some more tries: the engine failed at something, and may not the next time.
    MayPass,
    /// Nothing: the node is stopping.
    Stopping,
    /// Giving up: the same would happen again.
    Final,
}

impl EngineError {
    /// Why the container of a bucket with these graphics processors did not start.
    #[must_use]
    pub fn of_start(bucket: &AeTitle, gpus: &[GpuId], error: crate::container::Error) -> Self {
        match error {
            crate::container::Error::NoGpu { .. } => Self::NoGpu {
                bucket: bucket.clone(),
                gpus: gpus.to_vec(),
                source: error,
            },
            other => Self::Container(other),
        }
    }

    fn trouble(&self) -> Trouble {
        use crate::container::Error as Container;
        match self {
            Self::Container(error) if error.is_engine_down() => Trouble::Waits,
            Self::Container(Container::Denied { .. }) => Trouble::Waits,
            Self::Container(Container::Failed { .. } | Container::File { .. }) => Trouble::MayPass,
            Self::Store(StoreError::Sqlite(_)) | Self::Stage(StageError::Store(StoreError::Sqlite(_))) => {
                Trouble::Waits
            }
            Self::Store(StoreError::Closed) | Self::Stage(StageError::Store(StoreError::Closed)) => {
                Trouble::Stopping
            }
            Self::Io { source, .. } | Self::Stage(StageError::Io { source, .. }) if is_shortage(source) => {
                Trouble::Waits
            }
            Self::Io { .. } | Self::Stage(StageError::Io { .. }) => Trouble::MayPass,
            _ => Trouble::Final,
        }
    }
}

fn names(gpus: &[GpuId]) -> String {
    gpus.iter().map(GpuId::as_str).collect::<Vec<_>>().join(",")
}

/// No space, no quota, no file descriptors: somebody will mend it.
fn is_shortage(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    let raw = error.raw_os_error();
    [Errno::NOSPC, Errno::DQUOT, Errno::MFILE, Errno::NFILE]
        .iter()
        .any(|e| raw == Some(e.raw_os_error()))
}

fn io(action: &'static str) -> impl FnOnce(std::io::Error) -> EngineError {
    move |source| EngineError::Io { action, source }
}

/// Runs file work off the runtime's threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, EngineError> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.map_err(|error| io("work on files")(std::io::Error::other(error)))?
}

#[cfg(test)]
mod tests;
