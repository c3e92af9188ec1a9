//! Says to this network that a node is there, by DNS-SD over multicast (RFC 6762, RFC 6763): `mb queryMachines` asks for it.
//!
//! A convenience: nothing waits for it, and what goes wrong keeps nobody from serving.

use std::net::SocketAddr;
use std::time::Duration;

use mdns_sd::{DaemonEvent, ServiceDaemon, ServiceInfo};

/// What the HTTP port is announced as.
const SERVICE: &str = "_magickbox._tcp.local.";

/// The time that saying farewell may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// A label of DNS has so many bytes at most (RFC 1035 §2.3.4).
const LONGEST_LABEL: usize = 63;

/// An announcement; it is taken back when the node stops. After a kill it runs out within two minutes.
pub(super) struct Announcement {
    daemon: ServiceDaemon,
}

impl Announcement {
    /// Announces the API at `address`: with that address, or with all of this machine's where it listens on all.
    pub fn make(address: SocketAddr, encrypted: bool) -> Option<Self> {
        if address.ip().is_loopback() {
            tracing::warn!(
                %address,
                "the node is not announced: its API is reached from this machine only; `address` of [http] says where else"
            );
            return None;
        }
        let say = |error| tracing::warn!(%error, "announce the node in this network");
        let service = service(address, encrypted).map_err(say).ok()?;
        let daemon = ServiceDaemon::new().map_err(say).ok()?;
        match daemon.monitor() {
            Ok(events) => drop(tokio::spawn(async move {
                // Ends with the daemon.
                while let Ok(event) = events.recv_async().await {
                    if let DaemonEvent::Error(error) = event {
                        say(error);
                    }
                }
            })),
            Err(error) => say(error),
        }
        let name = service.get_fullname().to_owned();
        daemon.register(service).map_err(say).ok()?;
        tracing::info!(name, "announced in this network");
        Some(Self { daemon })
    }

    /// Takes it back: who has heard of the node forgets it.
    pub async fn take_back(self) {
        let Ok(end) = self.daemon.shutdown() else { return };
        if tokio::time::timeout(FAREWELL, end.recv_async()).await.is_err() {
            tracing::warn!(
                "the announcement in this network was not taken back in time; it runs out by itself"
            );
        }
    }
}

fn service(address: SocketAddr, encrypted: bool) -> mdns_sd::Result<ServiceInfo> {
    let host = host(&rustix::system::uname().nodename().to_string_lossy());
    // More than one node of a machine are told apart by their ports.
    let port = address.port().to_string();
    let name: String = host.chars().take(LONGEST_LABEL - 1 - port.len()).collect();
    let said = [
        ("scheme", if encrypted { "https" } else { "http" }),
        ("version", env!("CARGO_PKG_VERSION")),
    ];
    let at = if address.ip().is_unspecified() {
        String::new()
    } else {
        address.ip().to_string()
    };
    let service = ServiceInfo::new(
        SERVICE,
        &format!("{name} {port}"),
        &format!("{host}.local."),
        at.as_str(),
        address.port(),
        &said[..],
    )?;
    Ok(if at.is_empty() {
        service.enable_addr_auto()
    } else {
        service
    })
}

/// The first label of the machine's name, as DNS takes it.
fn host(name: &str) -> String {
    let first = name.split('.').next().unwrap_or_default();
    let letters = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
    let host: String = first.chars().filter(letters).take(LONGEST_LABEL).collect();
    if host.is_empty() {
        "magickbox".to_owned()
    } else {
        host
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_announced_by_its_name_and_port() {
        let service = service("192.0.2.7:2813".parse().unwrap(), true).unwrap();
        assert!(service.get_fullname().ends_with(" 2813._magickbox._tcp.local."));
        assert_eq!(service.get_port(), 2813);
        assert_eq!(service.get_property_val_str("scheme"), Some("https"));
        let addresses: Vec<_> = service.get_addresses().iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["192.0.2.7"]);
        assert!(!service.is_addr_auto());
    }

    #[test]
    fn one_that_listens_on_all_addresses_is_announced_with_all_it_has() {
        let service = service("[::]:2813".parse().unwrap(), false).unwrap();
        assert!(service.is_addr_auto());
        assert_eq!(service.get_property_val_str("scheme"), Some("http"));
    }

    #[test]
    fn any_name_of_a_machine_becomes_a_label() {
        for (name, label) in [
            ("box", "box"),
            ("box.example.org", "box"),
            ("Übel box_1", "belbox1"),
            ("", "magickbox"),
            (".", "magickbox"),
        ] {
            assert_eq!(host(name), label, "{name}");
        }
        assert_eq!(host(&"x".repeat(100)).len(), LONGEST_LABEL);
    }
}
