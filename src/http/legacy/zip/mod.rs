//! Zips that are written while they are sent: no copy on the disk, no memory but a piece, their length known before they
//! begin, so that a client can go on where a connection broke.
//!
//! ```text
//! format.rs  the records
//! plan.rs    which entries, where they are, where they will be
//! stream.rs  from the plan to bytes
//! ```

mod format;
mod plan;
mod stream;

#[cfg(test)]
mod tests;

pub use plan::Plan;
pub use stream::stream;
