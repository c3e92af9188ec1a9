//! Where deliveries go: what the configuration says of each destination, and the pace that its deliveries share.

use std::collections::HashMap;

use crate::dicom::scu::Pace;
use crate::model::{AeTitle, Delivery, Remote, SENDER, SendLimits};

/// Every destination of the configuration.
#[derive(Debug, Default)]
pub struct Destinations {
    remotes: Vec<Remote>,
    paces: HashMap<AeTitle, Pace>,
}

/// Where one delivery goes.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// What takes it.
    pub remote: Remote,
    /// How fast.
    pub pace: Option<Pace>,
}

impl Destinations {
    /// These; each name is there once.
    #[must_use]
    pub fn new(remotes: Vec<Remote>) -> Self {
        let pace = |remote: &Remote| Some((remote.name().clone(), Pace::new(remote.limits().bandwidth?)));
        Self {
            paces: remotes.iter().filter_map(pace).collect(),
            remotes,
        }
    }

    /// All of them, in the order of the configuration.
    pub(super) fn all(&self) -> &[Remote] {
        &self.remotes
    }

    /// The destination of that name.
    pub(super) fn named(&self, name: &AeTitle) -> Option<&Remote> {
        self.remotes.iter().find(|remote| remote.name() == name)
    }

    /// Where a delivery goes; what a rule said itself is as it was said. `None`: the configuration has no such destination.
    pub(super) fn of(&self, delivery: &Delivery) -> Option<Target> {
        if let Some(given) = &delivery.remote {
            return Some(Target {
                remote: Remote::Dicom(given.clone()),
                pace: None,
            });
        }
        Some(Target {
            remote: self.named(&delivery.destination)?.clone(),
            pace: self.paces.get(&delivery.destination).cloned(),
        })
    }

    /// How much of us the destination of a delivery gets.
    pub(super) fn limits(&self, delivery: &Delivery) -> SendLimits {
        let named = || self.named(&delivery.destination).map(Remote::limits);
        match delivery.remote {
            Some(_) => SendLimits::default(),
            None => named().unwrap_or_default(),
        }
    }
}

/// What to do about a destination that the configuration does not have.
pub(super) fn advice(destination: &AeTitle) -> String {
    if destination.as_str() == SENDER {
        return "goes back to the sender, whose calling AE title is none that can be called".to_owned();
    }
    format!(
        "the configuration has no [[remote_ae]], [[folder]] or [[dicomweb]] of the name {destination}: add it, start the \
         node again, and retry the job"
    )
}
