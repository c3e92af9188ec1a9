//! A zip that is pushed: no entry gives more than the directory says, and none more than its packed bytes can hold.

#![no_main]

use std::fs::File;
use std::io::Write;

use libfuzzer_sys::fuzz_target;
use magickbox::stage::unzipped;
use rustix::fs::{MemfdFlags, memfd_create};

/// Bytes of an entry that are looked at.
const MOST: u64 = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let mut file = File::from(memfd_create("zip", MemfdFlags::CLOEXEC).expect("a file in memory"));
    file.write_all(bytes).expect("there is room");
    if let Some(entries) = unzipped(file, MOST) {
        // An entry of the directory has a header of 46 bytes.
        assert!(entries.len() <= bytes.len() / 46);
    }
});
