//! The real programs against real peers: dcmtk and pynetdicom send, Docker runs, Orthanc receives.
//!
//! One module is one story, each test name a sentence of it. A peer that is missing skips its stories visibly;
//! `docker/setup.sh test` brings them all.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends by panicking"
)]
#![allow(dead_code, reason = "the harness serves other tests too")]

mod access;
mod adopt;
mod again;
mod associations;
mod audit;
mod buckets_cli;
mod check;
mod classify;
mod commitment;
mod copies;
mod create;
mod destinations;
mod disk;
mod durability;
mod first_light;
mod gate;
mod gpus;
mod grouping;
mod install;
mod leftovers;
mod legacy;
mod mb;
mod memory;
mod misbehaving;
mod open;
mod open_page;
mod operators;
mod outage;
mod outcomes;
mod parallel;
mod programs;
mod readme;
mod real_buckets;
mod recovery;
mod refusals;
mod reports;
mod retention;
mod returning;
mod routing;
mod run;
mod sandbox;
#[path = "../support/mod.rs"]
mod support;
mod terminal;
mod transcoding;
mod tutorial;
mod upgrade;
mod verify;
mod versions;
