//! Streams: AE titles that are bound to a bucket.

use std::collections::HashMap;
use std::sync::Arc;

use super::{AeTitle, Complete, Priority};

/// An AE title that takes studies, and how its studies are put together.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// The called AE title.
    pub ae_title: AeTitle,
    /// When an arriving set of objects is a job.
    pub complete: Complete,
    /// How soon its jobs are wanted.
    pub priority: Priority,
}

/// The streams that are open at this moment.
pub type StreamTable = Arc<HashMap<AeTitle, Stream>>;
