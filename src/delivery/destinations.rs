//! Where deliveries go: what the configuration says of each destination, which of them a rule means that gives an address,
//! and the pace that its deliveries share.

use std::collections::HashMap;

use crate::dicom::scu::Pace;
use crate::model::{AeTitle, Delivery, Endpoint, JobId, Remote, RemoteAe, SENDER, SendLimits};
use crate::store::{Store, StoreError};

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

/// What tells one destination from another: its name and, of a peer by DICOM, its place. Whether a rule names it or gives its
/// address makes no difference.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Wire {
    name: AeTitle,
    place: Option<Endpoint>,
}

impl Wire {
    /// Its AE title, or its name in the configuration.
    pub fn name(&self) -> &AeTitle {
        &self.name
    }
}

/// A delivery that another one keeps its place behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// Its number.
    pub delivery: i64,
    /// Its job.
    pub job: JobId,
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

    /// Their names, in that order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.remotes.iter().map(|remote| remote.name().as_str())
    }

    /// The destination of that name.
    pub(super) fn named(&self, name: &AeTitle) -> Option<&Remote> {
        self.remotes.iter().find(|remote| remote.name() == name)
    }

    /// The destination of the configuration that is meant: by its name alone or, where a rule gave an address, that peer at
    /// that place.
    #[must_use]
    pub fn meant(&self, name: &AeTitle, address: Option<&str>) -> Option<&Remote> {
        let remote = self.named(name)?;
        let Some(address) = address else {
            return Some(remote);
        };
        let is_there =
            matches!(remote, Remote::Dicom(ae) if Endpoint::of(&ae.address) == Endpoint::of(address));
        is_there.then_some(remote)
    }

    /// Who is asked about a delivery that it took. A rule may have it called by another title than the configuration says;
    /// asked it is as the configuration says, for that is the title by which it may call with its answer.
    pub(super) fn to_be_asked(&self, delivery: &Delivery) -> Option<&RemoteAe> {
        match self.of_configuration(delivery)? {
            Remote::Dicom(remote) => Some(remote),
            Remote::Folder(_) | Remote::Web(_) => None,
        }
    }

    fn of_configuration(&self, delivery: &Delivery) -> Option<&Remote> {
        let given = delivery.remote.as_ref();
        self.meant(&delivery.destination, given.map(|ae| ae.address.as_str()))
    }

    /// Where a delivery goes. What a rule calls the peer by is as it said, and all else as the configuration has it for that
    /// peer: where it is, in the spelling that its certificate may have; over TLS, at its pace, with storage commitment. `None`: the configuration has no such destination.
    pub(super) fn of(&self, delivery: &Delivery) -> Option<Target> {
        let known = self.of_configuration(delivery);
        let remote = match (&delivery.remote, known) {
            (None, known) => known?.clone(),
            (Some(given), Some(Remote::Dicom(known))) => Remote::Dicom(RemoteAe {
                calling: given.calling.clone(),
                ..known.clone()
            }),
            (Some(given), _) => Remote::Dicom(given.clone()),
        };
        let pace = known.and_then(|known| self.paces.get(known.name()).cloned());
        Some(Target { remote, pace })
    }

    /// How much of us a destination gets.
    pub(super) fn limits(&self, name: &AeTitle, address: Option<&str>) -> SendLimits {
        let known = self.meant(name, address);
        known.map(Remote::limits).unwrap_or_default()
    }

    /// The destination of a delivery, to be told from others.
    pub(super) fn wire(&self, delivery: &Delivery) -> Wire {
        let given = delivery.remote.as_ref();
        self.wire_to(&delivery.destination, given.map(|ae| ae.address.as_str()))
    }

    fn wire_to(&self, name: &AeTitle, given: Option<&str>) -> Wire {
        let address = match (given, self.named(name)) {
            (Some(given), _) => Some(given),
            (None, Some(Remote::Dicom(known))) => Some(known.address.as_str()),
            (None, _) => None,
        };
        Wire {
            name: name.clone(),
            place: address.map(Endpoint::of),
        }
    }

    /// The destinations that rows of deliveries name, each with the addresses that it has in them.
    pub(super) fn wires(&self, rows: Vec<(AeTitle, Option<String>)>) -> HashMap<Wire, Vec<Option<String>>> {
        let mut wires: HashMap<_, Vec<_>> = HashMap::new();
        for (name, address) in rows {
            let wire = self.wire_to(&name, address.as_deref());
            wires.entry(wire).or_default().push(address);
        }
        wires
    }

    /// The first delivery of the same study to the same destination that has to be over before this one goes.
    ///
    /// # Errors
    /// What the store says.
    pub fn ahead(&self, store: &Store, delivery: &Delivery) -> Result<Option<Ahead>, StoreError> {
        if !delivery.state.is_due() {
            return Ok(None);
        }
        let wire = self.wire(delivery);
        let before = store.deliveries_before(delivery)?;
        let first = before.into_iter().find(|other| self.wire(other) == wire);
        Ok(first.map(|other| Ahead {
            delivery: other.id,
            job: other.job,
        }))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::sender::tests::delivery;
    use crate::model::{RemoteTls, Timestamp};

    fn title(text: &str) -> AeTitle {
        AeTitle::parse(text).unwrap()
    }

    fn given(name: &str, address: &str) -> Delivery {
        Delivery {
            destination: title(name),
            remote: Some(RemoteAe::plain(title(name), address.to_owned(), title("RULE"))),
            ..delivery(0, Timestamp::now())
        }
    }

    #[test]
    fn a_rule_that_gives_the_address_of_a_remote_ae_has_its_limits_and_calls_as_it_says_itself() {
        let limits = SendLimits {
            bandwidth: Some(1000),
            associations: 3,
        };
        let tls = RemoteTls {
            ca: "ca.pem".into(),
            identity: None,
            name: None,
        };
        let known = RemoteAe {
            tls: Some(tls),
            limits,
            commit: true,
            ..RemoteAe::plain(title("PACS"), "Pacs.example:104".to_owned(), title("NODE"))
        };
        let destinations = Destinations::new(vec![Remote::Dicom(known.clone())]);
        let named = Delivery {
            remote: None,
            ..given("PACS", "")
        };
        let same = given("PACS", "pacs.example:0104");
        let target = destinations.of(&same).unwrap();
        let expected = RemoteAe {
            calling: title("RULE"),
            ..known.clone()
        };
        assert_eq!(target.remote, Remote::Dicom(expected));
        assert!(target.pace.is_some());
        let limits_of = |d: &Delivery| {
            destinations.limits(&d.destination, d.remote.as_ref().map(|ae| ae.address.as_str()))
        };
        assert_eq!(limits_of(&same), limits);
        assert_eq!(destinations.wire(&same), destinations.wire(&named));
        for other in [
            given("PACS", "pacs.example:105"),
            given("PACS2", "pacs.example:104"),
        ] {
            let target = destinations.of(&other).unwrap();
            assert_eq!(Some(target.remote), other.remote.clone().map(Remote::Dicom));
            assert!(target.pace.is_none());
            assert_eq!(limits_of(&other), SendLimits::default());
            assert_ne!(destinations.wire(&other), destinations.wire(&named));
        }
    }
}
