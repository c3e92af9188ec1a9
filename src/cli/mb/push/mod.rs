//! `mb push`: a directory becomes a job of a bucket.
//!
//! ```text
//! directory.rs  its files
//! zip_source.rs them as a zip, made while it is sent
//! choose.rs     which machine
//! original.rs   to a machine without our API
//! ```

mod choose;
pub(super) mod directory;
mod original;
mod zip_source;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use clap::Args;
use serde_json::{Value, json};

use super::dicom::{self, Address};
use super::ending::{Ending, warn};
use super::machines::{Machine, MachineArgs};
use super::print_json;
use super::settings::Settings;
use super::watch;
use crate::cli::upload;
use directory::Directory;
use zip_source::ZipSource;

/// Send a directory to a bucket
///
/// The zip is made while it is sent. An upload that broke off is gone on with by the same command within a day, where
/// the node is one of ours.
#[derive(Args, Debug)]
pub(super) struct Push {
    /// AE title of the bucket
    #[arg(value_name = "AETITLE")]
    ae_title: String,
    /// The directory; links that lead out of it are not followed
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
    /// Arguments for the bucket, as one word
    #[arg(allow_hyphen_values = true, default_value = "", hide_default_value = true)]
    arguments: String,
    /// Wait until the job is over; the exit status then tells how it ended
    #[arg(long, conflicts_with = "dicom")]
    wait: bool,
    /// Send the DICOM files of the directory with C-STORE instead of as a zip: to HOST:PORT, or to where the node
    /// receives DICOM
    #[arg(
        long,
        value_name = "HOST:PORT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        conflicts_with = "arguments"
    )]
    dicom: Option<Address>,
    #[command(flatten)]
    sending: dicom::Sending,
}

/// What a node is told of a push.
struct Told {
    ae_title: String,
    sender: String,
    job_name: String,
    arguments: String,
    description: String,
}

impl Push {
    pub fn run(&self, machines: &MachineArgs) -> Result<Ending> {
        let directory = Directory::read(&self.directory)?;
        let sender = Settings::load()?.sender;
        if let Some(Address::Given(address)) = &self.dicom {
            return dicom::send(&directory, &self.ae_title, address, &sender, &self.sending);
        }
        let machines = machines.machines()?;
        let chosen = choose::choose(&machines, &self.ae_title)?;
        let machine = chosen.machine;
        let (machines_provide, this) = match chosen.of {
            1 => ("1 machine provides".to_owned(), "this bucket"),
            n => (
                format!("{n} machines provide"),
                "this bucket; it has the least to do",
            ),
        };
        warn(&format!(
            "send directory \"{}\" as \"{sender}\" for \"{}\" processing to {} ({machines_provide} {this})",
            self.directory.display(),
            self.ae_title,
            machine.title(),
        ));
        if self.dicom.is_some() {
            let address = dicom::address_of(machine)?;
            return dicom::send(&directory, &self.ae_title, &address, &sender, &self.sending);
        }
        let told = Told {
            ae_title: self.ae_title.clone(),
            sender,
            job_name: directory.name(),
            arguments: self.arguments.clone(),
            description: "Send by MagickBox".to_owned(),
        };
        self.send(machine, directory, &told)
    }

    fn send(&self, machine: &Machine, directory: Directory, told: &Told) -> Result<Ending> {
        let to = format!("{}\n{}", machine.node.url(), told.ae_title);
        let source = ZipSource::new(Arc::new(directory), &to);
        let api = machine.api()?;
        let mut job = match api {
            Some(_) => push(machine, &source, told).map_err(|error| error.context(machine.title()))?,
            None => original::send(machine, &source, told)?,
        };
        let mut ending = Ending::Done;
        let name = job.get("job").and_then(Value::as_str).map(str::to_owned);
        if self.wait {
            let name = name.ok_or_else(|| {
                anyhow!(
                    "{} took it, but says nothing of jobs: see mb list",
                    machine.title()
                )
            })?;
            let (end, over) = watch::until_over(machine, &name)?;
            ending = end;
            for key in ["state", "outcome", "reason"] {
                if let (Some(job), Some(value)) = (job.as_object_mut(), over.get(key)) {
                    job.insert(key.to_owned(), value.clone());
                }
            }
        }
        if !job.is_object() {
            job = json!({});
        }
        if let Some(job) = job.as_object_mut() {
            job.insert("Machine".to_owned(), machine.name.clone().into());
            job.insert("Port".to_owned(), machine.port.clone().into());
        }
        print_json(&job)?;
        Ok(ending)
    }
}

/// Uploads piece by piece, then makes a job of what is there.
fn push(machine: &Machine, source: &ZipSource, told: &Told) -> Result<Value> {
    let sent = upload::send(&machine.node, source)?;
    machine.node.post(
        "jobs",
        &json!({
            "aetitle": told.ae_title,
            "sender": told.sender,
            "jobname": told.job_name,
            "arguments": told.arguments,
            "description": told.description,
            "upload": sent.to_json(),
        }),
    )
}
