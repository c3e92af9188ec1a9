//! Who may call: AE titles and the addresses they call from.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

use super::AeTitle;

/// An address, or all addresses of a network (CIDR). An IPv4-mapped IPv6 address or network is the IPv4 one; otherwise
/// IPv4 and IPv6 never match each other: `0.0.0.0/0` is every IPv4 address, `::/0` every IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange(IpNet);

/// Why a text is neither an address nor a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressRangeError {
    /// Not in either form.
    #[error("an address or a network, like \"10.1.2.3\", \"10.1.0.0/16\", \"2001:db8::/32\"")]
    Form,
    /// An address with a prefix shorter than itself: one of the two is a slip, and the wrong guess lets strangers in.
    #[error("an address within a network: write \"{network}\" for all of it or \"{address}\" for the one")]
    Ambiguous {
        /// The network.
        network: IpNet,
        /// The address.
        address: IpAddr,
    },
}

impl AddressRange {
    /// This machine, IPv4: `127.0.0.0/8`.
    pub const LOOPBACK_V4: Self = Self(IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)));
    /// This machine, IPv6: `::1`.
    pub const LOOPBACK_V6: Self = Self(IpNet::V6(ipnet::Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)));

    /// Parses an address or a network in CIDR notation.
    ///
    /// # Errors
    /// [`AddressRangeError`]: another form, or a network with bits set beyond its prefix.
    pub fn parse(text: &str) -> Result<Self, AddressRangeError> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(address.to_canonical().into()));
        }
        let network = canonical(text.parse().map_err(|_| AddressRangeError::Form)?);
        if network.trunc() == network {
            Ok(Self(network))
        } else {
            Err(AddressRangeError::Ambiguous {
                network: network.trunc(),
                address: network.addr(),
            })
        }
    }

    /// Whether the address is the one, or one of the network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

/// A network of IPv4-mapped addresses is the IPv4 network.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    let mapped = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
    mapped
        .and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok())
        .map_or(network, IpNet::V4)
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let net = &self.0;
        if net.prefix_len() == net.max_prefix_len() {
            write!(f, "{}", net.addr())
        } else {
            write!(f, "{net}")
        }
    }
}

/// A peer, or several, that may call; what is absent holds for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The calling AE title; absent: any, as long as the address is right.
    pub ae_title: Option<AeTitle>,
    /// Where it calls from; absent: anywhere.
    pub addresses: Option<Vec<AddressRange>>,
    /// The AE titles it may call; absent: all.
    pub buckets: Option<Vec<AeTitle>>,
}

impl Caller {
    /// Whether this is who calls.
    #[must_use]
    pub fn is(&self, calling: &AeTitle, address: IpAddr) -> bool {
        let named = self.ae_title.as_ref().is_none_or(|title| title == calling);
        let placed = self.addresses.as_ref();
        named && placed.is_none_or(|ranges| ranges.iter().any(|r| r.contains(address)))
    }

    /// Whether it may call that AE title.
    #[must_use]
    pub fn may_call(&self, called: &AeTitle) -> bool {
        self.buckets
            .as_ref()
            .is_none_or(|buckets| buckets.contains(called))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_its_own_and_nothing_else() {
        for (range, inside, outside) in [
            ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("0.0.0.0/0", "203.0.113.9", "::1"),
            ("::/0", "2001:db8::1", "10.0.0.1"),
            ("fd00::/8", "fd12::7", "fe80::7"),
            // IPv4 is IPv4, however it is written.
            ("10.0.0.0/8", "::ffff:10.0.0.1", "::10.0.0.1"),
            ("::ffff:10.0.0.0/104", "10.9.9.9", "11.0.0.1"),
            ("::ffff:10.1.2.3", "10.1.2.3", "10.1.2.4"),
        ] {
            let parsed = AddressRange::parse(range).unwrap();
            assert!(parsed.contains(inside.parse().unwrap()), "{inside} in {range}");
            assert!(!parsed.contains(outside.parse().unwrap()), "{outside} in {range}");
        }
        assert_eq!(AddressRange::parse("127.0.0.0/8"), Ok(AddressRange::LOOPBACK_V4));
        assert_eq!(AddressRange::parse("::1"), Ok(AddressRange::LOOPBACK_V6));
    }

    #[test]
    fn what_could_be_meant_in_two_ways_is_refused_with_both() {
        let error = AddressRange::parse("10.1.2.3/8").unwrap_err().to_string();
        assert!(
            error.contains("\"10.0.0.0/8\"") && error.contains("\"10.1.2.3\""),
            "{error}"
        );
        for bad in [
            "",
            "scanner",
            "10.1.2",
            "10.1.2.3/33",
            "10.0.0.0/",
            "10.0.0.0-10.0.0.9",
            "::/129",
        ] {
            assert_eq!(AddressRange::parse(bad), Err(AddressRangeError::Form), "{bad}");
        }
    }

    #[test]
    fn a_range_is_shown_as_it_is_written() {
        for text in ["10.1.2.3", "10.0.0.0/8", "::1", "2001:db8::/32"] {
            assert_eq!(AddressRange::parse(text).unwrap().to_string(), text);
        }
    }
}
