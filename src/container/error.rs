//! What can go wrong with containers, sorted by whose fault it is.

use std::path::PathBuf;
use std::time::Duration;

/// The result of a call on the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call on the engine failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    // The engine's: it is away or does not do its part. Another attempt may work.
    /// The engine does not answer, or the connection broke, for at least `waited` (zero when only tried
    /// once).
    #[error("the container engine at {endpoint} does not answer{}: is the docker daemon running", tried_for(*waited))]
    Unreachable {
        /// Where it was looked for.
        endpoint: String,
        /// How long it was tried.
        waited: Duration,
        /// What the last attempt said.
        #[source]
        source: EngineError,
    },
    /// The engine took a request and gave no answer in time.
    #[error("the container engine did not {action} within {} s", limit.as_secs())]
    TimedOut {
        /// What was asked of it.
        action: String,
        /// The time it had.
        limit: Duration,
    },
    /// The engine failed to do what was asked: status 500 and above, or an answer that makes no sense.
    #[error("the container engine failed to {action}: {message}")]
    Failed {
        /// What was asked of it.
        action: String,
        /// Its words.
        message: String,
    },

    // The machine's set-up.
    /// This user may not talk to the engine.
    #[error(
        "no permission to talk to the container engine at {endpoint}: run as root or as a member of the group docker"
    )]
    Denied {
        /// Where the engine is.
        endpoint: String,
    },
    /// The engine cannot give a container its graphics processors: it has no driver for them, or the driver no such device.
    #[error(
        "the container engine cannot give container {name:?} its gpus: {message}: install a GPU driver for the engine (NVIDIA \
         Container Toolkit, or a CDI specification of the device), or name devices that it has"
    )]
    NoGpu {
        /// The container's name.
        name: String,
        /// The engine's words.
        message: String,
    },
    /// The configured endpoint is of a kind that is not supported.
    #[error(
        "container engine {endpoint:?} is not supported: give the path of its socket as unix:///var/run/docker.sock"
    )]
    BadEndpoint {
        /// What was configured.
        endpoint: String,
    },

    // The caller's: asking again changes nothing.
    /// No image by that reference is on this machine.
    #[error("no image {reference:?} on this machine: build, load or pull it first")]
    NoSuchImage {
        /// What was asked for.
        reference: String,
    },
    /// No container by that name.
    #[error("no container {name:?}")]
    NoSuchContainer {
        /// What was asked for.
        name: String,
    },
    /// Waiting for a container that was not started, or whose start failed.
    #[error("container {name:?} was not started")]
    NotStarted {
        /// Its name.
        name: String,
    },
    /// The engine refuses what was asked: status 400 to 499.
    #[error("the container engine refused to {action}: {message} (status {status})")]
    Refused {
        /// What was asked of it.
        action: String,
        /// The HTTP status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// A text that should be an image's id is not.
    #[error("{text:?} is not an image id: sha256: and 64 hexadecimal digits")]
    NotAnImageId {
        /// The text.
        text: String,
    },

    // The image's.
    /// A file or directory of an image is larger than allowed.
    #[error("{path} of the image is larger than {limit_bytes} bytes")]
    TooLarge {
        /// Path in the image.
        path: String,
        /// The limit in bytes.
        limit_bytes: u64,
    },
    /// A path of an image is not what it should be.
    #[error("{path} of the image is not a {expected}")]
    WrongKind {
        /// Path in the image.
        path: String,
        /// `regular file` or `directory`.
        expected: &'static str,
    },

    // This machine's files.
    /// A file of this machine could not be written.
    #[error("failed to write {}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },

    // The engine's again, but nothing that failed because of it.
    /// The engine says that it cannot give all of a log.
    #[error("the log of container {name:?} was cut short")]
    LogCutShort {
        /// The container's name.
        name: String,
    },
}

/// What the client of the engine said; opaque, so that nobody outside depends on which client it is.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct EngineError(pub(super) Box<dyn std::error::Error + Send + Sync>);

fn tried_for(waited: Duration) -> String {
    match waited.as_secs() {
        0 => String::new(),
        seconds => format!(" (tried for {seconds} s)"),
    }
}

impl Error {
    /// Whether the same call may succeed later without anybody changing anything: the engine is away, too
    /// slow or failed.
    #[must_use]
    pub fn is_engine_down(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::TimedOut { .. })
    }
}
