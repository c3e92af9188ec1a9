//! A small head phantom as an MR series.

#[path = "../../fixtures/dicom/head.rs"]
mod head;

use std::path::{Path, PathBuf};

use super::part10::files;

/// Writes a series of so many slices; returns its files.
pub fn write(directory: &Path, slices: u32) -> Vec<PathBuf> {
    write_seeded(directory, slices, head::Options::default().seed)
}

/// The same with noise and UIDs of their own: two seeds give two studies.
pub fn write_seeded(directory: &Path, slices: u32, seed: u64) -> Vec<PathBuf> {
    let options = head::Options {
        slices,
        seed,
        ..head::Options::default()
    };
    head::write_series(directory, &options).unwrap();
    files(directory)
}
