//! The node under test, in a directory of its own that is removed with it.

use std::fs;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use super::PATIENCE;
use super::api::Job;
use super::images::Bucket;
use super::leftovers;
use super::node::Node;
use super::orthanc::{Address, Orthanc};
use super::peers::skip;
use super::runs::Run;
use super::tmpfs::Tmpfs;

/// The node's program.
pub const MAGICKBOX: &str = env!("CARGO_BIN_EXE_magickbox");
/// The bucket developer's program.
pub const BUCKETS: &str = env!("CARGO_BIN_EXE_buckets");
/// The sender's program.
pub const MB: &str = env!("CARGO_BIN_EXE_mb");

/// A directory on a real disk that goes away with the value.
pub fn scratch() -> TempDir {
    leftovers::sweep();
    let of_run = Path::new(env!("CARGO_TARGET_TMPDIR")).join(Run::this().to_string());
    fs::create_dir_all(&of_run).unwrap();
    tempfile::tempdir_in(of_run).unwrap()
}

/// A node with its directory. It dereferences to [`Node`].
pub struct TestNode {
    // Dropped in this order: the node stops before its directory goes.
    node: Node,
    disk: Option<Tmpfs>,
    home: TempDir,
}

impl TestNode {
    /// A node with that configuration (TOML).
    #[track_caller]
    pub fn start(config: &str) -> Self {
        Self::start_in(scratch(), config, &[])
    }

    /// A node in a directory that is there already, with environment variables for this start.
    #[track_caller]
    pub fn start_in(home: TempDir, config: &str, variables: &[(&str, &str)]) -> Self {
        let node = Node::start_with(Path::new(MAGICKBOX), home.path(), config, variables).unwrap();
        Self {
            node,
            disk: None,
            home,
        }
    }

    /// A node whose data directory is a disk of its own (see [`Tmpfs::mount`]), with that bucket installed; `None`,
    /// visibly skipped, where nothing may be mounted.
    #[track_caller]
    pub fn on_disk(story: &str, options: &str, bucket: &Bucket, config: &str) -> Option<Self> {
        let home = scratch();
        let Some(disk) = Tmpfs::mount(&home.path().join("data"), options) else {
            skip(story, "only root may mount a disk for it");
            return None;
        };
        let node = Node::start(Path::new(MAGICKBOX), home.path(), config).unwrap();
        let node = Self {
            node,
            disk: Some(disk),
            home,
        };
        node.install(bucket);
        Some(node)
    }

    /// The disk of a node that has one of its own.
    #[track_caller]
    pub fn disk(&self) -> &Tmpfs {
        self.disk.as_ref().unwrap()
    }

    /// A node with that bucket installed.
    #[track_caller]
    pub fn with(bucket: &Bucket, config: &str) -> Self {
        let node = Self::start(config);
        node.install(bucket);
        node
    }

    /// Installs a bucket.
    #[track_caller]
    pub fn install(&self, bucket: &Bucket) {
        let answer = self.api().install(&bucket.image(), false).unwrap();
        assert_eq!(answer.status, 201, "{answer:?}");
    }

    /// A directory beside the node's, for what the test makes.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Waits until a job of that stream is as wanted.
    #[track_caller]
    pub fn wait_for(&self, stream: &str, what: &str, wanted: impl Fn(&Job) -> bool) -> Job {
        self.api()
            .wait_for_job(PATIENCE, what, |job| job.stream == stream && wanted(job))
            .unwrap()
    }

    /// Waits until a job of that stream is in that state.
    #[track_caller]
    pub fn wait_for_state(&self, stream: &str, state: &str) -> Job {
        self.wait_for(stream, &format!("a job of {stream} in state {state}"), |job| {
            job.state == state
        })
    }

    /// Waits until a job of that stream is over.
    #[track_caller]
    pub fn wait_for_end(&self, stream: &str) -> Job {
        self.wait_for(stream, &format!("the end of a job of {stream}"), Job::is_over)
    }
}

impl Deref for TestNode {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}

impl DerefMut for TestNode {
    fn deref_mut(&mut self) -> &mut Node {
        &mut self.node
    }
}

/// An Orthanc with its directory.
pub struct TestPacs {
    pub orthanc: Orthanc,
    _home: TempDir,
}

impl TestPacs {
    /// Starts Orthanc at an address.
    #[track_caller]
    pub fn start(address: Address) -> Self {
        let home = scratch();
        Self {
            orthanc: Orthanc::start(home.path(), address).unwrap(),
            _home: home,
        }
    }
}

/// Configuration of a node that returns the results of all its buckets there.
pub fn results_to(pacs: &Address) -> String {
    let to = &pacs.ae_title;
    format!(
        "{}\n[[route]]\nname = \"results\"\nto = [\"{to}\"]\n",
        pacs.remote_ae()
    )
}

/// How a program of ours ended and what it said.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs one of our programs to its end, without any setting of whoever runs the tests.
pub fn run(program: &str, arguments: &[&str]) -> Ran {
    let mut command = Command::new(program);
    for variable in [
        "CONFIG",
        "DATA",
        "DICOM",
        "HTTP",
        "NODE",
        "TOKEN",
        "TOKEN_FILE",
        "CA",
    ] {
        command.env_remove(format!("MAGICKBOX_{variable}"));
    }
    let Output {
        status,
        stdout,
        stderr,
    } = command.args(arguments).output().unwrap();
    let [stdout, stderr] = [stdout, stderr].map(|o| String::from_utf8_lossy(&o).into_owned());
    Ran {
        code: status.code(),
        stdout,
        stderr,
    }
}
