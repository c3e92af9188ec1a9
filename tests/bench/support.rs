//! The harness of the black-box tests, as far as it serves here.

#![allow(dead_code, reason = "the tests use what is not used here")]

#[path = "../support/api.rs"]
pub mod api;
#[path = "../support/images.rs"]
pub mod images;
#[path = "../support/node.rs"]
pub mod node;
#[path = "../support/orthanc.rs"]
pub mod orthanc;
#[path = "../support/process.rs"]
pub mod process;
#[path = "../support/runs.rs"]
pub mod runs;
#[path = "../support/wait.rs"]
pub mod wait;
