//! `[http]`

use std::net::SocketAddr;

use super::socket_address;
use crate::model::Reader;

/// `[http]`: the API.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// `address`: where to listen. Default `127.0.0.1:2813`, loopback only.
    pub address: SocketAddr,
}

pub(super) fn read(r: &Reader<'_>) -> HttpConfig {
    let config = HttpConfig {
        address: r
            .text("address", socket_address)
            .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 2813))),
    };
    r.deny_unknown();
    config
}
