//! The harness of the black-box tests, as far as it serves here.

#![allow(dead_code, reason = "the tests use what is not used here")]

#[path = "../../tests/support/api.rs"]
pub mod api;
#[path = "../../fixtures/dicom/head.rs"]
pub mod head;
#[path = "../../tests/support/node.rs"]
pub mod node;
#[path = "../../tests/support/orthanc.rs"]
pub mod orthanc;
#[path = "../../tests/support/process.rs"]
pub mod process;
#[path = "../../tests/support/wait.rs"]
pub mod wait;
