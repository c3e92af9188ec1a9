//! `mb push --dicom`: the DICOM files of a directory, sent with C-STORE.
//!
//! ```text
//! scan.rs   which files are DICOM, and of what kind
//! bare.rs   data sets without a head before them
//! work.rs   associations that share the files
//! report.rs what became of each file
//! ```

mod bare;
mod report;
mod scan;
mod work;

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use serde_json::Value;

use super::ending::{Ending, warn};
use super::machines::Machine;
use super::push::directory::Directory;
use crate::cli::upload::Progress;
use crate::dicom::scu::ScuTimeouts;
use crate::model::{AeTitle, RemoteAe};

/// Where `--dicom` sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// To where the node says that it receives.
    OfTheNode,
    /// `host:port`.
    Given(String),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::OfTheNode);
        }
        let parts = text.rsplit_once(':');
        match parts.filter(|(host, _)| !host.is_empty()) {
            Some((_, port)) if port.parse::<u16>().is_ok_and(|port| port > 0) => {
                Ok(Self::Given(text.to_owned()))
            }
            _ => Err("give the address as HOST:PORT".to_owned()),
        }
    }
}

/// How `--dicom` sends.
#[derive(Args, Debug)]
pub(super) struct Sending {
    /// With --dicom: associations at the same time
    #[arg(
        long,
        value_name = "N",
        default_value_t = 2,
        value_parser = clap::value_parser!(u16).range(1..=64),
        requires = "dicom"
    )]
    associations: u16,
    /// With --dicom: AE title to call with [default: the sender, where that is one, or MB]
    #[arg(long, value_name = "AETITLE", requires = "dicom")]
    calling: Option<String>,
    /// With --dicom: time for a connection, and for each answer
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration, requires = "dicom")]
    patience: Duration,
}

/// Time for a connection, at most.
const CONNECT: Duration = Duration::from_secs(10);

/// Where a node receives DICOM.
///
/// # Errors
/// It does not tell.
pub(super) fn address_of(machine: &Machine) -> Result<String> {
    let node = machine.api()?;
    let dicom = node
        .as_ref()
        .and_then(|node| node.get("dicom"))
        .and_then(Value::as_str)
        .and_then(|address| address.parse::<SocketAddr>().ok());
    let Some(dicom) = dicom else {
        bail!(
            "{} does not tell where it receives DICOM: give it with --dicom=HOST:PORT",
            machine.title()
        );
    };
    let host = machine.name.rsplit("://").next().unwrap_or_default();
    Ok(format!("{host}:{}", dicom.port()))
}

/// Sends all that is DICOM.
///
/// # Errors
/// An AE title that is none; nothing to send; the peer is not there or refuses the association.
pub(super) fn send(
    directory: &Directory,
    called: &str,
    address: &str,
    sender: &str,
    sending: &Sending,
) -> Result<Ending> {
    let title = |text: &str| AeTitle::parse(text).map_err(|error| anyhow!("{text:?}: {error}"));
    let remote = RemoteAe::plain(
        title(called)?,
        address.to_owned(),
        match &sending.calling {
            Some(calling) => title(calling)?,
            None => title(sender).or_else(|_| title("MB"))?,
        },
    );
    let scan = scan::scan(directory);
    scan.say();
    if scan.objects.is_empty() {
        bail!("{} has no DICOM files", directory.root.display());
    }
    let name = format!("sending {} to {called} at {address}", directory.name());
    let progress = Progress::begin(&name, Some(scan.bytes()), 0);
    let timeouts = ScuTimeouts {
        connect: CONNECT.min(sending.patience),
        response: sending.patience,
    };
    let work = work::Work {
        remote: &remote,
        objects: &scan.objects,
        timeouts,
        associations: usize::from(sending.associations),
    };
    let mut report = report::Report::new(&scan.objects);
    let mut at = 0;
    let stopped = work.run(|index, fate| {
        at += scan.objects.get(index).map_or(0, |object| object.size);
        progress.at(at);
        report.add(index, fate);
    });
    progress.end();
    if let Some(error) = stopped {
        let error = anyhow::Error::new(error);
        if report.is_empty() {
            return Err(error).context("nothing was sent");
        }
        warn(&format!("{error:#}"));
    }
    report.print(&remote)
}
