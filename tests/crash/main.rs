//! Nothing is lost and nothing is stuck, whatever dies: the node at every point of an object's way and at random ones,
//! the container engine, the power, a PACS, the store's file, the clock.
//!
//! `cargo test` runs the short form, `make crash` the full one. Each case says in a line what it showed. `make soak` has
//! all of it happen together, for as long as one likes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends by panicking"
)]
#![allow(dead_code, reason = "the harness serves other tests too")]

mod account;
mod chance;
mod clock;
mod engine;
mod gpus;
mod pacs;
mod points;
mod power;
mod random;
mod scene;
mod sick;
mod soak;
mod store_file;
mod study;
#[path = "../support/mod.rs"]
mod support;
mod ways_out;

/// Whether everything is run.
fn is_full() -> bool {
    std::env::var_os("MAGICKBOX_CRASH").is_some_and(|form| form == "full")
}

/// A line of the matrix: the case, and what it showed.
fn showed(case: &str, what: &str) {
    println!("{case:32} {what}");
}
