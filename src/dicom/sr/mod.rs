//! DICOM Structured Reports that the node makes of what a bucket measured: TID 1500 Measurement Report (PS3.16).
//!
//! ```text
//! content    a tree of content items as data (PS3.3 §C.17.3)
//! template   TID 1500 and what it includes, from a report's data to that tree: pure
//! library    TID 1600, the images that were looked at
//! encode     a tree as a data set
//! decimal    a number as DS, at most 16 characters
//! document   the whole object: patient, study, series, equipment, document, content
//! ```
//!
//! The object is a Comprehensive 3D SR: the one that IHE's AI Results profile asks for. The same report makes the same
//! bytes: nothing in it is of the moment.

pub mod content;
mod decimal;
pub mod document;
mod encode;
mod library;
pub mod template;

pub use library::MOST_IMAGES;

pub use document::{Document, Equipment, Instance, SrError};
pub use template::{Algorithm, Group, Measured, Report};

#[cfg(test)]
mod tests;
