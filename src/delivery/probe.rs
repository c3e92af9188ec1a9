//! Whether a destination answers, asked by a person: as a delivery would ask, from here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::destinations::Destinations;
use super::{folder, stow};
use crate::config::DeliveryConfig;
use crate::dicom::scu::{self, ScuTimeouts};
use crate::dicom::status::Status;
use crate::model::{AeTitle, Remote, Timestamp};

/// What a destination answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// When it was asked.
    pub at: Timestamp,
    /// Whether a delivery would get through to it.
    pub answers: bool,
    /// What it said, or why it did not.
    pub text: String,
    /// How long that took, in milliseconds.
    pub milliseconds: u64,
}

/// Every destination with what it answered last, since the node started.
#[derive(Clone, Debug)]
pub struct Probes {
    destinations: Arc<Destinations>,
    timeouts: ScuTimeouts,
    last: Arc<Mutex<HashMap<AeTitle, Probed>>>,
}

impl Probes {
    /// Of these destinations, none asked yet.
    #[must_use]
    pub fn new(destinations: Arc<Destinations>, config: &DeliveryConfig) -> Self {
        Self {
            destinations,
            timeouts: ScuTimeouts {
                connect: config.connect,
                response: config.response,
            },
            last: Arc::default(),
        }
    }

    /// Every destination, in the order of the configuration, with its last answer.
    #[must_use]
    pub fn all(&self) -> Vec<(Remote, Option<Probed>)> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let with_last = |remote: &Remote| (remote.clone(), last.get(remote.name()).cloned());
        self.destinations.all().iter().map(with_last).collect()
    }

    /// Asks a destination and waits for its answer; `None` where the configuration has none of that name.
    #[must_use]
    pub fn ask(&self, name: &AeTitle) -> Option<(Remote, Probed)> {
        let remote = self.destinations.named(name)?;
        let at = Timestamp::now();
        let begun = Instant::now();
        let (answers, text) = match self.ask_one(remote) {
            Ok(answered) => answered,
            Err(error) => (false, error),
        };
        let probed = Probed {
            at,
            answers,
            text,
            milliseconds: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.insert(name.clone(), probed.clone());
        Some((remote.clone(), probed))
    }

    fn ask_one(&self, remote: &Remote) -> Result<(bool, String), String> {
        match remote {
            Remote::Dicom(ae) => {
                let echoed = scu::echo(ae, self.timeouts).map_err(|e| e.to_string())?;
                let opened = echoed.opened.as_millis();
                let association = format!("association in {opened} ms");
                Ok(match echoed.status {
                    Some(Status::SUCCESS) => (
                        true,
                        format!("{association}, C-ECHO in {} ms", echoed.answered.as_millis()),
                    ),
                    Some(status) => (false, format!("{association}, C-ECHO answered with {status}")),
                    None => (true, format!("{association}, takes no C-ECHO")),
                })
            }
            Remote::Folder(folder) => {
                folder::probe(folder).map_err(|e| e.to_string())?;
                Ok((true, "files can be written".to_owned()))
            }
            Remote::Web(web) => {
                let status = stow::probe(web, self.timeouts).map_err(|e| e.to_string())?;
                Ok((true, format!("HTTP {status}")))
            }
        }
    }
}
