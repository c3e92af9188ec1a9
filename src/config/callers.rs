//! `[[caller]]` and `[dicom] networks`: who may call.

use crate::model::{AddressRange, AeTitle, Caller, Reader};

/// `networks`: the peers there may call with any AE title. A list that is given replaces the default, this machine.
pub(super) fn read_networks(r: &Reader<'_>) -> Vec<AddressRange> {
    r.list("networks", AddressRange::parse)
        .unwrap_or_else(|| vec![AddressRange::LOOPBACK_V4, AddressRange::LOOPBACK_V6])
}

pub(super) fn read_caller(r: &Reader<'_>) -> Option<Caller> {
    let caller = Caller {
        ae_title: r.text("ae_title", AeTitle::parse),
        addresses: r.list("addresses", AddressRange::parse),
        buckets: r.list("buckets", AeTitle::parse),
    };
    r.deny_unknown();
    let map = r.map()?;
    for key in ["addresses", "buckets"] {
        let empty = |v: &serde_json::Value| v.as_array().is_some_and(Vec::is_empty);
        if map.get(key).is_some_and(empty) {
            r.find(
                key,
                format!("is empty, which allows nobody; leave {key} out to allow all"),
            );
        }
    }
    if !map.contains_key("ae_title") && !map.contains_key("addresses") {
        r.find(
            "ae_title",
            "is missing, and addresses too: one of them has to say who is meant",
        );
    }
    Some(caller)
}
