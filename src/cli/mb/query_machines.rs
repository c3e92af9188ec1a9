//! `mb queryMachines`: the machines that say they are there, by DNS-SD over multicast (RFC 6762, RFC 6763), so within this
//! network; and how busy they are.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use mdns_sd::{ServiceDaemon, ServiceEvent};
use serde_json::{Value, json};

use super::ending::{Ending, complain, warn};
use super::machines::{ask_all, machines_at};
use super::print_json;
use super::settings::Settings;

/// What a node announces its HTTP port as.
const SERVICE: &str = "_magickbox._tcp.local.";

/// The shortest time for answers: they are spread over half a second, so that not all come at once.
const SHORTEST: Duration = Duration::from_secs(1);

/// The longest: who is there has answered by then, however patient the settings are.
const LONGEST: Duration = Duration::from_secs(5);

/// Machines that are listed; a network with more is being played with.
const MOST_MACHINES: usize = 256;

#[derive(Args, Debug)]
pub(super) struct QueryMachines {
    /// `with status`: with what each of them has to do
    #[arg(value_name = "with status", num_args = 0..=2, value_parser = ["with", "status"])]
    with: Vec<String>,
}

impl QueryMachines {
    pub fn run(&self) -> Result<Ending> {
        let found = find(Settings::load()?.time().clamp(SHORTEST, LONGEST))?;
        if found.is_empty() {
            warn(
                "no machine says that it is there; one that you know is added by 'mb activeMachines add <ip> <port>'",
            );
        }
        let mut ending = Ending::Done;
        let mut told: Vec<_> = found
            .iter()
            .map(|(address, port)| json!({ "Machine": address.to_string(), "Port": port.to_string() }))
            .collect();
        if self.with.len() == 2 {
            let machines = machines_at(&found)?;
            let (answers, worst) = ask_all(&machines, |machine| machine.question("getStatus.php"));
            ending = worst;
            for (machine, status) in answers {
                let place = told
                    .iter_mut()
                    .find(|entry| entry.get("Machine").and_then(Value::as_str) == Some(machine.name.as_str()))
                    .and_then(Value::as_object_mut);
                if let Some(place) = place {
                    place.insert("Status".to_owned(), status);
                }
            }
        }
        print_json(&told)?;
        Ok(ending)
    }
}

/// The machines that answer within `time`: one address of each, IPv4 where it has one.
fn find(time: Duration) -> Result<BTreeSet<(IpAddr, u16)>> {
    let asking = "ask this network for machines (multicast DNS, UDP port 5353)";
    let daemon = ServiceDaemon::new().context(asking)?;
    let events = daemon.browse(SERVICE).context(asking)?;
    let end = Instant::now() + time;
    let mut found = BTreeSet::new();
    while let Ok(event) = events.recv_timeout(end.saturating_duration_since(Instant::now())) {
        let ServiceEvent::ServiceResolved(service) = event else {
            continue;
        };
        let addresses = service.addresses.iter().map(|address| address.to_ip_addr());
        if let Some(address) = best(addresses)
            && found.len() < MOST_MACHINES
            && service.port > 0
        {
            found.insert((address, service.port));
        }
    }
    // It ends with this program at the latest.
    if let Err(error) = daemon.shutdown() {
        complain(&error.into());
    }
    Ok(found)
}

/// The address of a machine by which most others reach it: not one that only itself knows, and IPv4 if it has it. What a
/// person would have to write with a zone is none.
fn best(addresses: impl Iterator<Item = IpAddr>) -> Option<IpAddr> {
    let usable = |address: &IpAddr| match address {
        IpAddr::V4(_) => true,
        IpAddr::V6(v6) => !v6.is_unicast_link_local(),
    };
    let worse = |address: &IpAddr| {
        let of_one_wire = matches!(address, IpAddr::V4(v4) if v4.is_link_local());
        (address.is_loopback(), of_one_wire, *address)
    };
    addresses.filter(usable).min_by_key(worse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_listed_by_the_address_that_others_reach() {
        for (addresses, wanted) in [
            (&["127.0.0.1", "192.0.2.2", "fd00::2"][..], Some("192.0.2.2")),
            (&["::1", "fe80::1", "fd00::2"], Some("fd00::2")),
            (&["169.254.3.4", "192.0.2.2"], Some("192.0.2.2")),
            (&["127.0.0.1", "169.254.3.4"], Some("169.254.3.4")),
            (&["127.0.0.1"], Some("127.0.0.1")),
            (&["fe80::1"], None),
            (&[], None),
        ] {
            let parsed = addresses.iter().map(|a| a.parse().unwrap());
            assert_eq!(best(parsed), wanted.map(|a| a.parse().unwrap()), "{addresses:?}");
        }
    }
}
