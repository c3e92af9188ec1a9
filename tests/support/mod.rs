//! What the stories share: the node under test, its peers, its input.
//!
//! `node`, `orthanc`, `api`, `process` and `wait` are used by the demonstration too: they know nothing of tests
//! and return errors. The rest panics, as tests do.

pub mod api;
pub mod bad_archive;
pub mod bad_pacs;
pub mod collector;
pub mod commitment;
pub mod daemon;
pub mod http_script;
pub mod images;
pub mod kit;
pub mod leftovers;
pub mod legacy;
pub mod node;
pub mod orthanc;
pub mod pacs;
pub mod parrot;
pub mod part10;
pub mod peers;
pub mod phantom;
pub mod process;
pub mod runs;
pub mod senders;
pub mod tls;
pub mod tmpfs;
pub mod under_test;
pub mod wait;
pub mod zip;

use std::time::Duration;

/// Long enough for everything that must happen, whatever else the machine does.
pub const PATIENCE: Duration = Duration::from_secs(60);
