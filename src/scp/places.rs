//! How many connections and associations there may be, in all and from one address.
//!
//! A connection takes a place before anything is read from it, an association takes one more before it is accepted. A
//! place is given back when it is dropped, whatever ends the thread that holds it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::telemetry::metrics::METRICS;

/// Connections that may be open beyond the associations: about to ask, being refused, silent until ARTIM ends them.
const BEYOND: u32 = 256;

/// The same of one address. Less than [`BEYOND`], so that no address alone can shut the port to others.
const BEYOND_PER_ADDRESS: u32 = 32;

/// How many there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Associations in all.
    pub associations: u32,
    /// Associations from one address.
    pub associations_per_address: u32,
}

impl Limits {
    const fn connections(self) -> u32 {
        self.associations.saturating_add(BEYOND)
    }

    fn connections_per_address(self) -> u32 {
        self.associations_per_address
            .min(self.associations)
            .saturating_add(BEYOND_PER_ADDRESS)
    }
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    /// As many as there may be in all.
    #[error("all {0} places are taken")]
    All(u32),
    /// As many as there may be from one address.
    #[error("all {0} places for its address are taken")]
    Address(u32),
}

#[derive(Debug, Default)]
struct Count {
    connections: u32,
    associations: u32,
}

/// The places of a port.
#[derive(Debug)]
pub(super) struct Places {
    limits: Limits,
    taken: Mutex<Taken>,
    left: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    all: Count,
    /// Only addresses that hold a place.
    by_address: HashMap<IpAddr, Count>,
}

impl Places {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            taken: Mutex::default(),
            left: Notify::new(),
        })
    }

    /// Takes a place for a connection.
    pub(super) fn connect(self: &Arc<Self>, address: IpAddr) -> Result<Connected, Full> {
        let mut taken = self.lock();
        let own = taken.by_address.get(&address).map_or(0, |c| c.connections);
        let (most, most_own) = (self.limits.connections(), self.limits.connections_per_address());
        if own >= most_own {
            return Err(Full::Address(most_own));
        }
        if taken.all.connections >= most {
            return Err(Full::All(most));
        }
        taken.all.connections += 1;
        taken.by_address.entry(address).or_default().connections += 1;
        drop(taken);
        METRICS.connections_open.up();
        Ok(Connected {
            places: self.clone(),
            address,
        })
    }

    /// Connections that are open.
    pub(super) fn open(&self) -> u32 {
        self.lock().all.connections
    }

    /// Waits until no connection is open.
    pub(super) async fn all_left(&self) {
        loop {
            let left = self.left.notified();
            if self.open() == 0 {
                return;
            }
            left.await;
        }
    }

    /// Gives a place back.
    fn give_back(&self, address: IpAddr, place: impl Fn(&mut Count) -> &mut u32) {
        let mut taken = self.lock();
        let all = place(&mut taken.all);
        *all = all.saturating_sub(1);
        if let Some(own) = taken.by_address.get_mut(&address) {
            let count = place(own);
            *count = count.saturating_sub(1);
            if own.connections == 0 && own.associations == 0 {
                taken.by_address.remove(&address);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        // Nothing panics while it is held; if it did, the counts are still whole.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of an open connection.
#[derive(Debug)]
pub(super) struct Connected {
    places: Arc<Places>,
    address: IpAddr,
}

impl Connected {
    /// Takes a place for the association that this connection asks for.
    pub(super) fn associate(&self) -> Result<Associated, Full> {
        let mut taken = self.places.lock();
        let Limits {
            associations,
            associations_per_address,
        } = self.places.limits;
        let own = taken.by_address.get(&self.address).map_or(0, |c| c.associations);
        if own >= associations_per_address {
            return Err(Full::Address(associations_per_address));
        }
        if taken.all.associations >= associations {
            return Err(Full::All(associations));
        }
        taken.all.associations += 1;
        taken.by_address.entry(self.address).or_default().associations += 1;
        drop(taken);
        METRICS.associations_open.up();
        Ok(Associated {
            places: self.places.clone(),
            address: self.address,
        })
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        METRICS.connections_open.down();
        self.places.give_back(self.address, |c| &mut c.connections);
        self.places.left.notify_waiters();
    }
}

/// The place of an association.
#[derive(Debug)]
pub(super) struct Associated {
    places: Arc<Places>,
    address: IpAddr,
}

impl Drop for Associated {
    fn drop(&mut self) {
        METRICS.associations_open.down();
        self.places.give_back(self.address, |c| &mut c.associations);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn places(associations: u32, associations_per_address: u32) -> Arc<Places> {
        Places::new(Limits {
            associations,
            associations_per_address,
        })
    }

    fn is_empty(places: &Places) -> bool {
        let taken = places.lock();
        taken.all.connections == 0 && taken.all.associations == 0 && taken.by_address.is_empty()
    }

    #[test]
    fn associations_are_limited_for_an_address_and_in_all() {
        let places = places(3, 2);
        let seats: Vec<_> = [1, 1, 1, 2, 3]
            .map(|a| places.connect(address(a)).unwrap())
            .into();
        let first = seats[0].associate().unwrap();
        let second = seats[1].associate().unwrap();
        assert_eq!(seats[2].associate().unwrap_err(), Full::Address(2));
        let third = seats[3].associate().unwrap();
        assert_eq!(seats[4].associate().unwrap_err(), Full::All(3));
        drop(first);
        let fourth = seats[4].associate().unwrap();
        drop((seats, second, third, fourth));
        assert!(is_empty(&places));
    }

    #[test]
    fn silent_connections_of_one_address_leave_room_for_others() {
        for (associations, per_address) in [(256, 64), (1, 10_000), (10_000, 1), (64, 64)] {
            let places = places(associations, per_address);
            let mut silent = Vec::new();
            let full = loop {
                match places.connect(address(1)) {
                    Ok(place) => silent.push(place),
                    Err(full) => break full,
                }
            };
            let most = per_address.min(associations) + BEYOND_PER_ADDRESS;
            assert_eq!(full, Full::Address(most));
            let other = places.connect(address(2)).unwrap();
            drop(other.associate().unwrap());
            silent.pop();
            assert!(places.connect(address(1)).is_ok());
            drop((silent, other));
            assert!(is_empty(&places));
        }
    }

    #[test]
    fn many_addresses_are_limited_in_all() {
        let places = places(1, 1);
        let mut held = Vec::new();
        let full = (0..=255)
            .cycle()
            .map(address)
            .find_map(|a| match places.connect(a) {
                Ok(place) => {
                    held.push(place);
                    None
                }
                Err(full) => Some(full),
            });
        assert_eq!(full, Some(Full::All(257)));
        assert_eq!((held.len(), places.open()), (257, 257));
    }

    #[test]
    fn a_thread_that_panics_gives_its_places_back() {
        let places = places(1, 1);
        let connected = places.connect(address(1)).unwrap();
        let thread = std::thread::spawn(move || {
            let _associated = connected.associate().unwrap();
            panic!("on purpose");
        });
        assert!(thread.join().is_err());
        assert!(is_empty(&places));
    }

    #[tokio::test]
    async fn whoever_waits_for_the_end_hears_of_the_last_one() {
        let places = places(1, 1);
        places.all_left().await;
        let connected = places.connect(address(1)).unwrap();
        let waiting = tokio::spawn({
            let places = places.clone();
            async move { places.all_left().await }
        });
        drop(std::thread::spawn(move || drop(connected)));
        let deadline = std::time::Duration::from_secs(10);
        tokio::time::timeout(deadline, waiting).await.unwrap().unwrap();
    }
}
