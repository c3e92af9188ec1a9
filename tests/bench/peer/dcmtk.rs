//! dcmtk's storescp, as shipped and at its best.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::support::process::Process;

/// As people start it: its own defaults.
pub(super) fn stock(home: &Path, port: u16) -> Result<Process> {
    start(home, port, &[], false)
}

/// The same with a process for each association.
pub(super) fn stock_forking(home: &Path, port: u16) -> Result<Process> {
    start(home, port, &["--fork"], false)
}

/// Writes what arrives, takes the longest PDUs, does not wait for more to send; one process per association where
/// several come at once.
pub(super) fn best(home: &Path, port: u16, several: bool) -> Result<Process> {
    let mut options = vec!["+xa", "+B", "-pdu", "131072"];
    options.extend(several.then_some("--fork"));
    start(home, port, &options, true)
}

fn start(home: &Path, port: u16, options: &[&str], no_delay: bool) -> Result<Process> {
    let objects = home.join("objects");
    fs::create_dir_all(&objects)?;
    let mut command = Command::new("storescp");
    command.env_remove("TCP_NODELAY");
    if no_delay {
        command.env("TCP_NODELAY", "1");
    }
    command
        .args(options)
        .arg("-od")
        .arg(objects)
        .arg(port.to_string());
    Process::start("storescp", &mut command, &home.join("storescp.log"))
}
