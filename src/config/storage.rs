//! `[storage]`

use crate::model::{Durability, Reader};

/// `[storage]`: what "stored" means, and how full the disk may get.
#[derive(Clone, Copy, Debug)]
pub struct StorageConfig {
    /// `durability`: what an object has to survive before it is answered with Success. Default `instance`.
    pub durability: Durability,
    /// `reserve`: bytes of the data directory's disk that are left free: below it new associations are refused for the
    /// moment and C-STORE answers A700. Default 1 GiB.
    pub reserve: u64,
}

pub(super) fn read(r: &Reader<'_>) -> StorageConfig {
    let words = [
        ("instance", Durability::Instance),
        ("association", Durability::Association),
        ("none", Durability::None),
    ];
    let config = StorageConfig {
        durability: r.word("durability", &words).unwrap_or_default(),
        reserve: r.bytes("reserve").unwrap_or(1 << 30),
    };
    r.deny_unknown();
    config
}
