//! A small head phantom as an MR series.

#[path = "../../fixtures/dicom/head.rs"]
mod head;

use std::path::{Path, PathBuf};

use super::part10::files;

/// Writes a series of so many slices; returns its files.
pub fn write(directory: &Path, slices: u32) -> Vec<PathBuf> {
    let options = head::Options {
        slices,
        ..head::Options::default()
    };
    head::write_series(directory, &options).unwrap();
    files(directory)
}
