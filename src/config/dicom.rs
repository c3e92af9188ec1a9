//! `[dicom]`

use std::net::SocketAddr;
use std::time::Duration;

use super::{TlsConfig, callers, socket_address, tls};
use crate::model::{AddressRange, Reader, Uid};

/// `[dicom]`: how associations are taken, and the limits a peer meets.
#[derive(Clone, Debug)]
pub struct DicomConfig {
    /// `address`: where to listen. Default `0.0.0.0:11112`.
    pub address: SocketAddr,
    /// `networks`: peers there may call with any AE title, beside the `[[caller]]`s. Default this machine alone
    /// (`127.0.0.0/8`, `::1`), which a list that is given replaces: nothing is taken from the network until somebody
    /// says from whom.
    pub networks: Vec<AddressRange>,
    /// `associations`: open at once; one more is rejected as transient. Default 256.
    pub associations: u32,
    /// `associations_per_address`: open at once from one peer address, so that no peer can take all of them. Default 64.
    pub associations_per_address: u32,
    /// `artim`: time for the whole first PDU, and for the peer to close at the end (PS3.8 §9.1.5). Default 30 s.
    pub artim: Duration,
    /// `idle`: time without a byte from the peer before the association is aborted. Default 10 min.
    pub idle: Duration,
    /// `object_time`: time for one object, from its command to the last byte of its data set. Default 1 h.
    pub object_time: Duration,
    /// `maximum_pdu`: the maximum length offered (PS3.8 §D.1), in bytes, 4 KiB to 1 MiB. Default 128 KiB: larger gains
    /// nothing, smaller costs system calls.
    pub maximum_pdu: u32,
    /// `associate_request`: the longest A-ASSOCIATE-RQ that is read, in bytes, 4 KiB to 1 MiB. Default 128 KiB: 128
    /// contexts with 15 transfer syntaxes each fit well.
    pub associate_request: u32,
    /// `asynchronous_operations`: requests that a peer may send before the first is answered, where it asks for it
    /// (PS3.7 §D.3.3.3); answered one by one, in their order. Default 16.
    pub asynchronous_operations: u16,
    /// `private_sop_classes`: private SOP classes that are stored like the standard's. Default none.
    pub private_sop_classes: Vec<Uid>,
    /// `[dicom.tls]`: the port for DICOM over TLS. Default none.
    pub tls: Option<TlsConfig>,
}

pub(super) fn read(r: &Reader<'_>) -> DicomConfig {
    let size = |key| {
        r.bytes_within(key, 4 << 10..=1 << 20)
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(128 << 10)
    };
    let count = |key, default| {
        r.whole(key, 1..=10_000)
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(default)
    };
    let config = DicomConfig {
        address: r
            .text("address", socket_address)
            .unwrap_or(SocketAddr::from(([0, 0, 0, 0], 11112))),
        networks: callers::read_networks(r),
        associations: count("associations", 256),
        associations_per_address: count("associations_per_address", 64),
        artim: r.duration("artim").unwrap_or(Duration::from_secs(30)),
        idle: r.duration("idle").unwrap_or(Duration::from_secs(600)),
        object_time: r.duration("object_time").unwrap_or(Duration::from_secs(3600)),
        maximum_pdu: size("maximum_pdu"),
        associate_request: size("associate_request"),
        asynchronous_operations: r
            .whole("asynchronous_operations", 1..=1000)
            .and_then(|n| u16::try_from(n).ok())
            .unwrap_or(16),
        private_sop_classes: r
            .list("private_sop_classes", |text| Uid::parse(text.as_bytes()))
            .unwrap_or_default(),
        tls: tls::read(&r.table("tls")),
    };
    r.deny_unknown();
    config
}
