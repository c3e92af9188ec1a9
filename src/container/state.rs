//! What the engine says about itself, about images and about containers.

use time::OffsetDateTime;

use super::{Error, ImageId, Labels};

/// What the engine is and what its machine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineInfo {
    /// Version of the engine, such as `20.10.24+dfsg1`.
    pub version: String,
    /// Version of its API that is spoken, such as `1.41`.
    pub api_version: String,
    /// Logical CPUs.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Operating system, such as `Debian GNU/Linux 12 (bookworm)`; empty when the engine does not say.
    pub operating_system: String,
}

/// An image on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageInfo {
    /// Its id, by which containers are created.
    pub id: ImageId,
    /// Processor architecture, such as `amd64`; empty when the image does not say.
    pub architecture: String,
    /// Size in bytes of all its layers.
    pub size_bytes: u64,
    /// When it was built, if it says.
    pub created: Option<OffsetDateTime>,
}

/// Whether a container was made by this call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It is new.
    New,
    /// There was one by that name already, perhaps by an earlier try of this very call whose answer was lost;
    /// it is untouched, and inspecting says how far it is.
    Exists,
}

/// Where in its life a container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Created and never started, or its start failed.
    Created,
    /// Running.
    Running,
    /// Running and frozen by someone.
    Paused,
    /// Between two runs; never so for containers made here.
    Restarting,
    /// Being removed.
    Removing,
    /// Ended, whatever its exit status.
    Exited,
    /// Could not be removed entirely.
    Dead,
}

impl Status {
    /// Whether its processes may still change what is on disk.
    #[must_use]
    pub fn is_active(self) -> bool {
        matches!(self, Self::Running | Self::Paused | Self::Restarting)
    }
}

/// The state of a container, as the engine's inspect says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerState {
    /// Where in its life it is.
    pub status: Status,
    /// Exit status once it has ended: 0 to 255, 128 + n after signal n (137 for a kill, 143 for a
    /// termination).
    pub exit_status: Option<i64>,
    /// Whether the kernel killed a process of it for lack of memory. True with exit status 0 when the script
    /// went on without that process.
    pub oom_killed: bool,
    /// When it was started.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
    /// What the engine could not do for it, in its words; `None` for a container that just ended.
    pub error: Option<String>,
    /// Its labels, the image's own included.
    pub labels: Labels,
    /// The image it was created from.
    pub image: ImageId,
    /// Whether the engine was away for a moment while its end was waited for: a signal may then be the engine's.
    pub engine_was_away: bool,
}

/// One line of a list of containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerSummary {
    /// Its name.
    pub name: String,
    /// The engine's id of it.
    pub id: String,
    /// Its labels, the image's own included.
    pub labels: Labels,
    /// Where in its life it is.
    pub status: Status,
}

/// Why a wait is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitEnd {
    /// The container ended.
    Exited(ContainerState),
    /// It still runs, or the engine could not be asked, and the time is over.
    DeadlineReached,
    /// There is none by that name (any more).
    Gone,
}

/// A log that was written to a file.
#[derive(Debug)]
pub struct LogCopy {
    /// Bytes the container printed, as far as the engine passed them on.
    pub printed: u64,
    /// How many of them are not in the file because of its bound.
    pub dropped: u64,
    /// Why the log may be incomplete; `None` if it was read to its end.
    pub broken: Option<Error>,
}

/// What a container printed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Output {
    /// The first bytes of stdout.
    pub stdout: Vec<u8>,
    /// How many bytes of stdout are not among them.
    pub stdout_dropped: u64,
    /// The last bytes of stderr.
    pub stderr_tail: Vec<u8>,
}

/// What became of a short container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOutput {
    /// Its last state.
    pub state: ContainerState,
    /// Whether it was stopped because its time was over.
    pub timed_out: bool,
    /// What it printed.
    pub output: Output,
}

/// What there is at a path of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A device, a pipe, a socket.
    Other,
}

/// A path of an image, links followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStat {
    /// What it is.
    pub kind: FileKind,
    /// Permission bits, `0o7777` at most.
    pub mode: u32,
    /// Size in bytes, of meaning for regular files.
    pub size: u64,
}

impl FileStat {
    /// Whether it is a regular file that someone may execute.
    #[must_use]
    pub fn is_executable(&self) -> bool {
        self.kind == FileKind::File && self.mode & 0o111 != 0
    }
}

/// A file that was read out of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Permission bits, `0o7777` at most.
    pub mode: u32,
    /// Its content.
    pub bytes: Vec<u8>,
}
