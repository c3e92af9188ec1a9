//! Orthanc with the settings it comes with, but for long PDUs and without Nagle's algorithm, which it inherits from
//! dcmtk; by default it syncs each object to the disk.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::json;

use crate::support::orthanc::{free_port, program};
use crate::support::process::Process;

pub(super) const AE_TITLE: &str = "ORTHANC";

pub(super) fn start(home: &Path, port: u16) -> Result<Process> {
    let settings = json!({
        "Name": AE_TITLE,
        "StorageDirectory": home.join("storage"),
        "IndexDirectory": home.join("storage"),
        "Plugins": [],
        "HttpPort": free_port(),
        "DicomPort": port,
        "DicomAet": AE_TITLE,
        "DicomAlwaysAllowStore": true,
        "MaximumPduLength": 131_072,
        "RemoteAccessAllowed": false,
        "AuthenticationEnabled": false,
    });
    let configuration = home.join("orthanc.json");
    fs::write(&configuration, settings.to_string())?;
    let mut command = Command::new(program().context("Orthanc is not installed")?);
    command.arg(configuration).env("TCP_NODELAY", "1");
    Process::start("Orthanc", &mut command, &home.join("orthanc.log"))
}
