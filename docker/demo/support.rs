//! The harness of the black-box tests, as far as it serves here.

#![allow(dead_code, reason = "the tests use what is not used here")]

#[path = "../../tests/black_box/support/api.rs"]
pub mod api;
#[path = "../../fixtures/dicom/head.rs"]
pub mod head;
#[path = "../../tests/black_box/support/node.rs"]
pub mod node;
#[path = "../../tests/black_box/support/orthanc.rs"]
pub mod orthanc;
#[path = "../../tests/black_box/support/process.rs"]
pub mod process;
#[path = "../../tests/black_box/support/wait.rs"]
pub mod wait;
