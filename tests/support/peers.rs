//! What a story needs beside the node: without it a story is skipped, loudly; where CI is set it fails.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use super::orthanc;

/// A program from elsewhere that takes part in a story.
#[derive(Clone, Copy, Debug)]
pub enum Peer {
    Docker,
    Dcmtk,
    Dicom3tools,
    Highdicom,
    Lxml,
    Openssl,
    Orthanc,
    OrthancDicomWeb,
    Pynetdicom,
}

static DOCKER: LazyLock<bool> = LazyLock::new(|| {
    succeeds("docker", &["version", "--format", "{{.Server.Version}}"]) && succeeds("busybox", &["true"])
});
static DCMTK: LazyLock<bool> = LazyLock::new(|| {
    ["storescu", "dcmsend", "echoscu", "dsrdump"]
        .iter()
        .all(|p| succeeds(p, &["--version"]))
});
static DICOM3TOOLS: LazyLock<bool> = LazyLock::new(|| Command::new("dciodvfy").output().is_ok());
static HIGHDICOM: LazyLock<bool> =
    LazyLock::new(|| succeeds(&python().to_string_lossy(), &["-c", "import highdicom"]));
static LXML: LazyLock<bool> =
    LazyLock::new(|| succeeds(&python().to_string_lossy(), &["-c", "import lxml.etree"]));
static OPENSSL: LazyLock<bool> = LazyLock::new(|| succeeds("openssl", &["version"]));
static PYNETDICOM: LazyLock<bool> =
    LazyLock::new(|| succeeds(&python().to_string_lossy(), &["-c", "import pynetdicom"]));

impl Peer {
    fn is_there(self) -> bool {
        match self {
            Self::Docker => *DOCKER,
            Self::Dcmtk => *DCMTK,
            Self::Dicom3tools => *DICOM3TOOLS,
            Self::Highdicom => *HIGHDICOM,
            Self::Lxml => *LXML,
            Self::Openssl => *OPENSSL,
            Self::Orthanc => orthanc::program().is_some(),
            Self::OrthancDicomWeb => orthanc::program().is_some() && orthanc::dicomweb_plugin().is_some(),
            Self::Pynetdicom => *PYNETDICOM,
        }
    }
}

/// The interpreter that has pynetdicom, highdicom and lxml.
pub fn python() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/python")
}

/// Whether a story can be told. See [`needs`](crate::needs).
pub fn are_there(story: &str, peers: &[Peer]) -> bool {
    let missing: Vec<_> = peers.iter().filter(|p| !p.is_there()).collect();
    if missing.is_empty() {
        return true;
    }
    skip(story, &format!("{missing:?} missing, run docker/setup.sh test"));
    false
}

/// Says that a story is not told, past the capture of test output; where CI is set nothing may be left out.
pub fn skip(story: &str, why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{story}: {why}");
    // The test harness captures what `eprintln!` writes, so write to the stream itself.
    let _ = std::io::Write::write_all(
        &mut std::io::stderr(),
        format!("SKIPPED {story}: {why}\n").as_bytes(),
    );
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let run = Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    run.is_ok_and(|status| status.success())
}

/// Ends the test, visibly skipped, when a peer is missing: `needs!(Docker, Dcmtk)`.
#[macro_export]
macro_rules! needs {
    ($($peer:ident),+) => {
        if !$crate::support::peers::are_there(module_path!(), &[$($crate::support::peers::Peer::$peer),+]) {
            return;
        }
    };
}
