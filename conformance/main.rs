//! The node held against the standard: one folder a part of DICOM, one file a section.
//!
//! The subject is the real program and is reached over the network alone. A test's name is a sentence of the standard or
//! a promise of `STATEMENT.md`. What the node does not do yet is a test too, with `#[ignore = "known gap: …"]`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends by panicking"
)]
#![allow(dead_code, reason = "the harness serves other tests too")]

mod matrix;
mod ps3_10;
mod ps3_15;
mod ps3_2;
mod ps3_4;
mod ps3_5;
mod ps3_7;
mod ps3_8;
mod subject;
#[path = "../tests/support/mod.rs"]
mod support;
