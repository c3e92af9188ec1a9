//! Where an object came from.

use std::net::IpAddr;

use super::{CalledAeTitle, CallingAeTitle};

/// Who sent an object to whom: what an association knows about its peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The AE title the peer asked for.
    pub called: CalledAeTitle,
    /// The AE title the peer gave as its own.
    pub calling: CallingAeTitle,
    /// The peer's address.
    pub address: IpAddr,
    /// The association the object came over; unique while the node runs.
    pub association: u64,
}
