//! pynetdicom with a handler that writes what arrived.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::succeeds;
use crate::support::process::Process;

pub(super) fn is_there() -> bool {
    succeeds(&python().to_string_lossy(), &["-c", "import pynetdicom"])
}

pub(super) fn start(home: &Path, port: u16) -> Result<Process> {
    let objects = home.join("objects");
    fs::create_dir_all(&objects)?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/peer/pynetdicom_storescp.py");
    let mut command = Command::new(python());
    command.arg(script).arg(port.to_string()).arg(objects);
    Process::start("pynetdicom", &mut command, &home.join("pynetdicom.log"))
}

fn python() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/python")
}
