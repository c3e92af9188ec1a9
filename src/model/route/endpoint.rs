//! Where a peer is, whichever way it is written.

use std::net::IpAddr;

/// A host and a port that can be compared: `PACS.example:0104` and `pacs.example.:104` are one, as are the texts of one IP
/// address. A name and its address are two: what a name stands for may change from one hour to the next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    host: Host,
    port: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Host {
    Address(IpAddr),
    Name(String),
}

impl Endpoint {
    /// That of an address, `host:port`.
    #[must_use]
    pub fn of(address: &str) -> Self {
        let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
        let port = port
            .parse::<u16>()
            .map_or_else(|_| port.to_owned(), |number| number.to_string());
        Self {
            host: Host::of(host),
            port,
        }
    }
}

impl Host {
    fn of(text: &str) -> Self {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let bare = bare.unwrap_or(text);
        // An IPv4 address can be called as an IPv6 one, `::ffff:10.0.0.1`.
        match bare.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => Self::Address(address.to_canonical()),
            Ok(address) => Self::Address(address),
            Err(_) => Self::Name(text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_place_is_one_however_it_is_written_and_two_are_two() {
        for (one, other, same) in [
            ("pacs.example:104", "PACS.Example:104", true),
            ("pacs.example:104", "pacs.example.:0104", true),
            ("10.1.2.3:104", "[::ffff:10.1.2.3]:104", true),
            ("[fe80::1]:104", "[FE80:0:0::0:1]:104", true),
            ("[::1]:104", "::1:104", true),
            ("pacs.example:104", "pacs.example:11112", false),
            ("pacs.example:104", "pacs2.example:104", false),
            ("10.1.2.3:104", "10.1.2.30:104", false),
            ("[::1]:104", "127.0.0.1:104", false),
            ("localhost:104", "127.0.0.1:104", false),
        ] {
            assert_eq!(Endpoint::of(one) == Endpoint::of(other), same, "{one}, {other}");
        }
    }
}
