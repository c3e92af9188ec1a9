//! The node held against the standard: one folder a part of DICOM, one file a section.
//!
//! The subject is the real program and is reached over the network alone. A test's name is a sentence of the standard or
//! a promise of `STATEMENT.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends by panicking"
)]
#![allow(dead_code, reason = "the harness serves other tests too")]

mod ps3_15;
#[path = "../tests/support/mod.rs"]
mod support;

mod ps3_2;
